//! How a store is asked that may not answer.

use super::Inner;
use crate::{
    audit::{self, Act, Event},
    eventual::Eventual,
    key::Key,
    store::{Store, StoreError, breaker::Change, question},
};
use std::sync::Arc;

impl<S: Store + 'static> Inner<S> {
    /// Asks the store, unless it is known to be gone, and once it is clear that it is the one that was asked before.
    pub(super) fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&S) -> Eventual<Result<T, StoreError>> + Send + 'static,
    ) -> Eventual<Result<T, StoreError>> {
        let inner = Arc::clone(self);
        question::then(self.tend_if_there(), move |tended| match tended {
            Ok(()) => inner.decided(ask(&inner.store)),
            Err(error) => Eventual::Ready(Err(error)),
        })
    }

    pub(super) fn tend_if_there(self: &Arc<Self>) -> Eventual<Result<(), StoreError>> {
        if !self.breaker.passes() {
            return Eventual::Ready(Err(StoreError::new("it has stopped answering")));
        }
        if self.breaker.is_open() { self.tend_and_try_out() } else { self.tend_if_passed() }
    }

    /// Once the exam is passed that is owed, if one is.
    pub(super) fn tend_if_passed(self: &Arc<Self>) -> Eventual<Result<(), StoreError>> {
        let Some(exam) = self.exam.get().filter(|exam| exam.is_owed()) else {
            return self.tend();
        };
        self.sit(exam, Self::tend)
    }

    /// Takes note of whether the store answered.
    pub(super) fn decided<T: 'static>(
        self: &Arc<Self>,
        answer: Eventual<Result<T, StoreError>>,
    ) -> Eventual<Result<T, StoreError>> {
        let inner = Arc::clone(self);
        answer.map(move |answer| {
            inner.note(&answer, answer.is_ok());
            answer
        })
    }

    /// Takes note of one answer, and whether it says that something was written.
    pub(super) fn note<T>(&self, answer: &Result<T, StoreError>, wrote: bool) {
        match answer {
            Ok(_) => self.answered(wrote),
            Err(error) => {
                self.heed_parts();
                self.miss(error);
            }
        }
    }

    /// Takes note of an answer that did not come.
    pub(super) fn miss(&self, error: &StoreError) {
        if error.rushed {
            // The trips before it were answered, so the next question has less to do.
            self.breaker.hurry();
        } else if !error.of_part {
            // Else whoever asks for other keys goes on as before.
            self.settle(Err(error));
        }
    }

    /// Takes note only that the store did not answer. A full server still lets itself be read, and one that runs no scripts
    /// still answers a ping: neither says that it is back.
    pub(super) fn aside<T: 'static>(
        self: &Arc<Self>,
        answer: Eventual<Result<T, StoreError>>,
    ) -> Eventual<Result<T, StoreError>> {
        let inner = Arc::clone(self);
        answer.map(move |answer| {
            if let Err(error) = &answer {
                inner.miss(error);
            }
            answer
        })
    }

    /// Forgets a block that was lifted here.
    pub(super) fn forget(&self, key: Key) {
        self.life.forgive(key);
        drop(self.local.unblock(key));
    }

    pub(super) fn settle(&self, answer: Result<(), &StoreError>) {
        let change = match answer {
            Ok(()) => self.breaker.succeeded(),
            Err(_) => self.breaker.failed(),
        };
        if answer.is_err() {
            self.life.hurry();
        }
        self.up.set(!self.breaker.is_open());
        let act = match (change, answer) {
            (Some(Change::Opened), Err(error)) => Act::StoreLost(error.message.as_str().into()),
            (Some(Change::Closed), _) => Act::StoreBack,
            _ => return,
        };
        audit::record(self.sink.as_deref(), Event::new(act));
    }
}
