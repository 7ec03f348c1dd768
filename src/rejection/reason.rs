use crate::identity::{ProofFault, TokenFault};
use http::StatusCode;

/// The reasons for which this crate refuses a request.
///
/// Each knows its HTTP [status](Self::status), a stable [slug](Self::slug) for clients and metrics,
/// and a [title](Self::title) for people. None of them holds anything the client sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Over a limit: 429.
    RateLimited,
    /// The client, phone or user is blocked for a while: 429.
    Blocked,
    /// A rule without an end denies the client: 403.
    Denied,
    /// The server did not say who the peer is; a fault of its set-up: 500.
    PeerUnknown,
    /// No credentials where they are required: 401, without an error code (RFC 6750 section 3.1).
    TokenMissing,
    /// The token is not acceptable: 401. Clients see `invalid_token` and never the fault.
    TokenInvalid(TokenFault),
    /// The DPoP proof of a request for tokens is missing or not good: 400 (RFC 9449 section 5). Clients see
    /// `invalid_dpop_proof` and never the fault.
    ProofInvalid(ProofFault),
    /// Credentials in more than one place, or twice in one: 400 (RFC 6750 section 2).
    TokenAmbiguous,
    /// The token is good but lacks a scope: 403.
    ScopeMissing,
    /// The token is good but a claim, a role for example, does not have what is required: 403.
    ClaimMissing,
    /// What the answer hangs on cannot be reached: 503.
    StoreUnavailable,
    /// The token cannot be checked, as the keys of its issuer cannot be reached: 503.
    KeysUnavailable,
    /// The path is not one that a server could route safely: 400.
    PathInvalid,
    /// No route has this path: 404.
    NotFound,
    /// The route does not take this method: 405.
    MethodNotAllowed,
    /// The body is not JSON, or not of the form that the endpoint takes: 400.
    BodyInvalid,
    /// The body is over the size that the endpoint takes: 413.
    BodyTooLarge,
    /// The body is not declared as `application/json`: 415.
    MediaTypeUnsupported,
    /// The text is not a phone number that could be anybody's: 400.
    PhoneInvalid,
    /// `X-Device-Id` is missing or malformed: 400.
    DeviceInvalid,
    /// The code is wrong, used, expired or out of attempts; which of them is not told: 401.
    CodeInvalid,
    /// The challenge belongs to another device. It says nothing about the code: 403.
    DeviceMismatch,
    /// The login is too long ago for this: 401. A new one helps (RFC 9470).
    ReauthRequired,
    /// The device came to its user a short while ago, and may not do this yet: 403.
    DeviceTooNew,
    /// The phone number belongs to an account already: 409. Told to whoever has shown to hold it, and about one's own.
    PhoneTaken,
    /// The code of a challenge was sent again as often as it may be: 429.
    ResendsSpent,
    /// No code goes to numbers like this one: 403.
    RegionNotSupported,
    /// A person must respond to a challenge first: 403.
    ChallengeRequired,
    /// A code was sent to this phone a moment ago: 429.
    Cooldown,
    /// No message can be taken on: 503.
    SmsUnavailable,
    /// What may be spent on messages is spent: 503.
    SmsBudget,
    /// Another site made the browser send the request: 403.
    CrossSite,
    /// The connection is not encrypted: 403.
    EncryptionRequired,
    /// The request took too long to arrive: 408.
    RequestTimeout,
    /// The request is not signed, or not so: 403. What exactly is wrong is not told.
    SignatureInvalid,
    /// A reason of your own gate.
    Other {
        /// The status to answer with.
        status: StatusCode,
        /// A stable short name of lower-case letters and dashes.
        slug: &'static str,
        /// A sentence for people.
        title: &'static str,
    },
}

