//! What a provider gets by these keys, and what it says of it afterwards.

use super::{HTTP, MSG91, TWILIO, VERIFY, reporting, sending, several, with};
use crate::support::{Folder, dev, served};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
use portcullis::{
    client::PeerAddr,
    clock::{Clock, SystemClock},
    gateway::Gateway,
    otp::{
        fake::{FakeMsg91, FakeServer, FakeTwilio, Received},
        sender::HookKeys,
    },
};
use serde_json::{Value, json};
use std::{fs, time::Duration};
use tokio::time::timeout;
use tower::ServiceExt;

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
