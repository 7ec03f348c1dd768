//! The connection to the server: the one folder that names the `redis` crate.

mod cluster;
mod errand;
mod late;
mod line;
mod master;
mod script;
mod sentinel;
pub(super) mod slot;
mod target;
mod told;
mod trips;

pub(super) use script::{Call, Script};
pub(super) use told::LACKS_RIGHTS;

use self::{
    cluster::Cluster,
    late::Late,
    line::Line,
    target::{Form, Target},
    told::told,
    trips::Trips,
};
use crate::{error::ConfigError, store::StoreError};
use futures_util::future::join_all;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, cmd};
use std::{fmt, sync::Arc, time::Duration};

/// The way to the server or servers that a URL leads to. Connections are made at the first call.
pub(super) struct Link {
    target: Arc<Target>,
    way: Way,
    deadline: Duration,
    trips: Trips,
}

enum Way {
    /// To the one server, or to whoever is master.
    One(Line),
    Cluster(Cluster),
}

/// A moment that is further away may be beyond what a clock can tell.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Link {
    /// Checks the URL; nothing is sent yet.
    pub(super) fn new(url: &str, deadline: Duration) -> Result<Self, ConfigError> {
        Ok(Self::to(Target::parse(url)?, deadline))
    }

    pub(super) fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline.min(LONGEST);
    }

    pub(super) fn set_password(&mut self, password: &str) -> Result<(), ConfigError> {
        *self = Self::to(Target::clone(&self.target).password(password)?, self.deadline);
        Ok(())
    }

    pub(super) fn set_ca(&mut self, pem: &[u8]) -> Result<(), ConfigError> {
        *self = Self::to(Target::clone(&self.target).ca(pem)?, self.deadline);
        Ok(())
    }

    /// Whether nobody else can listen: all is encrypted, or stays on this machine.
    #[cfg(feature = "gateway")]
    pub(super) fn is_private(&self) -> bool {
        self.target.is_private()
    }

    #[cfg(feature = "gateway")]
    pub(super) fn keep_private(&mut self) {
        *self = Self::to(Target::clone(&self.target).keep_private(), self.deadline);
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.way, Way::Cluster(_))
    }

    /// The masters of a cluster that have stopped answering, as `host:port`.
    pub(super) fn lost_parts(&self) -> Vec<Arc<str>> {
        match &self.way {
            Way::One(_) => Vec::new(),
            Way::Cluster(cluster) => cluster.lost(),
        }
    }

    /// One to the same server, with a connection of its own.
    pub(super) fn again(&self) -> Self {
        Self::to(Target::clone(&self.target), self.deadline)
    }

    fn to(target: Target, deadline: Duration) -> Self {
        let target = Arc::new(target);
        let way = match &target.form {
            Form::Single => Way::One(Line::to(target.single())),
            Form::Sentinel(master) => Way::One(Line::new(sentinel::dialer(&target, master))),
            Form::Cluster => Way::Cluster(Cluster::new(&target)),
        };
        Self { target, way, deadline, trips: Trips::new() }
    }

    /// Runs a script within the deadline. It is not repeated after a time-out or a broken connection: it may have
    /// run, and would charge twice.
    pub(super) async fn run<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, StoreError> {
        let late = &Late::default();
        self.within(late, async {
            match &self.way {
                Way::One(line) => line.run(&call, late).await,
                Way::Cluster(cluster) => cluster.run(&call, late).await,
            }
        })
        .await
    }

    /// Runs a script without keys on every server that has some.
    pub(super) async fn run_everywhere<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
    ) -> Result<Vec<T>, StoreError> {
        let late = &Late::default();
        self.within(late, async {
            match &self.way {
                Way::One(line) => Ok(vec![line.run(call, late).await?]),
                Way::Cluster(cluster) => {
                    let masters = cluster.masters().await?;
                    let runs = join_all(masters.iter().map(|master| master.run(call, late)));
                    runs.await.into_iter().collect()
                }
            }
        })
        .await
    }

    /// Sends a command without keys to every server that has some.
    pub(super) async fn query_everywhere<T: FromRedisValue>(
        &self,
        words: &[&str],
    ) -> Result<Vec<T>, StoreError> {
        let (command, late) = (command(words), &Late::default());
        self.within(late, async {
            match &self.way {
                Way::One(line) => Ok(vec![line.query(&command, late).await?]),
                Way::Cluster(cluster) => {
                    let masters = cluster.masters().await?;
                    let answers = masters.iter().map(|master| master.query(&command, late));
                    let answers = join_all(answers);
                    answers.await.into_iter().collect()
                }
            }
        })
        .await
    }

    /// Runs a script, unless the server of its keys is one of several and known not to answer.
    pub(super) async fn run_if_there<T: FromRedisValue>(
        &self,
        call: Call<'_>,
    ) -> Result<T, StoreError> {
        let late = &Late::default();
        self.within(late, async {
            match &self.way {
                Way::One(line) => line.run(&call, late).await,
                Way::Cluster(cluster) => cluster.run_if_there(&call, late).await,
            }
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
        match &self.way {
            Way::One(line) => {
                let query = |command: Cmd, late: Arc<Late>| async move {
                    line.query(&command, &late).await
                };
                self.scan(query, pattern, most, &mut names).await?;
            }
            Way::Cluster(cluster) => {
                for master in self.within(&Late::default(), cluster.masters()).await? {
                    let query = |command: Cmd, late: Arc<Late>| {
                        let master = Arc::clone(&master);
                        async move { master.query(&command, &late).await }
                    };
                    self.scan(query, pattern, most, &mut names).await?;
                }
            }
        }
        // A name can come twice while the table grows.
        names.sort_unstable();
        names.dedup();
        names.truncate(most);
        Ok(names)
    }

    async fn scan<F: Future<Output = RedisResult<(u64, Vec<String>)>>>(
        &self,
        query: impl Fn(Cmd, Arc<Late>) -> F,
        pattern: &str,
        most: usize,
        names: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let mut cursor = 0;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1_000);
            let late = Arc::<Late>::default();
            let (next, found) = self.within(&late, query(scan, Arc::clone(&late))).await?;
            names.extend(found);
            if next == 0 || names.len() >= most {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Waits for work that goes on by itself, as long as the question may still take.
    pub(super) async fn await_in_time(&self, work: impl Future) {
        Late::default().timeout(self.deadline, work).await;
    }

    /// One trip, in the time that its question has left.
    async fn within<T>(
        &self,
        late: &Late,
        work: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, StoreError> {
        let (error, is_silent) = match self.trips.time(late.timeout(self.deadline, work)).await {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => (told(&error), error.is_io_error()),
            None if late.is_set() => (StoreError::new(LATE), true),
            None => return Err(StoreError::new(LATE).rushed()),
        };
        Err(match &self.way {
            Way::Cluster(cluster) if is_silent && cluster.is_lost_in_part() => error.of_part(),
            _ => error,
        })
    }
}

const LATE: &str = "no answer within the deadline";

fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    words.iter().for_each(|word| _ = command.arg(*word));
    command
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("form", &self.target.form)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
