//! A look at the store that is owed, as it was away at the start.

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

/// Until it is passed, the store is as good as away.
pub(super) struct Exam {
    look: Look,
    is_owed: AtomicBool,
    /// What was said last.
    said: Mutex<Option<String>>,
}

impl Exam {
    fn new(look: Look) -> Self {
        Self { look, is_owed: AtomicBool::new(true), said: Mutex::default() }
    }

    pub(super) fn is_owed(&self) -> bool {
        self.is_owed.load(Ordering::Acquire)
    }

    /// Whether that is news.
    fn is_new(&self, why: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = said.as_deref() != Some(why);
        *said = Some(why.to_owned());
        is_new
    }
}

impl<S: Store + 'static> Inner<S> {
    /// The store is away, and is to be looked at before it is asked anything.
    pub(super) fn owe(&self, look: Look, error: &StoreError) {
        let exam = self.exam.get_or_init(|| Exam::new(look));
        exam.is_owed.store(true, Ordering::Release);
        while !self.breaker.is_open() {
            self.settle(Err(error));
        }
    }

    /// Looks at the store that has come back. An error says that it cannot be asked yet.
    pub(super) fn sit(self: &Arc<Self>, exam: &Exam) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(self);
        (exam.look)().map(move |fitness| inner.pass(fitness))
    }

    fn pass(&self, fitness: Fitness) -> Result<(), StoreError> {
        let Some(exam) = self.exam.get() else { return Ok(()) };
        if let Fitness::Doubtful(why) | Fitness::Unfit(why) = &fitness
            && exam.is_new(why)
        {
            let act = Act::StoreUnfit(why.as_str().into());
            audit::record(self.sink.as_deref(), Event::new(act));
        }
        match fitness {
            Fitness::Fit | Fitness::Doubtful(_) => {
                exam.is_owed.store(false, Ordering::Release);
                Ok(())
            }
            Fitness::Unfit(why) => {
                let error = StoreError::new(why);
                self.settle(Err(&error));
                Err(error)
            }
            Fitness::Gone(error) => {
                self.settle(Err(&error));
                Err(error)
            }
        }
    }
}
