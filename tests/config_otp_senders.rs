//! Who sends the messages of a login: every key, and every wrong combination of them.
#![cfg(all(feature = "gateway", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/config.rs"]
mod support;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
use portcullis::{
    client::PeerAddr,
    clock::{Clock, SystemClock},
    gateway::{Config, EnvFile, Gateway},
    otp::{
        fake::{FakeMsg91, FakeServer, FakeTwilio, Received},
        sender::HookKeys,
    },
};
use serde_json::{Value, json};
use std::{fs, time::Duration};
use support::{Folder, check, dev, login, served};
use tokio::time::timeout;
use tower::ServiceExt;

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

/// Has a gateway send a code, and says what `fake` got.
async fn sent(text: &str, fake: &FakeServer) -> Received {
    // The records are in it, and are asked who wants no messages.
    let folder = Folder::new();
    let config = folder.parse(&dev(&served(text))).unwrap();
    let mut gateway = Gateway::new(&config).unwrap();
    tokio::spawn(gateway.courier().unwrap().run());
    let body = json!({ "phone": "+919876543210" }).to_string();
    let request = Request::post("/v1/otp/request")
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-device-id", "a-device-of-the-owner");
    let mut request = request.body(Full::<bytes::Bytes>::from(body)).unwrap();
    request.extensions_mut().insert(PeerAddr("127.0.0.1:40000".parse().unwrap()));
    let answer = gateway.service().oneshot(request).await.unwrap();
    let (status, body) = (answer.status(), answer.into_body().collect().await.unwrap().to_bytes());
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(status, 202, "{body}");
    timeout(Duration::from_secs(20), fake.wait_for(1)).await.unwrap().remove(0)
}

#[tokio::test]
async fn every_key_reaches_the_provider() {
    let fake = FakeTwilio::start().unwrap();
    let base = format!("base_url = \"{}\"\ntimeout = \"5s\"\n", fake.url());
    let lines = TWILIO
        .replace(
            "auth_token = \"file:twilio.token\"",
            &format!("api_key = \"{}\"\napi_secret = \"file:twilio.secret\"", FakeTwilio::API_KEY),
        )
        .replace(
            "from = \"+12025550123\"",
            "messaging_service_sid = \"MG00112233445566778899aabbccddeeff\"",
        );
    let callback = "status_callback = \"https://login.example/status\"\n";
    let received = sent(&with("twilio", &format!("{lines}{base}{callback}")), &fake).await;
    let field = |name| received.field(name).unwrap();
    assert_eq!(field("MessagingServiceSid"), "MG00112233445566778899aabbccddeeff");
    assert_eq!(field("StatusCallback"), "https://login.example/status");
    assert_eq!(field("To"), "+919876543210");
    // "SK..:secret", as the fake has them.
    let basic = received.header("authorization").unwrap();
    assert!(basic.starts_with("Basic U0swMDEx"), "{basic}");

    let fake = FakeTwilio::start().unwrap();
    let base = format!("base_url = \"{}\"\ntimeout = \"5s\"\nper_day = 9\n", fake.url());
    let received = sent(&sending("twilio-verify", &format!("{VERIFY}{base}")), &fake).await;
    assert!(received.path.starts_with("/v2/Services/VA0011"), "{received:?}");
    assert_eq!(received.field("CustomCode").unwrap().len(), 6);
    // Its own codes, and who they are checked by.
    let fake = FakeTwilio::start().unwrap();
    let base = format!("base_url = \"{}\"\ncodes = \"theirs\"\n", fake.url());
    let received = sent(&sending("twilio-verify", &format!("{VERIFY}{base}")), &fake).await;
    assert_eq!(received.field("CustomCode"), None);
    assert!(fake.code("+919876543210").is_some());
    let fake = FakeMsg91::start().unwrap();
    let base = format!("base_url = \"{}\"\ncodes = \"theirs\"\n", fake.url());
    let received = sent(&with("msg91", &format!("{MSG91}{base}")), &fake).await;
    assert_eq!(received.query("mobile").as_deref(), Some("919876543210"));
    assert!(fake.code("+919876543210").is_some());

    // In India the other one comes first, and is spent after one message.
    let (first, second) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
    let sections = format!(
        "[otp.route]\n\"+91\" = [\"msg91\", \"twilio\"]\n[otp.msg91]\n{MSG91}base_url = \"{}\"\n\
         per_day = 100\nsoft = 90\nper_minute = 600\n",
        second.url()
    );
    let text = several("[\"twilio\", \"msg91\"]", &sections);
    let text =
        text.replace("from = ", &format!("base_url = \"{}\"\nper_day = 1\nfrom = ", first.url()));
    second.reply(FakeMsg91::error("IPBlocked"));
    let received = sent(&text, &first).await;
    assert_eq!(received.field("To").as_deref(), Some("+919876543210"));
    assert_eq!(second.received().len(), 1);

    let fake = FakeMsg91::start().unwrap();
    let base = format!("base_url = \"{}\"\ntimeout = \"5s\"\nvariable = \"var1\"\n", fake.url());
    let received = sent(&with("msg91", &format!("{MSG91}{base}")), &fake).await;
    assert_eq!(received.header("authkey"), Some(FakeMsg91::AUTHKEY));
    assert_eq!(received.text("/recipients/0/var1").unwrap().len(), 6);

    let fake = FakeServer::start(|_| (200, String::new())).unwrap();
    let lines = HTTP.replace("https://sms.example", &fake.url());
    let more = "retiring = [\"file:pepper.secret\"]\ntimeout = \"5s\"\n";
    let received = sent(&with("http", &format!("{lines}{more}")), &fake).await;
    let keys = HookKeys::new("V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO").unwrap();
    let signature = received.header("portcullis-signature").unwrap();
    assert!(keys.verify(signature, &received.body, SystemClock::new().wall()));
    assert_eq!(signature.matches("v1=").count(), 2);
}

