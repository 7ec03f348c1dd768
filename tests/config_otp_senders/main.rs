//! Who sends the messages of a login: every key, and every wrong combination of them.
#![cfg(all(feature = "gateway", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod delivered;
#[path = "../support/config.rs"]
mod support;

use portcullis::gateway::{Config, EnvFile, Gateway};
use std::fs;
use support::{Folder, check, dev, login, served};

const TWILIO: &str = "account_sid = \"AC00112233445566778899aabbccddeeff\"\nauth_token = \"file:twilio.token\"\n\
                      from = \"+12025550123\"\n";
const VERIFY: &str = "[otp.twilio_verify]\naccount_sid = \"AC00112233445566778899aabbccddeeff\"\n\
                      auth_token = \"file:twilio.token\"\nservice_sid = \"VA00112233445566778899aabbccddeeff\"\n";
const MSG91: &str =
    "authkey = \"file:msg91.authkey\"\ntemplate_id = \"65f2a1c0d6fc0512ab34cd56\"\n";
const HTTP: &str = "url = \"https://sms.example/send\"\nsecret = \"file:good.secret\"\n";

/// A login with this sender and these sections.
fn sending(sender: &str, sections: &str) -> String {
    login(sections, "").replace("sender = \"log\"", &format!("sender = \"{sender}\""))
}

/// With one section, of the sender's own name.
fn with(sender: &str, lines: &str) -> String {
    sending(sender, &format!("[otp.{sender}]\n{lines}"))
}

/// Twilio among others, or in another way.
fn several(names: &str, sections: &str) -> String {
    let text = with("twilio", TWILIO).replace("sender = \"twilio\"", &format!("sender = {names}"));
    format!("{text}{sections}")
}

/// Twilio, which reports to `url`.
fn reporting(url: &str, more: &str) -> String {
    with("twilio", &format!("{TWILIO}{more}\n[otp.webhooks]\nurl = \"{url}\"\n"))
}

#[test]
fn outside_dev_a_login_starts_with_a_real_sender() {
    let folder = Folder::new();
    for (sender, lines) in [("twilio", TWILIO), ("msg91", MSG91), ("http", HTTP)] {
        for profile in ["dev", "standard"] {
            let text = format!("profile = \"{profile}\"\n{}", served(&with(sender, lines)));
            let config = folder.parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
            let shown = format!("{config:?}");
            for secret in ["fake-twilio", "fakeMsg91", "V0r9xTz3", "AC0011", "2025550123"] {
                assert!(!shown.contains(secret), "{secret}: {shown}");
            }
            drop(Gateway::new(&config).unwrap());
        }
    }
}

