//! Wrong logins in a configuration: keys, secrets, profiles.
#![cfg(feature = "gateway")]

#[path = "support/config.rs"]
mod support;

use portcullis::gateway::{Config, EnvFile};
use std::fs;
use support::{Folder, check, dev, login, served};

#[test]
fn unknown_keys_of_a_login_are_named_with_the_nearest_known_one() {
    let otp = |line: &str, told| (dev(&login(line, "")), told);
    let token = |line: &str, told| (dev(&login("", line)), told);
    check(&[
        otp("life_time = \"60s\"", "unknown key `life_time`; did you mean `lifetime`?"),
        otp("digit = 6", "unknown key `digit`; did you mean `digits`?"),
        otp("attempt = 5", "unknown key `attempt`; did you mean `attempts`?"),
        otp("app-hash = \"FA+9qCX9VSu\"", "unknown key `app-hash`; did you mean `app_hash`?"),
        otp("allow_short_code = true", "did you mean `allow_short_codes`?"),
        otp("[[otp.texts]]", "unknown key `texts`; did you mean `text`?"),
        otp("[[otp.test_numbers]]", "unknown key `test_numbers`; did you mean `test_number`?"),
        otp("[[otp.text]]\nlang = \"de\"", "unknown key `lang`; did you mean `language`?"),
        otp("[[otp.test_number]]\nend = 2027-01-31", "unknown key `end`"),
        otp("grace = \"20s\"", "unknown key `grace`"),
        token("refreshsecret = \"env:X\"", "did you mean `refresh_secret`?"),
        token("origin = \"https://app.example\"", "unknown key `origin`; did you mean `origins`?"),
        token("deliver = \"cookie\"", "unknown key `deliver`; did you mean `delivery`?"),
        token("delivery = \"cookies\"", "unknown variant `cookies`, expected `body` or `cookie`"),
        (dev("[opt]\nsender = \"log\""), "line 2: unknown key `opt`; did you mean `otp`?"),
        (dev("[otp]\napp = \"Acme\""), "missing field `sender`"),
        (dev("[otp]\nsender = \"log\""), "missing field `app`"),
        (
            dev("[otp]\nsender = \"carrier-pigeon\"\napp = \"Acme\""),
            "expected one of `twilio`, `twilio-verify`, `msg91`, `http`, `log`",
        ),
    ]);
}

#[test]
fn requirement_94_secrets_must_be_two_and_not_guessable() {
    let with = |pepper: &str, refresh: &str| {
        let text = login("", "").replace("file:pepper.secret", pepper);
        dev(&text.replace("file:refresh.secret", refresh))
    };
    let (pepper, refresh) = ("file:pepper.secret", "file:refresh.secret");
    let without = |line: &str| login("", "").replace(&format!("{line}\n"), "");
    let (no_pepper, no_refresh) = (
        without("pepper = \"file:pepper.secret\""),
        without("refresh_secret = \"file:refresh.secret\""),
    );
    let pepper_missing =
        "[otp] pepper: it is missing: 32 random bytes or more, like pepper = \"env:OTP_PEPPER\"";
    let refresh_missing = "[token] refresh_secret: it is missing: 32 random bytes or more, like refresh_secret = \
                           \"env:JWT_REFRESH_SECRET\"";
    check(&[
        (no_pepper.clone(), pepper_missing),
        (dev(&no_pepper), pepper_missing),
        (no_refresh.clone(), refresh_missing),
        (dev(&no_refresh), refresh_missing),
        (
            without("pepper = \"file:pepper.secret\"")
                .replace("refresh_secret = \"file:refresh.secret\"\n", ""),
            pepper_missing,
        ),
        (with(pepper, pepper), "the pepper and the refresh secret must not be the same"),
        (
            with("file:31.secret", refresh),
            "[otp] pepper: file:31.secret: a secret for HS256 needs at least 32 bytes",
        ),
        (
            with(pepper, "file:31.secret"),
            "[token] refresh_secret: file:31.secret: a secret for HS256 needs at least",
        ),
        (
            with("file:weak.secret", refresh),
            "the secret can be guessed: draw it from a random generator, like openssl",
        ),
        (
            with(pepper, "file:weak.secret"),
            "[token] refresh_secret: file:weak.secret: the secret can be guessed",
        ),
        (with("file:ec.key", refresh), "the secret is the text of a key of another kind"),
        (with("file:odd.secret", refresh), "file:odd.secret: not what its prefix says"),
        (with("file:missing", refresh), "[otp] pepper: missing: cannot be read"),
        (
            with(pepper, "env:PORTCULLIS_TEST_UNSET"),
            "[token] refresh_secret: the environment has no PORTCULLIS_TEST_UNSET",
        ),
        (with("hunter2-as-it-is", refresh), "a secret does not belong into this file"),
    ]);
}

