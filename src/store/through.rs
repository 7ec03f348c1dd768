//! Codes and sessions through what is around a store: asked while it answers, an error while it does not.

use super::{Near, Resilient, Started, StoreError};
use crate::{
    eventual::Eventual,
    key::Key,
    otp::{
        Arrival, Arrived, Attempt, Challenges, Conclusion, Dispatch, Issue, Resend, Rules, Sent,
        SharedLoginStore, Verified,
        fraud::{Converted, Country, Outgoing, Settlement, Traffic, Weighed},
        receipts::{Note, Noted, Notes},
    },
    store::Store,
    token::{Opened, Opening, Rotated, Rotation, Session, SessionId, Sessions},
};
use std::sync::Arc;

type Answer<T> = Eventual<Result<T, StoreError>>;

impl<S: Challenges + 'static> Challenges for Near<S> {
    fn issue(&self, issue: Issue) -> Answer<Dispatch> {
        self.store().issue(issue)
    }

    fn resend(&self, resend: Resend) -> Answer<Dispatch> {
        self.store().resend(resend)
    }

    fn verify(&self, attempt: Attempt) -> Answer<Verified> {
        self.store().verify(attempt)
    }

    fn arrive(&self, arrival: Arrival, rules: Rules) -> Answer<Arrived> {
        self.store().arrive(arrival, rules)
    }

    fn conclude(&self, conclusion: Conclusion) -> Answer<Verified> {
        self.store().conclude(conclusion)
    }

    fn traffic(&self) -> Option<&dyn Traffic> {
        self.store().traffic()
    }

    fn give_back(&self, sent: Sent) -> Answer<()> {
        self.store().give_back(sent)
    }

    fn forget(&self, phone: Key, device: Option<Key>) -> Answer<()> {
        self.store().forget(phone, device)
    }
}

impl<S: Sessions + 'static> Sessions for Near<S> {
    fn open(&self, opening: Opening) -> Answer<Opened> {
        self.store().open(opening)
    }

    fn rotate(&self, rotation: Rotation) -> Answer<Rotated> {
        self.store().rotate(rotation)
    }

    fn session(&self, id: SessionId) -> Answer<Option<Session>> {
        self.store().session(id)
    }

    fn end(&self, id: SessionId) -> Answer<Option<Session>> {
        self.store().end(id)
    }

    fn end_all(&self, subject: &str) -> Answer<Vec<Session>> {
        self.store().end_all(subject)
    }

    fn sessions(&self, subject: &str) -> Answer<Vec<Session>> {
        self.store().sessions(subject)
    }
}

impl<S: Store + Challenges + Clone + 'static> Resilient<S> {
    /// Asks, and learns of the blocks that the answer says it started.
    fn ask_and_learn<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&S) -> Answer<T> + Send + 'static,
        started: fn(&T) -> &[Started],
    ) -> Answer<T> {
        let this = self.clone();
        self.ask(ask).map(move |told| {
            this.learn_of(told.as_ref().map_or(&[], started));
            told
        })
    }
}

/// Codes are never decided without the store: an instance alone would let everybody guess once more.
impl<S: Store + Challenges + Clone + 'static> Challenges for Resilient<S> {
    fn issue(&self, issue: Issue) -> Answer<Dispatch> {
        self.ask_and_learn(move |store| store.issue(issue), |told| &told.started)
    }

    fn resend(&self, resend: Resend) -> Answer<Dispatch> {
        self.ask_and_learn(move |store| store.resend(resend), |told| &told.started)
    }

    fn verify(&self, attempt: Attempt) -> Answer<Verified> {
        self.ask_and_learn(move |store| store.verify(attempt), |told| &told.started)
    }

    fn conclude(&self, conclusion: Conclusion) -> Answer<Verified> {
        self.ask_and_learn(move |store| store.conclude(conclusion), |told| &told.started)
    }

    fn arrive(&self, arrival: Arrival, rules: Rules) -> Answer<Arrived> {
        self.ask_and_learn(move |store| store.arrive(arrival, rules), |told| &told.started)
    }

    fn traffic(&self) -> Option<&dyn Traffic> {
        self.far().traffic().map(|_| self as &dyn Traffic)
    }

    fn give_back(&self, sent: Sent) -> Answer<()> {
        self.ask(move |store| store.give_back(sent))
    }

    fn forget(&self, phone: Key, device: Option<Key>) -> Answer<()> {
        self.ask(move |store| store.forget(phone, device))
    }
}

/// Nor what a message may cost: each instance alone would spend the whole budget.
impl<S: Store + Challenges + Clone + 'static> Traffic for Resilient<S> {
    fn weigh(&self, outgoing: Outgoing) -> Answer<Weighed> {
        self.ask(move |store| counting(store, |it| it.weigh(outgoing)))
    }

    fn settle(&self, settlement: Settlement) -> Answer<()> {
        self.ask(move |store| counting(store, |it| it.settle(settlement)))
    }

    fn conversions(&self, of: Vec<Country>) -> Answer<Vec<Converted>> {
        self.ask(move |store| counting(store, |it| it.conversions(of)))
    }
}

fn counting<T>(store: &impl Challenges, ask: impl FnOnce(&dyn Traffic) -> Answer<T>) -> Answer<T> {
    match store.traffic() {
        Some(traffic) => ask(traffic),
        None => Eventual::Ready(Err(StoreError::new("it counts no messages"))),
    }
}

/// Neither is a refresh token: it could be used twice.
impl<S: Store + Sessions + Clone + 'static> Sessions for Resilient<S> {
    fn open(&self, opening: Opening) -> Answer<Opened> {
        self.ask(move |store| store.open(opening))
    }

    fn rotate(&self, rotation: Rotation) -> Answer<Rotated> {
        self.ask(move |store| store.rotate(rotation))
    }

    fn session(&self, id: SessionId) -> Answer<Option<Session>> {
        self.ask(move |store| store.session(id))
    }

    fn end(&self, id: SessionId) -> Answer<Option<Session>> {
        self.ask(move |store| store.end(id))
    }

    fn end_all(&self, subject: &str) -> Answer<Vec<Session>> {
        let subject = subject.to_owned();
        self.ask(move |store| store.end_all(&subject))
    }

    fn sessions(&self, subject: &str) -> Answer<Vec<Session>> {
        let subject = subject.to_owned();
        self.ask(move |store| store.sessions(&subject))
    }
}

impl<S: Notes + 'static> Notes for Near<S> {
    fn note(&self, key: Key, note: Note) -> Answer<Noted> {
        self.store().note(key, note)
    }

    fn noted(&self, key: Key) -> Answer<Option<Note>> {
        self.store().noted(key)
    }
}

/// Nor is it guessed what became of a message.
impl<S: Store + Notes + Clone + 'static> Notes for Resilient<S> {
    fn note(&self, key: Key, note: Note) -> Answer<Noted> {
        self.ask(move |store| store.note(key, note))
    }

    fn noted(&self, key: Key) -> Answer<Option<Note>> {
        self.ask(move |store| store.noted(key))
    }
}

impl<S: Store + Challenges + Notes + Sessions + 'static> From<Near<S>> for SharedLoginStore {
    fn from(near: Near<S>) -> Self {
        Arc::new(near)
    }
}
