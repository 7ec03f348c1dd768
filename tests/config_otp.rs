//! Every key of a login in a configuration, and what it does.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/config.rs"]
mod support;

use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use portcullis::{
    client::PeerAddr,
    gateway::{Config, Gateway},
};
use serde_json::{Value, json};
use support::{Folder, dev, login, served};
use tower::ServiceExt;

const PHONE: &str = "+12025550123";
/// A code for `PHONE` that no message has to bring.
const NUMBER: &str =
    "[[otp.test_number]]\nphone = \"+12025550123\"\ncode = \"file:code\"\nuntil = 2099-01-31\n";
const CODE: &str = "407193";

/// A gateway in this process.
struct Login {
    gateway: Gateway,
    /// The configuration, as it shows itself.
    shown: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Login {
    /// With these lines in `[otp]` and `[token]`.
    fn with(otp: &str, token: &str) -> Self {
        Self::of(&login(&format!("{otp}\n{NUMBER}"), token), &Folder::new())
    }

    fn of(text: &str, folder: &Folder) -> Self {
        // A folder may be gone before the login is.
        let text = dev(&served(&format!("{text}\n[records]\nbackend = \"memory\"\n")));
        let config = folder.parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        Self::from(&config)
    }

    fn from(config: &Config) -> Self {
        let mut gateway = Gateway::new(config).unwrap();
        tokio::spawn(gateway.courier().unwrap().run());
        Self { gateway, shown: format!("{config:?}") }
    }

    /// What cannot be seen without waiting is looked up.
    #[track_caller]
    fn shows(&self, setting: &str) {
        assert!(self.shown.contains(setting), "not {setting}");
    }

    async fn ask(&self, request: http::request::Builder, body: &Value) -> Answer {
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.header("x-device-id", "a-device-of-the-owner");
        let mut request = request.body(Full::<bytes::Bytes>::from(body.to_string())).unwrap();
        request.extensions_mut().insert(PeerAddr("127.0.0.1:40000".parse().unwrap()));
        let response: Response<_> = self.gateway.service().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Answer { status: head.status, headers: head.headers, body }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Request::post(path), &body).await
    }

    async fn request(&self) -> Answer {
        self.post("/v1/otp/request", json!({ "phone": PHONE })).await
    }

    async fn verify(&self, code: &str) -> Answer {
        let challenge = self.request().await;
        self.answer(&challenge, code).await
    }

    async fn answer(&self, challenge: &Answer, code: &str) -> Answer {
        let id = &challenge.body["challenge_id"];
        self.post("/v1/otp/verify", json!({ "challenge_id": id, "code": code })).await
    }
}

#[tokio::test]
async fn what_is_not_written_is_the_default_of_the_profile() {
    let login = Login::with("", "");
    let challenge = login.request().await;
    assert_eq!(challenge.status, 202, "{}", challenge.body);
    assert_eq!(challenge.body["expires_in"], 300);
    assert_eq!(challenge.body["resend_after"], 30);
    assert_eq!(challenge.body["code_length"], 6);
    assert_eq!(
        challenge.headers["ratelimit-policy"],
        "\"otp-client\";q=10;w=600, \"otp-device\";q=3;w=300"
    );
    let wrong = login.answer(&challenge, "000000").await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["attempts_remaining"]), (401, &json!(4)));
    let tokens = login.answer(&challenge, CODE).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    assert!((855..=900).contains(&tokens.body["expires_in"].as_u64().unwrap()));
    assert_eq!(tokens.body["refresh_expires_in"], 604_800);
    login.shows("resends: 3");
    login.shows("longest_session: 2592000s");
}

