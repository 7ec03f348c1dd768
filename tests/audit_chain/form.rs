//! The forms of a log, and how somebody changes one who may do everything with it.

use crate::postgres::PostgresServer;
use portcullis::{
    audit::chain::{Archive, Chain, ChainBuilder, Folder, Tables},
    records::Postgres,
};
use sqlx::{
    Connection, Error, PgConnection, Row as _, SqliteConnection, postgres::PgConnectOptions,
    raw_sql, sqlite::SqliteConnectOptions,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

pub(crate) enum Form {
    Files(PathBuf),
    Sqlite(PathBuf),
    /// The server and a database.
    Postgres(Arc<Server>, String),
}

/// A server of PostgreSQL.
pub(crate) struct Server(pub(crate) Mutex<PostgresServer>);

const ROWS: [&str; 2] = ["audit_rows", "line"];
const CHECKPOINTS: [&str; 2] = ["audit_checkpoints", "statement"];

impl Server {
    /// One for all tests that run at the same time; none where none runs.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        if !cfg!(unix) {
            return None;
        }
        let mut shared = SHARED.lock().unwrap();
        Some(shared.upgrade().unwrap_or_else(|| {
            let server = Self::start();
            *shared = Arc::downgrade(&server);
            server
        }))
    }

    /// One for a test alone.
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self(Mutex::new(PostgresServer::start())))
    }

    /// The URL of a new database.
    pub(crate) fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        self.0
            .lock()
            .unwrap()
            .database(&format!("audit_{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Form {
    pub(crate) fn postgres(server: &Arc<Server>) -> Self {
        Self::Postgres(Arc::clone(server), server.database())
    }

    pub(crate) fn chain(&self, copy: &Path) -> ChainBuilder {
        match self {
            Self::Files(path) => Chain::to(Folder::open(path).unwrap()),
            _ => Chain::to(self.tables()),
        }
        .copy_checkpoints(copy)
    }

    pub(crate) fn archive(&self) -> Archive {
        match self {
            Self::Files(path) => Archive::folder(path),
            _ => Archive::tables(self.tables()),
        }
    }

    /// Of the instance `one`, where they have names.
    pub(crate) fn tables(&self) -> Tables {
        self.tables_of("one")
    }

    pub(crate) fn tables_of(&self, instance: &str) -> Tables {
        match self {
            Self::Files(_) => panic!("files"),
            Self::Sqlite(path) => Tables::sqlite(path),
            Self::Postgres(_, url) => {
                Tables::postgres(Postgres::new(url).unwrap(), instance).unwrap()
            }
        }
    }

    /// The files of a folder that begin like this, in their order.
    pub(crate) fn files(&self, beginning: &str) -> Vec<PathBuf> {
        let Self::Files(path) = self else { panic!("no files") };
        let mut files: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.file_name().unwrap().to_str().unwrap().starts_with(beginning));
        files.sort();
        files
    }

    pub(crate) async fn lines(&self) -> Vec<String> {
        self.texts("rows-", ROWS).await
    }

    pub(crate) async fn checkpoints(&self) -> Vec<String> {
        self.texts("checkpoints", CHECKPOINTS).await
    }

    /// Writes lines in place of those of the first file, or of all rows.
    pub(crate) async fn rewrite(&self, lines: &[String]) {
        self.replace("rows-", ROWS, lines).await;
    }

    pub(crate) async fn rewrite_checkpoints(&self, statements: &[String]) {
        self.replace("checkpoints", CHECKPOINTS, statements).await;
    }

    /// All of the tables of keys, as text.
    pub(crate) async fn keys(&self) -> String {
        let all = match self {
            Self::Files(_) => return self.texts("persons-", ROWS).await.concat(),
            Self::Sqlite(_) => "SELECT lower(hex(person) || hex(owner)) || log FROM audit_persons",
            Self::Postgres(..) => "SELECT audit_persons::text FROM audit_persons",
        };
        self.column(all).await.concat()
    }

    async fn texts(&self, beginning: &str, [table, column]: [&str; 2]) -> Vec<String> {
        if let Self::Files(_) = self {
            let files = self.files(beginning).into_iter();
            let text: String = files.map(|file| fs::read_to_string(file).unwrap()).collect();
            return text.lines().map(str::to_owned).collect();
        }
        self.column(&format!("SELECT {column} FROM {table} ORDER BY log, seq")).await
    }

    async fn replace(&self, beginning: &str, [table, column]: [&str; 2], texts: &[String]) {
        if let Self::Files(_) = self {
            let text: String = texts.iter().map(|line| format!("{line}\n")).collect();
            return fs::write(&self.files(beginning)[0], text).unwrap();
        }
        let log = if matches!(self, Self::Sqlite(_)) { "main" } else { "one" };
        let mut change = format!("DELETE FROM {table};");
        for (number, text) in (1..).zip(texts) {
            let text = text.replace('\'', "''");
            change += &format!(
                "INSERT INTO {table} (log, seq, {column}) VALUES ('{log}', {number}, '{text}');"
            );
        }
        self.unguarded(&change).await;
    }

    /// Changes what cannot be changed, as who owns the tables can.
    pub(crate) async fn unguarded(&self, change: &str) {
        let (off, on) = match self {
            Self::Files(_) => panic!("files"),
            Self::Sqlite(_) => {
                let triggers =
                    "FROM sqlite_master WHERE type = 'trigger' AND tbl_name <> 'audit_persons'";
                let names = self.column(&format!("SELECT name {triggers}")).await;
                let made = self.column(&format!("SELECT sql {triggers}")).await;
                let drop = names.iter().map(|name| format!("DROP TRIGGER {name};")).collect();
                (drop, made.join(";") + ";")
            }
            Self::Postgres(..) => {
                let both = |what: &str| {
                    let of = |table| {
                        let triggers = [format!("{table}_stay"), format!("{table}_all_stay")];
                        triggers
                            .map(|name| format!("ALTER TABLE {table} {what} TRIGGER {name};"))
                            .concat()
                    };
                    ["audit_rows", "audit_checkpoints"].map(of).concat()
                };
                (both("DISABLE"), both("ENABLE ALWAYS"))
            }
        };
        self.sql(&format!("BEGIN;{off}{change};{on}COMMIT;")).await.unwrap();
    }

    /// Waits for who makes them.
    pub(crate) async fn tables_are_there(&self) {
        while self.sql("SELECT log FROM audit_rows").await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    /// Does as statements say, if they are not refused.
    pub(crate) async fn sql(&self, statements: &str) -> Result<(), Error> {
        self.column_of(statements).await.map(|_| ())
    }

    /// What a query answers in its one column of text.
    pub(crate) async fn column(&self, query: &str) -> Vec<String> {
        self.column_of(query).await.unwrap()
    }

    async fn column_of(&self, statements: &str) -> Result<Vec<String>, Error> {
        match self {
            Self::Files(_) => panic!("files"),
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                let mut file = SqliteConnection::connect_with(&options).await?;
                let rows = raw_sql(statements).fetch_all(&mut file).await;
                file.close().await?;
                rows?.iter().map(|row| row.try_get(0)).collect()
            }
            Self::Postgres(_, url) => {
                let options: PgConnectOptions = url.parse()?;
                let options = options.options([("search_path", "portcullis_audit")]);
                let mut server = PgConnection::connect_with(&options).await?;
                let rows = raw_sql(statements).fetch_all(&mut server).await;
                server.close().await?;
                rows?.iter().map(|row| row.try_get(0)).collect()
            }
        }
    }
}
