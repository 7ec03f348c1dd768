//! Prints what verifying an access token costs, ours beside jsonwebtoken with each of its backends: the same tokens, the same
//! checks, in turns.
//!
//! A token is *fresh* when it is seen for the first time, and *cached* after that; jsonwebtoken remembers none. Run it with
//! `cargo run --release --bin jwt`; `TOKENS` (500) and `ROUNDS` (15) bound it.

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
};
use portcullis::{
    Eventual, TrustedIssuer, Verifier,
    jwt::{self, Keys},
};
use serde::{Deserialize, Serialize};
use std::{
    hint::black_box,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const ISSUER: &str = "https://login.example/";
const AUDIENCE: &str = "https://api.example";
const SECRET: &[u8; 32] = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
const ALGORITHMS: [&str; 5] = ["HS256", "RS256", "PS256", "ES256", "EdDSA"];

/// The claims of RFC 9068, and what logins add.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    exp: u64,
    iat: u64,
    jti: String,
    auth_time: u64,
    amr: Vec<String>,
    scope: String,
    sid: String,
}

/// One algorithm: its tokens, and who verifies them.
struct Case {
    name: &'static str,
    tokens: Vec<String>,
    keys: Keys,
    aws: aws::Peer,
    rust: rust::Peer,
}

/// jsonwebtoken, which chooses its backend when it is compiled.
macro_rules! peer {
    ($name:ident, $krate:ident) => {
        mod $name {
            use super::{AUDIENCE, Claims, ISSUER, SECRET};
            use $krate::{Algorithm, DecodingKey, Validation, decode};

            pub(super) struct Peer {
                key: DecodingKey,
                validation: Validation,
            }

            impl Peer {
                pub(super) fn new(algorithm: &str, pem: &[u8]) -> Self {
                    let algorithm: Algorithm = algorithm.parse().expect("an algorithm");
                    let key = match algorithm {
                        Algorithm::HS256 => Ok(DecodingKey::from_secret(SECRET)),
                        Algorithm::ES256 => DecodingKey::from_ec_pem(pem),
                        Algorithm::EdDSA => DecodingKey::from_ed_pem(pem),
                        _ => DecodingKey::from_rsa_pem(pem),
                    };
                    let mut validation = Validation::new(algorithm);
                    validation.set_audience(&[AUDIENCE]);
                    validation.set_issuer(&[ISSUER]);
                    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
                    validation.validate_nbf = true;
                    Self { key: key.expect("a key"), validation }
                }

                pub(super) fn verifies(&self, token: &str) -> bool {
                    decode::<Claims>(token, &self.key, &self.validation).is_ok()
                }
            }
        }
    };
}

peer!(aws, jsonwebtoken);
peer!(rust, jsonwebtoken_10);

fn main() {
    let tokens = setting("TOKENS", 500).clamp(1, 4_000);
    let rounds = setting("ROUNDS", 15).clamp(1, 999);
    let cases: Vec<_> = ALGORITHMS.into_iter().map(|name| Case::new(name, tokens)).collect();
    let mut all = vec![Vec::new(); cases.len()];
    for round in 0..=rounds {
        for (case, times) in cases.iter().zip(&mut all) {
            let figures = case.measure(round % 2 == 1);
            // The first round warms up.
            if round > 0 {
                times.push(figures);
            }
        }
    }
    println!("medians of {rounds} rounds of {tokens} tokens, microseconds for each\n");
    println!(
        "{:6} {:>6} {:>8} {:>8} {:>9} {:>9} {:>12}",
        "", "bytes", "fresh", "cached", "aws-lc", "Rust", "fresh/aws-lc"
    );
    for (case, rounds) in cases.iter().zip(&all) {
        let of = |at: usize| median(rounds.iter().map(|round: &[f64; 4]| round[at]).collect());
        let ratio = median(rounds.iter().map(|round| round[0] / round[2]).collect());
        println!(
            "{:6} {:>6} {:>8.2} {:>8.3} {:>9.2} {:>9.2} {ratio:>12.2}",
            case.name,
            case.tokens[0].len(),
            of(0),
            of(1),
            of(2),
            of(3),
        );
    }
}