#[tokio::test]
async fn requirement_4_profiles_differ_in_what_is_not_written() {
    // Codes are not printed outside `dev`; which senders there are is shown elsewhere.
    let folder = Folder::new();
    for profile in ["standard", "banking"] {
        let text = format!("profile = \"{profile}\"\n{}", served(&login("", "")));
        let error = folder.parse(&text).unwrap_err();
        assert!(error.contains("sender: \"log\""), "{error}");
    }
    for (profile, lifetime) in [
        (portcullis::Profile::Dev, 300),
        (portcullis::Profile::Standard, 300),
        (portcullis::Profile::Banking, 120),
    ] {
        let rules = portcullis::otp::Settings::new(profile).rules();
        assert_eq!(rules.lifetime.as_secs(), lifetime, "{profile:?}");
        assert_eq!((rules.attempts, rules.guesses_per_day, rules.phone_per_day), (5, 30, 10));
    }
}

#[tokio::test]
async fn times_and_digits_show_in_the_answer() {
    let login = Login::with("lifetime = \"90s\"\ncooldown = \"20s\"", "");
    let challenge = login.request().await;
    assert_eq!(
        (&challenge.body["expires_in"], &challenge.body["resend_after"]),
        (&json!(90), &json!(20))
    );

    for (digits, more) in [(8, ""), (5, "allow_short_codes = true")] {
        let otp = format!("digits = {digits}\n{more}");
        let text = support::login(&otp, "");
        let challenge = Login::of(&text, &Folder::new()).request().await;
        assert_eq!(challenge.body["code_length"], digits);
        let lifetime = if digits == 5 { 120 } else { 300 };
        assert_eq!(challenge.body["expires_in"], lifetime);
    }
}

#[tokio::test]
async fn windows_show_in_the_headers_and_are_kept() {
    let login = Login::with(
        "client = \"2/20m\"\ndevice = \"1/2m\"\nphone = \"9/40m\"\nphone_per_day = 9\n\
         fingerprint = \"7/3m\"\nguesses_per_day = 44\nresends = 1",
        "",
    );
    let challenge = login.request().await;
    assert_eq!(
        challenge.headers["ratelimit-policy"],
        "\"otp-client\";q=2;w=1200, \"otp-device\";q=1;w=120"
    );
    let other = |last: u8| json!({ "phone": format!("+1202555012{last}") });
    let second = login.post("/v1/otp/request", other(4)).await;
    assert_eq!(second.status, 202);
    let third = login.post("/v1/otp/request", other(5)).await;
    assert_eq!((third.status.as_u16(), &third.body["slug"]), (429, &json!("rate-limited")));
    login.shows("phone: Window { count: 9, within: 2400s }");
    login.shows("fingerprint: Window { count: 7, within: 180s }");
    login.shows("phone_per_day: 9");
    login.shows("guesses_per_day: 44");
    login.shows("resends: 1");
}

#[tokio::test]
async fn guesses_end_in_a_block_as_long_as_it_says() {
    let login = Login::with("attempts = 10\nguesses = \"5/15m\"\nblock = \"45s\"", "");
    let challenge = login.request().await;
    for left in (5..10).rev() {
        let wrong = login.answer(&challenge, "000000").await;
        assert_eq!((wrong.status.as_u16(), &wrong.body["attempts_remaining"]), (401, &json!(left)));
    }
    let blocked = login.answer(&challenge, CODE).await;
    assert_eq!((blocked.status.as_u16(), &blocked.body["slug"]), (429, &json!("blocked")));
    let wait: u64 = blocked.headers["retry-after"].to_str().unwrap().parse().unwrap();
    // The block, or the rest of the window of guesses where that is longer.
    assert!((44..=45).contains(&wait) || (895..=900).contains(&wait), "{wait}");
}

#[tokio::test]
async fn lifetimes_of_tokens_and_sessions_show_in_the_answer() {
    let login = Login::with("", "access = \"5m\"\nrefresh = \"2d\"\nsession = \"3d\"");
    let tokens = login.verify(CODE).await;
    assert!((285..=300).contains(&tokens.body["expires_in"].as_u64().unwrap()));
    assert_eq!(tokens.body["refresh_expires_in"], 172_800);
    login.shows("longest_session: 259200s");
}

