//! A look at the store that is owed, as it was away at the start, or as another server may have taken its place.

use super::Inner;
use crate::{
    audit::{self, Act, Event},
    eventual::Eventual,
    store::{Store, StoreError},
};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// What a look at the store finds.
pub(in crate::store) enum Fitness {
    Fit,
    /// It can be used, but somebody should be told this.
    Doubtful(String),
    /// It cannot be used, and this is why.
    Unfit(String),
    Gone(StoreError),
}

pub(in crate::store) type Look = Box<dyn Fn() -> Eventual<Fitness> + Send + Sync>;

pub(super) struct Exam {
    look: Look,
    /// Until it is passed, the store is as good as away.
    is_owed: AtomicBool,
    /// What passed may have been another server: one question looks again, and the others go on.
    is_due: AtomicBool,
    /// What was said last.
    said: Mutex<Option<String>>,
}

impl Exam {
    fn new(look: Look) -> Self {
        let (is_owed, is_due, said) = Default::default();
        Self { look, is_owed, is_due, said }
    }

    pub(super) fn is_owed(&self) -> bool {
        self.is_owed.load(Ordering::Acquire)
    }

    pub(super) fn is_due(&self) -> bool {
        self.is_due.load(Ordering::Acquire)
    }

    pub(super) fn make_due(&self) {
        self.is_due.store(true, Ordering::Release);
    }

    fn end(&self, passed: bool) {
        self.is_owed.store(!passed, Ordering::Release);
        self.is_due.store(false, Ordering::Release);
    }

    /// Takes note of what is to be said, and tells whether that is news.
    fn says(&self, why: Option<&str>) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = said.as_deref() != why;
        *said = why.map(str::to_owned);
        is_new
    }
}

impl Fitness {
    /// What somebody should be told.
    fn why(&self) -> Option<&str> {
        match self {
            Self::Doubtful(why) | Self::Unfit(why) => Some(why),
            Self::Fit | Self::Gone(_) => None,
        }
    }
}

impl<S: Store + 'static> Inner<S> {
    /// Keeps how to look at the store, and what that found at the start. One that is away is to be looked at before it is asked
    /// anything.
    pub(super) fn examined(&self, look: Look, found: &Fitness) {
        let exam = self.exam.get_or_init(|| Exam::new(look));
        exam.says(found.why());
        if let Fitness::Gone(error) = found {
            exam.is_owed.store(true, Ordering::Release);
            while !self.breaker.is_open() {
                self.settle(Err(error));
            }
        }
    }

    /// Looks at the store, and goes on if it passes. An error says that it cannot be asked yet.
    pub(super) fn sit(
        self: &Arc<Self>,
        exam: &Exam,
        next: fn(&Arc<Self>) -> Eventual<Result<(), StoreError>>,
    ) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(self);
        (exam.look)().then(move |found| match inner.pass(found) {
            Ok(()) => next(&inner),
            Err(error) => Eventual::Ready(Err(error)),
        })
    }

    fn pass(&self, found: Fitness) -> Result<(), StoreError> {
        let Some(exam) = self.exam.get() else { return Ok(()) };
        if !matches!(found, Fitness::Gone(_))
            && exam.says(found.why())
            && let Some(why) = found.why()
        {
            audit::record(self.sink.as_deref(), Event::new(Act::StoreUnfit(why.into())));
        }
        match found {
            Fitness::Fit | Fitness::Doubtful(_) => {
                exam.end(true);
                Ok(())
            }
            Fitness::Unfit(why) => {
                exam.end(false);
                let error = StoreError::new(why);
                self.settle(Err(&error));
                Err(error)
            }
            // It stays due, and whoever needs the other parts goes on.
            Fitness::Gone(error) if error.of_part && !exam.is_owed() => Ok(()),
            Fitness::Gone(error) => {
                // No part may be asked before all are looked at.
                let error = StoreError { of_part: false, ..error };
                self.miss(&error);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{ManualClock, UnixTime},
        store::{Asks, Outcome, Resilient, far::Far},
    };
    use std::{sync::atomic::AtomicUsize, time::Duration};

    /// What looks find, one after another.
    fn looks(mut found: Vec<Fitness>) -> (Look, Arc<AtomicUsize>) {
        found.reverse();
        let (found, count) = (Mutex::new(found), Arc::<AtomicUsize>::default());
        let counted = Arc::clone(&count);
        let look = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Eventual::Ready(found.lock().unwrap().pop().unwrap())
        };
        (Box::new(look), count)
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_found_no_answer_is_due_until_it_finds_one_and_others_go_on() {
        let (far, clock) = (Far::away(1), ManualClock::at(UnixTime::default()));
        let store = Resilient::new(far.clone()).clock(clock.clone());
        let asks = async || {
            let outcome = store.admit(Asks::new()).await.unwrap().outcome;
            clock.advance(Duration::from_millis(500));
            outcome != Outcome::Admitted
        };
        let part = || Fitness::Gone(StoreError::new("gone").of_part());
        let (look, count) =
            looks(vec![part(), part(), Fitness::Unfit("it evicts".into()), part(), Fitness::Fit]);
        let looked = || count.load(Ordering::Relaxed);
        store.examined(look, &Fitness::Fit);
        assert!(asks().await && asks().await && looked() == 0, "it was looked at before");
        far.empty();
        // Once with each look at the marker.
        for times in [1, 1, 2, 2] {
            assert!(asks().await, "the parts that are there are asked");
            assert_eq!(looked(), times);
        }
        assert!(!asks().await && looked() == 3, "it may not be used");
        assert!(!asks().await && looked() == 4, "nor a part of it");
        assert!(asks().await && asks().await && asks().await && looked() == 5);
    }
}
