//! A provider that ends messages as a test says, and keeps what it got.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and may panic")]

use portcullis::{
    CodeSender,
    eventual::BoxFuture,
    otp::sender::{Message, SendError, Taken},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Scripted(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Result<(), SendError>>,
    always: Option<SendError>,
    got: Vec<Message>,
}

impl Scripted {
    /// How the next message ends, after those that were scripted before. The others are taken.
    pub(crate) fn then(&self, error: SendError) -> &Self {
        self.0.lock().unwrap().script.push_back(Err(error));
        self
    }

    /// How all messages end from now on, that are not scripted.
    pub(crate) fn always(&self, outcome: Result<(), SendError>) -> &Self {
        self.0.lock().unwrap().always = outcome.err();
        self
    }

    /// The messages since the last time.
    pub(crate) fn got(&self) -> Vec<Message> {
        std::mem::take(&mut self.0.lock().unwrap().got)
    }

    /// How many there were since the last time.
    pub(crate) fn count(&self) -> usize {
        self.got().len()
    }
}

impl CodeSender for Scripted {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let mut state = self.0.lock().unwrap();
        state.got.push(message);
        let always = state.always.map_or(Ok(()), Err);
        let outcome = state.script.pop_front().unwrap_or(always);
        Box::pin(async move { outcome.map(|()| Taken::new()) })
    }
}
