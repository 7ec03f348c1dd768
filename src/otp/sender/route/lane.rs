use super::{
    Provider,
    breaker::{Breaker, Change},
    budget::Budget,
    failover::Desk,
};
use crate::{
    audit::ProviderChange,
    eventual::BoxFuture,
    limit::Name,
    otp::{
        Code,
        sender::{Answered, Checked, CodeChecker, Content, Message, Reported, SendError, Taken},
    },
    phone::Phone,
    store::Take,
};
use futures_util::FutureExt;
use std::{fmt, future::ready, panic::AssertUnwindSafe, sync::Arc};

/// A provider at work: how it does, and what may still be spent on it.
#[derive(Debug)]
pub(super) struct Lane {
    provider: Provider,
    breaker: Breaker,
    budget: Budget,
    checker: Option<Arc<dyn CodeChecker>>,
    /// Of checks, which may fail while messages are sent.
    checks: Breaker,
}

impl Lane {
    pub(super) fn new(provider: Provider) -> Self {
        let breaker = || Breaker::new(provider.failures, provider.pause);
        let checker = provider.sender.checkers().pop().map(|(_, checker)| checker);
        let (breaker, checks, budget) = (breaker(), breaker(), Budget::new(&provider));
        Self { provider, breaker, budget, checker, checks }
    }

    /// Whether a message could go here, as far as is known without asking.
    pub(super) fn ready(&self, desk: &Desk) -> Result<(), SendError> {
        if self.is_paused(desk) {
            return Err(SendError::NotSent);
        }
        self.budget.room(&*desk.clock)
    }

    /// Whether it is left alone.
    pub(super) fn is_paused(&self, desk: &Desk) -> bool {
        self.breaker.pause(desk.clock.ticks()).is_some()
    }

    /// Takes what a message costs, if the provider is to be asked.
    pub(super) async fn enter(&self, desk: &Desk) -> Result<Vec<Take>, SendError> {
        self.ready(desk)?;
        let takes = self.budget.take(desk).await?;
        if self.breaker.pass(desk.clock.ticks()).is_err() {
            // Somebody else was let through as the probe meanwhile.
            self.budget.give_back(desk, takes).await;
            return Err(SendError::NotSent);
        }
        Ok(takes)
    }

    pub(super) async fn send(
        &self,
        desk: &Desk,
        message: Message,
        takes: Vec<Take>,
    ) -> Result<Taken, SendError> {
        let sending = async { self.provider.sender.send(message).await };
        let outcome = AssertUnwindSafe(sending).catch_unwind().await;
        let outcome = outcome.unwrap_or(Err(SendError::Unknown));
        if let Some(change) = self.breaker.note(desk.clock.ticks(), &outcome) {
            desk.tell(self.provider.name, change.into());
        }
        if outcome.as_ref().is_err_and(|error| error.costs_nothing()) {
            self.budget.give_back(desk, takes).await;
        }
        outcome.map(|taken| Taken { via: Some(self.name()), ..taken })
    }

    /// Tells the provider that a code was right, unless it is left alone.
    pub(super) fn answered(&self, desk: &Desk, answered: Answered) -> BoxFuture<'static, ()> {
        if self.is_paused(desk) {
            return Box::pin(ready(()));
        }
        self.provider.sender.answered(answered)
    }

    pub(super) fn hears_answers(&self) -> bool {
        self.provider.sender.hears_answers()
    }

    /// Whether a message is for this provider: one whose code it makes, or one with a code that nobody makes but we.
    pub(super) fn takes(&self, content: &Content) -> bool {
        match content {
            Content::Held(held) => held.by == self.name(),
            Content::Code { .. } => self.checker.is_none(),
            Content::Notice(_) => self.sends_notices(),
        }
    }

    /// Whether it makes the codes for a number.
    pub(super) fn holds(&self, to: &Phone) -> bool {
        self.checker.is_some() && self.provider.sender.holder(to).is_some()
    }

    /// Who checks its codes, if it makes any.
    pub(super) fn checker(self: &Arc<Self>, desk: &Desk) -> Option<Arc<dyn CodeChecker>> {
        let inner = Arc::clone(self.checker.as_ref()?);
        Some(Arc::new(Checking { lane: Arc::clone(self), desk: desk.clone(), inner }))
    }

    pub(super) fn name(&self) -> Name {
        self.provider.name
    }

    pub(super) fn reported(&self, report: &Reported) {
        self.provider.sender.reported(report);
    }

    pub(super) fn sends_notices(&self) -> bool {
        self.provider.sender.sends_notices()
    }

    pub(super) fn reveals_codes(&self) -> bool {
        self.provider.sender.reveals_codes()
    }
}

/// Checks as the provider itself does, unless it is left alone, and takes note of whether it answers.
struct Checking {
    lane: Arc<Lane>,
    desk: Desk,
    inner: Arc<dyn CodeChecker>,
}

impl CodeChecker for Checking {
    fn check(&self, to: &Phone, code: &Code) -> BoxFuture<'static, Result<Checked, SendError>> {
        let (lane, desk) = (Arc::clone(&self.lane), self.desk.clone());
        if lane.checks.pass(desk.clock.ticks()).is_err() {
            return Box::pin(async { Err(SendError::NotSent) });
        }
        let checking = self.inner.check(to, code);
        Box::pin(async move {
            let outcome = AssertUnwindSafe(checking).catch_unwind().await;
            let outcome = outcome.unwrap_or(Err(SendError::Unknown));
            if let Some(change) = lane.checks.note(desk.clock.ticks(), &outcome) {
                desk.tell(lane.name(), change.into());
            }
            outcome
        })
    }
}

impl fmt::Debug for Checking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Checking").field(&self.inner).finish()
    }
}

impl From<Change> for ProviderChange {
    fn from(change: Change) -> Self {
        match change {
            Change::Opened => Self::Paused,
            Change::Refused => Self::Refused,
            Change::Closed => Self::Resumed,
        }
    }
}
