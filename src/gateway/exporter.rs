//! Metrics in the text format of Prometheus.

use crate::{
    error::ConfigError,
    metrics::{BUCKETS, describe},
};
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use metrics::set_global_recorder;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    convert::Infallible,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

/// Shows what the recorder of this process holds.
#[derive(Clone)]
pub(super) struct Exporter(PrometheusHandle);

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
/// Between two times that what was measured is put into buckets, so that it does not pile up where nobody looks.
const TIDY: Duration = Duration::from_secs(5);

impl Exporter {
    /// That of the recorder which the first call installs: a process has one.
    pub(super) fn install() -> Result<Self, ConfigError> {
        static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*installed {
            return Ok(Self(handle.clone()));
        }
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
            .map_err(|error| ConfigError::new(error.to_string()))?
            .build_recorder();
        let handle = recorder.handle();
        set_global_recorder(recorder).map_err(|_| {
            ConfigError::new(
                "this process has another recorder of metrics already: leave `admin` out and let that one show them",
            )
        })?;
        describe();
        *installed = Some(handle.clone());
        Ok(Self(handle))
    }

    pub(super) fn answer(&self) -> Response<Bytes> {
        let mut answer = Response::new(Bytes::from(self.0.render()));
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    pub(super) async fn keep_tidy(&self) -> Infallible {
        loop {
            sleep(TIDY).await;
            self.0.run_upkeep();
        }
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter")
    }
}
