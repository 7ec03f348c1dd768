//! Wrong logins in a configuration: what does not go together, and texts that cannot be sent.
#![cfg(feature = "gateway")]

#[path = "support/config.rs"]
mod support;

use support::{Folder, check, dev, login, path, route, served, token};

#[test]
fn a_login_and_its_tokens_belong_together() {
    let dev_token = |more: &str| dev(&token(more));
    let leave_out = "which begin with a login: add an [otp] section, or leave it out";
    let cookie =
        |origin: &str| dev(&login("", &format!("delivery = \"cookie\"\norigins = [\"{origin}\"]")));
    let built_in =
        |at: &str| (dev(&(login("", "") + &path(&format!("\"{at}\"")))), "it is built in");
    check(&[
        (
            dev("[otp]\nsender = \"log\"\napp = \"Acme\""),
            "[otp]: a login issues tokens: add a [token] section with issuer and audience",
        ),
        (
            dev_token("refresh = \"7d\""),
            "[token]: `refresh` is for sessions, which begin with a login",
        ),
        (dev_token("session = \"30d\""), leave_out),
        (dev_token("refresh_secret = \"file:refresh.secret\""), leave_out),
        (dev_token("delivery = \"body\""), leave_out),
        (dev_token("origins = []"), leave_out),
        (
            dev(&login("", "origins = [\"https://app.example\"]")),
            "[token]: `origins` need delivery = \"cookie\"",
        ),
        (
            dev(&login("", "delivery = \"body\"\norigins = []")),
            "[token]: `origins` need delivery = \"cookie\"",
        ),
        (
            cookie("https://app.example/"),
            "[token]: origins: `https://app.example/` is not an origin to allow: write it like https://app.example",
        ),
        (cookie("app.example"), "`app.example` is not an origin to allow"),
        (cookie("http://app.example"), "`http://app.example` is not an origin to allow"),
        (cookie("https://*.app.example"), "is not an origin to allow"),
        (cookie("https://App.example"), "is not an origin to allow"),
        (cookie("https://app.example:443"), "is not an origin to allow"),
        (cookie("null"), "`null` is not an origin to allow"),
        (cookie("*"), "`*` is not an origin to allow"),
        (dev(&login("", "retiring = [\"file:ec.key\"]")), "[token]: file:ec.key: "),
        (dev(&login("", "retiring = [\"file:ed.key\"]")), "of a kind that ES256 does not use"),
        (dev(&login("", "retiring = [\"file:missing\"]")), "[token]: missing: cannot be read"),
        (dev(&login("", "retiring = \"file:old.key\"")), "a sequence is needed here, not: string"),
        (dev(&login("", "retiring = [\"hunter2\"]")), "a secret does not belong into this file"),
        (login("", "").replace("keys = \"file:ec.key\"\n", ""), "[token]: `keys` is missing"),
        built_in("/v1/otp"),
        built_in("/v1/otp/"),
        built_in("/v1/otp/mine"),
        built_in("/v1/token"),
        built_in("/v1/logout/all"),
        built_in("/v1/sessions"),
        built_in("/v1/devices"),
        built_in("/v1/phone"),
        built_in("/v1/openapi.json"),
        (
            format!("{}\n[listen]\naddress = \"192.0.2.1:80\"", dev(&login("", ""))),
            "[listen] address: profile \"dev\" listens on loopback only, not on 192.0.2.1:80",
        ),
    ]);
    // Without a login these paths are free, and beside one so are its neighbours.
    let folder = Folder::new();
    for text in [
        dev(&path("\"/v1/otp\"")),
        dev(&(login("", "") + &path("\"/v1\"") + &path("\"/v1/otps\""))),
    ] {
        folder.parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
    folder.parse(&(dev(&login("", "")) + &route(""))).unwrap();
}

#[test]
fn requirement_14_a_message_holds_the_code_and_nothing_that_somebody_typed() {
    let otp = |line: &str, told| (dev(&login(line, "")), told);
    let text = |text: &str| {
        dev(&login(
            &format!("[[otp.text]]\npurpose = \"login\"\nlanguage = \"de\"\ntext = \"{text}\""),
            "",
        ))
    };
    let place = "[otp]: [[otp.text]] de: text `login` in `de`: ";
    let long = "x".repeat(160);
    check(&[
        (text("{code} für {name}"), "`{name}`: only {code}, {app} and {minutes} are known"),
        (text("{code} für {a\\nb}"), "only {code}, {app} and {minutes} are known"),
        (text("{code} {"), "`{`: only {code}, {app} and {minutes} are known"),
        (text("{Code}"), "`{Code}`: only"),
        (text("Dein Code"), "[[otp.text]] de: text `login` in `de`: `{code}` is missing"),
        (text("{code}\\tTab"), place),
        (
            text(&format!("{{code}}{long}")),
            "168 characters with a code of 8 digits and all lines, at most 160 fit",
        ),
        (
            text("{code} ваш код"),
            "`в` is not in the GSM alphabet: with it 70 characters fit instead of 160, which has to be allowed by `unicode`",
        ),
        (
            text(&format!("{{code}} ваш код{}", &long[..64]))
                .replace("app =", "unicode = true\napp ="),
            "80 UTF-16 units with a code of 8 digits and all lines, at most 70 fit",
        ),
        (
            text("{code}").replace("\"login\"", "\"signup\""),
            "[[otp.text]] de: purpose: login, step_up or phone_change",
        ),
        (
            text("{code}").replace("\"de\"", "\"de_DE\""),
            "a language is a tag of BCP 47, such as `en` or `pt-BR`",
        ),
        (
            text("{code}")
                + "[[otp.text]]\npurpose = \"login\"\nlanguage = \"DE\"\ntext = \"{code}\"",
            "text `login` in `DE`: there is one already",
        ),
        (text("{code}").replace("text = \"{code}\"", ""), "missing field `text`"),
        otp(
            "host = \"https://acme.example\"",
            "[otp]: host: the host of a text is a domain like `acme.example`, without scheme, port and path, in ASCII",
        ),
        otp("host = \"acme.example:443\"", "[otp]: host: the host of a text is a domain"),
        otp("host = \"127.0.0.1\"", "[otp]: host: the host of a text is a domain"),
        otp(
            "app_hash = \"FA+9qCX9VS\"",
            "[otp]: app_hash: an app hash is 11 characters of base64, like `FA+9qCX9VSu`",
        ),
        otp("app_hash = \"FA+9qCX9VSuu\"", "an app hash is 11 characters"),
        otp("app_hash = \"FA-9qCX9VSu\"", "an app hash is 11 characters"),
        (
            dev(&login("", "").replace("Acme", "")),
            "[otp]: app: the name of an app is 1 to 30 characters of the GSM alphabet",
        ),
        (
            dev(&login("", "").replace("Acme", "Аcme")),
            "[otp]: app: the name of an app is 1 to 30 characters",
        ),
        (dev(&login("", "").replace("Acme", "{code}")), "without braces and line breaks"),
        otp(&format!("host = \"{}.example\"", "a.".repeat(60) + "a"), "[otp]: host: "),
    ]);
}

#[test]
fn changes_of_numbers_have_their_bounds_and_a_text() {
    let section = |lines: &str| dev(&login(&format!("[otp.phone_change]\n{lines}"), ""));
    let notice = |text: &str| {
        let lines = format!("purpose = \"phone_changed\"\nlanguage = \"de\"\ntext = \"{text}\"");
        dev(&login(&format!("[[otp.text]]\n{lines}"), ""))
    };
    let folder = Folder::new();
    for good in [
        section("allowed = false"),
        section("allowed = true\nreauth_after = \"1m\"\ncool_off = \"30d\""),
        section("reauth_after = \"1h\"\ncool_off = \"0s\""),
        notice("{app}: deine Nummer ist neu."),
    ] {
        folder.parse(&served(&good)).unwrap_or_else(|error| panic!("{good}\n{error}"));
    }
    let text = "[[otp.text]] de: text `phone_changed` in `de`: ";
    check(&[
        (
            section("reauth_after = \"59s\""),
            "[otp]: phone_change.reauth_after: login before a change of number: 60 to 3600 seconds, not 59 (ASVS 7.5.1)",
        ),
        (section("reauth_after = \"61m\""), "60 to 3600 seconds, not 3660"),
        (
            section("cool_off = \"31d\""),
            "[otp]: phone_change.cool_off: cool-off of a number: 0 to 2592000 seconds, not 2678400",
        ),
        (section("allow = true"), "unknown key `allow`; did you mean `allowed`?"),
        (section("allowed = \"yes\""), "a boolean is needed here, not: string"),
        (notice("{code}"), &format!("{text}a notice has no `{{code}}` and no `{{minutes}}`")),
        (notice(""), &format!("{text}it is empty")),
    ]);
}
