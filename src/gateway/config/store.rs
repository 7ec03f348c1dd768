//! The section `[store]`: where limits, blocks, codes and sessions are kept.

use super::{
    Config,
    keys::{SecretRef, Sources},
    sections::DurationText,
};
use crate::{
    audit::Sink,
    error::ConfigError,
    key::Pepper,
    otp::SharedLoginStore,
    profile::Profile,
    store::{Memory, Near, Redis, Resilient, SharedStore, Store},
};
use serde::Deserialize;
use std::{fmt, sync::Arc, time::Duration};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreSection {
    #[serde(default)]
    backend: Backend,
    url: Option<String>,
    password: Option<SecretRef>,
    /// The authority that signed the server's certificate.
    ca: Option<SecretRef>,
    pepper: Option<SecretRef>,
    deadline: Option<DurationText>,
    outage_share: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Backend {
    #[default]
    Memory,
    Redis,
}

/// A store that was checked; it is not there yet.
#[derive(Clone)]
pub(in crate::gateway) enum StoreConfig {
    /// With what it tags, where that outlives the process.
    Memory(Option<Pepper>),
    Redis(Resilient<Redis>),
}

/// For an answer, where none is written.
pub(super) const DEADLINE: Duration = Duration::from_millis(25);
/// Of each quota in an outage, where none is written.
pub(super) const OUTAGE_SHARE: f64 = 0.5;

/// For somebody who waits for an answer, the connection included.
const PATIENCE: Duration = Duration::from_secs(2);

const DEADLINES: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(5)..=Duration::from_secs(2);

impl StoreSection {
    /// Whether there may be more instances than one.
    pub(super) fn is_shared(&self) -> bool {
        self.backend == Backend::Redis
    }

    pub(super) fn build(
        &self,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<StoreConfig, ConfigError> {
        if self.backend == Backend::Memory {
            let unused = [
                ("url", self.url.is_some()),
                ("password", self.password.is_some()),
                ("ca", self.ca.is_some()),
                ("pepper", self.pepper.is_some()),
                ("deadline", self.deadline.is_some()),
                ("outage_share", self.outage_share.is_some()),
            ];
            return match unused.into_iter().find(|(_, written)| *written) {
                Some((key, _)) => Err(ConfigError::new(format!(
                    "`{key}` is for a store that is shared: set backend = \"redis\", or leave it out"
                ))),
                None => Ok(StoreConfig::Memory(None)),
            };
        }
        let pepper = self.pepper.as_ref().ok_or_else(|| {
            ConfigError::new(
                "`pepper` is missing: 32 random bytes or more, the same on every instance, like pepper = \
                 \"env:STORE_PEPPER\"",
            )
        })?;
        let pepper = Pepper::new(&pepper.strong(sources).map_err(|error| error.within("pepper"))?)?;
        let mut redis = self.redis(pepper, sources)?;
        if profile != Profile::Dev && !redis.is_private() {
            return Err(ConfigError::new(format!(
                "url: profile \"{}\" sends nothing unencrypted to another machine: begin it with rediss",
                profile.name()
            )));
        }
        if profile != Profile::Dev {
            redis = redis.keep_private();
        }
        let deadline = self.deadline.map_or(DEADLINE, |DurationText(deadline)| deadline);
        if !DEADLINES.contains(&deadline) {
            return Err(ConfigError::new("deadline: 5ms to 2s"));
        }
        let store = Resilient::new(redis.deadline(deadline));
        let store = store.share(self.outage_share.unwrap_or(OUTAGE_SHARE));
        let store = store.map_err(|error| error.within("outage_share"))?;
        Ok(StoreConfig::Redis(if profile == Profile::Banking { store.strict() } else { store }))
    }

    /// The server or servers that are named, with the password and the authority that stand beside.
    fn redis(&self, pepper: Pepper, sources: Sources<'_>) -> Result<Redis, ConfigError> {
        let mut redis =
            Redis::new(&self.url(sources)?, pepper).map_err(|error| error.within("url"))?;
        if let Some(secret) = &self.password {
            let password = String::from_utf8(secret.secret(sources)?)
                .map_err(|_| ConfigError::new("not text").within(secret).within("password"))?;
            redis = redis.password(&password).map_err(|error| error.within("password"))?;
        }
        if let Some(file) = &self.ca {
            let pem = file.text(sources).map_err(|error| error.within("ca"))?;
            redis = redis.ca(&pem).map_err(|error| error.within("ca"))?;
        }
        Ok(redis)
    }

    fn url(&self, sources: Sources<'_>) -> Result<String, ConfigError> {
        let text = self.url.as_deref().ok_or_else(|| {
            ConfigError::new("`url` is missing, like url = \"redis://127.0.0.1:6379\"")
        })?;
        // What names a secret has no slashes: `file:` is not followed by two.
        if !text.contains("://") {
            let secret = SecretRef::try_from(text.to_owned()).map_err(|_| {
                ConfigError::new("url: like redis://127.0.0.1:6379, or env:REDIS_URL")
            })?;
            let bytes = secret.secret(sources)?;
            let url = String::from_utf8(bytes);
            return url.map_err(|_| ConfigError::new("not a URL").within(secret));
        }
        let user = text.rsplit_once('@').and_then(|(user, _)| user.split_once("://"));
        if user.is_some_and(|(_, user)| user.contains(':')) || text.contains("pass=") {
            return Err(ConfigError::new(
                "url: a password does not belong into this file: name it, like password = \"env:REDIS_PASSWORD\", \
                 or the whole URL, like url = \"env:REDIS_URL\"",
            ));
        }
        Ok(text.to_owned())
    }
}

impl StoreConfig {
    /// The same store; one in memory tags with `pepper`.
    pub(super) fn tagging_with(self, pepper: Option<Pepper>) -> Self {
        match self {
            Self::Memory(_) => Self::Memory(pepper),
            Self::Redis(_) => self,
        }
    }

    pub(in crate::gateway) fn open(&self) -> SharedLoginStore {
        match self {
            Self::Memory(None) => Arc::new(Memory::new()),
            Self::Memory(Some(pepper)) => Arc::new(Memory::new().tagging_with(pepper.clone())),
            Self::Redis(store) => Arc::new(Near::new(store.clone())),
        }
    }

    /// A store that instances share, for somebody who waits for its answer: what they go on with while it is away is not that.
    pub(in crate::gateway) fn patient(&self) -> Option<Redis> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(store) => Some(store.far().clone().deadline(PATIENCE)),
        }
    }

    /// What does not remember refusals, beneath the store that is `open`.
    pub(in crate::gateway) fn beneath(&self, open: &SharedLoginStore) -> SharedStore {
        match self {
            Self::Memory(_) => Arc::clone(open) as SharedStore,
            Self::Redis(store) => Arc::new(store.clone()),
        }
    }

    /// The same store, whose losses and returns `sink` is told of.
    pub(in crate::gateway) fn told_to(&self, sink: Option<&Arc<dyn Sink>>) -> Self {
        match (self, sink) {
            (Self::Redis(store), Some(sink)) => Self::Redis(store.clone().audit(Arc::clone(sink))),
            _ => self.clone(),
        }
    }

    /// The secret under which keys are tagged, where it outlives the process.
    pub(in crate::gateway) fn pepper(&self) -> Option<&Pepper> {
        match self {
            Self::Memory(pepper) => pepper.as_ref(),
            Self::Redis(store) => Some(store.pepper()),
        }
    }

    /// What somebody should be told of the store before anything is served.
    pub(in crate::gateway) async fn check(&self) -> Result<Option<String>, ConfigError> {
        match self {
            Self::Memory(_) => Ok(None),
            Self::Redis(store) => store.check().await,
        }
    }

    /// Whether all of it answers. Asks it once a second at most, so that this can be told without any other request.
    pub(in crate::gateway) async fn is_there(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::Redis(store) => {
                store.probe().await;
                !store.is_lost() && store.lost_parts().is_empty()
            }
        }
    }
}

impl Config {
    /// For a process that does not serve: it waits longer for the store.
    pub(in crate::gateway) fn patient(self) -> Self {
        match self.store.patient() {
            Some(store) => Self { store: StoreConfig::Redis(Resilient::new(store)), ..self },
            None => self,
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory(_) => "Memory",
            Self::Redis(_) => "Redis",
        })
    }
}
