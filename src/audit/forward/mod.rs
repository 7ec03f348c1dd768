//! Events posted to a place where all of them are.
//!
//! [`Forwarder`] is a [`Sink`]; what it was told leaves in batches, in order, each signed as an alert is:
//!
//! ```json
//! { "events": [{ "id": "5d2f9c0be1a74836-1", "time": 1767225600.000123, "event": "refused", "client": "203.0.113.7",
//!   "caller": "anonymous", "layer": "guard", "status": 429, "reason": "rate-limited" }] }
//! ```
//!
//! | Member | What it is |
//! |---|---|
//! | `id` | Of this event, and of no other: a random number of the process, and which of its events it is |
//! | `time` | When it happened, in seconds since 1970 with microseconds |
//! | `event` | The [name](super::Act::name) of what happened |
//! | `request_id` | What the request is called in other logs, too |
//! | `client`, `caller`, `layer` | The address; `anonymous`, `known` or `invalid`; which layer refused |
//! | `status`, `reason`, `cause` | Of a refusal; the limit, the fault or the rule that led to it, and what is wrong with a store |
//! | `key`, `subject` | Whom it is about, as a [keyed tag](crate::Key) |
//! | `attempt`, `seconds`, `lost` | Which attempt at a code; how long a block lasts; how many events were lost |
//!
//! Members that say nothing are left out. A batch is sent again until it is answered with 200 to 299, later and later, for half a
//! minute at most between two attempts, and nothing overtakes it: a collector gets each event at least once, in order, and tells by `id`
//! what came twice. What waits is in memory. Where there is no room for more, events are lost, counted, and said by one more, `events-lost`; what
//! waits when the process is killed is lost without a word, so let [`chain`](super::chain) keep what must not be.

mod row;

use self::row::Row;
use super::{Event, Sink, post::Hook};
use crate::{
    clock::{Clock, SystemClock, UnixTime},
    error::ConfigError,
    meter::Count,
    otp::sender::HookKeys,
};
use bytes::Bytes;
use std::{
    fmt,
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};

/// Takes events, for its [`Forwarding`] to post. See the [module docs](self).
#[derive(Debug)]
pub struct Forwarder {
    outbox: mpsc::Sender<(UnixTime, Event)>,
    lost: Arc<AtomicU64>,
    unsent: Count,
    clock: SystemClock,
}

/// Posts what a [`Forwarder`] was told.
#[must_use = "nothing is posted unless it runs"]
pub struct Forwarding {
    inbox: mpsc::Receiver<(UnixTime, Event)>,
    lost: Arc<AtomicU64>,
    hook: Hook,
    /// Of this process.
    name: u64,
    /// Events so far.
    count: u64,
    clock: SystemClock,
}

/// In one post.
const BATCH: usize = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Forwarder {
    /// Posts to `url`, signed with `keys`; up to `queue` events wait. Spawn the [`run`](Forwarding::run) of what comes back.
    ///
    /// # Errors
    ///
    /// When it is not an `https` URL, or an `http` one on this machine; when the authorities of the system cannot be read, or
    /// it has no random bytes.
    pub fn to(
        url: &str,
        keys: HookKeys,
        queue: NonZeroU16,
    ) -> Result<(Self, Forwarding), ConfigError> {
        let hook = Hook::new(url, keys)?;
        let name = getrandom::u64().map_err(|_| ConfigError::new("no random bytes"))?;
        let (outbox, inbox) = mpsc::channel(queue.get().into());
        let lost = Arc::new(AtomicU64::new(0));
        let forwarder = Self {
            outbox,
            lost: Arc::clone(&lost),
            unsent: Count::unforwarded(),
            clock: SystemClock::new(),
        };
        Ok((forwarder, Forwarding { inbox, lost, hook, name, count: 0, clock: SystemClock::new() }))
    }
}

impl Sink for Forwarder {
    fn record(&self, event: Event) {
        if self.outbox.try_send((self.clock.wall(), event)).is_err() {
            self.unsent.one();
            if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                warn("events are lost: there is no room for more");
            }
        }
    }
}

impl Forwarding {
    /// Posts until the last [`Forwarder`] is gone and nothing waits.
    pub async fn run(mut self) {
        let mut waiting = Vec::with_capacity(BATCH);
        while self.inbox.recv_many(&mut waiting, BATCH).await > 0 {
            let mut rows = Vec::with_capacity(waiting.len() + 1);
            for (at, event) in waiting.drain(..) {
                rows.push(Row::of(self.next_id(), at, &event));
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                rows.push(Row::lost(self.next_id(), self.clock.wall(), lost));
            }
            self.deliver(&rows).await;
        }
    }

    fn next_id(&mut self) -> String {
        self.count += 1;
        format!("{:016x}-{}", self.name, self.count)
    }

    /// Posts a batch until it has arrived.
    async fn deliver(&self, rows: &[Row]) {
        let Ok(body) = serde_json::to_vec(&serde_json::json!({ "events": rows })) else { return };
        let body = Bytes::from(body);
        let mut pause = FIRST_PAUSE;
        // Signed anew each time: a receiver takes no signature that is minutes old.
        while let Err(error) = self.hook.post(body.clone(), self.clock.wall()).await {
            if pause == FIRST_PAUSE {
                warn(&format!("events wait to be posted: {error}"));
            }
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }
}

impl fmt::Debug for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarding").field("to", &self.hook).finish_non_exhaustive()
    }
}

fn warn(_what: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!("{_what}");
}
