//! The connection to the server: the one file that names the `redis` crate.

use crate::{error::ConfigError, store::StoreError};
use arc_swap::ArcSwapOption;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError,
    aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::timeout};

/// A server, and the connection to it that all callers share. It connects at the first call, and anew after a
/// connection broke.
pub(super) struct Link {
    client: Client,
    deadline: Duration,
    live: ArcSwapOption<MultiplexedConnection>,
    /// Held by the one caller that connects; the others wait for what it finds.
    connecting: Mutex<()>,
}

/// A script on its way to the server: its keys and arguments.
pub(super) struct Call<'a>(redis::ScriptInvocation<'a>);

/// A script of ours. The server knows it by the hash of its text.
pub(super) struct Script(redis::Script);

impl Link {
    /// Checks the URL; nothing is sent yet.
    pub(super) fn new(url: &str, deadline: Duration) -> Result<Self, ConfigError> {
        // What is wrong with the URL is not told: it may hold the password.
        let wrong = |_: RedisError| {
            ConfigError::new("the URL of the store is none like redis://127.0.0.1:6379")
        };
        // Off by default in this version, which costs half of the throughput.
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = url.into_connection_info().map_err(wrong)?.set_tcp_settings(tcp);
        let client = Client::open(info).map_err(wrong)?;
        let (live, connecting) = (ArcSwapOption::empty(), Mutex::new(()));
        Ok(Self { client, deadline, live, connecting })
    }

    pub(super) fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }

    /// One to the same server, with a connection of its own.
    pub(super) fn again(&self) -> Self {
        let (client, deadline) = (self.client.clone(), self.deadline);
        Self { client, deadline, live: ArcSwapOption::empty(), connecting: Mutex::new(()) }
    }

    /// Runs a script within the deadline. It is not repeated after a time-out or a broken connection: it may have
    /// run, and would charge twice.
    pub(super) async fn run<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, StoreError> {
        self.within(async {
            let mut connection = self.connection().await?;
            let answer = call.0.invoke_async(&mut connection).await;
            self.settled(&connection, answer)
        })
        .await
    }

    /// The names of keys that match a pattern, at most `most`.
    pub(super) async fn names(
        &self,
        pattern: &str,
        most: usize,
    ) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let (next, found): (u64, Vec<String>) = self
                .within(async {
                    let mut connection = self.connection().await?;
                    let mut scan = redis::cmd("SCAN");
                    scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1_000);
                    let answer = scan.query_async(&mut connection).await;
                    self.settled(&connection, answer)
                })
                .await?;
            names.extend(found);
            if next == 0 || names.len() >= most {
                // A name can come twice while the table grows.
                names.sort_unstable();
                names.dedup();
                names.truncate(most);
                return Ok(names);
            }
            cursor = next;
        }
    }

    /// Runs a command within the deadline.
    pub(super) async fn command<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, StoreError> {
        self.within(async {
            let mut connection = self.connection().await?;
            let mut command = redis::Cmd::new();
            words.iter().for_each(|word| _ = command.arg(*word));
            let answer = command.query_async(&mut connection).await;
            self.settled(&connection, answer)
        })
        .await
    }

    /// Whether the server answers.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.command(&["PING"]).await
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let late = |_| StoreError::new("no answer within the deadline");
        timeout(self.deadline, work).await.map_err(late)?
    }

    async fn connection(&self) -> Result<MultiplexedConnection, StoreError> {
        if let Some(live) = &*self.live.load() {
            return Ok(MultiplexedConnection::clone(live));
        }
        let _first = self.connecting.lock().await;
        if let Some(live) = &*self.live.load() {
            return Ok(MultiplexedConnection::clone(live));
        }
        // The deadline around the call counts, not one for each part.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let made = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let made = made.map_err(|error| told(&error))?;
        self.live.store(Some(Arc::new(made.clone())));
        Ok(made)
    }

    /// Forgets a connection that is broken, so that the next call makes another.
    fn settled<T>(
        &self,
        _used: &MultiplexedConnection,
        answer: Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        answer.map_err(|error| {
            if error.is_unrecoverable_error() {
                self.live.store(None);
            }
            told(&error)
        })
    }
}

impl Script {
    pub(super) fn new(text: &str) -> Self {
        Self(redis::Script::new(text))
    }

    pub(super) fn call(&self) -> Call<'_> {
        Call(self.0.prepare_invoke())
    }
}

impl Call<'_> {
    pub(super) fn key(&mut self, name: &str) -> &mut Self {
        self.0.key(name);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.arg(text);
        self
    }

    #[cfg(feature = "otp")]
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.arg(bytes);
        self
    }

    pub(super) fn number(&mut self, number: impl Into<i64>) -> &mut Self {
        self.0.arg(number.into());
        self
    }

    /// A number that fits the 53 bits of a Lua number.
    pub(super) fn micros(&mut self, micros: u64) -> &mut Self {
        self.0.arg(micros);
        self
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// What went wrong, without what was sent.
fn told(error: &RedisError) -> StoreError {
    let what = format!("{:?}", error.kind());
    match error.code() {
        Some(code) => StoreError::said(code.to_owned()),
        None if error.kind() == ErrorKind::AuthenticationFailed => StoreError::said(what),
        None => StoreError::new(what),
    }
}
