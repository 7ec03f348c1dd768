//! The OpenAPI document of the login says what the login does: each operation, status, refusal and body, and no others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/faults.rs"]
mod faults;
#[path = "../support/holder.rs"]
mod holder;
#[path = "../support/login.rs"]
mod login;
#[path = "../support/openapi.rs"]
mod openapi;

mod operations;
mod phones;
mod text;

use faults::Faulty;
use http::{Method, Request};
use http_body_util::Full;
use login::{Answer, Ask, Login, PHONE};
use portcullis::{OtpService, Profile, client::Encrypted, otp::Settings, token::JwksService};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// A login whose store can fail, somebody who is logged in, and a code that waits.
struct Scene {
    login: Login,
    store: Faulty,
    service: OtpService,
    tokens: Value,
    device: String,
    challenge: String,
    code: String,
    /// Of a change of number.
    change: Value,
}

impl Scene {
    async fn new(settings: Settings, edit: impl FnOnce(OtpService) -> OtpService) -> Self {
        let kept = OnceLock::new();
        let login = Login::over(
            settings,
            |builder| builder,
            |memory| Arc::new(kept.get_or_init(|| Faulty::new(memory)).clone()),
        );
        let plain = login.service.clone();
        let ask = |ask: Ask| login::send(plain.clone(), encrypted(ask));
        let challenge = ask(Ask::code(PHONE)).await.str("challenge_id");
        let code = login.sent.code(0).await;
        let tokens = ask(Ask::verify(&challenge, &code)).await.json();
        let listed = Ask::get("/v1/devices").bearer(tokens["access_token"].as_str().unwrap());
        let listed = ask(listed).await.json();
        let device = listed["devices"][0]["device_id"].as_str().unwrap().to_owned();
        login.pass(60);
        let challenge = ask(Ask::code(PHONE)).await.str("challenge_id");
        let code = login.sent.code(1).await;
        login.pass(120);
        let phone = json!({ "phone": "+14155552672" });
        let change = Ask::post("/v1/phone/change", &phone).from("198.51.100.9");
        let change = ask(change.bearer(tokens["access_token"].as_str().unwrap())).await;
        let new_code = login.sent.code(2).await;
        let change = json!({ "challenge_id": change.str("challenge_id"), "code": new_code });
        let service = edit(login.service.clone());
        let store = kept.into_inner().unwrap();
        Self { login, store, service, tokens, device, challenge, code, change }
    }

    /// A call of an operation that would succeed.
    fn good(&self, path: &str) -> (Ask, Option<Value>) {
        let token = |name: &str| self.tokens[name].as_str().unwrap().to_owned();
        let access = token("access_token");
        let body = match path {
            "/v1/otp/request" => {
                json!({ "phone": "+14155552671", "purpose": "login", "channel": "sms", "locale": "en" })
            }
            "/v1/otp/resend" => json!({ "challenge_id": self.challenge }),
            "/v1/otp/verify" => json!({ "challenge_id": self.challenge, "code": self.code }),
            "/v1/otp/{challenge_id}" => {
                return (
                    Ask::get(&format!("/v1/otp/{}", self.challenge)).device(login::DEVICE),
                    None,
                );
            }
            "/v1/phone/change" => {
                json!({ "phone": "+14155552671", "channel": "sms", "locale": "en" })
            }
            "/v1/phone/change/verify" => self.change.clone(),
            "/v1/token/refresh" | "/v1/logout" => {
                json!({ "refresh_token": token("refresh_token") })
            }
            "/v1/logout/all" => return (Ask::new(Method::POST, path).bearer(&access), None),
            "/v1/sessions" => return (Ask::get(path).bearer(&access), None),
            "/v1/sessions/{id}" => {
                let path = path.replace("{id}", &token("session_id"));
                return (Ask::new(Method::DELETE, &path).bearer(&access), None);
            }
            "/v1/devices" => return (Ask::get(path).bearer(&access), None),
            "/v1/devices/{id}" => {
                let path = path.replace("{id}", &self.device);
                return (Ask::new(Method::DELETE, &path).bearer(&access), None);
            }
            "/v1/openapi.json" | JwksService::PATH => return (Ask::get(path), None),
            other => panic!("the document has {other}, which nobody drives"),
        };
        (self.post(path, &body), Some(body))
    }

    /// A POST, with the access token where it takes one.
    fn post(&self, path: &str, body: &Value) -> Ask {
        let ask = Ask::post(path, body);
        let access = self.tokens["access_token"].as_str().unwrap();
        if path.starts_with("/v1/phone") { ask.bearer(access) } else { ask }
    }

    async fn send(&self, request: Request<Full<bytes::Bytes>>) -> Answer {
        login::send(self.service.clone(), request).await
    }
}

fn encrypted(ask: Ask) -> Request<Full<bytes::Bytes>> {
    let mut request = ask.request();
    request.extensions_mut().insert(Encrypted);
    request
}

fn dev() -> Settings {
    Settings::new(Profile::Dev)
}
