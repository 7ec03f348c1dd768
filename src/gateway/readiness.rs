//! Whether requests should be sent to this instance.

use super::{
    answers::{Answers, json_answer},
    config::{READY, StoreConfig},
};
use crate::{
    clock::{Clock, SystemClock},
    jwt::Keys,
    otp::Otp,
};
use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Mutex, time::timeout};

/// What is known about it.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    store: StoreConfig,
    /// Of other issuers, where they are fetched.
    keys: Arc<[Keys]>,
    records: Option<Arc<Records>>,
    draining: Arc<AtomicBool>,
}

/// Whether the records of a login answer.
#[derive(Debug)]
struct Records {
    otp: Otp,
    clock: SystemClock,
    /// When they were asked, and whether they answered.
    last: Mutex<Option<(Duration, bool)>>,
}

/// Anybody can ask, and each answer is a query: so one in this time.
const SECOND: Duration = Duration::from_secs(1);
/// Whoever probes does not wait much longer.
const PATIENCE: Duration = Duration::from_millis(500);

impl Readiness {
    pub(super) fn new(store: StoreConfig, keys: Vec<Keys>, otp: Option<Otp>) -> Self {
        let records =
            otp.map(|otp| Records { otp, clock: SystemClock::new(), last: Mutex::default() });
        Self { store, keys: keys.into(), records: records.map(Arc::new), draining: Arc::default() }
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
    /// So it is with the keys of an issuer, as tokens of others are taken, and with records and senders, without which only logins wait.
    pub(super) async fn answer(self, request: &Parts) -> Response<Bytes> {
        if let Some(refusal) = Answers::only_read(request) {
            return refusal;
        }
        let (status, body) = if self.draining.load(Ordering::Acquire) {
            (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"draining"}"#.to_owned())
        } else {
            let missing = self.missing().await;
            let body = match missing.is_empty() {
                true => r#"{"status":"ready"}"#.to_owned(),
                false => {
                    format!(r#"{{"status":"degraded","reasons":["{}"]}}"#, missing.join(r#"",""#))
                }
            };
            (StatusCode::OK, body)
        };
        let mut answer = json_answer(body.into(), "no-store");
        *answer.status_mut() = status;
        answer
    }

    /// What is not there.
    async fn missing(&self) -> Vec<&'static str> {
        let records = async {
            match &self.records {
                Some(records) => records.are_there().await,
                None => true,
            }
        };
        let (store, records) = tokio::join!(self.store.is_there(), records);
        let keys = self.keys.iter().all(Keys::is_ready);
        // While one provider sends, logins go on: that another is left alone is told by events and alerts.
        let sender = self.records.as_ref().is_none_or(|records| records.otp.messages_leave());
        let parts = [("store", store), ("keys", keys), ("records", records), ("sender", sender)];
        parts.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
    }
}

impl Records {
    async fn are_there(&self) -> bool {
        let mut last = self.last.lock().await;
        let now = self.clock.ticks();
        if let Some((at, known)) = *last
            && now - at < SECOND
        {
            return known;
        }
        let answered = timeout(PATIENCE, self.otp.records_answer()).await.unwrap_or(false);
        *last = Some((self.clock.ticks(), answered));
        answered
    }
}
