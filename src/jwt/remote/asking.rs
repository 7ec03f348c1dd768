use super::{held::Held, strangers::Strangers};
use crate::{
    clock::Clock,
    eventual::Eventual,
    identity::TokenFault,
    jwt::{
        Algorithm,
        algorithm::Algorithms,
        keys::{Found, KeySource},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{
        mpsc::{Sender, error::TrySendError},
        watch,
    },
    time::timeout,
};

/// Keys that another task fetches. Who brings a name that is not among them has it fetch them anew, now and then.
pub(super) struct Remote(pub(super) Arc<Asking>);

pub(super) struct Asking {
    pub(super) held: Arc<Held>,
    pub(super) strangers: Strangers,
    /// Has room for one: more would say nothing more.
    pub(super) wishes: Sender<()>,
    pub(super) attempts: watch::Receiver<Attempts>,
    pub(super) clock: Arc<dyn Clock>,
    /// From the beginning of one attempt to the next one that is asked for.
    pub(super) cooldown: Duration,
    /// For how long a request waits.
    pub(super) patience: Duration,
}

/// How it stands with fetching.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    /// When the last one began, in ticks.
    pub(super) begun: Option<Duration>,
    pub(super) is_running: bool,
    pub(super) ended: u64,
    /// Whether the last one that ended brought keys.
    pub(super) is_good: bool,
}

impl Attempts {
    pub(super) fn are_cool(&self, now: Duration, cooldown: Duration) -> bool {
        self.begun.is_none_or(|begun| now.saturating_sub(begun) >= cooldown)
    }

    /// What a key that was not found means: nobody knows, unless the issuer has just said which keys there are.
    fn judge(&self, missing: TokenFault) -> TokenFault {
        if self.is_good { missing } else { TokenFault::KeysUnavailable }
    }
}

impl KeySource for Remote {
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Eventual<Found> {
        let now = self.0.clock.ticks();
        match self.0.held.find(kid, algorithm, now) {
            Err(missing @ (TokenFault::UnknownKey | TokenFault::KeysUnavailable)) => {
                self.ask(kid, algorithm, missing, now)
            }
            found => Eventual::Ready(found),
        }
    }

    fn epoch(&self) -> u64 {
        self.0.held.epoch()
    }

    /// Those of any public key: which ones there will be is not known yet.
    fn algorithms(&self) -> Algorithms {
        Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()).collect()
    }

    fn is_ready(&self) -> bool {
        self.0.held.is_ready(self.0.clock.ticks())
    }
}

impl Remote {
    /// Waits for an attempt that runs or may begin; else what is known is the answer.
    fn ask(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        missing: TokenFault,
        now: Duration,
    ) -> Eventual<Found> {
        let asking = &self.0;
        let is_known = missing == TokenFault::UnknownKey
            && kid.is_some_and(|kid| asking.strangers.has(kid, now));
        if is_known {
            return Eventual::Ready(Err(missing));
        }
        let seen = *asking.attempts.borrow();
        if !seen.is_running {
            if !seen.are_cool(now, asking.cooldown) {
                return Eventual::Ready(Err(seen.judge(missing)));
            }
            // One that is there already is as good. Without anybody to take it no key will ever come.
            if let Err(TrySendError::Closed(())) = asking.wishes.try_send(()) {
                return Eventual::Ready(Err(TokenFault::KeysUnavailable));
            }
        }
        let (asking, kid) = (Arc::clone(asking), kid.map(Box::<str>::from));
        Eventual::later(async move { asking.wait(kid.as_deref(), algorithm, seen.ended).await })
    }
}

impl Asking {
    /// Looks again after the next attempt, or gives up.
    async fn wait(&self, kid: Option<&str>, algorithm: Algorithm, ended: u64) -> Found {
        let mut attempts = self.attempts.clone();
        let next = attempts.wait_for(|attempts| attempts.ended > ended);
        let Ok(Ok(attempts)) =
            timeout(self.patience, next).await.map(|next| next.map(|next| *next))
        else {
            return Err(TokenFault::KeysUnavailable);
        };
        let now = self.clock.ticks();
        self.held.find(kid, algorithm, now).map_err(|missing| {
            let fault = attempts.judge(missing);
            if let (TokenFault::UnknownKey, Some(kid)) = (fault, kid) {
                self.strangers.add(kid, now);
            }
            fault
        })
    }
}
