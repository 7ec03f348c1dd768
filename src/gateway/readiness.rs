//! Whether requests should be sent to this instance.

use super::{
    answers::{Answers, json_answer},
    config::{READY, StoreConfig},
};
use crate::jwt::Keys;
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
    /// Of other issuers, where they are fetched.
    keys: Arc<[Keys]>,
    draining: Arc<AtomicBool>,
}

impl Readiness {
    pub(super) fn new(store: StoreConfig, keys: Vec<Keys>) -> Self {
        Self { store, keys: keys.into(), draining: Arc::default() }
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
    /// So it is with the keys of an issuer: tokens of others are taken.
    pub(super) async fn answer(self, request: &Parts) -> Response<Bytes> {
        if let Some(refusal) = Answers::only_read(request) {
            return refusal;
        }
        let is_draining = || self.draining.load(Ordering::Acquire);
        let (status, body): (_, &'static str) = if is_draining() {
            (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"draining"}"#)
        } else {
            let body = match (self.store.is_there().await, self.keys.iter().all(Keys::is_ready)) {
                (true, true) => r#"{"status":"ready"}"#,
                (false, true) => r#"{"status":"degraded","reasons":["store"]}"#,
                (true, false) => r#"{"status":"degraded","reasons":["keys"]}"#,
                (false, false) => r#"{"status":"degraded","reasons":["store","keys"]}"#,
            };
            (StatusCode::OK, body)
        };
        let mut answer = json_answer(Bytes::from_static(body.as_bytes()), "no-store");
        *answer.status_mut() = status;
        answer
    }
}
