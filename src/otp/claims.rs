use super::Subject;
use crate::{eventual::Eventual, store::StoreError, token::Grant};

/// What access tokens say besides whom they are about: scopes, roles, other claims.
///
/// Asked at each login and each refresh, so that what was taken away is gone with the next token. A closure from a
/// grant and a subject to a grant is one:
///
/// ```
/// use portcullis::{otp::Subject, token::Grant};
///
/// let claims = |grant: Grant, _: &Subject| grant.scopes(["orders:read"]);
/// ```
pub trait ClaimsFor: Send + Sync {
    /// Adds to `grant`, which names the subject and the session already. Must not block.
    fn grant(&self, grant: Grant, subject: &Subject) -> Eventual<Result<Grant, StoreError>>;
}

impl<F: Fn(Grant, &Subject) -> Grant + Send + Sync> ClaimsFor for F {
    fn grant(&self, grant: Grant, subject: &Subject) -> Eventual<Result<Grant, StoreError>> {
        Eventual::Ready(Ok(self(grant, subject)))
    }
}