impl Case {
    fn new(name: &'static str, count: usize) -> Self {
        let key = key(name);
        let pem = key.as_ref().map_or(Vec::new(), |key| key.public_key_to_pem().expect("a PEM"));
        let algorithm: jwt::Algorithm = name.parse().expect("an algorithm");
        let keys = match &key {
            Some(_) => Keys::pem(&pem, algorithm),
            None => Keys::secret(SECRET, algorithm),
        };
        Self {
            name,
            tokens: (0..count).map(|number| token(name, key.as_ref(), number)).collect(),
            keys: keys.expect("keys"),
            aws: aws::Peer::new(name, &pem),
            rust: rust::Peer::new(name, &pem),
        }
    }

    /// Fresh, cached, and both peers, in microseconds for each token.
    fn measure(&self, peers_first: bool) -> [f64; 4] {
        let issuer = TrustedIssuer::new(ISSUER, self.keys.clone()).audience(AUDIENCE);
        // One that has seen nothing yet.
        let verifier = Verifier::new([issuer]).expect("a verifier");
        let ours = |token: &str| match verifier.verify(token) {
            Eventual::Ready(claims) => claims.is_ok(),
            Eventual::Pending(_) => false,
        };
        let peers = || {
            let aws = self.each(|token| self.aws.verifies(token));
            (aws, self.each(|token| self.rust.verifies(token)))
        };
        let before = peers_first.then(peers);
        let (fresh, cached) = (self.each(ours), self.each(ours));
        let (aws, rust) = before.unwrap_or_else(peers);
        [fresh, cached, aws, rust]
    }

    fn each(&self, verifies: impl Fn(&str) -> bool) -> f64 {
        let start = Instant::now();
        let good = self.tokens.iter().filter(|token| verifies(black_box(token))).count();
        let time = start.elapsed();
        assert_eq!(good, self.tokens.len(), "{}", self.name);
        time.as_secs_f64() * 1e6 / good as f64
    }
}

/// A pair of keys, unless the algorithm has a secret.
fn key(algorithm: &str) -> Option<PKey<Private>> {
    let key = match algorithm {
        "HS256" => return None,
        "ES256" => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
            PKey::from_ec_key(EcKey::generate(&group).expect("a key"))
        }
        "EdDSA" => PKey::generate_ed25519(),
        _ => PKey::from_rsa(Rsa::generate(2048).expect("a key")),
    };
    Some(key.expect("a key"))
}

fn token(algorithm: &str, key: Option<&PKey<Private>>, number: usize) -> String {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now = (now - Duration::from_secs(60)).as_secs();
    let claims = Claims {
        iss: ISSUER.into(),
        sub: "2f1e6a1c-7d3b-4b8a-9a58-1f0c3c5d7e90".into(),
        aud: AUDIENCE.into(),
        client_id: "app".into(),
        exp: now + 3600,
        iat: now,
        jti: format!("b6f0c8d2-5f0e-4a39-9d7c-{number:012}"),
        auth_time: now,
        amr: vec!["otp".into(), "sms".into()],
        scope: "orders:read orders:write".into(),
        sid: "9c1f7f1e-0c4b-4c0e-8a57-2f7f0f6f7a11".into(),
    };
    let pem = key.map_or(Vec::new(), |key| key.private_key_to_pem_pkcs8().expect("a PEM"));
    let key = match algorithm {
        "HS256" => Ok(EncodingKey::from_secret(SECRET)),
        "ES256" => EncodingKey::from_ec_pem(&pem),
        "EdDSA" => EncodingKey::from_ed_pem(&pem),
        _ => EncodingKey::from_rsa_pem(&pem),
    };
    let mut header = Header::new(algorithm.parse().expect("an algorithm"));
    header.typ = Some("at+jwt".into());
    header.kid = Some("jqp3Sk0Qv7nR1s9c5u2wYx8zA4bD6eF0gHiJkLmNoPq".into());
    encode(&header, &claims, &key.expect("a key")).expect("a token")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
