//! What a server must be, looked at once before anything is served.

use super::{Inner, Redis, connection};
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
/// The policy of a server that forgets nothing it was given.
const KEEPS: &str = "noeviction";

impl Resilient<Redis> {
    /// Looks at the server before anything is served, for two seconds at most, and says what somebody should be told: that it
    /// does not answer, which is no reason not to start, or that it may forget what it is given.
    ///
    /// # Errors
    ///
    /// When the server answers and cannot be used: it refuses the user or the password, is older than version 7, or runs no
    /// scripts. For a [strict](Self::strict) one, also when its `maxmemory-policy` is not `noeviction` or cannot be read, and when
    /// it does not tell whether it was restarted: a block that is lost without a sign lets in who was blocked.
    pub async fn check(&self) -> Result<Option<String>, ConfigError> {
        let checked = match timeout(PATIENCE, self.far().check()).await {
            Ok(checked) => checked,
            Err(_) => Err(Unfit::Gone(StoreError::new("no answer within two seconds"))),
        };
        match checked {
            Ok(told) => judge(&told, self.is_strict()),
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

/// What a server that can be used says of itself.
struct Told {
    /// What it does when it is full.
    policy: Option<String>,
    tells_run: bool,
}

impl Redis {
    async fn check(&self) -> Result<Told, Unfit> {
        let patient = self.clone().deadline(PATIENCE);
        let inner = &patient.0;
        inner.link.query_everywhere::<()>(&["PING"]).await.map_err(|error| Unfit::of(error, ""))?;
        // Who may run nothing but scripts may not ask for the version; then the scripts tell.
        let infos: Vec<String> =
            inner.link.query_everywhere(&["INFO", "server"]).await.unwrap_or_default();
        for info in &infos {
            let version = field(info, "redis_version").unwrap_or_default();
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            if major.is_some_and(|major| major < OLDEST) {
                return Err(Unfit::Wrong(format!(
                    "the server is version {version}: {OLDEST} or later is needed"
                )));
            }
        }
        let ready = inner.ready().await;
        ready.map_err(|error| {
            Unfit::of(
                error,
                "; it must run Lua scripts, and the user may use EVALSHA, EVAL and SCRIPT LOAD",
            )
        })?;
        let mut policies = inner.policies().await;
        // Of several servers the one that forgets counts.
        policies.sort_by_key(|policy| policy.as_deref() == Some(KEEPS));
        let tells_run = |info: &String| field(info, "run_id").is_some_and(|run| !run.is_empty());
        Ok(Told {
            policy: policies.into_iter().next().flatten(),
            tells_run: !infos.is_empty() && infos.iter().all(tells_run),
        })
    }
}

#[cfg(feature = "gateway")]
impl Redis {
    /// Whether nobody else can listen: all is encrypted, or stays on this machine.
    pub(crate) fn is_private(&self) -> bool {
        self.0.link.is_private()
    }

    /// Sends nothing unencrypted to another machine, wherever sentinels and servers of a cluster say that others are.
    pub(crate) fn keep_private(self) -> Self {
        self.edit(|inner| inner.link.keep_private())
    }
}

impl Inner {
    /// Whether the server answers, is new enough, and lets this user do what scripts do.
    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        let mut call = self.scripts.ready.call();
        self.schema.examples().iter().for_each(|name| _ = call.text(name));
        let told: Vec<i64> = self.link.run_everywhere(&call).await?;
        match told.into_iter().min() {
            Some(0) => Err(StoreError::new("the server is older than Redis 7").said()),
            Some(1) => Err(StoreError::new(connection::LACKS_RIGHTS).said()),
            _ => Ok(()),
        }
    }

    /// What each server does when it is full; `None` for one that does not tell.
    async fn policies(&self) -> Vec<Option<String>> {
        let told =
            self.link.query_everywhere::<Vec<String>>(&["CONFIG", "GET", "maxmemory-policy"]);
        if let Ok(told) = told.await {
            return told.into_iter().map(|mut pair| pair.pop()).collect();
        }
        // Managed servers let nobody read their settings, but say this one.
        let told = self.link.query_everywhere::<String>(&["INFO", "memory"]).await;
        let told = told.unwrap_or_default().into_iter();
        told.map(|info| field(&info, "maxmemory_policy").map(str::to_owned)).collect()
    }
}

impl Unfit {
    fn of(error: StoreError, hint: &str) -> Self {
        if error.said { Self::Wrong(format!("{error}{hint}")) } else { Self::Gone(error) }
    }
}

fn judge(told: &Told, strict: bool) -> Result<Option<String>, ConfigError> {
    let what = match told.policy.as_deref() {
        Some(KEEPS) => None,
        Some(policy) => Some(format!("`maxmemory-policy` of the server is {policy}")),
        None => Some("the server does not tell its `maxmemory-policy`".to_owned()),
    };
    let why = match what {
        Some(what) => format!("{what}: with any other than noeviction a block may be forgotten"),
        None if told.tells_run => return Ok(None),
        None => "the server does not tell its `run_id`, for which the user needs INFO: a restart that loses blocks goes unseen".to_owned(),
    };
    if strict { Err(ConfigError::new(why)) } else { Ok(Some(why)) }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}