impl Reason {
    /// One of each, but for reasons of your own.
    pub const ALL: [Self; 35] = [
        Self::RateLimited,
        Self::Blocked,
        Self::Denied,
        Self::PeerUnknown,
        Self::TokenMissing,
        Self::TokenInvalid(TokenFault::Malformed),
        Self::ProofInvalid(ProofFault::Missing),
        Self::TokenAmbiguous,
        Self::ScopeMissing,
        Self::ClaimMissing,
        Self::StoreUnavailable,
        Self::KeysUnavailable,
        Self::PathInvalid,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyInvalid,
        Self::BodyTooLarge,
        Self::MediaTypeUnsupported,
        Self::PhoneInvalid,
        Self::DeviceInvalid,
        Self::CodeInvalid,
        Self::DeviceMismatch,
        Self::ReauthRequired,
        Self::DeviceTooNew,
        Self::PhoneTaken,
        Self::ResendsSpent,
        Self::RegionNotSupported,
        Self::ChallengeRequired,
        Self::Cooldown,
        Self::SmsUnavailable,
        Self::SmsBudget,
        Self::CrossSite,
        Self::EncryptionRequired,
        Self::RequestTimeout,
        Self::SignatureInvalid,
    ];

    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::RateLimited | Self::Blocked | Self::ResendsSpent | Self::Cooldown => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Denied
            | Self::ScopeMissing
            | Self::ClaimMissing
            | Self::DeviceMismatch
            | Self::DeviceTooNew
            | Self::RegionNotSupported
            | Self::ChallengeRequired
            | Self::CrossSite
            | Self::EncryptionRequired
            | Self::SignatureInvalid => StatusCode::FORBIDDEN,
            Self::PeerUnknown => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TokenMissing
            | Self::TokenInvalid(_)
            | Self::CodeInvalid
            | Self::ReauthRequired => StatusCode::UNAUTHORIZED,
            Self::PhoneTaken => StatusCode::CONFLICT,
            Self::ProofInvalid(_)
            | Self::TokenAmbiguous
            | Self::PathInvalid
            | Self::BodyInvalid
            | Self::PhoneInvalid
            | Self::DeviceInvalid => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaTypeUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::StoreUnavailable
            | Self::KeysUnavailable
            | Self::SmsUnavailable
            | Self::SmsBudget => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Other { status, .. } => status,
        }
    }

    /// The stable short name: the last part of the problem type, and the metric label.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::RateLimited => "rate-limited",
            Self::Blocked => "blocked",
            Self::Denied => "denied",
            Self::PeerUnknown => "peer-unknown",
            Self::TokenMissing => "token-missing",
            Self::TokenInvalid(_) => "token-invalid",
            Self::ProofInvalid(_) => "dpop-proof-invalid",
            Self::TokenAmbiguous => "token-ambiguous",
            Self::ScopeMissing => "scope-missing",
            Self::ClaimMissing => "claim-missing",
            Self::StoreUnavailable => "store-unavailable",
            Self::KeysUnavailable => "keys-unavailable",
            Self::PathInvalid => "path-invalid",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::BodyInvalid => "body-invalid",
            Self::BodyTooLarge => "body-too-large",
            Self::MediaTypeUnsupported => "media-type-unsupported",
            Self::PhoneInvalid => "phone-invalid",
            Self::DeviceInvalid => "device-invalid",
            Self::CodeInvalid => "otp-invalid",
            Self::DeviceMismatch => "device-mismatch",
            Self::ReauthRequired => "reauth-required",
            Self::DeviceTooNew => "device-too-new",
            Self::PhoneTaken => "phone-taken",
            Self::ResendsSpent => "otp-exhausted",
            Self::RegionNotSupported => "region-not-supported",
            Self::ChallengeRequired => "challenge-required",
            Self::Cooldown => "cooldown",
            Self::SmsUnavailable => "sms-unavailable",
            Self::SmsBudget => "sms-budget",
            Self::CrossSite => "csrf",
            Self::EncryptionRequired => "tls-required",
            Self::RequestTimeout => "request-timeout",
            Self::SignatureInvalid => "signature-invalid",
            Self::Other { slug, .. } => slug,
        }
    }

    /// A sentence for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::RateLimited => "Too many requests",
            Self::Blocked => "Temporarily blocked",
            Self::Denied => "Access denied",
            Self::PeerUnknown => "The server could not tell who is calling",
            Self::TokenMissing => "Credentials are required",
            Self::TokenInvalid(_) => "The access token is not valid",
            Self::ProofInvalid(_) => "The DPoP proof is not valid",
            Self::TokenAmbiguous => "More than one access token was sent",
            Self::ScopeMissing | Self::ClaimMissing => "The access token does not allow this",
            Self::StoreUnavailable => "Temporarily unable to decide",
            Self::KeysUnavailable => "Temporarily unable to check the access token",
            Self::PathInvalid => "The path is not acceptable",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::BodyInvalid => "The body is not what this endpoint takes",
            Self::BodyTooLarge => "The body is too large",
            Self::MediaTypeUnsupported => "The body must be application/json",
            Self::PhoneInvalid => "The phone number is not valid",
            Self::DeviceInvalid => "The device id is missing or malformed",
            Self::CodeInvalid => "The code is not valid",
            Self::DeviceMismatch => "The code was requested from another device",
            Self::ReauthRequired => "A more recent login is required",
            Self::DeviceTooNew => "The device is too new for this",
            Self::PhoneTaken => "The phone number belongs to an account",
            Self::ResendsSpent => "This code cannot be sent again",
            Self::RegionNotSupported => "No codes are sent to this number",
            Self::ChallengeRequired => "A challenge must be passed first",
            Self::Cooldown => "A code was sent a moment ago",
            Self::SmsUnavailable => "Codes cannot be sent at the moment",
            Self::SmsBudget => "No more codes can be sent for now",
            Self::CrossSite => "The request comes from another site",
            Self::EncryptionRequired => "This needs an encrypted connection",
            Self::RequestTimeout => "The request took too long to arrive",
            Self::SignatureInvalid => "The signature does not fit the request",
            Self::Other { title, .. } => title,
        }
    }

    /// The name of what exactly was wrong, for logs and audit only.
    pub const fn cause(self) -> Option<&'static str> {
        match self {
            Self::TokenInvalid(fault) => Some(fault.name()),
            Self::ProofInvalid(fault) => Some(fault.name()),
            _ => None,
        }
    }

    /// The setting that would let such requests pass, for logs only.
    pub const fn setting(self) -> Option<&'static str> {
        match self {
            Self::TokenInvalid(fault) => fault.setting(),
            _ => None,
        }
    }
}

/// What a token is refused for: 401, but for one that cannot be checked now.
impl From<TokenFault> for Reason {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::KeysUnavailable => Self::KeysUnavailable,
            fault => Self::TokenInvalid(fault),
        }
    }
}