#[test]
fn requirement_94_the_placeholders_of_the_example_are_refused() {
    let folder = Folder::new();
    let env = EnvFile::load(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
    let text = dev(&served(&login("", "")));
    for (file, variable, place) in [
        ("file:pepper.secret", "OTP_PEPPER", "[otp] pepper"),
        ("file:refresh.secret", "JWT_REFRESH_SECRET", "[token] refresh_secret"),
    ] {
        let text = text.replace(file, &format!("env:{variable}"));
        fs::write(folder.0.join("gateway.toml"), text).unwrap();
        let error = Config::load_with(folder.0.join("gateway.toml"), &env).unwrap_err().to_string();
        let told = format!("{place}: env:{variable}: the secret can be guessed");
        assert!(error.contains(&told), "{error}");
        assert!(!error.contains("change-me"), "{error}");
    }
}

#[test]
fn requirement_95_what_dev_may_do_production_may_not() {
    let number = "[[otp.test_number]]\nphone = \"+12025550123\"\ncode = \"file:code\"";
    let until = |more: &str| login(&format!("{number}\n{more}"), "");
    let banking = |text: &str| format!("profile = \"banking\"\n{text}");
    let other = |from: &str, to: &str| until("until = 2020-01-31").replace(from, to);
    check(&[
        (
            login("", ""),
            "[otp]: sender: \"log\" prints codes for whoever reads the output: it is for profile \"dev\", not for \"standard\"",
        ),
        (banking(&login("", "")), "it is for profile \"dev\", not for \"banking\""),
        (
            until(""),
            "[[otp.test_number]] +1******0123: until: an end is needed outside profile \"dev\", like 2027-01-31",
        ),
        (banking(&until("")), "until: an end is needed outside profile \"dev\""),
        (
            until("until = 9999-12-31"),
            "[otp]: test number +1******0123: its end is more than 366 days ahead, which only the profile `dev` takes",
        ),
        (
            dev(&until("").replace("+12025550123", "+911111111111")),
            "[otp]: test number +91******1111: no network has a use for this number",
        ),
        (until("until = \"2030-01-31\""), "is needed here, not: string"),
        (
            until("until = 2030-01-31T00:00:00Z"),
            "[[otp.test_number]] +1******0123: until: a date, like 2027-01-31",
        ),
        (until("until = 1969-12-30"), "until: a date, like 2027-01-31"),
        (
            other("file:code", "file:five"),
            "[otp]: test number +1******0123: its code must have 6 digits",
        ),
        (
            other("file:code", "file:letters"),
            "[[otp.test_number]] +1******0123: its code is not made of digits",
        ),
        (
            other("file:code", "file:missing"),
            "[[otp.test_number]] +1******0123: missing: cannot be read",
        ),
        (other("file:code", "file:pattern"), "its code is a pattern that is guessed first"),
        (other("file:code", "407193"), "a secret does not belong into this file"),
        (
            other("+12025550123", "2025550123"),
            "[[otp.test_number]]: a phone number is `+` and 2 to 15 digits",
        ),
        (
            dev(&login(&format!("{number}\n{number}"), "")),
            "test number +1******0123: it is there twice",
        ),
        (dev(&login(&format!("{number}\n").repeat(21), "")), "test numbers: at most 20, not 21"),
    ]);
}