#[tokio::test]
async fn refresh_tokens_are_signed_with_the_secret_that_is_named() {
    let folder = Folder::new();
    let [one, same] = [(); 2].map(|()| Login::of(&login(NUMBER, ""), &folder));
    let other = login(NUMBER, "").replace("file:refresh.secret", "file:good.secret");
    let other = Login::of(&other, &folder);
    let tokens = one.verify(CODE).await;
    let refresh = json!({ "refresh_token": tokens.body["refresh_token"] });
    // A logout by a token that is none of ours does nothing; by one of ours it names the session to end.
    let bearer = format!("Bearer {}", tokens.body["access_token"].as_str().unwrap());
    for (login, denied) in [(&other, false), (&same, true)] {
        assert_eq!(login.post("/v1/logout", refresh.clone()).await.status, 204);
        let asked = Request::get("/v1/sessions").header("authorization", &bearer);
        let status = login.ask(asked, &Value::Null).await.status;
        assert_eq!(status == 401, denied, "{status}");
    }
}

#[tokio::test]
async fn a_retiring_key_is_published_and_its_tokens_are_good() {
    let folder = Folder::new();
    let old = login(NUMBER, "").replace("file:ec.key", "file:old.key");
    let tokens = Login::of(&old, &folder).verify(CODE).await;
    let bearer = format!("Bearer {}", tokens.body["access_token"].as_str().unwrap());
    let required = "[[route]]\npath = \"/api\"\nrespond = \"hello\"\n";
    for (retiring, keys, status) in [("", 1, 401), ("retiring = [\"file:old.key\"]", 2, 200)] {
        let login = Login::of(&(login(NUMBER, retiring) + required), &folder);
        let jwks = login.ask(Request::get("/.well-known/jwks.json"), &Value::Null).await;
        assert_eq!(jwks.body["keys"].as_array().unwrap().len(), keys);
        let asked = Request::get("/api").header("authorization", &bearer);
        assert_eq!(login.ask(asked, &Value::Null).await.status, status, "{retiring}");
    }
}

#[tokio::test]
async fn delivery_and_origins_decide_who_gets_tokens_and_how() {
    let cookies = |answer: &Answer| answer.headers.get_all(header::SET_COOKIE).iter().count();
    for token in ["", "delivery = \"body\""] {
        let tokens = Login::with("", token).verify(CODE).await;
        assert!(tokens.body["access_token"].is_string() && cookies(&tokens) == 0);
    }
    let origins =
        "delivery = \"cookie\"\norigins = [\"https://app.example\", \"http://localhost:5173\"]";
    let login = Login::with("", origins);
    let tokens = login.verify(CODE).await;
    assert!(tokens.body["access_token"].is_null() && tokens.body["refresh_token"].is_null());
    assert_eq!(cookies(&tokens), 2);
    for (origin, status) in [
        ("https://app.example", 202),
        ("http://localhost:5173", 202),
        ("https://other.example", 403),
        ("https://app.example:8443", 403),
    ] {
        let login = Login::with("", origins);
        let asked = Request::post("/v1/otp/request").header("origin", origin);
        let asked = asked.header("host", "login.example").header("sec-fetch-site", "cross-site");
        assert_eq!(login.ask(asked, &json!({ "phone": PHONE })).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_test_number_has_its_code_until_its_end() {
    let login = Login::with("", "");
    assert_eq!(login.verify(CODE).await.status, 200);
    let over = support::login(&NUMBER.replace("2099-01-31", "2020-01-31"), "");
    let over = Login::of(&over, &Folder::new());
    let challenge = over.request().await;
    assert_eq!(challenge.status, 202, "a number like any other");
    // One in a million that the code of the message is the same.
    assert_eq!(over.answer(&challenge, CODE).await.status, 401);
}
