//! Logins that are bound to the key of a client (RFC 9449 section 5), and the requests of that client.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "each test file uses its part, and `json!` makes values"
)]

use crate::{
    login::{Answer, Ask, Login, PHONE},
    proofs::Prover,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use http::Method;
use portcullis::{Memory, Profile, clock::UnixTime, jwt::Dpop, otp::Settings};
use serde_json::{Value, json};

pub(crate) const ORIGIN: &str = "https://login.example";
pub(crate) const VERIFY: &str = "/v1/otp/verify";
pub(crate) const REFRESH: &str = "/v1/token/refresh";
/// When the login's clock begins.
pub(crate) const START: u64 = 1_800_000_000;

pub(crate) fn allowed() -> Dpop {
    Dpop::if_bound(ORIGIN, Memory::new()).unwrap()
}

pub(crate) fn login_with(rules: Dpop) -> Login {
    Login::built(Settings::new(Profile::Dev), |builder| builder.dpop(rules))
}

impl Prover {
    /// A proof for a POST to `path` of the login without an access token.
    pub(crate) fn of(&self, path: &str, claims: Value) -> String {
        let mut all =
            json!({ "htm": "POST", "htu": format!("{ORIGIN}{path}"), "iat": START, "ath": null });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        self.proof_with("", json!({}), all)
    }

    /// A request with a bound token and its proof.
    pub(crate) fn sends(&self, method: Method, path: &str, token: &str) -> Ask {
        let claims =
            json!({ "htm": method.as_str(), "htu": format!("{ORIGIN}{path}"), "iat": START });
        let proof = self.proof_with(token, json!({}), claims);
        Ask::new(method, path)
            .header("authorization", &format!("DPoP {token}"))
            .header("dpop", &proof)
    }
}

impl Login {
    pub(crate) async fn bound_login(&self, prover: &Prover) -> Answer {
        let (challenge, code) = self.challenge(Ask::code(PHONE)).await;
        self.pass_cooldown();
        let proof = prover.of(VERIFY, json!({}));
        self.ask(Ask::verify(&challenge, &code).header("dpop", &proof)).await
    }

    /// The wall stands still, so that proofs are made at one moment; the cooldown of codes passes.
    pub(crate) fn pass_cooldown(&self) {
        self.pass(61);
        self.clock.set_wall(UnixTime::from_secs(START));
    }

    pub(crate) async fn refresh_by(&self, token: &str, prover: &Prover) -> Answer {
        self.ask(Ask::refresh(token).header("dpop", &prover.of(REFRESH, json!({})))).await
    }
}

pub(crate) fn payload(token: &str) -> Value {
    let part = BASE64.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

#[track_caller]
pub(crate) fn refused(answer: &Answer) {
    answer.assert(400, "dpop-proof-invalid");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\", algs="), "{challenge}");
}
