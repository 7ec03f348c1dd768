//! Codes that providers hold: an attempt is counted, then its code is checked elsewhere, then the store is told.

use super::{
    Attempt, Caller, Code, Conclusion, Guess, Sealed, Verified,
    login::Inner,
    record::Record,
    refusal,
    sender::{Checked, CodeChecker, SendError},
};
use crate::{
    audit::Step,
    clock::Clock,
    limit::Name,
    phone::Phone,
    rejection::{Reason, Rejection},
};
use futures_util::FutureExt;
use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Who makes and checks codes, by name.
pub(super) struct Holders(Vec<Holder>);

struct Holder {
    name: Name,
    checker: Arc<dyn CodeChecker>,
    lately: Mutex<Lately>,
}

/// How checks went, for those that are only feigned.
#[derive(Default)]
struct Lately {
    /// How long it took those that were answered.
    answered: VecDeque<Duration>,
    /// How long the last one took and how it ended, if it was not.
    failed: Option<(Duration, SendError)>,
}

/// An attempt that the store has counted.
#[derive(Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) number: u8,
    pub(super) sealed: &'a Sealed,
    pub(super) guess: Guess,
}

/// For an answer. Checkers are quicker by their contract.
const DEADLINE: Duration = Duration::from_secs(5);
const SAMPLES: usize = 32;
/// What a check takes, while none has been made.
const USUAL: Duration = Duration::from_millis(250);

impl Inner {
    /// Has whoever holds a code say whether it is the right one, and tells the store. A decoy asks nobody, and seems to.
    pub(super) async fn check_elsewhere(
        &self,
        caller: &Caller,
        attempt: &Attempt,
        code: &Code,
        counted: Counted<'_>,
    ) -> Result<Verified, Rejection> {
        let Attempt { arrival, phone, challenge, device, rules, .. } = *attempt;
        let record = Record::open(&self.secrets, challenge, counted.sealed)?;
        let is_decoy = self.secrets.is_decoy(challenge).ok_or(Reason::StoreUnavailable)?;
        let said = match record.holder.and_then(|name| self.holders.find(name)) {
            Some(holder) if is_decoy => holder.feign().await,
            Some(holder) => holder.ask(&record.phone, code, &**self.issuer.time()).await,
            // The configuration has changed since.
            None => Err(SendError::NotSent),
        };
        let conclusion = Conclusion {
            arrival,
            phone,
            challenge,
            device,
            attempt: counted.number,
            guess: counted.guess,
            said: said.ok(),
            rules,
        };
        let concluded = self.store.conclude(conclusion).await;
        match said {
            Ok(_) => Ok(concluded?),
            // A store that does not answer now counts a guess too many, which is the safe side.
            Err(error) => {
                self.tell(Some(caller), Step::CodeUnchecked, phone, Some(counted.number));
                if error == SendError::Misconfigured && !is_decoy {
                    self.tell(None, Step::SenderRefused, phone, None);
                }
                Err(refusal::unsendable(SendError::NotSent))
            }
        }
    }
}

impl Holders {
    pub(super) fn new(checkers: Vec<(Name, Arc<dyn CodeChecker>)>) -> Self {
        let holder = |(name, checker)| Holder { name, checker, lately: Mutex::default() };
        Self(checkers.into_iter().map(holder).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: Name) -> Option<&Holder> {
        self.0.iter().find(|holder| holder.name == name)
    }
}

impl Holder {
    async fn ask(
        &self,
        phone: &Phone,
        code: &Code,
        clock: &dyn Clock,
    ) -> Result<Checked, SendError> {
        let since = clock.ticks();
        let checking = AssertUnwindSafe(async { self.checker.check(phone, code).await });
        let said = timeout(DEADLINE, checking.catch_unwind()).await;
        let said = said.ok().and_then(Result::ok).unwrap_or(Err(SendError::Unknown));
        let took = clock.ticks().saturating_sub(since);
        let mut lately = self.lately();
        lately.failed = said.err().map(|error| (took, error));
        if said.is_ok() {
            if lately.answered.len() == SAMPLES {
                lately.answered.pop_front();
            }
            lately.answered.push_back(took);
        }
        said
    }

    /// Takes as long as one that was real, and ends as the last one did.
    async fn feign(&self) -> Result<Checked, SendError> {
        let (time, error) = {
            let lately = self.lately();
            match lately.failed {
                Some((time, error)) => (time, Some(error)),
                None => (lately.draw(), None),
            }
        };
        sleep(time.min(DEADLINE)).await;
        error.map_or(Ok(Checked::Wrong), Err)
    }

    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lately {
    fn draw(&self) -> Duration {
        let drawn = getrandom::u32().unwrap_or_default() as usize % self.answered.len().max(1);
        self.answered.get(drawn).copied().unwrap_or(USUAL)
    }
}
