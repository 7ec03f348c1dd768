//! Alerts: so much of something happened that somebody should know.
//!
//! [`Alerts`] is a [`Sink`]: it counts what passes, and raises an [`Alert`] when it has seen so many within so long. Each is raised
//! once, and then not again for as long as its window is. An alert that is raised is an event, [`Act::Alarm`]: an error in the log
//! and a count of `portcullis_alerts_total`. With the feature `sms` a `Herald` also posts it to a URL of yours, signed.
//!
//! ```
//! use portcullis::audit::{Sink, Tracing, alerts::{Alert, Alerts, Condition}};
//! use std::{sync::Arc, time::Duration};
//!
//! # fn main() -> Result<(), portcullis::ConfigError> {
//! let mut rules = Alert::defaults();
//! rules.push(Alert::new("many-new-devices", Condition::DeviceNew, 500, Duration::from_secs(3600))?);
//! let alerts = Alerts::new(rules)?;
//! let sink: Vec<Arc<dyn Sink>> = vec![Arc::new(Tracing), Arc::new(alerts)];
//! # Ok(()) }
//! ```
//!
//! What is counted is what this instance sees: with several, a threshold is one of each. Nothing of it waits, and once an alert is
//! raised, what it is about costs no more than a load until its window has passed.

mod alert;
#[cfg(feature = "sms")]
mod herald;
mod watch;

pub use alert::{Alert, Condition};
#[cfg(feature = "sms")]
#[cfg_attr(docsrs, doc(cfg(feature = "sms")))]
pub use herald::Herald;

use self::watch::Watch;
use super::{Act, Event, Sink};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
};
use std::{fmt, sync::Arc};

/// Raises alerts. See the [module docs](self).
#[must_use]
pub struct Alerts {
    watches: Vec<Watch>,
    clock: Arc<dyn Clock>,
    told: Option<Arc<dyn Sink>>,
    #[cfg(feature = "sms")]
    post: Option<herald::Post>,
}

/// More than this many rules are an accident.
const MOST: usize = 64;

impl Alerts {
    /// Watches for these.
    ///
    /// # Errors
    ///
    /// When two have one name, or there are more than 64.
    pub fn new(alerts: impl IntoIterator<Item = Alert>) -> Result<Self, ConfigError> {
        let watches: Vec<_> = alerts.into_iter().map(Watch::new).collect();
        if watches.len() > MOST {
            return Err(ConfigError::new(format!("at most {MOST} alerts")));
        }
        for (at, watch) in watches.iter().enumerate() {
            if watches[..at].iter().any(|other| other.name() == watch.name()) {
                let name = watch.name().as_str();
                return Err(ConfigError::new(format!("two alerts are called `{name}`")));
            }
        }
        Ok(Self {
            watches,
            clock: Arc::new(SystemClock::new()),
            told: None,
            #[cfg(feature = "sms")]
            post: None,
        })
    }

    /// Who is told of alerts that are raised; by default that is tracing.
    pub fn tell(mut self, sink: impl Sink + 'static) -> Self {
        self.told = Some(Arc::new(sink));
        self
    }

    /// Goes by `clock`.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl Sink for Alerts {
    fn record(&self, event: Event) {
        let mut now = None;
        for watch in self.watches.iter().filter(|watch| watch.minds(&event.act)) {
            let now = *now.get_or_insert_with(|| self.clock.ticks());
            let Some(_raised) = watch.see(&event.act, now) else { continue };
            super::record(self.told.as_deref(), Event::new(Act::Alarm(watch.name())));
            #[cfg(feature = "sms")]
            if let Some(post) = &self.post {
                post.put(watch.alert(), &event.act, _raised, self.clock.wall());
            }
        }
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.watches.iter().map(|watch| watch.name().as_str());
        f.write_str("Alerts")?;
        f.debug_list().entries(names).finish()
    }
}
