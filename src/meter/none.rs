use crate::{audit::Event, identity::TokenFault, limit::Name};
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Count;

impl Count {
    pub(crate) fn admitted(_: &'static str) -> Self {
        Self
    }

    pub(crate) fn overflowed() -> Self {
        Self
    }

    pub(crate) fn lost() -> Self {
        Self
    }

    pub(crate) fn unlogged() -> Self {
        Self
    }

    pub(crate) fn unforwarded() -> Self {
        Self
    }

    pub(crate) fn token(_: &'static str) -> Self {
        Self
    }

    pub(crate) fn alone(_: &'static str) -> Self {
        Self
    }

    pub(crate) fn one(&self) {}
}

#[derive(Debug)]
pub(crate) struct Times;

impl Times {
    pub(crate) fn of_store(_: &'static str) -> Self {
        Self
    }

    pub(crate) fn of_message(_: &'static str) -> Self {
        Self
    }

    pub(crate) fn record(&self, _: &Stopwatch) {}
}

#[derive(Debug)]
pub(crate) struct Presence;

impl Presence {
    pub(crate) fn of_store() -> Self {
        Self
    }

    pub(crate) fn set(&self, _: bool) {}
}

#[derive(Debug)]
pub(crate) struct Stopwatch;

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self
    }
}

pub(crate) fn event(_: &Event) {}

pub(crate) fn secret_age(_: &'static str, _: Duration) {}

pub(crate) fn strike(_: Name) {}

pub(crate) fn bad_token(_: TokenFault) {}
