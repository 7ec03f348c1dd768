/// What exactly is wrong with a DPoP proof (RFC 9449 section 4.3), or with how a bound token was sent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ProofFault {
    /// The token is bound to a key, or must be, and was sent as `Bearer` (section 7.2).
    SentAsBearer,
    /// The token is bound to no key (section 6).
    NotBound,
    /// There is no `DPoP` header.
    Missing,
    /// There is more than one `DPoP` header.
    Repeated,
    /// Longer than 4 KiB.
    TooLong,
    /// Not a signed token in compact form with all that a proof must say.
    Malformed,
    /// `typ` is not `dpop+jwt`.
    WrongType,
    /// `alg` is symmetric, `none` or unknown.
    WrongAlgorithm,
    /// The embedded key is private, too large or too small, or not of the kind that `alg` uses.
    KeyRefused,
    /// The embedded key is not the one that the token is bound to.
    WrongKey,
    /// The signature does not hold under the embedded key.
    BadSignature,
    /// `htm` is not the method of the request.
    WrongMethod,
    /// `htu` is not the URL of the request.
    WrongUrl,
    /// `iat` is too long ago.
    Stale,
    /// `iat` lies in the future.
    Early,
    /// `ath` is not the digest of the token.
    WrongToken,
    /// There is no `nonce`, and the server wants its own (section 8).
    NonceMissing,
    /// `nonce` is not one that the server takes now.
    NonceStale,
    /// The proof was used before.
    Replayed,
}

impl ProofFault {
    /// The stable name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SentAsBearer => "bound-sent-as-bearer",
            Self::NotBound => "not-bound",
            Self::Missing => "proof-missing",
            Self::Repeated => "proof-repeated",
            Self::TooLong => "proof-too-long",
            Self::Malformed => "proof-malformed",
            Self::WrongType => "proof-wrong-type",
            Self::WrongAlgorithm => "proof-wrong-algorithm",
            Self::KeyRefused => "proof-key-refused",
            Self::WrongKey => "proof-wrong-key",
            Self::BadSignature => "proof-bad-signature",
            Self::WrongMethod => "proof-wrong-method",
            Self::WrongUrl => "proof-wrong-url",
            Self::Stale => "proof-stale",
            Self::Early => "proof-early",
            Self::WrongToken => "proof-wrong-token",
            Self::NonceMissing => "proof-nonce-missing",
            Self::NonceStale => "proof-nonce-stale",
            Self::Replayed => "proof-replayed",
        }
    }

    /// Whether the token is at fault and not the proof.
    pub(crate) const fn is_of_token(self) -> bool {
        matches!(self, Self::SentAsBearer | Self::NotBound)
    }

    /// Whether another proof with a nonce of the server would do.
    pub(crate) const fn wants_nonce(self) -> bool {
        matches!(self, Self::NonceMissing | Self::NonceStale)
    }

    /// Whether only somebody who tampers gets here.
    ///
    /// Honest clients have wrong clocks, send a request again, change their key before their token, and stand behind
    /// proxies that change the URL. A proof that names the right key and is not signed by it is nobody's mistake.
    pub(crate) const fn is_suspicious(self) -> bool {
        matches!(self, Self::BadSignature)
    }
}
