//! The statements. Both databases take the same ones; what they are asked with has types of its own in each.

use crate::audit::chain::{LedgerError, Row};
use sqlx::Error;

/// Why a question has no answer.
pub(super) enum Failed {
    Sql(Error),
    /// The system gives no random bytes, or what is there is not what we left.
    Ledger(LedgerError),
}

pub(super) type Answer<T> = Result<T, Failed>;

/// What a row or a checkpoint is in its table: number and text.
pub(super) type Numbered = (i64, String);

/// No text of ours is as long, in characters.
pub(super) const LONGEST: i64 = 64 << 10;

/// Whether `rows` continue `last`; false if they are there already, of an attempt whose answer did not arrive.
pub(super) fn are_new(rows: &[Row], last: Option<&str>) -> Answer<bool> {
    let Some((first, end)) = rows.first().zip(rows.last()) else { return Ok(false) };
    let last = last.map(Row::parse).transpose().map_err(|_| damaged())?;
    let at = last.as_ref().map_or((0, Default::default()), |last| (last.seq(), last.hash()));
    if at == (end.seq(), end.hash()) {
        return Ok(false);
    }
    match at == (first.seq() - 1, first.prev()) {
        true => Ok(true),
        false => Err(LedgerError::moved().into()),
    }
}

pub(super) fn damaged() -> Failed {
    Failed::Ledger(LedgerError::new(
        "its last row was changed: see `portcullis audit verify`, and begin another log beside this one",
    ))
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<LedgerError> for Failed {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

macro_rules! statements {
    ($module:ident, $database:ty, $begin:literal) => {
        pub(super) mod $module {
            use super::{Answer, LONGEST, Numbered, are_new};
            use crate::audit::chain::{Owner, Person, Row};
            use sqlx::{Connection as _, Database, Error, QueryBuilder, Row as _, query, query_scalar};
            use std::collections::HashMap;
            use zeroize::Zeroizing;

            type Db = $database;
            type Connection = <Db as Database>::Connection;

            /// The last row of a log.
            pub(in crate::audit::chain::tables) async fn last(
                connection: &mut Connection,
                log: &str,
            ) -> Answer<Option<String>> {
                let last = query_scalar("SELECT line FROM audit_rows WHERE log = $1 ORDER BY seq DESC LIMIT 1");
                Ok(last.bind(log).fetch_optional(connection).await?)
            }

            pub(in crate::audit::chain::tables) async fn persons(
                connection: &mut Connection,
                log: &str,
                day: i64,
                owners: &[Owner],
            ) -> Answer<Vec<Person>> {
                if owners.is_empty() {
                    return Ok(Vec::new());
                }
                let mut writing = connection.begin_with($begin).await?;
                let mut known = QueryBuilder::<Db>::new("SELECT owner, person, secret FROM audit_persons WHERE log = ");
                known.push_bind(log).push(" AND day = ").push_bind(day).push(" AND owner IN (");
                let mut list = known.separated(", ");
                owners.iter().for_each(|owner| _ = list.push_bind(&owner.0[..]));
                known.push(")");
                let mut persons = HashMap::new();
                for row in known.build().persistent(false).fetch_all(&mut *writing).await? {
                    persons.insert(row.try_get::<Vec<u8>, _>(0)?, person(row.try_get(1)?, row.try_get(2)?)?);
                }
                let missing = owners.iter().filter(|owner| !persons.contains_key(&owner.0[..]));
                let made = missing.map(|owner| Ok((*owner, Person::random()?))).collect::<Answer<Vec<_>>>()?;
                if !made.is_empty() {
                    let mut insert =
                        QueryBuilder::<Db>::new("INSERT INTO audit_persons (person, log, day, owner, secret) ");
                    insert.push_values(&made, |mut values, (owner, person)| {
                        values.push_bind(&person.id[..]).push_bind(log).push_bind(day);
                        values.push_bind(&owner.0[..]).push_bind(&person.key[..]);
                    });
                    insert.build().persistent(false).execute(&mut *writing).await?;
                }
                writing.commit().await?;
                persons.extend(made.into_iter().map(|(owner, person)| (owner.0.to_vec(), person)));
                Ok(owners.iter().filter_map(|owner| persons.get(&owner.0[..]).cloned()).collect())
            }

            /// Adds rows, unless they are there.
            pub(in crate::audit::chain::tables) async fn append(
                connection: &mut Connection,
                log: &str,
                rows: &[Row],
            ) -> Answer<()> {
                let mut writing = connection.begin_with($begin).await?;
                if are_new(rows, last(&mut writing, log).await?.as_deref())? {
                    let mut insert = QueryBuilder::<Db>::new("INSERT INTO audit_rows (log, seq, line) ");
                    insert.push_values(rows, |mut values, row| {
                        values.push_bind(log).push_bind(row.seq() as i64).push_bind(row.to_line());
                    });
                    insert.build().persistent(false).execute(&mut *writing).await?;
                }
                Ok(writing.commit().await?)
            }

            /// Adds a checkpoint, unless there is one for that row.
            pub(in crate::audit::chain::tables) async fn checkpoint(
                connection: &mut Connection,
                log: &str,
                seq: i64,
                statement: &str,
            ) -> Answer<()> {
                query(
                    "INSERT INTO audit_checkpoints (log, seq, statement) SELECT $1, $2, $3 \
                     WHERE NOT EXISTS (SELECT 1 FROM audit_checkpoints WHERE log = $1 AND seq = $2)",
                )
                .bind(log)
                .bind(seq)
                .bind(statement)
                .execute(connection)
                .await?;
                Ok(())
            }

            pub(in crate::audit::chain::tables) async fn rows(
                connection: &mut Connection,
                log: &str,
                after: i64,
                most: i64,
            ) -> Answer<Vec<Numbered>> {
                let text = "SELECT seq, SUBSTR(line, 1, $4) FROM audit_rows WHERE log = $1 AND seq > $2 \
                            ORDER BY seq LIMIT $3";
                page(connection, text, log, after, most).await
            }

            pub(in crate::audit::chain::tables) async fn checkpoints(
                connection: &mut Connection,
                log: &str,
                after: i64,
                most: i64,
            ) -> Answer<Vec<Numbered>> {
                let text = "SELECT seq, SUBSTR(statement, 1, $4) FROM audit_checkpoints WHERE log = $1 AND seq > $2 \
                            ORDER BY seq LIMIT $3";
                page(connection, text, log, after, most).await
            }

            async fn page(
                connection: &mut Connection,
                text: &'static str,
                log: &str,
                after: i64,
                most: i64,
            ) -> Answer<Vec<Numbered>> {
                let rows = query(text).bind(log).bind(after).bind(most).bind(LONGEST as i32);
                let rows = rows.fetch_all(connection).await?;
                // What is no text is nothing of ours, which is for the reader to say.
                let read = |row: &<Db as Database>::Row| Ok((row.try_get(0)?, row.try_get(1).unwrap_or_default()));
                rows.iter().map(read).collect()
            }

            /// The names of all logs, without a look at each row.
            pub(in crate::audit::chain::tables) async fn logs(connection: &mut Connection) -> Answer<Vec<String>> {
                let mut logs = Vec::new();
                for text in [
                    "WITH RECURSIVE names (log) AS (SELECT MIN(log) FROM audit_rows UNION ALL \
                     SELECT (SELECT MIN(log) FROM audit_rows WHERE log > names.log) FROM names \
                     WHERE names.log IS NOT NULL) SELECT log FROM names WHERE log IS NOT NULL",
                    "WITH RECURSIVE names (log) AS (SELECT MIN(log) FROM audit_checkpoints UNION ALL \
                     SELECT (SELECT MIN(log) FROM audit_checkpoints WHERE log > names.log) FROM names \
                     WHERE names.log IS NOT NULL) SELECT log FROM names WHERE log IS NOT NULL",
                ] {
                    logs.extend(query_scalar::<_, String>(text).fetch_all(&mut *connection).await?);
                }
                logs.sort_unstable();
                logs.dedup();
                Ok(logs)
            }

            /// Those of the keys that are still there.
            pub(in crate::audit::chain::tables) async fn keys(
                connection: &mut Connection,
                ids: &[[u8; 16]],
            ) -> Answer<Vec<Person>> {
                if ids.is_empty() {
                    return Ok(Vec::new());
                }
                let mut keys = QueryBuilder::<Db>::new("SELECT person, secret FROM audit_persons WHERE person IN (");
                let mut list = keys.separated(", ");
                ids.iter().for_each(|id| _ = list.push_bind(&id[..]));
                keys.push(")");
                let rows: Vec<(Vec<u8>, Vec<u8>)> = keys.build_query_as().fetch_all(connection).await?;
                rows.into_iter().map(|(id, secret)| person(id, secret)).collect()
            }

            pub(in crate::audit::chain::tables) async fn erase(
                connection: &mut Connection,
                owner: Owner,
            ) -> Answer<u64> {
                let erased = query("DELETE FROM audit_persons WHERE owner = $1").bind(&owner.0[..]);
                Ok(erased.execute(connection).await?.rows_affected())
            }

            fn person(id: Vec<u8>, secret: Vec<u8>) -> Answer<Person> {
                let secret = Zeroizing::new(secret);
                let spoilt = || Error::Decode("a key of the audit log is none of ours".into());
                let id = id.try_into().map_err(|_| spoilt())?;
                let mut key = Zeroizing::new([0; 32]);
                if secret.len() != key.len() {
                    return Err(spoilt().into());
                }
                key.copy_from_slice(&secret);
                Ok(Person { id, key })
            }
        }
    };
}

statements!(sqlite, sqlx::Sqlite, "BEGIN IMMEDIATE");
statements!(postgres, sqlx::Postgres, "BEGIN");
