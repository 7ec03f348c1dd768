use super::{
    errand::{Errand, errand},
    late::Late,
    script::Call,
};
use arc_swap::ArcSwapOption;
use futures_util::future::{BoxFuture, FutureExt};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult,
    ServerErrorKind, aio::MultiplexedConnection,
};
use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

/// One connection that all callers share. It is made at the first call, and anew after it broke, after the server said
/// that it is a replica, and after it was silent several times.
pub(super) struct Line {
    dial: Dial,
    live: ArcSwapOption<MultiplexedConnection>,
    dialing: Mutex<Option<Dialing>>,
    /// Calls in a row that had no answer when their deadline came.
    silences: AtomicU32,
}

/// Makes a connection.
pub(super) type Dial = Box<dyn Fn() -> Attempt + Send + Sync>;
pub(super) type Attempt = BoxFuture<'static, Result<MultiplexedConnection, RedisError>>;
type Dialing = Errand<Arc<MultiplexedConnection>>;

/// Finding a server and shaking hands with it is begun anew if it takes longer.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// After so many a connection is given up: the host may be gone, or another server be the master.
const MOST_SILENCES: u32 = 3;

impl Line {
    pub(super) fn new(dial: Dial) -> Self {
        let (live, dialing) = (ArcSwapOption::empty(), Mutex::new(None));
        Self { dial, live, dialing, silences: AtomicU32::new(0) }
    }

    /// One that leads to a server, always.
    pub(super) fn to(client: RedisResult<Client>) -> Self {
        Self::new(Box::new(move || {
            let client = client.clone();
            async move { connect(client?).await }.boxed()
        }))
    }

    /// Runs a script. It is not repeated after a broken connection: it may have run, and would charge twice.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
        late: &Late,
    ) -> Result<T, RedisError> {
        let mut used = self.take_up(late).await?;
        let answer = call.on(&mut used.connection).await;
        used.done(answer)
    }

    /// Runs a script whose slot is on its way to this server.
    pub(super) async fn asking<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
        late: &Late,
    ) -> Result<T, RedisError> {
        let mut used = self.take_up(late).await?;
        let answer = call.asking(&mut used.connection).await;
        used.done(answer)
    }

    pub(super) async fn query<T: FromRedisValue>(
        &self,
        command: &Cmd,
        late: &Late,
    ) -> Result<T, RedisError> {
        let mut used = self.take_up(late).await?;
        let answer = command.query_async(&mut used.connection).await;
        used.done(answer)
    }

    async fn take_up<'a>(&'a self, late: &'a Late) -> Result<Use<'a>, RedisError> {
        let live = match self.live.load_full() {
            Some(live) => live,
            None => self.connection().await?,
        };
        let connection = MultiplexedConnection::clone(&live);
        Ok(Use { line: self, late, live, connection, is_answered: false })
    }

    async fn connection(&self) -> Result<Arc<MultiplexedConnection>, RedisError> {
        let dialing = self.dialing().get_or_insert_with(|| errand(in_time((self.dial)()))).clone();
        let made = dialing.clone().await;
        let mut current = self.dialing();
        if current.as_ref().is_some_and(|current| current.ptr_eq(&dialing)) {
            *current = None;
            self.live.store(made.as_ref().ok().cloned());
        }
        made
    }

    fn dialing(&self) -> MutexGuard<'_, Option<Dialing>> {
        self.dialing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a connection, unless there is another already.
    fn hang_up(&self, used: &Arc<MultiplexedConnection>) {
        self.silences.store(0, Ordering::Relaxed);
        self.live.compare_and_swap(used, None);
    }
}

/// A connection while a call waits on it.
struct Use<'a> {
    line: &'a Line,
    late: &'a Late,
    live: Arc<MultiplexedConnection>,
    connection: MultiplexedConnection,
    is_answered: bool,
}

impl Use<'_> {
    fn done<T>(mut self, answer: Result<T, RedisError>) -> Result<T, RedisError> {
        self.is_answered = true;
        self.line.silences.store(0, Ordering::Relaxed);
        if answer.as_ref().is_err_and(ends) {
            self.line.hang_up(&self.live);
        }
        answer
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        if !self.is_answered
            && self.late.is_set()
            && self.line.silences.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_SILENCES
        {
            self.line.hang_up(&self.live);
        }
    }
}

pub(super) async fn connect(client: Client) -> RedisResult<MultiplexedConnection> {
    // The deadline around each call counts for answers.
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await
}

async fn in_time(attempt: Attempt) -> RedisResult<Arc<MultiplexedConnection>> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    timeout(HANDSHAKE, attempt).await.map_err(late)?.map(Arc::new)
}

/// Whether an error says that this connection is of no more use.
fn ends(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}
