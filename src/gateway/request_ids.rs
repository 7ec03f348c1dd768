//! Each request has an id, which its answer tells.

use crate::{
    client::{RequestId, X_REQUEST_ID},
    gate::Pass,
    guarded::Guarded,
};
use http::{HeaderValue, request, response};

/// Names a request as a proxy whose word counts did, or at random, for all that is inside.
///
/// `None` without a client, or without random bytes of the system.
pub(super) fn name(request: &mut request::Parts) -> Option<Named> {
    request.headers.remove(X_REQUEST_ID);
    let client = Guarded::of(request).client.as_mut()?;
    let id = client.request_id().or_else(random)?;
    client.name_request(id);
    let id = HeaderValue::from_str(id.as_str()).ok()?;
    request.headers.insert(X_REQUEST_ID, id.clone());
    Some(Named(id))
}

/// Tells the id.
pub(super) struct Named(HeaderValue);

impl Pass for Named {
    fn leave(self, answer: &mut response::Parts) {
        answer.headers.insert(X_REQUEST_ID, self.0);
    }
}

fn random() -> Option<RequestId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    format!("{:032x}", u128::from_ne_bytes(bytes)).parse().ok()
}
