mod link;
mod reading;
mod schema;
mod statements;

pub(super) use self::reading::{Page, Pages};

use self::{
    link::{Link, Server, told},
    statements::{Answer, damaged},
};
use super::{Checkpoint, Ledger, LedgerError, Opened, Owner, Person, Row, when};
use crate::{
    clock::UnixTime,
    error::ConfigError,
    eventual::BoxFuture,
    records::{Postgres, Unopened},
    store::StoreError,
};
use sqlx::Error;
use std::{fmt, fs::File, path::Path, sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::timeout};

/// A chain in tables of SQLite or PostgreSQL, which refuse to change and to delete what is in them.
///
/// | Table | Holds | Refuses |
/// |---|---|---|
/// | `audit_rows` | `log`, `seq` and `line`, a row as it is in a file | `UPDATE`, `DELETE`, `TRUNCATE`, `REPLACE` |
/// | `audit_checkpoints` | `log`, `seq` and `statement`, a checkpoint | the same |
/// | `audit_persons` | For each person, log and day of UTC a key that seals what leads to that person | `UPDATE` |
///
/// The first use makes them. A start is refused where one of the triggers that refuse is off or was taken away.
///
/// **SQLite** is a file of its own, for one process at a time, which a file beside it, `.lock`, is for.
///
/// **PostgreSQL** may be the server and the database of the [records](crate::records), or any other. The tables are in the schema
/// `portcullis_audit`, which whoever connects first makes. Each instance has a log with a name of its own in them, and holds an advisory
/// lock while it writes that, so a pooler in front must keep sessions. A role that may not make tables can write, once
/// they are there; this one cannot even erase:
///
/// ```sql
/// GRANT USAGE ON SCHEMA portcullis_audit TO gateway;
/// GRANT SELECT ON ALL TABLES IN SCHEMA portcullis_audit TO gateway;
/// GRANT INSERT ON portcullis_audit.audit_rows, portcullis_audit.audit_checkpoints, portcullis_audit.audit_persons TO gateway;
/// GRANT DELETE ON portcullis_audit.audit_persons TO privacy; -- with USAGE and SELECT like above: who erases
/// ```
///
/// Triggers stop mistakes and stolen passwords, and no owner of a table: he can turn them off, and is found by
/// [`Archive::verify`](super::Archive::verify). Should the database go back in time, as after a fail-over to a replica that had not everything, the chain
/// goes on from where it then ends, with a row `log-opened`; checkpoints that speak for what is lost contradict it.
///
/// Rows are never deleted by this program. Keys are rows of `audit_persons`: who deletes those of old days makes old rows
/// speak of nobody.
///
/// Needs a tokio runtime. A clone is one more reference to it; the writer's hold ends with the last one.
#[derive(Clone)]
pub struct Tables(Arc<Inner>);

struct Inner {
    server: Server,
    log: Box<str>,
    held: Mutex<Held>,
}

/// What the writer has.
#[derive(Default)]
struct Held {
    link: Option<Link>,
    /// Of a file.
    _lock: Option<File>,
}

/// The name of the log in a file.
const MAIN: &str = "main";
/// For a name of a log.
const LONGEST_NAME: usize = 64;
/// For one question.
const DEADLINE: Duration = Duration::from_secs(15);
/// For all migrations, and for whoever else is migrating.
const OPENING: Duration = Duration::from_secs(60);

