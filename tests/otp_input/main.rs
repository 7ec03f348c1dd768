//! Bad input of every kind is refused with its slug, repeated nowhere, and costs nobody an attempt or a message.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/login.rs"]
mod login;

mod bodies;
mod heads;
mod texts;

use login::{Answer, Ask, DEVICE, Login, PHONE, wrong};
use serde_json::{Value, json};

const REQUEST: &str = "/v1/otp/request";
const RESEND: &str = "/v1/otp/resend";
const VERIFY: &str = "/v1/otp/verify";
const REFRESH: &str = "/v1/token/refresh";
const LOGOUT: &str = "/v1/logout";
const CODES: [&str; 3] = [REQUEST, RESEND, VERIFY];
const ALL: [&str; 5] = [REQUEST, RESEND, VERIFY, REFRESH, LOGOUT];

/// What must not come back.
const MARK: &str = "<script>alert(1)</script>";

/// A login with a code under way, whose attempts and windows nothing here may touch.
struct Scene {
    login: Login,
    challenge: String,
    code: String,
    tried: usize,
}

impl Scene {
    async fn new() -> Self {
        let login = Login::new();
        let answer = login.request().await;
        assert!(answer.header("ratelimit").contains(r#""otp-client";r=9"#), "{answer:?}");
        assert!(answer.header("ratelimit").contains(r#""otp-device";r=2"#), "{answer:?}");
        let code = login.sent.code(0).await;
        Self { challenge: answer.str("challenge_id"), code, login, tried: 0 }
    }

    /// A good body for an endpoint, but for what `edit` does to it; it would cost something.
    fn good(&self, path: &str) -> Value {
        match path {
            REQUEST => json!({ "phone": PHONE }),
            RESEND => json!({ "challenge_id": self.challenge }),
            VERIFY => json!({ "challenge_id": self.challenge, "code": wrong(&self.code) }),
            _ => json!({ "refresh_token": "A".repeat(71) }),
        }
    }

    /// Asks for it and finds it refused so.
    async fn refused(&mut self, ask: Ask, status: u16, slug: &str, what: &str) -> Answer {
        let answer = self.login.ask(ask).await;
        self.check(&answer, status, slug, what);
        answer
    }

    fn check(&mut self, answer: &Answer, status: u16, slug: &str, what: &str) {
        self.tried += 1;
        assert_eq!(
            (answer.status.as_u16(), answer.slug().as_str()),
            (status, slug),
            "{what}: {answer:?}"
        );
        assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
        assert_eq!(answer.json()["status"], status, "{what}");
        let whole = format!("{answer:?}");
        for word in ["script", "alert", "Set-Cookie", DEVICE, &PHONE[1..], &self.challenge] {
            assert!(!whole.contains(word), "{what} comes back: {whole}");
        }
    }

    /// What it would be if nothing bad had ever come: all attempts, all sends.
    async fn end_untouched(self) {
        assert!(self.tried > 0);
        let Self { login, challenge, code, .. } = self;
        assert_eq!(login.sent.settled().await, 1);
        login.pass(30);
        let again = login.ask(Ask::resend(&challenge)).await;
        assert_eq!(again.status, 202, "{again:?}");
        assert!(again.header("ratelimit").contains(r#""otp-client";r=8"#), "{again:?}");
        assert!(again.header("ratelimit").contains(r#""otp-device";r=1"#), "{again:?}");
        let new = login.sent.code(1).await;
        let bad = if wrong(&code) == new { wrong(&wrong(&code)) } else { wrong(&code) };
        for left in (1..5).rev() {
            let answer = login.ask(Ask::verify(&challenge, &bad)).await;
            assert_eq!(answer.json()["attempts_remaining"], left, "{answer:?}");
        }
        assert_eq!(login.ask(Ask::verify(&challenge, &new)).await.status, 200);
    }
}
