//! How a store is asked that may not answer.

use super::Inner;
use crate::{
    audit::{self, Act, Event},
    eventual::Eventual,
    key::Key,
    store::{Store, StoreError, breaker::Change},
};
use std::sync::Arc;

impl<S: Store + 'static> Inner<S> {
    /// Asks the store, unless it is known to be gone, and once it is clear that it is the one that was asked before.
    pub(super) fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&S) -> Eventual<Result<T, StoreError>> + Send + 'static,
    ) -> Eventual<Result<T, StoreError>> {
        let inner = Arc::clone(self);
        self.tend_if_there().then(move |tended| match tended {
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
        let inner = Arc::clone(self);
        self.sit(exam).then(move |passed| match passed {
            Ok(()) => inner.tend(),
            Err(error) => Eventual::Ready(Err(error)),
        })
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
        let Err(error) = answer else { return self.answered(wrote) };
        self.heed_parts();
        // Whoever asks for other keys goes on as before.
        if !error.of_part {
            self.settle(false);
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
            if answer.as_ref().is_err_and(|error| !error.of_part) {
                inner.settle(false);
            }
            answer
        })
    }

    /// Forgets a block that was lifted here.
    pub(super) fn forget(&self, key: Key) {
        self.life.forgive(key);
        drop(self.local.unblock(key));
    }

    pub(super) fn settle(&self, answered: bool) {
        let change = if answered { self.breaker.succeeded() } else { self.breaker.failed() };
        if !answered {
            self.life.hurry();
        }
        self.up.set(!self.breaker.is_open());
        let act = match change {
            Some(Change::Opened) => Act::StoreLost,
            Some(Change::Closed) => Act::StoreBack,
            None => return,
        };
        audit::record(self.sink.as_deref(), Event::new(act));
    }
}
