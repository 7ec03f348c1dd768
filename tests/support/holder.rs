//! A provider that makes codes of its own and checks them as a test says.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and may panic")]

use portcullis::{
    CodeSender, Phone,
    clock::ManualClock,
    eventual::BoxFuture,
    limit::Name,
    otp::{
        Code,
        sender::{Checked, CodeChecker, Content, Held, Message, SendError, Taken},
    },
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

/// The code of every number.
pub(crate) const THEIRS: &str = "314159";

#[derive(Clone, Debug, Default)]
pub(crate) struct Holder(Arc<State>);

#[derive(Debug)]
struct State {
    script: Mutex<VecDeque<Result<Checked, SendError>>>,
    sent: Mutex<Vec<Held>>,
    checked: watch::Sender<usize>,
    /// How many checks may end.
    ends: Semaphore,
    waits: Mutex<bool>,
    is_broken: Mutex<bool>,
    takes: Mutex<Option<(ManualClock, Duration)>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            script: Mutex::default(),
            sent: Mutex::default(),
            checked: watch::Sender::new(0),
            ends: Semaphore::new(0),
            waits: Mutex::default(),
            is_broken: Mutex::default(),
            takes: Mutex::default(),
        }
    }
}

impl Holder {
    /// How the next check ends, after those that were scripted before. The others compare.
    pub(crate) fn then(&self, outcome: Result<Checked, SendError>) -> &Self {
        self.0.script.lock().unwrap().push_back(outcome);
        self
    }

    /// From now on checks wait until they are let go.
    pub(crate) fn hold_back(&self) -> &Self {
        *self.0.waits.lock().unwrap() = true;
        self
    }

    /// From now on checks panic.
    pub(crate) fn break_down(&self) {
        *self.0.is_broken.lock().unwrap() = true;
    }

    /// Lets so many checks end.
    pub(crate) fn let_go(&self, checks: usize) {
        self.0.ends.add_permits(checks);
    }

    /// From now on each check takes this long by a clock.
    pub(crate) fn takes(&self, clock: &ManualClock, time: Duration) {
        *self.0.takes.lock().unwrap() = Some((clock.clone(), time));
    }

    /// As soon as so many checks were begun.
    pub(crate) async fn asked(&self, checks: usize) {
        self.0.checked.subscribe().wait_for(|begun| *begun >= checks).await.unwrap();
    }

    /// How many checks were begun.
    pub(crate) fn count(&self) -> usize {
        *self.0.checked.borrow()
    }

    /// Of which codes messages were asked for.
    pub(crate) fn sent(&self) -> Vec<Held> {
        self.0.sent.lock().unwrap().clone()
    }
}

impl CodeSender for Holder {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let Content::Held(held) = message.content else { panic!("not for this one: {message:?}") };
        assert!(message.text.is_empty() && message.code().is_none(), "nothing of ours leaves");
        self.0.sent.lock().unwrap().push(held);
        Box::pin(async { Ok(Taken::new()) })
    }

    fn sends_notices(&self) -> bool {
        false
    }

    fn holder(&self, _: &Phone) -> Option<Name> {
        Some("holder".into())
    }

    fn checkers(&self) -> Vec<(Name, Arc<dyn CodeChecker>)> {
        vec![("holder".into(), Arc::new(self.clone()))]
    }
}

impl CodeChecker for Holder {
    fn check(&self, _: &Phone, code: &Code) -> BoxFuture<'static, Result<Checked, SendError>> {
        let state = Arc::clone(&self.0);
        assert!(!*state.is_broken.lock().unwrap(), "a checker with a bug");
        state.checked.send_modify(|begun| *begun += 1);
        if let Some((clock, time)) = &*state.takes.lock().unwrap() {
            clock.advance(*time);
        }
        let is_right = code.as_digits() == THEIRS;
        let compared = if is_right { Checked::Right } else { Checked::Wrong };
        let outcome = self.0.script.lock().unwrap().pop_front().unwrap_or(Ok(compared));
        let waits = *self.0.waits.lock().unwrap();
        Box::pin(async move {
            if waits {
                state.ends.acquire().await.unwrap().forget();
            }
            outcome
        })
    }
}
