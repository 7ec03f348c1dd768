//! What makes the tables, and whether they refuse changes.

use super::link::{Link, TABLES};
use crate::{
    error::ConfigError,
    records::{
        Unopened,
        sql::{Steps, faults},
    },
};
use sqlx::{Connection, Error, query_scalar};

const FILE: Steps = Steps { of: TABLES, steps: &[include_str!("migrations/sqlite_1.sql")] };
const SERVER: Steps = Steps { of: TABLES, steps: &[include_str!("migrations/postgres_1.sql")] };

/// How many triggers refuse changes of rows and checkpoints, and how to count them.
const OF_FILE: (i64, &str) = (
    6,
    "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' \
     AND tbl_name IN ('audit_rows', 'audit_checkpoints')",
);
const OF_SERVER: (i64, &str) = (
    4,
    "SELECT COUNT(*) FROM pg_trigger WHERE tgenabled = 'A' \
     AND tgrelid IN ('audit_rows'::regclass, 'audit_checkpoints'::regclass)",
);

/// Makes the steps that are missing. Where none is, a role that may not make anything will do.
pub(super) async fn make(link: &mut Link, schema: &'static str) -> Result<(), Unopened> {
    let failed = |error: Error| faults::unopened(TABLES, error);
    let (triggers, all): (i64, _) = match link {
        Link::Sqlite(file) => {
            let mut making = file.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            FILE.make_in_file(&mut making).await?;
            making.commit().await.map_err(failed)?;
            (query_scalar(OF_FILE.1).fetch_one(file).await.map_err(failed)?, OF_FILE.0)
        }
        Link::Postgres(server) => {
            if !SERVER.are_made(server).await {
                let mut making = server.begin().await.map_err(failed)?;
                SERVER.make_in_schema(schema, &mut making).await?;
                making.commit().await.map_err(failed)?;
            }
            (query_scalar(OF_SERVER.1).fetch_one(server).await.map_err(failed)?, OF_SERVER.0)
        }
    };
    if triggers < all {
        return Err(Unopened::Refused(ConfigError::new(
            "the audit tables can be changed: a trigger that refuses it was taken away or is off",
        )));
    }
    Ok(())
}
