//! Clients with keys of their own, which prove that they have them (RFC 9449).
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "each test file uses its part, and `json!` makes values"
)]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey},
    ecdsa::EcdsaSig,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::{Padding, Rsa},
    sha::sha256,
    sign::{RsaPssSaltlen, Signer},
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the service is.
pub(crate) const URL: &str = "https://api.example/orders";
/// When proofs are made.
pub(crate) const NOW: u64 = 1_700_000_000;

/// A client that has a key.
pub(crate) struct Prover {
    key: PKey<Private>,
    pub(crate) alg: &'static str,
}

impl Prover {
    pub(crate) fn new() -> Self {
        Self::with("ES256")
    }

    pub(crate) fn with(alg: &'static str) -> Self {
        let ec = |nid| {
            let group = EcGroup::from_curve_name(nid).unwrap();
            PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
        };
        let key = match alg {
            "ES256" => ec(Nid::X9_62_PRIME256V1),
            "ES384" => ec(Nid::SECP384R1),
            "ES512" => ec(Nid::SECP521R1),
            "EdDSA" | "Ed25519" => PKey::generate_ed25519().unwrap(),
            _ => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
        };
        Self { key, alg }
    }

    /// The same key under another algorithm.
    pub(crate) fn under(&self, alg: &'static str) -> Self {
        Self { key: self.key.clone(), alg }
    }

    /// The public key.
    pub(crate) fn jwk(&self) -> Value {
        if let Ok(rsa) = self.key.rsa() {
            let encode = |number: &openssl::bn::BigNumRef| BASE64.encode(number.to_vec());
            return json!({"kty": "RSA", "n": encode(rsa.n()), "e": encode(rsa.e())});
        }
        let Ok(ec) = self.key.ec_key() else {
            let x = BASE64.encode(self.key.raw_public_key().unwrap());
            return json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        };
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context).unwrap();
        let (curve, width) = self.curve();
        let encode = |number: BigNum| BASE64.encode(number.to_vec_padded(width).unwrap());
        json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
    }

    /// The private key, as a JWK.
    pub(crate) fn private_jwk(&self) -> Value {
        let mut jwk = self.jwk();
        jwk["d"] = match self.key.ec_key() {
            Ok(ec) => BASE64.encode(ec.private_key().to_vec_padded(self.curve().1).unwrap()),
            Err(_) => BASE64.encode(self.key.raw_private_key().unwrap()),
        }
        .into();
        jwk
    }

    fn curve(&self) -> (&'static str, i32) {
        match self.key.ec_key().unwrap().group().curve_name() {
            Some(Nid::SECP384R1) => ("P-384", 48),
            Some(Nid::SECP521R1) => ("P-521", 66),
            _ => ("P-256", 32),
        }
    }

    /// What a token is bound to.
    pub(crate) fn thumbprint(&self) -> String {
        thumbprint(&self.jwk())
    }

    /// A proof for a GET of [`URL`] with `token`.
    pub(crate) fn proof(&self, token: &str) -> String {
        self.proof_with(token, json!({}), json!({}))
    }

    /// The same with members of header and claims replaced or, by null, removed.
    pub(crate) fn proof_with(&self, token: &str, header: Value, claims: Value) -> String {
        self.sign(&self.header(header).to_string(), &changed(good(token), claims).to_string())
    }

    pub(crate) fn header(&self, other: Value) -> Value {
        changed(json!({"typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk()}), other)
    }

    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let digest = match &self.alg[2..] {
            "384" => MessageDigest::sha384(),
            "512" => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        };
        if self.key.raw_public_key().is_ok() {
            let mut signer = Signer::new_without_digest(&self.key).unwrap();
            return signer.sign_oneshot_to_vec(message).unwrap();
        }
        let mut signer = Signer::new(digest, &self.key).unwrap();
        if self.alg.starts_with("PS") {
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
        }
        let signature = signer.sign_oneshot_to_vec(message).unwrap();
        if self.key.rsa().is_ok() {
            return signature;
        }
        let (signature, width) = (EcdsaSig::from_der(&signature).unwrap(), self.curve().1);
        let halves = [signature.r(), signature.s()];
        halves.map(|half| half.to_vec_padded(width).unwrap()).concat()
    }
}

/// RFC 7638 section 3: the members that make the key, in order.
pub(crate) fn thumbprint(jwk: &Value) -> String {
    let names = ["crv", "e", "kty", "n", "x", "y"].into_iter();
    let members = names.filter_map(|name| Some(format!("\"{name}\":{}", jwk.get(name)?)));
    BASE64.encode(sha256(format!("{{{}}}", members.collect::<Vec<_>>().join(",")).as_bytes()))
}

/// The claims of a good proof, each with a `jti` of its own.
pub(crate) fn good(token: &str) -> Value {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    json!({
        "jti": format!("proof-{number}"), "htm": "GET", "htu": URL, "iat": NOW,
        "ath": BASE64.encode(sha256(token.as_bytes())),
    })
}

fn changed(mut object: Value, other: Value) -> Value {
    for (name, value) in other.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}