impl Tables {
    /// Tables in a file of SQLite, which is made at the first use, for the eyes of its owner alone.
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self::of(Server::File(path.as_ref().to_owned()), MAIN)
    }

    /// Tables in a database of PostgreSQL 14 or later, which `server` says how to reach, with a log for this `instance`.
    ///
    /// # Errors
    ///
    /// When the name is not 1 to 64 of `A` to `Z`, `a` to `z`, `0` to `9`, `.`, `_` and `-`.
    pub fn postgres(server: Postgres, instance: &str) -> Result<Self, ConfigError> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=LONGEST_NAME).contains(&instance.len()) || !instance.bytes().all(good) {
            return Err(ConfigError::new(
                "an instance has a name of 1 to 64 letters, digits, `.`, `_` and `-`",
            ));
        }
        Ok(Self::of(Server::Postgres(server), instance))
    }

    /// Makes the tables if they are not there, and takes hold of the log, so that nobody else writes it. The writer does it by itself; who
    /// asks before hears what is wrong with it.
    ///
    /// # Errors
    ///
    /// [`Refused`](Unopened::Refused) when another process writes this log, the tables are those of a newer version, or can be
    /// changed; [`Unavailable`](Unopened::Unavailable) while nobody answers.
    pub async fn prepare(&self) -> Result<(), Unopened> {
        let mut held = self.0.held.lock().await;
        match held.link {
            Some(_) => Ok(()),
            None => self.take_hold(&mut held).await,
        }
    }

    /// Makes the tables, or what is missing of them, and holds nothing: under a role that may, where that of the writer may not.
    ///
    /// # Errors
    ///
    /// Those of [`prepare`](Self::prepare) but the first.
    pub async fn make(&self) -> Result<(), Unopened> {
        self.0.server.make().await?.close().await;
        Ok(())
    }

    /// The names of all logs that there are.
    pub(super) async fn logs(&self) -> Result<Vec<String>, LedgerError> {
        let mut link = self.0.server.look().await?;
        let logs = link.logs().await.map_err(told)?;
        link.close().await;
        Ok(logs)
    }

    /// Deletes the keys of an owner in all logs, and says how many there were.
    pub(super) async fn erase(&self, owner: Owner) -> Result<u64, LedgerError> {
        let mut link = self.0.server.look().await?;
        let erased = link.erase(owner).await.map_err(told)?;
        link.close().await;
        Ok(erased)
    }

    pub(super) fn log(&self) -> &str {
        &self.0.log
    }

    fn of(server: Server, log: &str) -> Self {
        let held = Mutex::default();
        Self(Arc::new(Inner { server, log: log.into(), held }))
    }

    async fn take_hold(&self, held: &mut Held) -> Result<(), Unopened> {
        *held = Held::default();
        let Inner { server, log, .. } = &*self.0;
        let late =
            || Unopened::Unavailable(StoreError::new("the audit tables took too long to open"));
        let (link, lock) =
            timeout(OPENING, server.hold(log)).await.unwrap_or_else(|_| Err(late()))?;
        *held = Held { link: Some(link), _lock: lock };
        Ok(())
    }

    /// Asks over the connection that holds the log. One that was lost meanwhile, as idle ones are, is made anew once; each question may
    /// be asked twice.
    async fn ask<T>(
        &self,
        question: impl for<'a> Fn(&'a Inner, &'a mut Link) -> BoxFuture<'a, Answer<T>>,
    ) -> Result<T, LedgerError> {
        let mut held = self.0.held.lock().await;
        let mut is_old = held.link.is_some();
        loop {
            if held.link.is_none() {
                self.take_hold(&mut held).await.map_err(LedgerError::new)?;
            }
            // Put back after an answer alone: what was given up in the middle is of no more use.
            let Some(mut link) = held.link.take() else { continue };
            let answer = timeout(DEADLINE, question(&self.0, &mut link)).await;
            let error = match answer.unwrap_or(Err(Error::PoolTimedOut.into())) {
                Ok(answer) => {
                    held.link = Some(link);
                    return Ok(answer);
                }
                Err(error) => told(error),
            };
            if error.is_moved() {
                held.link = Some(link);
                return Err(error);
            }
            if !std::mem::take(&mut is_old) {
                return Err(error);
            }
        }
    }
}

impl Ledger for Tables {
    fn open(&self) -> BoxFuture<'_, Result<Opened, LedgerError>> {
        Box::pin(self.ask(|this, link| {
            Box::pin(async {
                let last = link.last(&this.log).await?;
                let last = last.as_deref().map(Row::parse).transpose().map_err(|_| damaged())?;
                Ok(Opened { last, torn: 0 })
            })
        }))
    }

    fn persons(
        &self,
        owners: Vec<Owner>,
        now: UnixTime,
    ) -> BoxFuture<'_, Result<Vec<Person>, LedgerError>> {
        let owners: Arc<[Owner]> = owners.into();
        Box::pin(self.ask(move |this, link| {
            let owners = Arc::clone(&owners);
            Box::pin(async move { link.persons(&this.log, when::day(now) as i64, &owners).await })
        }))
    }

    fn append(&self, rows: Arc<[Row]>) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(self.ask(move |this, link| {
            let rows = Arc::clone(&rows);
            Box::pin(async move { link.append(&this.log, &rows).await })
        }))
    }

    fn checkpoint(&self, statement: Arc<str>) -> BoxFuture<'_, Result<(), LedgerError>> {
        let seq = Checkpoint::parse(&statement).map_or(0, |it| it.seq as i64);
        Box::pin(self.ask(move |this, link| {
            let statement = Arc::clone(&statement);
            Box::pin(async move { link.checkpoint(&this.log, seq, &statement).await })
        }))
    }

    fn read(&self, after: u64, most: usize) -> BoxFuture<'_, Result<Vec<Row>, LedgerError>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        Box::pin(self.ask(move |this, link| {
            Box::pin(async move {
                let lines = link.rows(&this.log, after as i64, most).await?;
                let row = |(_, line): &(i64, String)| Row::parse(line).map_err(|_| damaged());
                lines.iter().map(row).collect()
            })
        }))
    }
}

/// Names the place, not the password.
impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { server, log, .. } = &*self.0;
        f.debug_struct("Tables").field("at", server).field("log", log).finish_non_exhaustive()
    }
}
