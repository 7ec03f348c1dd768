use crate::store::question;
use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::timeout_at;

/// Whether the deadline of a question has passed. Its work may also be dropped because the caller gave up, as a client
/// that resets its stream in HTTP/2 makes us do, or because other trips left it no time: that says nothing about the server.
#[derive(Default)]
pub(super) struct Late(AtomicBool);

impl Late {
    /// Work that knows, when it is dropped, whether it was too slow. It has what its question has left of the deadline, and is
    /// not begun if that is nothing.
    pub(super) async fn timeout<F: Future>(
        &self,
        deadline: Duration,
        work: F,
    ) -> Option<F::Output> {
        let rest = question::rest(deadline)?;
        let mut work = pin!(work);
        let ended = timeout_at(rest.until, work.as_mut()).await;
        if ended.is_err() && !rest.is_short {
            self.0.store(true, Ordering::Relaxed);
        }
        ended.ok()
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
