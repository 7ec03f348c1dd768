//! Keys that are made here, and how they are written.

use super::{
    Algorithm, SigningKey,
    material::{Public, unreadable},
};
use crate::error::ConfigError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    bn::BigNumRef,
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    nid::Nid,
    pkey::{Id, PKey, Private},
    rsa::Rsa,
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// A key that nobody has used yet.
pub(crate) struct FreshKey {
    algorithm: Algorithm,
    /// That of a JWK: a thumbprint, or for a secret a random name.
    kid: String,
    material: Material,
}

enum Material {
    Pair(PKey<Private>),
    Secret(Zeroizing<Vec<u8>>),
}

/// As hard to break as P-256 (NIST SP 800-57 part 1, table 2).
const RSA_BITS: u32 = 3072;

impl FreshKey {
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, ConfigError> {
        if algorithm.is_symmetric() {
            let mut secret = Zeroizing::new(vec![0; secret_length(algorithm)]);
            let mut kid = [0; 16];
            for bytes in [&mut secret[..], &mut kid] {
                getrandom::fill(bytes).map_err(|_| ConfigError::new("no random bytes"))?;
            }
            let kid = URL_SAFE_NO_PAD.encode(kid);
            return Ok(Self { algorithm, kid, material: Material::Secret(secret) });
        }
        let pair = pair(algorithm).map_err(|_| ConfigError::new("no key could be generated"))?;
        let kid = Public::of(&*pair, algorithm)?.thumbprint();
        Ok(Self { algorithm, kid, material: Material::Pair(pair) })
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn signing(&self) -> Result<SigningKey, ConfigError> {
        match &self.material {
            Material::Pair(pair) => SigningKey::asymmetric(pair, self.algorithm),
            Material::Secret(secret) => {
                SigningKey::symmetric(secret, self.algorithm, Some(self.kid.clone()))
            }
        }
    }

    /// The private key in PEM, as PKCS#8; a secret has no such form.
    pub(crate) fn pem(&self) -> Option<Result<Zeroizing<Vec<u8>>, ConfigError>> {
        match &self.material {
            Material::Pair(pair) => {
                Some(pair.private_key_to_pem_pkcs8().map(Zeroizing::new).map_err(unreadable))
            }
            Material::Secret(_) => None,
        }
    }

    /// The private or symmetric JWK.
    pub(crate) fn jwk(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut members = match &self.material {
            Material::Pair(pair) => {
                let mut members = Public::of(&**pair, self.algorithm)?.members();
                members.extend(private_members(pair).map_err(unreadable)?);
                members
            }
            Material::Secret(secret) => {
                let k = URL_SAFE_NO_PAD.encode(&**secret);
                [("kty".to_owned(), "oct".into()), ("k".to_owned(), k.into())].into_iter().collect()
            }
        };
        members.insert("kid".into(), self.kid.as_str().into());
        members.insert("alg".into(), self.algorithm.name().into());
        members.insert("use".into(), "sig".into());
        Ok(members)
    }
}

/// As long as the hash (RFC 7518 section 3.2).
const fn secret_length(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 32,
    }
}

fn pair(algorithm: Algorithm) -> Result<PKey<Private>, ErrorStack> {
    let curve = match algorithm {
        Algorithm::ES256 => Nid::X9_62_PRIME256V1,
        Algorithm::ES384 => Nid::SECP384R1,
        Algorithm::ES512 => Nid::SECP521R1,
        Algorithm::EdDSA => return PKey::generate_ed25519(),
        _ => return Rsa::generate(RSA_BITS).and_then(PKey::from_rsa),
    };
    EcGroup::from_curve_name(curve)
        .and_then(|group| EcKey::generate(&group))
        .and_then(PKey::from_ec_key)
}

/// RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2.
fn private_members(pair: &PKey<Private>) -> Result<Vec<(String, Value)>, ErrorStack> {
    let member = |name: &str, bytes: Vec<u8>| {
        let bytes = Zeroizing::new(bytes);
        (name.to_owned(), Value::from(URL_SAFE_NO_PAD.encode(&*bytes)))
    };
    Ok(match pair.id() {
        Id::RSA => {
            let rsa = pair.rsa()?;
            let others = [
                ("p", rsa.p()),
                ("q", rsa.q()),
                ("dp", rsa.dmp1()),
                ("dq", rsa.dmq1()),
                ("qi", rsa.iqmp()),
            ];
            let others = others
                .into_iter()
                .filter_map(|(name, number)| Some(member(name, BigNumRef::to_vec(number?))));
            [member("d", rsa.d().to_vec())].into_iter().chain(others).collect()
        }
        Id::EC => {
            let key = pair.ec_key()?;
            // All of its width, leading zeros included.
            let width = key.group().degree().div_ceil(8);
            vec![member("d", key.private_key().to_vec_padded(width as i32)?)]
        }
        _ => vec![member("d", pair.raw_private_key()?)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same_key() {
        for algorithm in Algorithm::ALL {
            let key = FreshKey::generate(algorithm).unwrap();
            let read = SigningKey::from_member(&key.jwk().unwrap()).unwrap();
            assert_eq!((read.algorithm(), read.kid()), (algorithm, Some(key.kid())));
            let signature = key.signing().unwrap().sign(b"message").unwrap();
            assert!(read.verifying().verify(b"message", &signature), "{algorithm}");
            match key.pem() {
                Some(pem) => {
                    let pem = SigningKey::from_pem(&pem.unwrap(), algorithm).unwrap();
                    assert_eq!(pem.kid(), read.kid());
                    assert_eq!(pem.published(), read.published());
                }
                None => assert!(algorithm.is_symmetric() && read.published().is_none()),
            }
        }
    }

    #[test]
    fn each_key_is_another_one_and_a_short_number_keeps_its_width() {
        let mut seen = std::collections::BTreeSet::new();
        // One in 256 has a leading zero.
        for _ in 0..600 {
            let jwk = FreshKey::generate(Algorithm::ES256).unwrap().jwk().unwrap();
            assert_eq!(jwk["d"].as_str().unwrap().len(), 43);
            assert!(seen.insert(jwk["kid"].as_str().unwrap().to_owned()));
        }
    }

    #[test]
    fn a_secret_is_as_long_as_its_hash() {
        for (algorithm, length) in
            [(Algorithm::HS256, 43), (Algorithm::HS384, 64), (Algorithm::HS512, 86)]
        {
            let jwk = FreshKey::generate(algorithm).unwrap().jwk().unwrap();
            assert_eq!(jwk["k"].as_str().unwrap().len(), length);
        }
    }
}
