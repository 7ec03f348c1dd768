//! What operators block by hand, on all instances that share a store.

use super::{
    config::{Config, TrustConfig},
    ears::Ears,
    ending::Chores,
};
use crate::{
    block::Blocklist,
    error::ConfigError,
    key::Key,
    otp::Subject,
    phone::Phone,
    store::{Block, NamedBlock, Redis, StoreError},
};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// The [blocks](crate::block) of the instances that share the store of a configuration, for a process that is none of them.
///
/// What is set holds at the next request of each instance, and what is lifted is lifted within a second. Both are events: in the audit
/// log, or in the log of this process where a running gateway writes that.
#[derive(Clone, Debug)]
pub struct Blocks {
    config: Config,
    store: Redis,
}

/// Whom an operator means.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Whom {
    /// A client, or all of the network by which the clients of an IPv6 address are counted.
    Address(IpAddr),
    /// A phone: it gets no code and logs in with none.
    Phone(Phone),
    /// A user: the tokens are refused, and so is a login.
    Subject(Subject),
    /// The `sid` of a session: its tokens are refused, and are good again afterwards.
    Session(String),
    /// Who is blocked under this key.
    Key(Key),
}

/// The longest block that has an end: ten years.
const LONGEST: Duration = Duration::from_secs(3_650 * 86_400);

impl Blocks {
    /// The blocks in the store of `config`.
    ///
    /// # Errors
    ///
    /// When its store is in the memory of each instance.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        let store = config.store.patient().ok_or_else(|| {
            ConfigError::new(
                "[store]: in memory, so blocks are in the running process, which alone can be asked: a restart lifts them; [deny] keeps \
                 networks out, and backend = \"redis\" is a store that commands reach",
            )
        })?;
        Ok(Self { config: config.clone(), store })
    }

    /// Those that stand, at most `most`, revocations and ended sessions among them.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn list(&self, most: usize) -> Result<Vec<NamedBlock>, StoreError> {
        self.store.named_blocks(most).await
    }

    /// Blocks `whom`, in place of the block that may stand, for so long; `None` has no end. Answers what the block is called in the store.
    ///
    /// `issuer` is whose subject or session it is, where it is not the one of `[token]`.
    ///
    /// # Errors
    ///
    /// When no block would stop them, such as a proxy that is trusted or the subject of an issuer that is not; when the time is zero or
    /// more than 3650 days; when the store does not answer, or the audit log cannot be opened.
    pub async fn set(
        &self,
        whom: &Whom,
        issuer: Option<&str>,
        lasting: Option<Duration>,
    ) -> Result<String, ConfigError> {
        if lasting.is_some_and(|lasting| lasting.is_zero() || lasting > LONGEST) {
            return Err(ConfigError::new(
                "a block lasts more than 0s and at most 3650d, or forever",
            ));
        }
        if let Whom::Address(address) = whom
            && self.config.clients.of_connection(*address).is_none()
        {
            return Err(ConfigError::new(format!(
                "{address} is a proxy that [clients] trusts: no block stops it, nor whom it speaks for"
            )));
        }
        let key = self.key(whom, issuer)?;
        let block = Block { lasting, since: None };
        self.tell(async |blocks| blocks.block(key, block).await).await?;
        Ok(self.store.block_name(key))
    }

    /// Lifts what stands against `whom`, revocations as well, and forgets strikes. Says whether anything stood.
    ///
    /// # Errors
    ///
    /// When there is no such issuer, the store does not answer, or the audit log cannot be opened.
    pub async fn lift(&self, whom: &Whom, issuer: Option<&str>) -> Result<bool, ConfigError> {
        let key = self.key(whom, issuer)?;
        self.tell(async |blocks| blocks.unblock(key).await).await
    }

    /// Does it, and waits until the audit log says so.
    async fn tell<T>(
        &self,
        act: impl AsyncFnOnce(&Blocklist) -> Result<T, StoreError>,
    ) -> Result<T, ConfigError> {
        let mut ears = Ears::beside(&self.config).await?;
        let mut blocks = self.blocklist();
        if let Some(sink) = ears.sink() {
            blocks = blocks.audit(Arc::clone(sink));
        }
        let chores = Chores::of_ears(&mut ears);
        let done = act(&blocks).await;
        drop((blocks, ears));
        chores.end().await;
        done.map_err(|error| ConfigError::new(error.to_string()))
    }

    fn key(&self, whom: &Whom, issuer: Option<&str>) -> Result<Key, ConfigError> {
        let blocks = self.blocklist();
        Ok(match whom {
            Whom::Address(address) => self.config.clients.key(*address),
            Whom::Phone(phone) => blocks.phone(phone),
            Whom::Subject(subject) => blocks.subject(self.issuer(issuer)?, subject.as_str()),
            Whom::Session(session) => blocks.session(self.issuer(issuer)?, session),
            Whom::Key(key) => *key,
        })
    }

    fn blocklist(&self) -> Blocklist {
        Blocklist::new(self.store.clone())
    }

    fn issuer<'a>(&'a self, named: Option<&str>) -> Result<&'a str, ConfigError> {
        let known = self.config.trust.as_ref().map(TrustConfig::issuers).unwrap_or_default();
        let mut known = known.into_iter().map(|(name, _)| name);
        match named {
            Some(named) => known.find(|known| *known == named).ok_or_else(|| {
                let named = named.escape_default();
                ConfigError::new(format!("the configuration trusts no issuer `{named}`"))
            }),
            None if self.config.issuer.is_some() => Ok(self.config.issuer()?.name()),
            None => match (known.next(), known.next()) {
                (Some(one), None) => Ok(one),
                (None, _) => Err(ConfigError::new(
                    "there is no [token] and no [[issuer]], so nobody has a token",
                )),
                _ => Err(ConfigError::new("whose? There are several [[issuer]]: name one")),
            },
        }
    }
}
