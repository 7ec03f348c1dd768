//! Records in a database of SQL. The statements are the same for both, so they are written once.

mod asking;
pub(crate) mod faults;
mod keep;
mod migrations;
mod postgres;
mod sqlite;

#[cfg(feature = "audit-log")]
pub(crate) use migrations::Steps;
pub use postgres::Postgres;
pub use sqlite::Sqlite;
#[cfg(feature = "audit-log")]
pub(crate) use sqlite::create;
