use super::Lockdown;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Follows the store, so that a lockdown takes effect here within a second of its beginning elsewhere.
#[derive(Debug)]
#[must_use = "nothing is followed unless it runs"]
pub struct LockdownWatch(Lockdown);

/// Between two questions.
const POLL: Duration = Duration::from_millis(500);

impl Lockdown {
    /// What follows the store, to be spawned.
    pub fn watch(&self) -> LockdownWatch {
        LockdownWatch(self.clone())
    }
}

impl LockdownWatch {
    /// Asks the store twice a second, for ever.
    pub async fn run(self) {
        let Self(lockdown) = self;
        let mut owes = lockdown.0.config.is_on;
        // Told before anything is asked: a store that is away must not keep it from counting.
        if owes {
            lockdown.set(true);
        }
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if owes {
                owes = lockdown.revoke().await.is_err();
            }
            // While it does not answer, what was known holds.
            let _ = lockdown.look().await;
        }
    }
}
