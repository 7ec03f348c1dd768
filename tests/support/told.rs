//! The names of what the audit is told, in order.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use portcullis::audit::{Event, Sink};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Told {
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

impl Sink for Told {
    fn record(&self, event: Event) {
        self.0.lock().unwrap().push(event.act.name());
    }
}
