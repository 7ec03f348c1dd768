use super::{Ledger, Writer, entry::Draft, overflow::Overflow};
use crate::{
    audit::{self, Act, Event, Sink},
    clock::{Clock, SystemClock, UnixTime},
    error::ConfigError,
    token::KeyFile,
};
use std::{fmt, num::NonZeroU16, path::PathBuf, sync::Arc};
use tokio::sync::mpsc;

/// The end of the log at which events go in. Cheap to clone; see the [module docs](super).
#[derive(Clone)]
pub struct Chain {
    queue: mpsc::Sender<Draft>,
    overflow: Arc<Overflow>,
    clock: Arc<dyn Clock>,
    alarm: Option<Arc<dyn Sink>>,
}

/// What a [`Chain`] is made of. See [`Chain::to`].
#[must_use]
pub struct ChainBuilder {
    ledger: Arc<dyn Ledger>,
    signing: Option<KeyFile>,
    copy: Option<PathBuf>,
    truncates: bool,
    waiting: NonZeroU16,
    clock: Arc<dyn Clock>,
    alarm: Option<Arc<dyn Sink>>,
}

const WAITING: NonZeroU16 = NonZeroU16::MIN.saturating_add(8_191);

impl Chain {
    /// A log whose rows go to `ledger`.
    pub fn to(ledger: impl Ledger + 'static) -> ChainBuilder {
        ChainBuilder {
            ledger: Arc::new(ledger),
            signing: None,
            copy: None,
            truncates: false,
            waiting: WAITING,
            clock: Arc::new(SystemClock::new()),
            alarm: None,
        }
    }

    /// There is no room, or nobody writes any more.
    fn lose(&self, at: UnixTime) {
        if self.overflow.add(at) {
            audit::record(self.alarm.as_deref(), Event::new(Act::LogOverflowed));
        }
    }
}

/// Puts an event into the queue. It never waits: without room the event is counted, told as lost, and the log itself says how many
/// were.
impl Sink for Chain {
    fn record(&self, event: Event) {
        let at = self.clock.wall();
        if self.queue.try_send(Draft { at, event }).is_err() {
            self.lose(at);
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("room", &self.queue.capacity()).finish_non_exhaustive()
    }
}

impl ChainBuilder {
    /// Signs checkpoints with the active key of a file. Without one there are none, and who can write the files can make
    /// another chain.
    ///
    /// # Errors
    ///
    /// When there is a secret among the keys: whoever verifies with it could sign.
    pub fn sign(mut self, keys: &KeyFile) -> Result<Self, ConfigError> {
        if keys.keys().now().has_secret() {
            return Err(ConfigError::new(
                "checkpoints are signed with a key pair, like ES256, and not with a secret",
            ));
        }
        self.signing = Some(keys.clone());
        Ok(self)
    }

    /// Writes each checkpoint to a file as well: on another machine, or where nothing can be changed. It is only added to; a line that was
    /// left torn there is ended with `~`.
    ///
    /// The log waits for it no more than four seconds, when it ends. A place that fails is told, counted and tried again each second; one that
    /// hangs keeps a thread of the runtime, which outlives the log: end the runtime with a
    /// [bound](tokio::runtime::Runtime::shutdown_timeout).
    pub fn copy_checkpoints(mut self, path: impl Into<PathBuf>) -> Self {
        self.copy = Some(path.into());
        self
    }

    /// Keeps addresses of clients, and those that are blocked, as networks alone, `/24` and `/48`.
    pub fn truncate_addresses(mut self) -> Self {
        self.truncates = true;
        self
    }

    /// How many events can wait to be written, 8,192 by default.
    pub fn queue(mut self, events: NonZeroU16) -> Self {
        self.waiting = events;
        self
    }

    /// Goes by `clock`.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Who is told when the log overflows or cannot be written; not the log itself. Without one that is tracing.
    pub fn alarm(mut self, sink: impl Sink + 'static) -> Self {
        self.alarm = Some(Arc::new(sink));
        self
    }

    /// The log, and what writes it: spawn its [`run`](Writer::run).
    pub fn build(self) -> (Chain, Writer) {
        let Self { ledger, signing, copy, truncates, waiting, clock, alarm } = self;
        let (queue, inbox) = mpsc::channel(waiting.get().into());
        let overflow = Arc::new(Overflow::default());
        let writer = Writer {
            inbox,
            overflow: Arc::clone(&overflow),
            ledger,
            signing,
            copy: copy.map(Into::into),
            truncates,
            clock: Arc::clone(&clock),
            alarm: alarm.clone(),
        };
        (Chain { queue, overflow, clock, alarm }, writer)
    }
}

impl fmt::Debug for ChainBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainBuilder").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}
