use super::faults::{unmigrated, unopened};
use crate::records::Unopened;
use sqlx::{
    PgConnection, SqliteConnection,
    migrate::{Migration, MigrationSource, MigrationType, Migrator},
};
use std::{error::Error, future::Future, pin::Pin};

/// What makes a schema, step by step. A step that was released is never changed: the next version has one more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    /// What they are for, in errors.
    pub(crate) of: &'static str,
    pub(crate) steps: &'static [&'static str],
}

pub(super) const RECORDS: &str = "the records";
/// Drawn once; whoever migrates holds the lock of this number.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7361298430112547)";

type Resolved = Result<Vec<Migration>, Box<dyn Error + Send + Sync>>;

impl Steps {
    /// Makes the steps that are missing in a file, inside a transaction that writes already.
    pub(crate) async fn make_in_file(self, file: &mut SqliteConnection) -> Result<(), Unopened> {
        // Not `run`: the compiler does not find its way through the lifetimes of that.
        let done = self.migrator().await?.run_direct(file).await;
        done.map_err(|error| unmigrated(self.of, error))
    }

    /// Makes the steps that are missing in a schema, and the schema, inside a transaction.
    pub(crate) async fn make_in_schema(
        self,
        schema: &'static str,
        server: &mut PgConnection,
    ) -> Result<(), Unopened> {
        let failed = |error| unopened(self.of, error);
        for statement in [
            // Whoever waits for the lock waits for others' migrations.
            "SET LOCAL lock_timeout = '50s'",
            "SET LOCAL statement_timeout = '50s'",
            LOCK,
        ] {
            sqlx::query(statement).execute(&mut *server).await.map_err(failed)?;
        }
        // Even where there is one, `IF NOT EXISTS` wants rights on the whole database.
        let there = sqlx::query("SELECT FROM pg_namespace WHERE nspname = $1").bind(schema);
        if there.fetch_optional(&mut *server).await.map_err(failed)?.is_none() {
            let make = format!("CREATE SCHEMA {schema}");
            sqlx::query(&make).execute(&mut *server).await.map_err(failed)?;
        }
        let done = self.migrator().await?.run_direct(server).await;
        done.map_err(|error| unmigrated(self.of, error))
    }

    /// Whether nothing is missing in the schema of a connection, as far as it can tell.
    #[cfg(feature = "audit-log")]
    pub(crate) async fn are_made(self, server: &mut PgConnection) -> bool {
        let made = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
        let made: Result<Vec<(i64, Vec<u8>)>, _> = sqlx::query_as(made).fetch_all(server).await;
        let steps = self.resolve().await.unwrap_or_default();
        let steps = steps.into_iter().map(|step| (step.version, step.checksum.into_owned()));
        made.is_ok_and(|made| made.into_iter().eq(steps))
    }

    /// With a lock of ours around it.
    async fn migrator(self) -> Result<Migrator, Unopened> {
        let migrator = Migrator::new(self).await;
        let mut migrator = migrator.map_err(|error| unmigrated(self.of, error))?;
        migrator.set_locking(false);
        Ok(migrator)
    }
}

impl MigrationSource<'static> for Steps {
    fn resolve(self) -> Pin<Box<dyn Future<Output = Resolved> + Send>> {
        let of = self.of.trim_start_matches("the ");
        let step = |(version, sql): (i64, &&'static str)| {
            Migration::new(version, of.into(), MigrationType::Simple, (*sql).into(), false)
        };
        let steps = (1..).zip(self.steps).map(step).collect();
        Box::pin(async move { Ok(steps) })
    }
}
