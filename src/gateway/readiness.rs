//! Whether requests should be sent to this instance.

use super::{
    answers::{Answers, json_answer},
    config::{READY, StoreConfig},
};
use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// What is known about it.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    store: StoreConfig,
    draining: Arc<AtomicBool>,
}

impl Readiness {
    pub(super) fn new(store: StoreConfig) -> Self {
        Self { store, draining: Arc::default() }
    }

    /// Whether a path asks for it.
    pub(super) fn is_at(path: &str) -> bool {
        path == READY
    }

    /// From now on requests should go elsewhere.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// A store that is lost is no reason to send requests elsewhere: it is lost for all instances, and they go on without it.
    pub(super) async fn answer(self, request: &Parts) -> Response<Bytes> {
        if let Some(refusal) = Answers::only_read(request) {
            return refusal;
        }
        let is_draining = || self.draining.load(Ordering::Acquire);
        let (status, body): (_, &'static str) = if is_draining() {
            (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"draining"}"#)
        } else if self.store.is_there().await {
            (StatusCode::OK, r#"{"status":"ready"}"#)
        } else {
            (StatusCode::OK, r#"{"status":"degraded","reasons":["store"]}"#)
        };
        let mut answer = json_answer(Bytes::from_static(body.as_bytes()), "no-store");
        *answer.status_mut() = status;
        answer
    }
}
