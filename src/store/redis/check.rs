//! What a server must be, looked at once before anything is served.

use super::Redis;
use crate::{
    error::ConfigError,
    store::{Resilient, StoreError},
};
use std::time::Duration;
use tokio::time::timeout;

/// For all of it: a server far away may take longer to connect to than a request may wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// Scripts are replicated by their effects, and NX goes with GET, from here on.
const OLDEST: u32 = 7;

impl Resilient<Redis> {
    /// Looks at the server before anything is served, for two seconds at most, and says what somebody should be told: that it
    /// does not answer, which is no reason not to start, or that it may forget what it is given.
    ///
    /// # Errors
    ///
    /// When the server answers and cannot be used: it refuses the user or the password, is older than version 7, or runs no
    /// scripts. For a [strict](Self::strict) one, also when its `maxmemory-policy` is not `noeviction` or cannot be read: a
    /// block that is evicted lets in who was blocked.
    pub async fn check(&self) -> Result<Option<String>, ConfigError> {
        let checked = match timeout(PATIENCE, self.far().check()).await {
            Ok(checked) => checked,
            Err(_) => Err(Unfit::Gone(StoreError::new("no answer within two seconds"))),
        };
        match checked {
            Ok(policy) => judge(policy.as_deref(), self.is_strict()),
            Err(Unfit::Gone(error)) => Ok(Some(format!(
                "{error}; until it answers, limits hold in this instance alone and no login goes on"
            ))),
            Err(Unfit::Wrong(what)) => Err(ConfigError::new(what)),
        }
    }
}

/// Why a server cannot be used.
enum Unfit {
    Gone(StoreError),
    Wrong(String),
}

impl Redis {
    /// The policy of a server that can be used; `None` if it does not tell.
    async fn check(&self) -> Result<Option<String>, Unfit> {
        let patient = self.clone().deadline(PATIENCE);
        let inner = &patient.0;
        inner.link.ping().await.map_err(|error| {
            Unfit::of(error, "it does not let us in: are the user and the password right?")
        })?;
        // Who may run nothing but scripts may not ask for the version; then the scripts tell.
        if let Ok(info) = inner.link.command::<String>(&["INFO", "server"]).await {
            let version = field(&info, "redis_version").unwrap_or_default();
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            if major.is_some_and(|major| major < OLDEST) {
                return Err(Unfit::Wrong(format!(
                    "the server is version {version}: {OLDEST} or later is needed"
                )));
            }
        }
        inner.marker_by_script().await.map_err(|error| {
            let wrong = "it runs no scripts: is Lua there, and may the user run EVALSHA, SCRIPT LOAD and what they use?";
            Unfit::of(error, wrong)
        })?;
        let told = inner.link.command::<Vec<String>>(&["CONFIG", "GET", "maxmemory-policy"]).await;
        if let Ok([_, policy]) = told.as_deref() {
            return Ok(Some(policy.clone()));
        }
        let info = inner.link.command::<String>(&["INFO", "memory"]).await.unwrap_or_default();
        Ok(field(&info, "maxmemory_policy").map(str::to_owned))
    }
}

impl Unfit {
    fn of(error: StoreError, wrong: &str) -> Self {
        if error.was_said() { Self::Wrong(format!("{wrong} ({error})")) } else { Self::Gone(error) }
    }
}

fn judge(policy: Option<&str>, strict: bool) -> Result<Option<String>, ConfigError> {
    let what = match policy {
        Some("noeviction") => return Ok(None),
        Some(policy) => format!("`maxmemory-policy` of the server is {policy}"),
        None => "the server does not tell its `maxmemory-policy`".to_owned(),
    };
    let why = format!("{what}: with any other than noeviction a block may be forgotten");
    if strict { Err(ConfigError::new(why)) } else { Ok(Some(why)) }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}