#[test]
fn requirement_48_wrong_senders_are_refused_with_what_to_write() {
    let twilio = |from: &str, to: &str| with("twilio", &TWILIO.replace(from, to));
    let also = |line: &str| with("twilio", &format!("{TWILIO}{line}"));
    let token = "auth_token = \"file:twilio.token\"\n";
    let key = "api_key = \"SK00112233445566778899aabbccddeeff\"\n";
    let secret = "api_secret = \"file:twilio.secret\"\n";
    let from = "from = \"+12025550123\"\n";
    let msg91 = |from: &str, to: &str| with("msg91", &MSG91.replace(from, to));
    let http = |from: &str, to: &str| with("http", &HTTP.replace(from, to));
    let five = "retiring = [\"file:good.secret\", \"file:good.secret\", \"file:good.secret\", \"file:good.secret\"]";
    check(&[
        (
            sending("twilio", ""),
            "sender = \"twilio\" needs a section [otp.twilio] with account_sid",
        ),
        (
            sending("twilio-verify", ""),
            "sender = \"twilio-verify\" needs a section [otp.twilio_verify] with account_sid, auth_token and",
        ),
        (
            dev(&sending("log", VERIFY)),
            "[otp.twilio_verify] is not used: write sender = \"twilio-verify\", put",
        ),
        (
            sending("twilio-verify", &VERIFY.replace("VA0011", "hunter2")),
            "[otp.twilio_verify]: Verify service SID: it is VA and 32 hexadecimal digits",
        ),
        (
            sending("twilio-verify", &VERIFY.replace("auth_token", "api_secret")),
            "[otp.twilio_verify]: api_key and api_secret belong together",
        ),
        (
            sending("twilio-verify", &format!("{VERIFY}per_day = 0")),
            "[otp.twilio_verify]: per_day: messages in a day",
        ),
        (sending("msg91", ""), "sender = \"msg91\" needs a section [otp.msg91] with authkey and"),
        (sending("http", ""), "sender = \"http\" needs a section [otp.http] with url and secret"),
        (
            dev(&sending("log", &format!("[otp.twilio]\n{TWILIO}"))),
            "[otp.twilio] is not used: write sender = \"twilio\", put \"twilio\" into the list, or leave",
        ),
        (
            sending("twilio", &format!("[otp.twilio]\n{TWILIO}[otp.msg91]\n{MSG91}")),
            "[otp.msg91] is not used",
        ),
        (several("[\"twilio\", \"twilio\"]", ""), "[otp]: sender: `twilio` is there twice"),
        (several("[]", ""), "[otp.twilio] is not used"),
        (
            several("[\"twilio\", \"smoke\"]", ""),
            "unknown variant `smoke`, expected one of `twilio`",
        ),
        (several("7", ""), "the name of a sender or a list of names is needed here"),
        (
            several("[\"twilio\"]", "[otp.route]\n\"91\" = [\"twilio\"]\n"),
            "[otp.route]: a country is `+` and 1 to 7 digits, like +91",
        ),
        (
            several("[\"twilio\"]", "[otp.route]\n\"+91\" = \"msg91\"\n"),
            "[otp.route]: +91: `msg91` is no provider",
        ),
        (also("per_day = 0"), "[otp.twilio]: per_day: messages in a day: 1 to"),
        (also("soft = 5"), "[otp.twilio]: soft: it warns of the end of per_day: add per_day"),
        (
            also("per_day = 5\nsoft = 5"),
            "[otp.twilio]: soft: messages at which to warn: 1 to 4, not 5",
        ),
        (also("per_minute = 0"), "[otp.twilio]: per_minute: a quota must let at least one"),
        (
            with("msg91", &format!("{MSG91}per_dai = 5")),
            "unknown key `per_dai`; did you mean `per_day`?",
        ),
        (
            reporting("http://login.example", ""),
            "[otp.webhooks]: url: the URL of a webhook must begin with https",
        ),
        (reporting("login.example", ""), "[otp.webhooks]: url: not a URL"),
        (
            with("http", &format!("{HTTP}[otp.webhooks]\nurl = \"https://login.example\"\n")),
            "[otp.webhooks]: nobody reports: it is for the sender \"twilio\", and for \"msg91\" with",
        ),
        (
            with(
                "msg91",
                &format!(
                    "{MSG91}webhook_secret = \"file:short.secret\"\n[otp.webhooks]\nurl = \"https://a.example\""
                ),
            ),
            "[otp.webhooks]: [otp.msg91]: webhook_secret: file:short.secret: a secret for",
        ),
        (
            with(
                "msg91",
                &format!(
                    "{MSG91}webhook_secret = \"file:pepper.secret\"\n[otp.webhooks]\nurl = \"https://a.example\""
                ),
            ),
            "webhook_secret: file:pepper.secret: the secret of a path has 32 to 128 letters",
        ),
        (
            reporting("https://login.example", "webhook_tokens = [\"file:missing\"]"),
            "[otp.webhooks]: missing: cannot be read",
        ),
        (
            reporting(
                "https://login.example",
                "[[otp.twilio.webhook_key]]\nid = \"a b\"\nsecret = \"file:good.secret\"",
            ),
            "[otp.webhooks]: [[otp.twilio.webhook_key]]: the id of a shared key has 1 to 128 letters",
        ),
        (
            twilio(token, &format!("{key}{secret}[otp.webhooks]\nurl = \"https://a.example\"\n"))
                .replace(from, "")
                .replace("[otp.webhooks]", &format!("{from}[otp.webhooks]")),
            "webhook_tokens: Twilio signs with the auth token of the account, also where an api_key",
        ),
        (
            format!(
                "{}\n[[route]]\npath = \"/webhooks/x\"\nrespond = \"hello\"\nauth = \"none\"\n",
                reporting("https://a.example", "")
            ),
            "it is built in",
        ),
        (sending("twillio", ""), "unknown variant `twillio`, expected one of `twilio`"),
        (twilio(token, ""), "[otp.twilio]: auth_token: it is missing, like auth_token = \"env:"),
        (twilio(token, key), "[otp.twilio]: api_key and api_secret belong together"),
        (twilio(token, secret), "[otp.twilio]: api_key and api_secret belong together"),
        (also(key), "[otp.twilio]: either auth_token, or api_key and api_secret"),
        (also(&format!("{key}{secret}")), "[otp.twilio]: either auth_token, or api_key"),
        (
            twilio(token, &format!("api_key = \"hunter2\"\n{secret}")),
            "[otp.twilio]: api_key: API key SID: it is SK and 32 hexadecimal digits",
        ),
        (twilio(from, ""), "[otp.twilio]: exactly one of from and messaging_service_sid"),
        (also("messaging_service_sid = \"MG1\""), "exactly one of from and messaging_service_sid"),
        (
            twilio(from, "messaging_service_sid = \"MG1\""),
            "messaging_service_sid: Messaging Service SID: it is MG and 32 hexadecimal digits",
        ),
        (twilio("+12025550123", "no sender!"), "[otp.twilio]: from: a sender is a number like"),
        (twilio("AC0011", "hunter2"), "[otp.twilio]: account_sid: account SID: it is AC and 32"),
        (
            twilio("account_sid", "account_id"),
            "unknown key `account_id`; did you mean `account_sid`?",
        ),
        (twilio("file:twilio.token", "hunter2hunter2"), "a secret does not belong into this file"),
        (twilio("twilio.token", "missing"), "[otp.twilio]: auth_token: missing: cannot be read"),
        (
            twilio("twilio.token", "ec.key"),
            "auth_token: file:ec.key: a provider's secret has 8 to 512 visible ASCII characters",
        ),
        (
            also("base_url = \"http://api.example\""),
            "[otp.twilio]: base_url: the URL must begin with https",
        ),
        (also("base_url = \"https://u:hunter2@api.example\""), "base_url: a user or password"),
        (
            also("status_callback = \"http://127.0.0.1/\""),
            "status_callback: what becomes of messages",
        ),
        (also("timeout = \"0s\""), "timeout"),
        (also("timeout = \"2m\""), "[otp.twilio]: timeout: a provider gets 100ms to 60s to answer"),
        (msg91("template_id = \"65f2a1c0d6fc0512ab34cd56\"\n", ""), "missing field `template_id`"),
        (msg91("authkey = \"file:msg91.authkey\"\n", ""), "missing field `authkey`"),
        (
            msg91("65f2a1c0d6fc0512ab34cd56", "a b"),
            "[otp.msg91]: template_id: template id: 1 to 64",
        ),
        (with("msg91", &format!("{MSG91}variable = \"a b\"")), "[otp.msg91]: variable: the name"),
        (with("msg91", &format!("{MSG91}base_url = \"api\"")), "[otp.msg91]: base_url: not a URL"),
        (
            with("msg91", &format!("{MSG91}codes = \"theirs\"\nvariable = \"code\"")),
            "[otp.msg91]: variable: it is for our own code; with codes = \"theirs\" MSG91 puts",
        ),
        (
            with("msg91", &format!("{MSG91}codes = \"its\"")),
            "unknown variant `its`, expected `ours` or `theirs`",
        ),
        (
            sending("twilio-verify", &format!("{VERIFY}codes = \"theirs\""))
                .replace("[otp]", "[otp]\nattempts = 6"),
            "[otp]: attempts: providers check their own codes 5 times at most, not 6",
        ),
        (http("https", "http"), "[otp.http]: url: the URL must begin with https"),
        (
            http("good.secret", "short.secret"),
            "[otp.http]: secret: file:short.secret: a secret for",
        ),
        (
            http("good.secret", "weak.secret"),
            "[otp.http]: secret: file:weak.secret: the secret can be",
        ),
        (with("http", &format!("{HTTP}{five}")), "[otp.http]: retiring: at most 4 secrets"),
        (
            with("http", &format!("{HTTP}secrets = []")),
            "unknown key `secrets`; did you mean `secret`?",
        ),
    ]);
}

