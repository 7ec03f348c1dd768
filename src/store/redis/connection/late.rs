use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::{error::Elapsed, timeout};

/// Whether the deadline of a question has passed. Its work may also be dropped because the caller gave up, as a client
/// that resets its stream in HTTP/2 makes us do: that says nothing about the server.
#[derive(Default)]
pub(in crate::store::redis) struct Late(AtomicBool);

impl Late {
    /// Work that knows, when it is dropped, whether it was too slow.
    pub(super) async fn timeout<F: Future>(
        &self,
        time: Duration,
        work: F,
    ) -> Result<F::Output, Elapsed> {
        let mut work = pin!(work);
        let ended = timeout(time, work.as_mut()).await;
        if ended.is_err() {
            self.0.store(true, Ordering::Relaxed);
        }
        ended
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
