use super::{
    asking::{Asking, DEADLINE},
    faults::unopened,
    keep,
    migrations::{RECORDS, Steps},
};
use crate::{
    error::ConfigError,
    records::{Mark, Unopened, rows::other_secrets},
};
use sqlx::{
    ConnectOptions, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

/// Records in PostgreSQL 14 or later, for instances on any number of machines.
///
/// Connects when it is asked first, and again after the server was lost. Needs a tokio runtime, where the pool runs a task
/// that closes idle connections. Cheap to clone.
#[derive(Clone)]
pub struct Postgres(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    connections: u32,
    asking: Asking,
    pool: OnceLock<PgPool>,
}

const STEPS: Steps = Steps {
    of: RECORDS,
    steps: &[include_str!("migrations/postgres_1.sql"), include_str!("migrations/postgres_2.sql")],
};
/// Of all instances together a server takes 100, unless it is told otherwise.
const CONNECTIONS: u32 = 10;
const SCHEMA: &str = "portcullis";

impl Postgres {
    /// Records at `postgres://user@host:port/database`. What the URL leaves out comes from the variables of libpq, such as
    /// `PGPASSWORD`. Without `sslmode` it is `verify-full`, or `prefer` to loopback.
    ///
    /// # Errors
    ///
    /// When it is no such URL. The error does not repeat it.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::new("no URL like postgres://user@host:5432/database");
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong());
        }
        let options: PgConnectOptions = url.parse().map_err(|_| wrong())?;
        let is_said = url.split_once('?').is_some_and(|(_, query)| {
            query
                .split('&')
                .any(|pair| pair.starts_with("sslmode=") || pair.starts_with("ssl-mode="))
        });
        let options = match is_said {
            false if is_loopback(&options) => options.ssl_mode(PgSslMode::Prefer),
            false => options.ssl_mode(PgSslMode::VerifyFull),
            true => options,
        };
        let options = options
            .application_name("portcullis")
            .options([("search_path", SCHEMA), ("statement_timeout", "2s"), ("lock_timeout", "2s")])
            .disable_statement_logging();
        let (asking, pool) = (Asking::new(), OnceLock::new());
        Ok(Self(Arc::new(Inner { options, connections: CONNECTIONS, asking, pool })))
    }

    /// The password.
    #[must_use]
    pub fn password(self, password: &str) -> Self {
        self.edit(|inner| inner.options = inner.options.clone().password(password))
    }

    /// The authority that signed the server's certificate, in PEM, instead of those of the system.
    ///
    /// # Errors
    ///
    /// When it is not PEM.
    pub fn ca(self, pem: &[u8]) -> Result<Self, ConfigError> {
        if !pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
            return Err(ConfigError::new("not a certificate in PEM"));
        }
        Ok(self.edit(|inner| {
            inner.options = inner.options.clone().ssl_root_cert_from_pem(pem.to_vec());
        }))
    }

    /// How many connections there are at most, 10 by default.
    ///
    /// # Errors
    ///
    /// When there are none or more than 100.
    pub fn connections(self, most: u32) -> Result<Self, ConfigError> {
        if !(1..=100).contains(&most) {
            return Err(ConfigError::new(format!("connections: 1 to 100, not {most}")));
        }
        Ok(self.edit(|inner| inner.connections = most))
    }

    /// Whether nobody on the way can read along or answer instead: it is loopback, or the server has to show a certificate.
    pub fn is_private(&self) -> bool {
        let verified =
            matches!(self.0.options.get_ssl_mode(), PgSslMode::VerifyFull | PgSslMode::VerifyCa);
        verified || is_loopback(&self.0.options)
    }

    pub(super) fn asking(&self) -> &Asking {
        &self.0.asking
    }

    /// Made where a runtime is sure to be.
    pub(super) fn pool(&self) -> PgPool {
        let make = || {
            PgPoolOptions::new()
                .max_connections(self.0.connections)
                .acquire_timeout(DEADLINE)
                .connect_lazy_with(self.0.options.clone())
        };
        self.0.pool.get_or_init(make).clone()
    }

    /// How to connect, for what is kept beside the records.
    #[cfg(feature = "audit-log")]
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.0.options.clone()
    }

    pub(super) async fn migrate(self, mark: Mark) -> Result<(), Unopened> {
        let failed = |error| unopened(RECORDS, error);
        let mut migration = self.pool().begin().await.map_err(failed)?;
        STEPS.make_in_schema(SCHEMA, &mut migration).await?;
        if !keep::postgres::mark(&mut migration, mark).await.map_err(failed)? {
            return Err(other_secrets());
        }
        migration.commit().await.map_err(failed)
    }

    fn edit(self, edit: impl FnOnce(&mut Inner)) -> Self {
        let Inner { options, connections, .. } = &*self.0;
        let mut inner = Inner {
            options: options.clone(),
            connections: *connections,
            asking: Asking::new(),
            pool: OnceLock::new(),
        };
        edit(&mut inner);
        Self(Arc::new(inner))
    }
}

/// Names the place, not the password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("host", &self.0.options.get_host())
            .field("port", &self.0.options.get_port())
            .field("database", &self.0.options.get_database())
            .finish_non_exhaustive()
    }
}

fn is_loopback(options: &PgConnectOptions) -> bool {
    let host = options.get_host().trim_matches(['[', ']']);
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_private(url: &str) -> bool {
        Postgres::new(url).unwrap().is_private()
    }

    #[test]
    fn requirement_97_only_loopback_and_a_server_with_a_certificate_are_private() {
        let far = "postgres://user@db.example/login";
        for private in
            ["", "?sslmode=verify-full", "?sslmode=verify-ca", "?a=b&sslmode=verify-full"]
        {
            assert!(is_private(&format!("{far}{private}")), "{private}");
        }
        for open in ["disable", "allow", "prefer", "require"] {
            assert!(!is_private(&format!("{far}?sslmode={open}")), "{open}");
            assert!(!is_private(&format!("{far}?ssl-mode={open}")), "{open}");
        }
        for near in ["127.0.0.1", "[::1]", "localhost", "127.0.0.1:5433", "%2Frun%2Fpostgresql"] {
            assert!(is_private(&format!("postgres://user@{near}/login?sslmode=disable")), "{near}");
        }
        // The query may name another host than the one that is seen first.
        assert!(!is_private("postgres://user@localhost/login?sslmode=disable&host=db.example"));
        assert!(is_private("postgres://user@localhost/login?host=db.example"));
    }

    #[test]
    fn what_is_no_url_is_refused_and_not_repeated() {
        for bad in [
            "",
            "hunter2",
            "mysql://u:hunter2@h/d",
            "postgres://u:hunter2@h:port/d",
            "postgres://h/d?sslmode=hunter2",
        ] {
            let error = Postgres::new(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let records = Postgres::new("postgres://u:hunter2@h/d").unwrap();
        let shown = format!("{records:?}");
        assert!(!shown.contains("hunter2") && shown.contains("\"h\""), "{shown}");
        assert!(
            records.clone().connections(0).is_err() && records.clone().connections(101).is_err()
        );
        assert!(records.ca(b"hunter2").is_err());
    }
}
