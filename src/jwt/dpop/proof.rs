use super::{
    nonces::{NextNonce, Nonces, Standing},
    url::ServiceUrl,
};
use crate::{
    clock::UnixTime,
    identity::ProofFault,
    jwt::{
        Algorithm,
        compact::Compact,
        header::without_prefix,
        jose,
        json::{self, Object, Text},
        jwk::Jwk,
        material::Public,
        payload::Seconds,
    },
    key::Pepper,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::sha::sha256;
use serde::de::{IgnoredAny, MapAccess};
use std::time::Duration;

/// A proof (RFC 9449 section 4.2) that fits the request. Its key and its signature are still to be judged.
pub(super) struct Proof {
    algorithm: Algorithm,
    jwk: Jwk,
    id: String,
    nonce_ends: bool,
    signed: String,
    signature: Vec<u8>,
}

/// What a proof must say.
pub(super) struct Expected<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a ServiceUrl,
    /// The path of the request.
    pub(super) path: &'a str,
    /// The access token, if there is one.
    pub(super) token: Option<&'a [u8]>,
    pub(super) now: UnixTime,
    /// How long ago it may have been made.
    pub(super) back: Duration,
    /// How far it may lie in the future.
    pub(super) ahead: Duration,
    /// Nonces of the server, and what they are made under.
    pub(super) nonces: Option<(Nonces, &'a Pepper)>,
}

/// A proof has one key and a handful of claims; an RSA key of 4096 bits and its signature leave half of this.
const MAX_PROOF: usize = 4 << 10;

const MAX_ID: usize = 128;

/// How far the clocks of instances may differ: when one already takes no more proofs, another one still may.
const SKEW: Duration = Duration::from_secs(30);

impl Expected<'_> {
    /// How long a proof must be remembered.
    pub(super) fn memory(&self) -> Duration {
        // Dates are in whole seconds, so a proof may begin up to one earlier than it says.
        self.back + self.ahead + Duration::from_secs(1) + SKEW
    }

    /// The nonce for the next proof, if this one was refused for its own or will soon be.
    pub(super) fn next_nonce(&self, found: &Result<Proof, ProofFault>) -> Option<NextNonce> {
        let needed = match found {
            Ok(proof) => proof.nonce_ends,
            Err(fault) => fault.wants_nonce(),
        };
        let (nonces, pepper) = self.nonces.filter(|_| needed)?;
        nonces.current(pepper, self.now)
    }
}

impl Proof {
    /// Reads the header line and compares it with the request. No cryptography but a digest.
    pub(super) fn read(line: &[u8], expected: &Expected<'_>) -> Result<Self, ProofFault> {
        if line.len() > MAX_PROOF {
            return Err(ProofFault::TooLong);
        }
        let malformed = |_| ProofFault::Malformed;
        let text = std::str::from_utf8(line).map_err(|_| ProofFault::Malformed)?;
        let compact = Compact::split(text).map_err(malformed)?;
        let json = compact.header().map_err(malformed)?;
        let (algorithm, jwk) = Header::parse(&json)?;
        let json = compact.payload().map_err(malformed)?;
        let claims: Claims<'_> = json::object(&json).ok_or(ProofFault::Malformed)?;
        let id = claims.judge(expected)?.to_owned();
        let nonce_ends = claims.judge_nonce(expected)?;
        let signature = compact.signature().map_err(malformed)?;
        Ok(Self { algorithm, jwk, id, nonce_ends, signed: compact.signed.to_owned(), signature })
    }

    /// Unique for its key.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is signed by the key with this thumbprint (RFC 7638, SHA-256).
    ///
    /// The key is compared as it is spelled, before anything is computed with it: to cost a signature check takes
    /// a token that is bound to the key.
    pub(super) fn verify(&self, thumbprint: &str) -> Result<(), ProofFault> {
        let written = self.jwk.as_written().ok_or(ProofFault::KeyRefused)?;
        if written.thumbprint() != thumbprint {
            return Err(ProofFault::WrongKey);
        }
        self.check(&written)
    }

    /// The thumbprint of the key, whichever it is, if it is signed by it.
    #[cfg(feature = "otp")]
    pub(super) fn verify_any(&self) -> Result<String, ProofFault> {
        let written = self.jwk.as_written().ok_or(ProofFault::KeyRefused)?;
        self.check(&written).map(|()| written.thumbprint())
    }

