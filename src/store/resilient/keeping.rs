//! What is known of blocks beside what the store says of them, and what wins.

#[cfg(feature = "otp")]
use super::Resilient;
use super::{Alone, Inner};
#[cfg(feature = "otp")]
use crate::store::Started;
use crate::{
    audit::{self, Act, Event},
    eventual::Eventual,
    key::Key,
    limit::Outage,
    store::{Absent, Answer, Asks, Block, Blocked, Outcome, Store, StoreError},
};
use smallvec::SmallVec;
use std::sync::{Arc, atomic::Ordering};

#[cfg(feature = "otp")]
impl<S: Store + 'static> Resilient<S> {
    /// Keeps blocks that have started, for the time when the store says nothing.
    pub(in crate::store) fn learn_of(&self, started: &[Started]) {
        for started in started {
            self.0.keep(started.key, Block::lasting(started.lasting));
        }
    }
}

impl<S: Store + 'static> Inner<S> {
    /// What must be done before the next question: once a second, a look whether the store is still the one that was asked
    /// before, and what it lost is put back. An error says that it cannot be asked.
    pub(super) fn tend(self: &Arc<Self>) -> Eventual<Result<(), StoreError>> {
        if !self.life.is_due() {
            return self.put_back();
        }
        self.heed_parts();
        match self.exam.get().filter(|exam| exam.is_due()) {
            Some(exam) => self.sit(exam, Self::look),
            None => self.look(),
        }
    }

    /// Looks whether something was lost, or may be.
    pub(super) fn look(self: &Arc<Self>) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(self);
        self.aside(self.store.marker()).then(move |marker| match marker {
            Ok(Some(marker)) => {
                let Some(loss) = inner.life.meet(marker, || inner.known()) else {
                    return inner.put_back();
                };
                audit::record(inner.sink.as_deref(), Event::new(loss));
                let Some(exam) = inner.exam.get() else { return inner.put_back() };
                exam.make_due();
                inner.sit(exam, Self::put_back)
            }
            Ok(None) => Eventual::Ready(Ok(())),
            Err(error) => Eventual::Ready(Err(error)),
        })
    }

    fn put_back(self: &Arc<Self>) -> Eventual<Result<(), StoreError>> {
        if !self.life.is_owing() {
            return Eventual::Ready(Ok(()));
        }
        let batch = self.life.take_owed();
        let inner = Arc::clone(self);
        self.aside(self.store.restore(batch.blocks().to_vec())).then(move |answer| {
            if let Err(error) = answer {
                return Eventual::Ready(Err(error));
            }
            let lifted = batch.arrived();
            if lifted.is_empty() {
                return Eventual::Ready(Ok(()));
            }
            inner.lift(lifted)
        })
    }

    /// Lifts again what was lifted before it came back.
    fn lift(self: &Arc<Self>, keys: Vec<Key>) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(self);
        Eventual::later(async move {
            for key in keys {
                inner.aside(inner.store.unblock(key)).await?;
            }
            Ok(())
        })
    }

    /// A token from before the store began to keep what it keeps: nobody can say any more whether it was revoked.
    pub(super) fn outdated(&self, asks: &Asks) -> Option<Answer> {
        let began = self.life.began().filter(|_| self.strict)?;
        // Of the address too it is said when the token was issued; but it is not the address that is refused.
        let is_from_before = |absent: &&Absent| {
            absent.key.kind().is_of_token()
                && absent.issued_at.is_some_and(|issued_at| issued_at <= began)
        };
        let absent = asks.absent.iter().find(is_from_before)?;
        Some(blocked(Blocked { key: absent.key, remaining: None, since: Some(began) }))
    }

    /// Makes of the store's answer what counts. Where it does not know of a block that is known here, either that was lifted
    /// elsewhere or everything was lost, or not yet put back, when the store was asked after so many `turns`.
    pub(super) fn heed(
        self: &Arc<Self>,
        mut asks: Asks,
        answer: Answer,
        turns: u64,
    ) -> Eventual<Result<Answer, StoreError>> {
        for started in &answer.started {
            self.keep(started.key, Block::lasting(started.lasting));
            // It began with this request, so that it did not stand against it is no contradiction.
            asks.absent.retain(|absent| absent.key != started.key);
        }
        if let Outcome::Blocked { key, remaining, since } = answer.outcome {
            self.keep(key, Block { lasting: remaining, since });
            return Eventual::Ready(Ok(answer));
        }
        let Some(known) = self.contradicting(&asks) else {
            return Eventual::Ready(Ok(answer));
        };
        let inner = Arc::clone(self);
        self.look().map(move |looked| {
            if looked.is_err() || !inner.life.is_settled_since(turns) {
                return Ok(blocked(known));
            }
            while let Some(lifted) = inner.contradicting(&asks) {
                drop(inner.local.unblock(lifted.key));
            }
            Ok(answer)
        })
    }

    /// Decides without the store.
    pub(super) fn alone(self: &Arc<Self>, asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        let inner = Arc::clone(self);
        self.decide(asks).map(move |answer| {
            let Alone { admitted, refused, blocked, unavailable } = &inner.alone;
            match answer.as_ref().map(|answer| &answer.outcome) {
                Ok(Outcome::Admitted) => admitted.one(),
                Ok(Outcome::Refused { .. }) => refused.one(),
                Ok(Outcome::Blocked { .. }) => blocked.one(),
                Err(_) => unavailable.one(),
            }
            answer
        })
    }

    fn decide(&self, mut asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        if asks.takes.iter().any(|take| take.outage == Some(Outage::Refuse) && !take.shadow) {
            // Blocks that are known say more than that nobody can be asked.
            asks.takes.clear();
            return self.local.admit(asks).map(|answer| match answer {
                Ok(Answer { outcome: Outcome::Blocked { .. }, .. }) => answer,
                _ => Err(StoreError::new("a limit admits nobody without it")),
            });
        }
        for take in &mut asks.takes {
            match take.outage {
                Some(Outage::Local(share)) => take.quota = take.quota.share(share.thousandths()),
                // Only looks.
                Some(Outage::Admit) => take.cost = 0,
                Some(Outage::Refuse) | None => {
                    take.quota = take.quota.share(self.share.thousandths());
                }
            }
        }
        let unknown =
            self.strict && asks.absent.iter().any(|absent| absent.key.kind().is_of_token());
        self.local.admit(asks).map(move |answer| match answer {
            Ok(Answer { outcome: Outcome::Admitted, .. }) if unknown => {
                Err(StoreError::new("it cannot be told whether the token was revoked"))
            }
            answer => answer,
        })
    }

    /// Keeps a block for the time when the store says nothing, or has lost it.
    pub(super) fn keep(&self, key: Key, block: Block) {
        self.life.blocked(key);
        if let Eventual::Ready(Err(_)) = self.local.block(key, block) {
            // Those on tokens have room of their own.
            let is_told = &self.unkept[usize::from(key.kind().is_of_token())];
            if !is_told.swap(true, Ordering::Relaxed) {
                audit::record(self.sink.as_deref(), Event::new(Act::BlockUnkept(key)));
            }
        }
    }

    /// A block that is known here and stands against what is asked.
    fn contradicting(&self, asks: &Asks) -> Option<Blocked> {
        if self.local.stats().blocks == 0 {
            return None;
        }
        let asks = Asks { absent: asks.absent.clone(), ..Asks::new() };
        match self.local.admit(asks) {
            Eventual::Ready(Ok(Answer {
                outcome: Outcome::Blocked { key, remaining, since },
                ..
            })) => Some(Blocked { key, remaining, since }),
            _ => None,
        }
    }

    /// All blocks that are known here.
    fn known(&self) -> Vec<Blocked> {
        match self.local.blocks(usize::MAX) {
            Eventual::Ready(Ok(blocks)) => blocks,
            _ => Vec::new(),
        }
    }
}

fn blocked(Blocked { key, remaining, since }: Blocked) -> Answer {
    Answer {
        outcome: Outcome::Blocked { key, remaining, since },
        standings: SmallVec::new(),
        started: SmallVec::new(),
    }
}
