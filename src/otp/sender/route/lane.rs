use super::{
    Provider,
    breaker::{Breaker, Change},
    budget::Budget,
    failover::Desk,
};
use crate::{
    audit::ProviderChange,
    limit::Name,
    otp::sender::{Message, Reported, SendError, Taken},
    store::Take,
};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;

/// A provider at work: how it does, and what may still be spent on it.
#[derive(Debug)]
pub(super) struct Lane {
    provider: Provider,
    breaker: Breaker,
    budget: Budget,
}

impl Lane {
    pub(super) fn new(provider: Provider) -> Self {
        let breaker = Breaker::new(provider.failures, provider.pause);
        Self { budget: Budget::new(&provider), breaker, provider }
    }

    /// Whether a message could go here, as far as is known without asking.
    pub(super) fn ready(&self, desk: &Desk) -> Result<(), SendError> {
        match self.breaker.pause(desk.clock.ticks()) {
            Some(_) => Err(SendError::NotSent),
            None => self.budget.room(&*desk.clock),
        }
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
        if outcome.as_ref().is_err_and(|error| error.is_given_back()) {
            self.budget.give_back(desk, takes).await;
        }
        outcome.map(|taken| Taken { via: Some(self.name()), ..taken })
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

impl From<Change> for ProviderChange {
    fn from(change: Change) -> Self {
        match change {
            Change::Opened => Self::Paused,
            Change::Refused => Self::Refused,
            Change::Closed => Self::Resumed,
        }
    }
}
