//! Whose number it is, by the records of a configuration: for commands about a user.

use super::config::{Config, LoginConfig};
use crate::{error::ConfigError, otp::Subject, phone::Phone, store::StoreError};

impl Config {
    /// The number that the records of the login have for a subject; `None` if they know no such subject.
    ///
    /// # Errors
    ///
    /// When they do not answer, or were written under another pepper.
    pub async fn phone_of(&self, subject: &Subject) -> Result<Option<Phone>, ConfigError> {
        let Some(login) = self.opened().await? else { return Ok(None) };
        let kept =
            login.records.phone(subject.clone()).await.map_err(|error| unanswered(&error))?;
        let opened = kept.map(|kept| login.secrets.open_phone(&kept.sealed, subject));
        opened.map(|phone| phone.ok_or_else(spoilt)).transpose()
    }

    /// The subject that the records of the login have for a number, if there is one.
    ///
    /// # Errors
    ///
    /// When they do not answer, or were written under another pepper.
    pub async fn subject_of(&self, phone: &Phone) -> Result<Option<Subject>, ConfigError> {
        let Some(login) = self.opened().await? else { return Ok(None) };
        let tag = login.secrets.phone_tag(phone).ok_or_else(spoilt)?;
        login.records.find(tag).await.map_err(|error| unanswered(&error))
    }

    /// The login, its records open; `None` if there is none.
    /// Whether the owner of a number wants no messages, by the records of the login.
    ///
    /// # Errors
    ///
    /// When there is no login or its records are in the memory of each process, when they do not answer, or were written under another
    /// pepper.
    pub async fn is_opted_out(&self, phone: &Phone) -> Result<bool, ConfigError> {
        self.check_shares_records()?;
        let login = self.opened().await?.ok_or_else(no_login)?;
        let tag = login.secrets.phone_tag(phone).ok_or_else(spoilt)?;
        login.records.is_opted_out(tag).await.map_err(|error| unanswered(&error))
    }

    /// For what a process writes into records that is not the one that serves.
    pub(super) fn check_shares_records(&self) -> Result<(), ConfigError> {
        if self.login.as_ref().ok_or_else(no_login)?.shares_records {
            return Ok(());
        }
        Err(ConfigError::new(
            "[records]: in memory, so they are in the running process, which alone can be asked: a restart forgets them",
        ))
    }

    async fn opened(&self) -> Result<Option<&LoginConfig>, ConfigError> {
        let Some(login) = &self.login else { return Ok(None) };
        let mark = login.secrets.records_mark().ok_or_else(spoilt)?;
        match login.records.open(mark).await {
            Ok(()) => Ok(Some(login)),
            Err(error) => Err(ConfigError::new(error.to_string()).within("[records]")),
        }
    }
}

fn no_login() -> ConfigError {
    ConfigError::new("there is no [otp] section")
}

fn unanswered(error: &StoreError) -> ConfigError {
    ConfigError::new(error.to_string()).within("[records]")
}

fn spoilt() -> ConfigError {
    ConfigError::new("a number cannot be read").within("[records]")
}
