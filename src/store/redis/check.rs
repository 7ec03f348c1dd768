//! What a server must be, looked at once before anything is served.

use super::{Inner, Redis, connection};
use crate::{
    error::ConfigError,
    eventual::Eventual,
    store::{Resilient, StoreError, resilient::Fitness},
};
use futures_util::future::{join, join4};
use std::time::Duration;
use tokio::time::timeout;

/// For all of it: a server far away may take longer to connect to than a request may wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// Scripts are replicated by their effects, and NX goes with GET, from here on.
const OLDEST: u32 = 7;
/// The policy of a server that forgets nothing it was given.
const KEEPS: &str = "noeviction";
const NO_RUN: &str = "the server does not tell its `run_id`, for which the user needs INFO: a restart that loses blocks goes unseen";

impl Resilient<Redis> {
    /// Looks at the server before anything is served, for two seconds at most, and says what somebody should be told: that it
    /// does not answer, which is no reason not to start, or that it may forget what it is given.
    ///
    /// A server that does not answer is as good as lost, and looked at once more when it does: what would be an error here is then an
    /// audit event, and it stays unused; what would be told is one, too. Whoever asks first waits for some trips more.
    /// The same is looked at again when its [marker](crate::Store::marker) says that it was emptied or restarted, or that another
    /// server is in its place, which may have other settings.
    ///
    /// # Errors
    ///
    /// When the server answers and cannot be used: it refuses the user or the password, is older than version 7, or runs no
    /// scripts. For a [strict](Self::strict) one, also when its `maxmemory-policy` is not `noeviction` or cannot be read, and when
    /// it does not tell whether it was restarted: a block that is lost without a sign lets in who was blocked.
    pub async fn check(&self) -> Result<Option<String>, ConfigError> {
        let patient = self.far().clone().deadline(PATIENCE);
        let checked = match timeout(PATIENCE, patient.0.check()).await {
            Ok(checked) => checked,
            Err(_) => Err(Unfit::Gone(StoreError::new("no answer within two seconds"))),
        };
        let (far, strict) = (self.far().clone(), self.is_strict());
        let found = judge(checked, strict);
        let look = move || {
            let far = far.clone();
            Eventual::later(async move { judge(far.0.check().await, strict) })
        };
        self.examined(Box::new(look), &found);
        match found {
            Fitness::Fit => Ok(None),
            Fitness::Doubtful(what) => Ok(Some(what)),
            Fitness::Unfit(why) => Err(ConfigError::new(why)),
            Fitness::Gone(error) => Ok(Some(format!(
                "{error}; until it answers, limits hold in this instance alone and no login goes on"
            ))),
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
    async fn check(&self) -> Result<Told, Unfit> {
        // At the same time, as a request may wait for it.
        let (pong, infos, ready, policies) = join4(
            self.link.query_everywhere::<()>(&["PING"]),
            self.link.query_everywhere(&["INFO", "server"]),
            self.ready(),
            self.policies(),
        )
        .await;
        pong.map_err(|error| Unfit::of(error, ""))?;
        // Who may run nothing but scripts may not ask for the version; then the scripts tell.
        let infos = unless_silent(infos)?;
        let infos: Vec<String> = infos.unwrap_or_default();
        for info in &infos {
            let version = field(info, "redis_version").unwrap_or_default();
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            if major.is_some_and(|major| major < OLDEST) {
                return Err(Unfit::Wrong(format!(
                    "the server is version {version}: {OLDEST} or later is needed"
                )));
            }
        }
        ready.map_err(|error| {
            Unfit::of(
                error,
                "; it must run Lua scripts, and the user may use EVALSHA, EVAL and SCRIPT LOAD",
            )
        })?;
        let mut policies = policies?;
        // Of several servers the one that forgets counts.
        policies.sort_by_key(|policy| policy.as_deref() == Some(KEEPS));
        let tells_run = |info: &String| field(info, "run_id").is_some_and(|run| !run.is_empty());
        Ok(Told {
            policy: policies.into_iter().next().flatten(),
            tells_run: !infos.is_empty() && infos.iter().all(tells_run),
        })
    }

    /// Whether the server answers, is new enough, and lets this user do what scripts do.
    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        let mut call = self.scripts.ready.call();
        call.number(i64::from(self.schema.has_tags));
        self.schema.examples().iter().for_each(|name| _ = call.text(name));
        let told: Vec<i64> = self.link.run_everywhere(&call).await?;
        match told.into_iter().min() {
            Some(0) => Err(StoreError::new("the server is older than Redis 7").said()),
            Some(1) => Err(StoreError::new(connection::LACKS_RIGHTS).said()),
            _ => Ok(()),
        }
    }

    /// What each server does when it is full; `None` for one that does not tell.
    async fn policies(&self) -> Result<Vec<Option<String>>, Unfit> {
        // Managed servers let nobody read their settings, but say this one.
        let (settings, infos) = join(
            self.link.query_everywhere::<Vec<String>>(&["CONFIG", "GET", "maxmemory-policy"]),
            self.link.query_everywhere::<String>(&["INFO", "memory"]),
        )
        .await;
        if let Some(told) = unless_silent(settings)? {
            return Ok(told.into_iter().map(|mut pair| pair.pop()).collect());
        }
        let told = unless_silent(infos)?.unwrap_or_default().into_iter();
        Ok(told.map(|info| field(&info, "maxmemory_policy").map(str::to_owned)).collect())
    }
}

impl Unfit {
    fn of(error: StoreError, hint: &str) -> Self {
        if error.said { Self::Wrong(format!("{error}{hint}")) } else { Self::Gone(error) }
    }
}

/// What the server answers, or `None` where it refuses to.
fn unless_silent<T>(answer: Result<T, StoreError>) -> Result<Option<T>, Unfit> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.said => Ok(None),
        Err(error) => Err(Unfit::Gone(error)),
    }
}

fn judge(checked: Result<Told, Unfit>, strict: bool) -> Fitness {
    let told = match checked {
        Ok(told) => told,
        Err(Unfit::Gone(error)) => return Fitness::Gone(error),
        Err(Unfit::Wrong(why)) => return Fitness::Unfit(why),
    };
    let what = match told.policy.as_deref() {
        Some(KEEPS) if told.tells_run => return Fitness::Fit,
        Some(KEEPS) => return doubt(NO_RUN.to_owned(), strict),
        Some(policy) => format!("`maxmemory-policy` of the server is {policy}"),
        None => "the server does not tell its `maxmemory-policy`".to_owned(),
    };
    doubt(format!("{what}: with any other than noeviction a block may be forgotten"), strict)
}

fn doubt(why: String, strict: bool) -> Fitness {
    if strict { Fitness::Unfit(why) } else { Fitness::Doubtful(why) }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}