    fn check(&self, written: &Public) -> Result<(), ProofFault> {
        let public = self.jwk.public().and_then(|key| Public::of(&key, self.algorithm));
        // One spelling for one key.
        let public = public.ok().filter(|public| public == written);
        let public = public.ok_or(ProofFault::KeyRefused)?;
        let key = jose::verifier(&public, self.algorithm).map_err(|_| ProofFault::KeyRefused)?;
        if key.verify(self.signed.as_bytes(), &self.signature) {
            Ok(())
        } else {
            Err(ProofFault::BadSignature)
        }
    }
}

#[derive(Default)]
struct Header<'a> {
    alg: Option<Text<'a>>,
    typ: Option<Text<'a>>,
    jwk: Option<Jwk>,
    unsupported: bool,
}

impl<'a> Header<'a> {
    fn parse(json: &'a [u8]) -> Result<(Algorithm, Jwk), ProofFault> {
        let Self { alg, typ, jwk, unsupported } =
            json::object(json).ok_or(ProofFault::Malformed)?;
        if unsupported {
            return Err(ProofFault::Malformed);
        }
        let typ = typ.ok_or(ProofFault::WrongType)?;
        if !without_prefix(&typ).eq_ignore_ascii_case("dpop+jwt") {
            return Err(ProofFault::WrongType);
        }
        let algorithm = alg.and_then(|name| Algorithm::named(&name));
        let algorithm = algorithm.filter(|algorithm| !algorithm.is_symmetric());
        let algorithm = algorithm.ok_or(ProofFault::WrongAlgorithm)?;
        let jwk = jwk.ok_or(ProofFault::Malformed)?;
        // Whoever sends a private key has given it away.
        if jwk.publishable().is_err() || jwk.permits("verify").is_err() {
            return Err(ProofFault::KeyRefused);
        }
        Ok((algorithm, jwk))
    }
}

impl<'de> Object<'de> for Header<'de> {
    const MOST: usize = 32;

    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "alg" => self.alg = Some(map.next_value()?),
            "typ" => self.typ = Some(map.next_value()?),
            "jwk" => self.jwk = Some(map.next_value()?),
            _ => {
                map.next_value::<IgnoredAny>()?;
                // Extensions that would have to be understood, other payloads, and other keys than the one.
                self.unsupported |=
                    matches!(name, "crit" | "b64" | "zip" | "enc" | "jku" | "x5u" | "x5c");
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Claims<'a> {
    id: Option<Text<'a>>,
    method: Option<Text<'a>>,
    url: Option<Text<'a>>,
    issued_at: Option<Seconds>,
    token: Option<Text<'a>>,
    nonce: Option<Text<'a>>,
}

impl Claims<'_> {
    /// The `jti`, if all claims are as expected.
    fn judge(&self, expected: &Expected<'_>) -> Result<&str, ProofFault> {
        let (Some(id), Some(method), Some(url), Some(issued_at)) =
            (&self.id, &self.method, &self.url, self.issued_at)
        else {
            return Err(ProofFault::Malformed);
        };
        if !(1..=MAX_ID).contains(&id.len()) {
            return Err(ProofFault::Malformed);
        }
        if **method != *expected.method {
            return Err(ProofFault::WrongMethod);
        }
        if !expected.url.is(url, expected.path) {
            return Err(ProofFault::WrongUrl);
        }
        let issued_at = UnixTime::from(issued_at);
        if issued_at > expected.now.plus(expected.ahead) {
            return Err(ProofFault::Early);
        }
        if issued_at.plus(expected.back) < expected.now {
            return Err(ProofFault::Stale);
        }
        if let Some(token) = expected.token {
            let digest = URL_SAFE_NO_PAD.encode(sha256(token));
            if self.token.as_deref() != Some(&*digest) {
                return Err(ProofFault::WrongToken);
            }
        }
        Ok(id)
    }

    /// Whether the nonce is good and about to end.
    fn judge_nonce(&self, expected: &Expected<'_>) -> Result<bool, ProofFault> {
        let Some((nonces, pepper)) = expected.nonces else { return Ok(false) };
        let standing = nonces.judge(self.nonce.as_deref(), pepper, expected.now)?;
        Ok(standing == Standing::Ending)
    }
}

impl<'de> Object<'de> for Claims<'de> {
    const MOST: usize = 64;

    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "jti" => self.id = Some(map.next_value()?),
            "htm" => self.method = Some(map.next_value()?),
            "htu" => self.url = Some(map.next_value()?),
            "iat" => self.issued_at = Some(map.next_value()?),
            "ath" => self.token = Some(map.next_value()?),
            "nonce" => self.nonce = Some(map.next_value()?),
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
