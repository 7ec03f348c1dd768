//! Tokens of a login say no more than they must, sessions go on while they are used, and what ended stays ended.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/login.rs"]
mod login;

mod contents;
mod logout;
mod rotation;
mod sessions;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use login::{Answer, Ask, Login};
use portcullis::{
    Eventual, JwtLayer, Key, Portcullis, Store, Verifier,
    otp::{ClaimsFor, Subject},
    store::StoreError,
    token::Grant,
};
use serde_json::Value;
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tower::{ServiceBuilder, ServiceExt};

const DAY: u64 = 86_400;
const OTHER: &str = "+14155552671";
const OTHER_DEVICE: &str = "a-device-of-somebody-else";

fn part(token: &str, index: usize) -> Value {
    let part = BASE64.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

fn is(answer: &Answer, status: u16, slug: &str) {
    assert_eq!((answer.status.as_u16(), answer.slug().as_str()), (status, slug), "{answer:?}");
}

impl Login {
    /// What an API over the same store says to an access token.
    async fn api(&self, token: &str) -> u16 {
        let verifier = Verifier::new([self.issuer.trusted()]).unwrap().clock(self.clock.clone());
        let inner = tower::service_fn(|_: Request<Full<Bytes>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let api = ServiceBuilder::new()
            .layer(Portcullis::new(self.store.clone()).jwt(JwtLayer::new(verifier)))
            .service(inner);
        let answer = api.oneshot(Ask::get("/orders").bearer(token).request()).await;
        answer.unwrap().status().as_u16()
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.ask(Ask::refresh(token)).await
    }

    async fn logout(&self, ask: Ask) {
        let answer = self.ask(ask).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{answer:?}");
    }

    /// Logs somebody else in.
    async fn login_other(&self) -> Answer {
        let ask = Ask::code(OTHER).device(OTHER_DEVICE).from("198.51.100.1");
        let (challenge, code) = self.challenge(ask).await;
        let answer = self.ask(Ask::verify(&challenge, &code).device(OTHER_DEVICE)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    async fn subject_key(&self, token: &str) -> Key {
        let verifier = Verifier::new([self.issuer.trusted()]).unwrap().clock(self.clock.clone());
        let claims = verifier.verify(token).await.unwrap();
        claims.subject_key(self.store.pepper()).unwrap()
    }
}

fn post(path: &str) -> Ask {
    Ask::new(Method::POST, path)
}

/// A database of roles that is down now and then.
#[derive(Clone, Default)]
struct Roles(Arc<AtomicUsize>);

impl ClaimsFor for Roles {
    fn grant(&self, grant: Grant, _: &Subject) -> Eventual<Result<Grant, StoreError>> {
        let down = self.0.load(SeqCst) > 0;
        Eventual::later(async move { if down { Err(StoreError::new("down")) } else { Ok(grant) } })
    }
}
