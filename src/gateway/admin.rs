//! What operators ask, on a listener of their own.

use super::{
    answers::Answers,
    config::{HEALTH, READY},
    exporter::Exporter,
    readiness::Readiness,
};
use crate::{eventual::BoxFuture, gate::Door, rejection::Reason};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::Full;
use std::{
    convert::Infallible,
    task::{Context, Poll},
};
use tower::Service;

/// Metrics, and how the process is.
#[derive(Clone, Debug)]
pub(super) struct Admin {
    /// `None` where the configuration names no such listener, and a program brought one all the same.
    pub(super) exporter: Option<Exporter>,
    pub(super) readiness: Readiness,
}

const METRICS: &str = "/metrics";

impl Admin {
    async fn answer(self, request: Parts) -> Response<Bytes> {
        match (request.uri.path(), self.exporter) {
            (HEALTH, _) => Answers::Health.answer(&request),
            (READY, _) => self.readiness.answer(&request).await,
            (METRICS, Some(exporter)) => {
                Answers::only_read(&request).unwrap_or_else(|| exporter.answer())
            }
            _ => Door::of("gateway").refuse(&request, Reason::NotFound),
        }
    }
}

impl<B> Service<Request<B>> for Admin {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (admin, (head, _)) = (self.clone(), request.into_parts());
        Box::pin(async move { Ok(admin.answer(head).await.map(Full::new)) })
    }
}