#[tokio::test]
async fn what_providers_report_reaches_the_one_who_waits() {
    let fake = FakeTwilio::start().unwrap();
    let (id, at) = ("SK00112233445566778899aabbccddeeff", fake.url());
    let more = format!(
        "base_url = \"{at}\"\nwebhook_tokens = [\"file:twilio.token\"]\n[[otp.twilio.webhook_key]]\nid = \"{id}\"\n\
         secret = \"file:good.secret\""
    );
    let text = reporting("https://login.example/base", &more);
    let text = text.replace("file:twilio.token", "file:fake.token");
    let folder = Folder::new();
    fs::write(folder.0.join("fake.token"), FakeTwilio::AUTH_TOKEN).unwrap();
    let config = folder.parse(&dev(&served(&text))).unwrap();
    let mut gateway = Gateway::new(&config).unwrap();
    tokio::spawn(gateway.courier().unwrap().run());
    let ask = async |mut request: Request<Full<bytes::Bytes>>| {
        request.extensions_mut().insert(PeerAddr("127.0.0.1:40000".parse().unwrap()));
        let answer = gateway.service().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    let body = json!({ "phone": "+919876543210" }).to_string();
    let request =
        || Request::post("/v1/otp/request").header(header::CONTENT_TYPE, "application/json");
    let owner = request().header("x-device-id", "a-device-of-the-owner");
    let (status, challenge) = ask(owner.body(Full::from(body)).unwrap()).await;
    assert_eq!(status, 202, "{challenge}");
    let received = fake.wait_for(1).await.remove(0);
    let url = "https://login.example/base/webhooks/twilio/status";
    assert_eq!(received.field("StatusCallback").as_deref(), Some(url));
    let path = format!("/v1/otp/{}", challenge["challenge_id"].as_str().unwrap());
    let state = async || {
        let request = Request::get(&path).header("x-device-id", "a-device-of-the-owner");
        ask(request.body(Full::default()).unwrap()).await
    };
    let fields = [("MessageSid", &*FakeTwilio::sid(&received)), ("MessageStatus", "delivered")];
    let report = || {
        let mut call = FakeTwilio::call(url, &fields).map(Full::new);
        *call.uri_mut() = "/webhooks/twilio/status".parse().unwrap();
        call
    };
    let ready = async || ask(Request::get("/readyz").body(Full::default()).unwrap()).await.1;
    assert_eq!(ready().await, json!({ "status": "ready" }));
    let mut forged = report();
    forged.headers_mut().remove("x-twilio-signature");
    assert_eq!(ask(forged).await.0, 403);
    // By a shared key of the configuration, and by no other.
    let by_key = |secret: &[u8]| {
        let signed = format!("{url}MessageSid{}MessageStatusdelivered", fields[0].1);
        let key = PKey::hmac(secret).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        let mac = STANDARD.encode(signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap());
        let (mut call, by) = (report(), format!("key={id},algorithm=HMAC_SHA256"));
        call.headers_mut().insert("x-twilio-signature", mac.parse().unwrap());
        let settings = "x-twilio-webhooks-signature-settings";
        call.headers_mut().insert(settings, by.parse().unwrap());
        call
    };
    assert_eq!(ask(by_key(b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4i0")).await.0, 403);
    assert_eq!(ask(by_key(b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO")).await.0, 204);
    assert_eq!(ask(report()).await.0, 204);
    let arrived = async {
        while state().await != (200, json!({ "state": "delivered" })) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(20), arrived).await.unwrap();
    assert_eq!(ask(Request::get("/webhooks/none").body(Full::default()).unwrap()).await.0, 404);

    // The only provider refuses us.
    fake.reply(FakeTwilio::error(401, 20003));
    let body = json!({ "phone": "+919876543211" }).to_string();
    let other = request().header("x-device-id", "another-device-of-mine");
    assert_eq!(ask(other.body(Full::from(body)).unwrap()).await.0, 202);
    let degraded = async {
        while ready().await != json!({ "status": "degraded", "reasons": ["sender"] }) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(20), degraded).await.unwrap();
}
