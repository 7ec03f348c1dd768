//! What a command does with the parts of a gateway, beside the one that serves or without it.

use super::{Gateway, config::Config, ears::Ears, ending::Chores};
use crate::{
    error::ConfigError,
    otp::{Subject, Wish},
    phone::Phone,
};

/// Whose sessions an operator means.
#[derive(Clone, Debug)]
pub enum Owner {
    /// A user.
    Subject(Subject),
    /// The user whose number it is in the records.
    Phone(Phone),
}

impl Gateway {
    /// Forgets a subject of the login, as [`erase`](Self::erase) does, and waits until the audit log says so. Where a running
    /// gateway writes that log, what happens here is in the log of this process alone, which says that.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new) and of `erase`.
    pub async fn erase_once(config: &Config, subject: &Subject) -> Result<bool, ConfigError> {
        Self::once(config, async |gateway| gateway.erase(subject).await).await
    }

    /// Ends all sessions of a user, for the instances that share the store of `config`: their refresh tokens at once, their access tokens
    /// at the next request. Says how many there were. It is told of as [`erase_once`](Self::erase_once) is.
    ///
    /// # Errors
    ///
    /// When there is no login, its store is in the memory of each instance, nobody has the number, or the records or the store do not
    /// answer.
    pub async fn end_sessions_once(config: &Config, owner: &Owner) -> Result<usize, ConfigError> {
        if config.store.patient().is_none() {
            return Err(ConfigError::new(
                "[store]: in memory, so sessions are in the running process, which alone can end them: a restart ends them all",
            ));
        }
        Self::once(config, async |gateway| gateway.end_sessions(owner).await).await
    }

    /// Keeps what the owner of a number wishes about messages, as if it had come by a webhook, and says whether that is new: for the instances
    /// that share the records of `config`, from the next code on. It is told of as [`erase_once`](Self::erase_once) is.
    ///
    /// A provider may keep a list of its own: Twilio ends its block when the owner writes START.
    ///
    /// # Errors
    ///
    /// When there is no login, its records are in the memory of each process, or they do not answer.
    pub async fn heed_once(
        config: &Config,
        phone: &Phone,
        wish: Wish,
    ) -> Result<bool, ConfigError> {
        config.check_shares_records()?;
        Self::once(config, async |gateway| {
            let heeded = gateway.opened().await?.heed(phone, wish).await;
            heeded.map_err(|_| ConfigError::new("the records do not answer: try it again"))
        })
        .await
    }

    async fn end_sessions(&self, owner: &Owner) -> Result<usize, ConfigError> {
        let otp = self.login()?;
        let subject = match owner {
            Owner::Subject(subject) => subject.clone(),
            Owner::Phone(phone) => self.holder(phone).await?,
        };
        otp.logout_all(&subject).await.map_err(|_| {
            ConfigError::new("the store does not answer: some sessions may go on, so try it again")
        })
    }

    async fn holder(&self, phone: &Phone) -> Result<Subject, ConfigError> {
        let otp = self.opened().await?;
        let failed = |_| ConfigError::new("the records do not answer: try it again");
        otp.subject(phone).await.map_err(failed)?.ok_or_else(|| {
            ConfigError::new(
                "nobody in the records has this number. Records in memory are in the running process: name the subject then",
            )
        })
    }

    /// Does it with a gateway that does not serve, and waits until the audit log says so.
    async fn once<T>(
        config: &Config,
        act: impl AsyncFnOnce(&Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let config = config.clone().patient();
        let mut gateway = Self::over(&config, Ears::beside(&config).await?)?;
        let chores = Chores::of(&mut gateway);
        let done = act(&gateway).await;
        drop(gateway);
        chores.end().await;
        done
    }
}
