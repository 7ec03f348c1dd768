use super::ProofFault;

/// What exactly is wrong with a token. For logs, metrics and audit; clients are told only
/// `invalid_token` (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TokenFault {
    /// Longer than the cap.
    TooLong,
    /// Not three parts of base64url without padding (RFC 7515 section 7.1).
    Malformed,
    /// The header is not acceptable JSON: not an object, duplicate members, wrong types.
    HeaderInvalid,
    /// `crit` names extensions, of which none is supported (RFC 7515 section 4.1.11).
    CriticalHeader,
    /// The header brings or points to a key: `jku`, `jwk`, `x5u`, `x5c`.
    EmbeddedKey,
    /// `typ` is not one that the issuer's tokens carry (RFC 8725 section 3.11).
    WrongType,
    /// `alg` is not allowed for the issuer, or not the one the key is for (RFC 8725 section 3.1).
    WrongAlgorithm,
    /// No key of the issuer fits.
    UnknownKey,
    /// `iss` is not a trusted issuer.
    UnknownIssuer,
    /// The signature does not hold under the key that the token names.
    BadSignature,
    /// The token names no key, or keys have no names, and none of the issuer's verifies it.
    NoKeyVerifies,
    /// The claims are not acceptable JSON: not an object, duplicate members, wrong types.
    ClaimsInvalid,
    /// A required claim is missing.
    ClaimMissing,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies in the future.
    NotYetValid,
    /// The token lives longer than the issuer's tokens may.
    LivesTooLong,
    /// `aud` does not name this resource.
    WrongAudience,
    /// The token, its session, its subject or all of its issuer was revoked.
    Revoked,
    /// The token may be good, but who sent it did not prove to have the key that it is bound to (RFC 9449).
    Proof(ProofFault),
    /// The token is bound to a certificate, and its sender showed none (RFC 8705 section 3).
    CertificateMissing,
    /// What the proxy tells of the sender's certificate cannot be read.
    CertificateIllegible,
    /// The token is bound to another certificate.
    WrongCertificate,
    /// The token is bound to no certificate, and must be.
    CertificateNotBound,
    /// Nothing is known to be wrong: the keys of the issuer cannot be reached at the moment. The one fault that
    /// clients are told of, as it is not theirs: 503.
    KeysUnavailable,
}

impl TokenFault {
    /// The stable name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::Malformed => "malformed",
            Self::HeaderInvalid => "header-invalid",
            Self::CriticalHeader => "critical-header",
            Self::EmbeddedKey => "embedded-key",
            Self::WrongType => "wrong-type",
            Self::WrongAlgorithm => "wrong-algorithm",
            Self::UnknownKey => "unknown-key",
            Self::UnknownIssuer => "unknown-issuer",
            Self::BadSignature => "bad-signature",
            Self::NoKeyVerifies => "no-key-verifies",
            Self::ClaimsInvalid => "claims-invalid",
            Self::ClaimMissing => "claim-missing",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::LivesTooLong => "lives-too-long",
            Self::WrongAudience => "wrong-audience",
            Self::Revoked => "revoked",
            Self::Proof(fault) => fault.name(),
            Self::CertificateMissing => "certificate-missing",
            Self::CertificateIllegible => "certificate-illegible",
            Self::WrongCertificate => "wrong-certificate",
            Self::CertificateNotBound => "certificate-not-bound",
            Self::KeysUnavailable => "keys-unavailable",
        }
    }

    /// The setting that would take such tokens, for the log of an operator whose own tokens are refused: of a
    /// `TrustedIssuer`, and the key of its `[[issuer]]`. Clients are not told.
    pub const fn setting(self) -> Option<&'static str> {
        Some(match self {
            Self::WrongType => ".typ([...]) of TrustedIssuer, or the key `typ` of [[issuer]]",
            Self::WrongAlgorithm => {
                ".algorithms([...]) and the keys of TrustedIssuer, or the keys `algorithms` and `keys` of [[issuer]]"
            }
            Self::WrongAudience => {
                ".audience(...) of TrustedIssuer, or the key `audience` of [[issuer]]"
            }
            Self::UnknownIssuer => "a TrustedIssuer of this name, or an [[issuer]]",
            Self::LivesTooLong => {
                ".max_lifetime(...) of TrustedIssuer, or the key `max_lifetime` of [[issuer]]"
            }
            _ => return None,
        })
    }

    /// Whether only somebody who tampers gets here.
    ///
    /// Honest clients send expired and revoked tokens, tokens for another audience, ID tokens, tokens
    /// under a key, a secret or an algorithm that was rotated away, and the word `undefined`.
    pub const fn is_suspicious(self) -> bool {
        match self {
            Self::BadSignature | Self::EmbeddedKey | Self::CriticalHeader | Self::HeaderInvalid => {
                true
            }
            Self::Proof(fault) => fault.is_suspicious(),
            _ => false,
        }
    }
}

impl From<ProofFault> for TokenFault {
    fn from(fault: ProofFault) -> Self {
        Self::Proof(fault)
    }
}
