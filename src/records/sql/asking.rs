use super::{faults::text, migrations::RECORDS};
use crate::{
    eventual::Eventual,
    records::{Told, Unopened},
    store::StoreError,
};
use sqlx::Error;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

/// Questions to one database: each has a deadline, and that none is answered is said once.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    deadline: Duration,
    is_lost: Arc<AtomicBool>,
}

/// For a connection and an answer. A login waits for it, and somebody waits for the login.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// For all migrations, and for whoever else is migrating.
const OPENING: Duration = Duration::from_secs(60);

impl Asking {
    pub(super) fn new() -> Self {
        Self { deadline: DEADLINE, is_lost: Arc::default() }
    }

    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Told<T> {
        let this = self.clone();
        Eventual::later(async move {
            let told = timeout(this.deadline, question).await.unwrap_or(Err(Error::PoolTimedOut));
            this.note(told.as_ref().err());
            told.map_err(|error| StoreError::new(text(RECORDS, &error)))
        })
    }

    pub(super) fn open(
        &self,
        opening: impl Future<Output = Result<(), Unopened>> + Send + 'static,
    ) -> Eventual<Result<(), Unopened>> {
        Eventual::later(async move {
            let late =
                || Unopened::Unavailable(StoreError::new("the records took too long to open"));
            timeout(OPENING, opening).await.unwrap_or_else(|_| Err(late()))
        })
    }

    /// Says that the database is lost, or back, and not again until that changes.
    fn note(&self, error: Option<&Error>) {
        let has_changed = self.is_lost.swap(error.is_some(), Ordering::Relaxed) != error.is_some();
        #[cfg(feature = "tracing")]
        match error {
            Some(error) if has_changed => {
                let error = text(RECORDS, error);
                tracing::error!(error, "the records do not answer: nobody can log in");
            }
            None if has_changed => tracing::warn!("the records answer again"),
            _ => {}
        }
        #[cfg(not(feature = "tracing"))]
        let _ = has_changed;
    }
}
