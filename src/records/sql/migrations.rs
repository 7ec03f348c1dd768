use sqlx::migrate::{Migration, MigrationSource, MigrationType, Migrator};
use std::{error::Error, future::Future, pin::Pin};

/// What makes a schema, step by step. A step that was released is never changed: the next version has one more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps(pub(super) &'static [&'static str]);

type Resolved = Result<Vec<Migration>, Box<dyn Error + Send + Sync>>;

impl Steps {
    /// Makes the steps that are missing, inside a transaction that holds a lock already.
    pub(super) async fn migrator(self) -> Result<Migrator, sqlx::migrate::MigrateError> {
        let mut migrator = Migrator::new(self).await?;
        migrator.set_locking(false);
        Ok(migrator)
    }
}

impl MigrationSource<'static> for Steps {
    fn resolve(self) -> Pin<Box<dyn Future<Output = Resolved> + Send>> {
        let step = |(version, sql): (i64, &&'static str)| {
            Migration::new(version, "records".into(), MigrationType::Simple, (*sql).into(), false)
        };
        let steps = (1..).zip(self.0).map(step).collect();
        Box::pin(async move { Ok(steps) })
    }
}