#[test]
fn the_placeholders_of_the_example_are_refused() {
    let folder = Folder::new();
    let env = EnvFile::load(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
    for (sender, lines, file, variable) in [
        ("twilio", TWILIO, "file:twilio.token", "TWILIO_AUTH_TOKEN"),
        ("msg91", MSG91, "file:msg91.authkey", "MSG91_AUTHKEY"),
        ("http", HTTP, "file:good.secret", "SMS_HOOK_SECRET"),
    ] {
        let text = with(sender, &lines.replace(file, &format!("env:{variable}")));
        fs::write(folder.0.join("gateway.toml"), dev(&served(&text))).unwrap();
        let error = Config::load_with(folder.0.join("gateway.toml"), &env).unwrap_err().to_string();
        assert!(error.contains(&format!("env:{variable}: ")), "{error}");
        assert!(!error.contains("change-me-"), "{error}");
    }
}

#[test]
fn requirement_48_a_text_that_is_not_the_registered_one_is_refused() {
    let folder = Folder::new();
    let acme = "##otp## is your Acme code. Do not share it.";
    let german =
        "[[otp.text]]\npurpose = \"login\"\nlanguage = \"de\"\ntext = \"{code}: dein Code\"\n";
    let english =
        "[[otp.text]]\npurpose = \"login\"\nlanguage = \"en\"\ntext = \"{code} is it.\"\n";
    let other = |rest: &str| format!("[[otp.msg91.text]]\nlanguage = \"de\"\n{rest}\n");
    let id = "template_id = \"65f2a1c0d6fc0512ab34cd57\"\n";
    let good = [
        with("msg91", &format!("{MSG91}template = \"{acme}\"")),
        with("msg91", &format!("{MSG91}template = \"{}\"", acme.replace("##otp##", "{#var#}"))),
        with(
            "msg91",
            &format!("{MSG91}variable = \"code\"\ntemplate = \"{}\"", acme.replace("otp", "code")),
        ),
        with(
            "msg91",
            &format!("{MSG91}codes = \"theirs\"\ntemplate = \"{}\"", acme.replace("otp", "OTP")),
        ),
        with(
            "msg91",
            &format!(
                "{MSG91}template = \"##otp## is it.\"\n{}{german}{english}",
                other(&format!("{id}template = \"##otp##: dein Code\""))
            ),
        ),
        with("msg91", &format!("{MSG91}{}{german}", other(id))),
    ];
    for text in good {
        folder.parse(&served(&text)).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
    let msg91 = |lines: &str| with("msg91", &format!("{MSG91}{lines}"));
    check(&[
        (
            msg91("template = \"##otp## is your acme code. Do not share it.\""),
            "[otp.msg91]: template: text `login` in `en`: it is not the text that is registered: from character 11 it goes on \
             with `Acme code. Do not share `, and the template with `acme code. Do not share `",
        ),
        (
            msg91(&format!("template = \"{acme}\"\n{german}")),
            "[otp.msg91]: template: text `login` in `de`: it is not the text that is registered: from character 2",
        ),
        (
            msg91(&format!("template = \"{acme}\\n\"")),
            "goes on with its end, and the template with `\\n`",
        ),
        (
            msg91("template = \"##name## has ##otp##\""),
            "[otp.msg91]: template: `##name##` is never filled in: the only variable is `otp`, the code",
        ),
        (
            msg91("template = \"a code\""),
            "template: there is no place for the code: `{#var#}` or `##otp##`",
        ),
        (msg91(&other(id)), "[otp.msg91]: text: text `login` in `de`: there is none"),
        (
            msg91(&format!("{}{german}", other(&format!("{id}template = \"{acme}\"")))),
            "[otp.msg91]: text: template: text `login` in `de`: it is not the text that is registered",
        ),
        (
            msg91(&format!("{}{}{german}", other(id), other(id))),
            "[otp.msg91]: text: text `login` in `de` has one already",
        ),
        (
            msg91(&format!("{}{german}", other(&id.replace("65f2", "a b")))),
            "[otp.msg91]: text: template id: 1 to 64 letters and digits",
        ),
        (
            msg91(&other(&format!("{id}purpose = \"signup\""))),
            "[otp.msg91]: text: purpose: login, step_up or phone_change",
        ),
        (msg91(&other("")), "missing field `template_id`"),
    ]);
}
