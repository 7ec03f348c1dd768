use super::{late::Late, line::Line, script::Call};
use crate::{clock::Clock, store::breaker::Breaker};
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A server that has slots.
pub(super) struct Master {
    pub(super) host: String,
    pub(super) port: u16,
    /// Both, for who is told of it.
    pub(super) name: Arc<str>,
    pub(super) line: Line,
    pub(super) breaker: Breaker,
    is_suspect: AtomicBool,
}

impl Master {
    pub(super) fn new(host: &str, port: u16, line: Line, clock: &Arc<dyn Clock>) -> Self {
        let (breaker, is_suspect) = (Breaker::new(Arc::clone(clock)), AtomicBool::new(false));
        let name = format!("{host}:{port}").into();
        Self { host: host.to_owned(), port, name, line, breaker, is_suspect }
    }

    /// Whether the last call failed: another may have its slots by now.
    pub(super) fn is_suspect(&self) -> bool {
        self.is_suspect.load(Ordering::Relaxed)
    }

    pub(super) async fn query<T: FromRedisValue>(
        &self,
        command: &Cmd,
        late: &Late,
    ) -> RedisResult<T> {
        self.attend(self.line.query(command, late), late).await
    }

    pub(super) async fn run<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
        late: &Late,
    ) -> RedisResult<T> {
        self.attend(self.line.run(call, late), late).await
    }

    /// Remembers whether an answer came; none did if it is late.
    pub(super) async fn attend<T>(
        &self,
        work: impl Future<Output = RedisResult<T>>,
        late: &Late,
    ) -> RedisResult<T> {
        let mut watch = Watch { master: self, late, outcome: None };
        let answer = work.await;
        watch.outcome = Some(match answer.as_ref().err().map(RedisError::kind) {
            Some(ErrorKind::Io) => Outcome::Silence,
            Some(ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::ClusterDown)) => {
                Outcome::Elsewhere
            }
            _ => Outcome::Answer,
        });
        answer
    }
}

/// A call on its way to a server.
struct Watch<'a> {
    master: &'a Master,
    late: &'a Late,
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Answer,
    /// It answers, but another has its slots by now.
    Elsewhere,
    Silence,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let late = self.late.is_set().then_some(Outcome::Silence);
        // Without an outcome the caller gave up.
        let Some(outcome) = self.outcome.or(late) else { return };
        let Master { breaker, is_suspect, .. } = self.master;
        let _ = match outcome {
            Outcome::Silence => breaker.failed(),
            Outcome::Answer | Outcome::Elsewhere => breaker.succeeded(),
        };
        is_suspect.store(outcome != Outcome::Answer, Ordering::Relaxed);
    }
}
