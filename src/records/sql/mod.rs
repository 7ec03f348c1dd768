//! Records in a database of SQL. The statements are the same for both, so they are written once.

mod asking;
mod keep;
mod migrations;
mod postgres;
mod sqlite;

pub use postgres::Postgres;
pub use sqlite::Sqlite;
