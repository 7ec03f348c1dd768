//! An identity provider whose keys a test can change, and somebody who fetches them.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use crate::origin::{Origin, Reply};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use portcullis::{
    Claims, Eventual, TokenFault, TrustedIssuer, Verifier,
    clock::{ManualClock, UnixTime},
    jwt::{Keys, RemoteJwks},
    token::{Grant, Issuer},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinHandle;

pub(crate) const NAME: &str = "https://idp.example/";
pub(crate) const AUDIENCE: &str = "https://api.example";
/// A little more than the time after which an unknown key has the set fetched again.
pub(crate) const COOLDOWN: Duration = Duration::from_secs(31);

/// An issuer with a key of its own.
pub(crate) fn signer() -> Issuer {
    Issuer::generate(NAME, AUDIENCE).unwrap()
}

pub(crate) fn mint(issuer: &Issuer) -> String {
    issuer.mint(&Grant::new("u")).unwrap()
}

/// The keys of these issuers, and others.
pub(crate) fn set(issuers: &[&Issuer], others: &[Value]) -> String {
    let keys = issuers.iter().map(|issuer| key_of(issuer));
    json!({ "keys": keys.chain(others.iter().cloned()).collect::<Vec<_>>() }).to_string()
}

/// The public JWK.
pub(crate) fn key_of(issuer: &Issuer) -> Value {
    serde_json::from_str::<Value>(&issuer.jwks()).unwrap()["keys"][0].take()
}

/// What only the signature is wrong with.
pub(crate) fn forged(kid: &str) -> String {
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid });
    let claims = json!({ "iss": NAME, "aud": AUDIENCE, "exp": 4_102_444_800_u64 });
    let [header, claims] = [header, claims].map(|part| BASE64.encode(part.to_string()));
    format!("{header}.{claims}.{}", BASE64.encode([7; 64]))
}

/// Keys that are fetched in the background, by a clock that stands still.
pub(crate) struct Remote {
    pub(crate) keys: Keys,
    pub(crate) clock: ManualClock,
    pub(crate) verifier: Verifier,
    pub(crate) task: JoinHandle<()>,
}

impl Remote {
    /// From the path `/keys`.
    pub(crate) fn of(origin: &Origin) -> Self {
        Self::with(RemoteJwks::url(&origin.url("/keys")).unwrap())
    }

    pub(crate) fn with(jwks: RemoteJwks) -> Self {
        let clock = ManualClock::at(UnixTime::from_secs(1));
        // Longer than a busy machine takes for anything.
        let jwks = jwks.clock(clock.clone()).patience(Duration::from_secs(5)).unwrap();
        let (keys, refresh) = jwks.build().unwrap();
        let issuer = TrustedIssuer::new(NAME, keys.clone()).audience(AUDIENCE);
        let verifier = Verifier::new([issuer]).unwrap();
        Self { keys, clock, verifier, task: tokio::spawn(refresh.run()) }
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Claims, TokenFault> {
        self.verifier.verify(token).await
    }

    pub(crate) async fn fault(&self, token: &str) -> Option<TokenFault> {
        self.verify(token).await.err()
    }

    /// What is known without waiting for anything.
    #[track_caller]
    pub(crate) fn at_once(&self, token: &str) -> Option<TokenFault> {
        match self.verifier.verify(token) {
            Eventual::Ready(verified) => verified.err(),
            Eventual::Pending(_) => panic!("it waits"),
        }
    }
}

/// Waits until it is so, for ten seconds at most.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within ten seconds");
}

/// Serves a set.
pub(crate) fn serving(set: String) -> Origin {
    Origin::start(move |_| Reply::ok("", &set))
}
