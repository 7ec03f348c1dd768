//! Issuers with real keys of every kind, that sign whatever they are given, and verifiers that trust them.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test uses some of it, and may panic"
)]

#[path = "tokens.rs"]
mod tokens;

pub(crate) use tokens::{NOW, claims, clock};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::{
    ec::{EcGroup, EcKey},
    ecdsa::EcdsaSig,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::{Padding, Rsa},
    sign::{RsaPssSaltlen, Signer},
};
use portcullis::{
    Claims, Eventual, TokenFault, TrustedIssuer, Verifier,
    jwt::{Algorithm, Keys},
    token::Issuer,
};
use serde_json::{Value, json};

/// One issuer, `idp`, whose key has a name.
pub(crate) struct Party {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: PKey<Private>,
    pub(crate) kid: String,
    /// The public key as its issuer publishes it.
    pub(crate) jwk: Value,
    pub(crate) jwks: String,
    pub(crate) verifier: Verifier,
}

impl Party {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let curve = |nid| {
            let key = EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap();
            PKey::from_ec_key(key).unwrap()
        };
        let key = match algorithm {
            Algorithm::ES256 => curve(Nid::X9_62_PRIME256V1),
            Algorithm::ES384 => curve(Nid::SECP384R1),
            Algorithm::ES512 => curve(Nid::SECP521R1),
            Algorithm::EdDSA => PKey::generate_ed25519().unwrap(),
            _ => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
        };
        let pem = key.private_key_to_pem_pkcs8().unwrap();
        let jwks = Issuer::from_pem("idp", "api", pem, algorithm).unwrap().jwks().to_string();
        let jwk = serde_json::from_str::<Value>(&jwks).unwrap()["keys"][0].take();
        let kid = jwk["kid"].as_str().unwrap().to_owned();
        let issuer = TrustedIssuer::new("idp", Keys::jwks(&jwks).unwrap()).audience("api");
        let verifier = Verifier::new([issuer]).unwrap().clock(clock());
        Self { algorithm, key, kid, jwk, jwks, verifier }
    }

    /// One for each way of signing with a key pair.
    pub(crate) fn all() -> Vec<Self> {
        let kinds = [
            Algorithm::RS256,
            Algorithm::PS256,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::ES512,
            Algorithm::EdDSA,
        ];
        kinds.into_iter().map(Self::new).collect()
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.algorithm.name(), "typ": "at+jwt", "kid": self.kid })
    }

    /// The header with one member more, or another one.
    pub(crate) fn header_with(&self, name: &str, value: Value) -> Value {
        let mut header = self.header();
        header[name] = value;
        header
    }

    /// The signature of this party, in the form of JWS.
    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let digest = match self.algorithm {
            Algorithm::ES384 => MessageDigest::sha384(),
            Algorithm::ES512 => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        };
        match self.algorithm {
            Algorithm::EdDSA => {
                Signer::new_without_digest(&self.key).unwrap().sign_oneshot_to_vec(message).unwrap()
            }
            Algorithm::PS256 => {
                let mut signer = Signer::new(digest, &self.key).unwrap();
                signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
                signer.sign_oneshot_to_vec(message).unwrap()
            }
            Algorithm::RS256 => {
                Signer::new(digest, &self.key).unwrap().sign_oneshot_to_vec(message).unwrap()
            }
            _ => {
                let der = Signer::new(digest, &self.key).unwrap().sign_oneshot_to_vec(message);
                let signature = EcdsaSig::from_der(&der.unwrap()).unwrap();
                let width = self.width();
                let part = |number: &openssl::bn::BigNumRef| {
                    number.to_vec_padded(i32::try_from(width).unwrap()).unwrap()
                };
                [part(signature.r()), part(signature.s())].concat()
            }
        }
    }

    /// Bytes of a coordinate.
    pub(crate) fn width(&self) -> usize {
        match self.algorithm {
            Algorithm::ES384 => 48,
            Algorithm::ES512 => 66,
            _ => 32,
        }
    }

    /// Signs bytes that need not be JSON.
    pub(crate) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
        format!("{signed}.{}", BASE64.encode(self.signature(signed.as_bytes())))
    }

    pub(crate) fn with_header(&self, header: &Value) -> String {
        self.sign(header.to_string(), claims(json!({})))
    }

    /// Signs good claims with some replaced or, by null, removed.
    pub(crate) fn with_claims(&self, other: Value) -> String {
        self.sign(self.header().to_string(), claims(other))
    }

    pub(crate) fn good(&self) -> String {
        self.with_claims(json!({}))
    }

    pub(crate) fn verify(&self, token: &str) -> Result<Claims, TokenFault> {
        verify(&self.verifier, token)
    }

    /// What is wrong with `token`.
    pub(crate) fn fault(&self, token: &str) -> Option<TokenFault> {
        self.verify(token).err()
    }
}

pub(crate) fn verify(verifier: &Verifier, token: &str) -> Result<Claims, TokenFault> {
    match verifier.verify(token) {
        Eventual::Ready(verified) => verified,
        Eventual::Pending(_) => panic!("fixed keys answer at once"),
    }
}

/// A token in its three parts.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    BASE64.decode(text).unwrap()
}

/// That what the attacks are made of would pass.
pub(crate) fn parties() -> Vec<Party> {
    let parties = Party::all();
    for party in &parties {
        assert_eq!(party.fault(&party.good()), None, "{}", party.algorithm);
    }
    parties
}

pub(crate) fn refused(party: &Party, token: &str, fault: TokenFault, what: &str) {
    assert_eq!(party.fault(token), Some(fault), "{} {what}: {token}", party.algorithm);
}

pub(crate) fn mac(secret: &[u8], alg: &str, message: &[u8]) -> Vec<u8> {
    let digest = match alg {
        "HS384" => MessageDigest::sha384(),
        "HS512" => MessageDigest::sha512(),
        _ => MessageDigest::sha256(),
    };
    let key = PKey::hmac(secret).unwrap();
    Signer::new(digest, &key).unwrap().sign_oneshot_to_vec(message).unwrap()
}

/// A name with each of its letters, and with all of them, written as an escape.
pub(crate) fn escapes(name: &str) -> Vec<String> {
    let escape = |c: char| format!("\\u{:04x}", u32::from(c));
    let one = |at: usize| {
        name.chars().enumerate().map(|(i, c)| if i == at { escape(c) } else { c.into() }).collect()
    };
    let mut all: Vec<String> = (0..name.len()).map(one).collect();
    all.push(name.chars().map(escape).collect());
    all.push(name.chars().map(|c| escape(c).to_uppercase().replace("\\U", "\\u")).collect());
    all
}
