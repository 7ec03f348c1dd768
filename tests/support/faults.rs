//! A store of logins in memory that fails, or takes its time, when it is told to.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and may panic")]

use portcullis::{
    Eventual, Key, Memory, Pepper,
    otp::{
        Arrival, Arrived, Attempt, Challenges, Conclusion, Dispatch, Issue, Resend, Rules, Sent,
        Verified,
        fraud::{Converted, Country, Outgoing, Settlement, Traffic, Weighed},
        receipts::{Note, Noted, Notes},
    },
    store::{Adjustment, Answer, Asks, Block, Blocked, Standing, Store, StoreError, Take},
    token::{Opened, Opening, Rotated, Rotation, Session, SessionId, Sessions},
};
use std::sync::{Arc, Mutex};

/// Delegates to a memory.
#[derive(Clone, Debug)]
pub(crate) struct Faulty {
    memory: Memory,
    counts: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    failing: Vec<&'static str>,
    slow: bool,
    late: bool,
    calls: Vec<&'static str>,
}

/// All that can fail.
pub(crate) const ALL: [&str; 20] = [
    "admit",
    "block",
    "unblock",
    "blocks",
    "adjust",
    "ready",
    "issue",
    "resend",
    "verify",
    "arrive",
    "conclude",
    "give_back",
    "forget",
    "open",
    "rotate",
    "session",
    "end",
    "sessions",
    "note",
    "noted",
];

impl Faulty {
    pub(crate) fn new(memory: Memory) -> Self {
        Self { memory, counts: false, state: Arc::default() }
    }

    /// One that counts messages for the rules against fraud, too.
    pub(crate) fn counting(memory: Memory) -> Self {
        Self { counts: true, ..Self::new(memory) }
    }

    /// From now on these calls fail, and no others.
    pub(crate) fn fail(&self, calls: &[&'static str]) {
        self.state.lock().unwrap().failing = calls.to_vec();
    }

    /// From now on answers come later.
    pub(crate) fn slow_down(&self) {
        self.state.lock().unwrap().slow = true;
    }

    /// From now on what is asked is done at once, and its answer comes later.
    pub(crate) fn answer_late(&self) {
        self.state.lock().unwrap().late = true;
    }

    /// The calls since the last time.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        call: impl FnOnce(&Memory) -> Eventual<Result<T, StoreError>> + Send + 'static,
    ) -> Eventual<Result<T, StoreError>> {
        let mut state = self.state.lock().unwrap();
        state.calls.push(name);
        if state.failing.contains(&name) {
            return Eventual::Ready(Err(StoreError::new("connection refused")));
        }
        if state.late {
            let told = call(&self.memory);
            return Eventual::later(async move {
                tokio::task::yield_now().await;
                told.await
            });
        }
        if !state.slow {
            return call(&self.memory);
        }
        let memory = self.memory.clone();
        Eventual::later(async move {
            tokio::task::yield_now().await;
            call(&memory).await
        })
    }
}

impl Store for Faulty {
    fn admit(&self, asks: Asks) -> Eventual<Result<Answer, StoreError>> {
        self.call("admit", |memory| memory.admit(asks))
    }

    fn pepper(&self) -> &Pepper {
        self.memory.pepper()
    }

    fn block(&self, key: Key, block: Block) -> Eventual<Result<(), StoreError>> {
        self.call("block", move |memory| memory.block(key, block))
    }

    fn unblock(&self, key: Key) -> Eventual<Result<bool, StoreError>> {
        self.call("unblock", move |memory| memory.unblock(key))
    }

    fn blocks(&self, most: usize) -> Eventual<Result<Vec<Blocked>, StoreError>> {
        self.call("blocks", move |memory| memory.blocks(most))
    }

    fn adjust(&self, take: Take, by: Adjustment) -> Eventual<Result<Standing, StoreError>> {
        self.call("adjust", move |memory| memory.adjust(take, by))
    }

    fn ready(&self) -> Eventual<Result<(), StoreError>> {
        self.call("ready", Store::ready)
    }
}

impl Challenges for Faulty {
    fn issue(&self, issue: Issue) -> Eventual<Result<Dispatch, StoreError>> {
        self.call("issue", |memory| memory.issue(issue))
    }

    fn resend(&self, resend: Resend) -> Eventual<Result<Dispatch, StoreError>> {
        self.call("resend", move |memory| memory.resend(resend))
    }

    fn verify(&self, attempt: Attempt) -> Eventual<Result<Verified, StoreError>> {
        self.call("verify", move |memory| memory.verify(attempt))
    }

    fn traffic(&self) -> Option<&dyn Traffic> {
        self.counts.then_some(self)
    }

    fn arrive(&self, arrival: Arrival, rules: Rules) -> Eventual<Result<Arrived, StoreError>> {
        self.call("arrive", move |memory| memory.arrive(arrival, rules))
    }

    fn conclude(&self, conclusion: Conclusion) -> Eventual<Result<Verified, StoreError>> {
        self.call("conclude", move |memory| memory.conclude(conclusion))
    }

    fn give_back(&self, sent: Sent) -> Eventual<Result<(), StoreError>> {
        self.call("give_back", move |memory| memory.give_back(sent))
    }

    fn forget(&self, phone: Key, device: Option<Key>) -> Eventual<Result<(), StoreError>> {
        self.call("forget", move |memory| memory.forget(phone, device))
    }
}

impl Traffic for Faulty {
    fn weigh(&self, outgoing: Outgoing) -> Eventual<Result<Weighed, StoreError>> {
        self.call("weigh", move |memory| memory.weigh(outgoing))
    }

    fn settle(&self, settlement: Settlement) -> Eventual<Result<(), StoreError>> {
        self.call("settle", move |memory| memory.settle(settlement))
    }

    fn conversions(&self, of: Vec<Country>) -> Eventual<Result<Vec<Converted>, StoreError>> {
        self.call("conversions", move |memory| memory.conversions(of))
    }
}

impl Notes for Faulty {
    fn note(&self, key: Key, note: Note) -> Eventual<Result<Noted, StoreError>> {
        self.call("note", move |memory| memory.note(key, note))
    }

    fn noted(&self, key: Key) -> Eventual<Result<Option<Note>, StoreError>> {
        self.call("noted", move |memory| memory.noted(key))
    }
}

impl Sessions for Faulty {
    fn open(&self, opening: Opening) -> Eventual<Result<Opened, StoreError>> {
        self.call("open", |memory| memory.open(opening))
    }

    fn rotate(&self, rotation: Rotation) -> Eventual<Result<Rotated, StoreError>> {
        self.call("rotate", move |memory| memory.rotate(rotation))
    }

    fn session(&self, id: SessionId) -> Eventual<Result<Option<Session>, StoreError>> {
        self.call("session", move |memory| memory.session(id))
    }

    fn end(&self, id: SessionId) -> Eventual<Result<Option<Session>, StoreError>> {
        self.call("end", move |memory| memory.end(id))
    }

    fn end_all(&self, subject: &str) -> Eventual<Result<Vec<Session>, StoreError>> {
        let subject = subject.to_owned();
        self.call("end", move |memory| memory.end_all(&subject))
    }

    fn sessions(&self, subject: &str) -> Eventual<Result<Vec<Session>, StoreError>> {
        let subject = subject.to_owned();
        self.call("sessions", move |memory| memory.sessions(&subject))
    }
}
