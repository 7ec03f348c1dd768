use crate::error::ConfigError;
use std::{fmt, str::FromStr};

/// A signature algorithm (RFC 7518 section 3.1, RFC 8037). There is no `none`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519. Tokens may call it `EdDSA` or `Ed25519` (RFC 9864).
    EdDSA,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 13] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// The value of `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Whether the same secret signs and verifies.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    /// The algorithm that a header's or a key's `alg` names, to the letter.
    pub(super) fn named(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDSA);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl FromStr for Algorithm {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<Self, ConfigError> {
        Self::named(name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            let name = name.escape_default();
            ConfigError::new(format!("algorithm `{name}` is not one of {known}"))
        })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Algorithms(u16);

impl Algorithms {
    pub(super) const fn has(self, algorithm: Algorithm) -> bool {
        self.0 & (1 << algorithm as u16) != 0
    }
}

impl FromIterator<Algorithm> for Algorithms {
    fn from_iter<T: IntoIterator<Item = Algorithm>>(algorithms: T) -> Self {
        Self(algorithms.into_iter().fold(0, |set, algorithm| set | 1 << algorithm as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_near_misses_name_the_known_ones() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDSA));
        for bad in ["none", "None", "hs256", "HS256 ", "Ed448", "ES256K", "RSA-OAEP", ""] {
            let error = bad.parse::<Algorithm>().unwrap_err().to_string();
            assert!(error.contains("RS256, RS384"), "{error}");
        }
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        let set: Algorithms = [Algorithm::HS256, Algorithm::EdDSA].into_iter().collect();
        let has = Algorithm::ALL.into_iter().filter(|&algorithm| set.has(algorithm));
        assert_eq!(has.collect::<Vec<_>>(), [Algorithm::HS256, Algorithm::EdDSA]);
    }
}
