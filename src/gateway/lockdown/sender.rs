use super::Lockdown;
use crate::{
    eventual::BoxFuture,
    limit::Name,
    otp::{
        CodeSender,
        sender::{Answered, CodeChecker, Message, Reported, SendError, Taken},
    },
    phone::Phone,
};
use std::{future::ready, sync::Arc};

/// Sends nothing in a lockdown: what waits to be sent is given up, and what is asked for is refused before it is stored.
#[derive(Debug)]
pub(in crate::gateway) struct Withheld {
    sender: Arc<dyn CodeSender>,
    lockdown: Lockdown,
}

impl Withheld {
    pub(in crate::gateway) fn new(sender: Arc<dyn CodeSender>, lockdown: Lockdown) -> Self {
        Self { sender, lockdown }
    }
}

impl CodeSender for Withheld {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        match self.lockdown.is_on() {
            true => Box::pin(ready(Err(SendError::NotSent))),
            false => self.sender.send(message),
        }
    }

    fn ready(&self, to: &Phone) -> Result<(), SendError> {
        if self.lockdown.is_on() { Err(SendError::NotSent) } else { self.sender.ready(to) }
    }

    /// A lockdown is no failure, and is told of elsewhere.
    fn is_paused(&self) -> bool {
        self.sender.is_paused()
    }

    fn sends_notices(&self) -> bool {
        self.sender.sends_notices()
    }

    fn holder(&self, to: &Phone) -> Option<Name> {
        self.sender.holder(to)
    }

    fn checkers(&self) -> Vec<(Name, Arc<dyn CodeChecker>)> {
        self.sender.checkers()
    }

    fn reported(&self, report: &Reported) {
        self.sender.reported(report);
    }

    fn hears_answers(&self) -> bool {
        self.sender.hears_answers()
    }

    fn answered(&self, answered: Answered) -> BoxFuture<'static, ()> {
        self.sender.answered(answered)
    }

    fn reveals_codes(&self) -> bool {
        self.sender.reveals_codes()
    }
}
