//! The one request extension: what the layers found out.

use crate::{audit::Sink, client::Client, identity::Identity, limit::Decision};
use http::request::Parts;
use std::sync::Arc;

/// What the layers outside a handler found out: client, identity and limits.
///
/// There is one in the request's extensions after any layer of this crate; each layer adds what it
/// knows. With the feature `axum`, [`Client`], [`Claims`](crate::Claims) and [`Decision`] are extractors.
///
/// ```
/// # fn handler(request: &http::Request<()>) {
/// let guarded = request.extensions().get::<portcullis::Guarded>();
/// let claims = guarded.and_then(|guarded| guarded.identity().claims());
/// # let _ = claims; }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Guarded {
    pub(crate) client: Option<Client>,
    pub(crate) identity: Identity,
    pub(crate) decision: Option<Decision>,
    /// What refusals say of the tokens that are taken.
    #[cfg(feature = "jwt")]
    pub(crate) challenges: crate::identity::Challenges,
    /// Who is told of what happens to this request, where a layer has no sink of its own.
    pub(crate) sink: Option<Arc<dyn Sink>>,
}

impl Guarded {
    /// The client, if a layer that needs it is outside.
    pub fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// Who the token says is calling; anonymous if no layer that verifies tokens is outside.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the limits said, if there are any outside. Charge more or refund with it.
    pub fn decision(&self) -> Option<&Decision> {
        self.decision.as_ref()
    }

    /// The extension of `parts`, put there if it is not there yet.
    pub(crate) fn of(parts: &mut Parts) -> &mut Self {
        parts.extensions.get_or_insert_default::<Self>()
    }
}
