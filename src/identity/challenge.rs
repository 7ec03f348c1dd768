//! What an answer says about credentials: `WWW-Authenticate` (RFC 6750 section 3).

use crate::rejection::{Reason, Rejection};
use http::{HeaderValue, header};

/// A refusal with its challenge. It never says more about a bad token than `invalid_token`.
pub(crate) fn refuse(reason: Reason) -> Rejection {
    let challenge = match reason {
        Reason::TokenMissing => "Bearer",
        Reason::TokenInvalid(_) => "Bearer error=\"invalid_token\"",
        Reason::TokenAmbiguous => "Bearer error=\"invalid_request\"",
        Reason::ScopeMissing => "Bearer error=\"insufficient_scope\"",
        _ => return Rejection::new(reason),
    };
    let mut rejection = Rejection::new(reason);
    let challenge = HeaderValue::from_static(challenge);
    rejection.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    rejection
}
