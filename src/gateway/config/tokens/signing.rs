//! The keys of the section `[token]`: what signs, who else can read them, and when the next one does.

use super::token::TokenSection;
use crate::gateway::config::{
    keys::{self, SecretRef, Sources},
    sections::DurationText,
};
use crate::{
    error::ConfigError,
    gateway::key_watch::KeyWatch,
    jwt::Algorithm,
    profile::Profile,
    token::{Issuer, KeyFile, is_exposed},
};
use std::{ops::RangeInclusive, time::Duration};

/// Our own issuer, and what there is to do for its keys.
#[derive(Debug)]
pub(in crate::gateway) struct OwnIssuer {
    pub(in crate::gateway) issuer: Issuer,
    pub(in crate::gateway) watch: Option<KeyWatch>,
    /// What is allowed here alone.
    pub(in crate::gateway) warnings: Vec<String>,
}

/// How long a key signs.
const PERIODS: RangeInclusive<Duration> =
    Duration::from_secs(86_400)..=Duration::from_secs(365 * 86_400);

/// For verifiers elsewhere to fetch what is published, and for instances to agree, besides the time for which it is kept.
const MARGIN: Duration = Duration::from_secs(60);

impl TokenSection {
    pub(in crate::gateway) fn own(
        &self,
        profile: Profile,
        sources: Sources<'_>,
    ) -> Result<OwnIssuer, ConfigError> {
        let mut reader = Reader { section: self, profile, sources, warnings: Vec::new() };
        let (issuer, file) = match &self.keys {
            Some(keys) => reader.named(keys)?,
            None if profile == Profile::Dev => {
                let algorithm = self.algorithm()?.unwrap_or(Algorithm::ES256);
                (Issuer::generate_for(&self.issuer, &self.audience, algorithm)?, None)
            }
            None => {
                return Err(ConfigError::new(
                    "`keys` is missing: name the signing keys, like keys = \"file:signing.jwks\", which \
                     `portcullis keys generate --out signing.jwks` makes",
                ));
            }
        };
        let issuer = self.aged(reader.with_retiring(issuer)?)?;
        let watch = self.watch(&issuer, file)?;
        Ok(OwnIssuer { issuer, watch, warnings: reader.warnings })
    }

    fn algorithm(&self) -> Result<Option<Algorithm>, ConfigError> {
        self.algorithm.as_deref().map(str::parse).transpose()
    }

    /// The issuer with the lifetimes of its tokens and of what it publishes.
    fn aged(&self, mut issuer: Issuer) -> Result<Issuer, ConfigError> {
        if let Some(DurationText(lifetime)) = self.access {
            issuer = issuer.lifetime(lifetime).map_err(|error| error.within("access"))?;
        }
        if let Some(DurationText(age)) = self.jwks_max_age {
            issuer = issuer.jwks_max_age(age).map_err(|error| error.within("jwks_max_age"))?;
        }
        Ok(issuer)
    }

    fn watch(
        &self,
        issuer: &Issuer,
        file: Option<KeyFile>,
    ) -> Result<Option<KeyWatch>, ConfigError> {
        let wrong = |what: &'static str| Err(ConfigError::new(what).within("rotate"));
        match (file, self.rotate) {
            (None, None) => Ok(None),
            (None, Some(_)) => wrong(
                "only keys of a file that `portcullis keys generate` makes can rotate, like keys = \
                 \"file:signing.jwks\"",
            ),
            (Some(_), Some(DurationText(period))) if !PERIODS.contains(&period) => {
                wrong("1d to 365d")
            }
            (Some(file), rotate) => {
                let schedule =
                    rotate.map(|DurationText(period)| (period, issuer.max_age() + MARGIN));
                let file = match self.algorithm()? {
                    Some(algorithm) if rotate.is_some() => file.algorithm(algorithm),
                    Some(_) => return Err(ConfigError::new(NEEDLESS)),
                    None => file,
                };
                Ok(Some(KeyWatch::new("[token]", file, schedule)))
            }
        }
    }
}

const NEEDLESS: &str = "`algorithm` is for a PEM key, a secret, or the next keys of `rotate`: a JWK says itself what it is for";

/// Reads keys by what they look like.
struct Reader<'a> {
    section: &'a TokenSection,
    profile: Profile,
    sources: Sources<'a>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    /// What signs; a file of keys that rotate, too.
    fn named(&mut self, keys: &SecretRef) -> Result<(Issuer, Option<KeyFile>), ConfigError> {
        let TokenSection { issuer, audience, .. } = self.section;
        if self.section.algorithm()?.is_some_and(Algorithm::is_symmetric) {
            return Ok((self.single(keys)?, None));
        }
        let text = self.text(keys)?;
        if !keys::is_jwk_set(&text) {
            return Ok((self.single(keys)?, None));
        }
        if !self.section.retiring.is_empty() {
            return Err(
                ConfigError::new("a key set has its retiring keys in it").within("retiring")
            );
        }
        match keys.path(self.sources) {
            Some(path) => {
                let file = KeyFile::read(&path, self.profile == Profile::Dev);
                let file = file.map_err(|error| error.within(keys))?;
                Ok((Issuer::from_file(issuer, audience, &file)?, Some(file)))
            }
            None => {
                let neither = || ConfigError::new("the keys are not UTF-8").within(keys);
                let json = String::from_utf8(text).map_err(|_| neither())?;
                let issuer = Issuer::from_jwks(issuer, audience, &json);
                Ok((issuer.map_err(|error| error.within(keys))?, None))
            }
        }
    }

    /// The issuer with the keys that sign nothing.
    fn with_retiring(&mut self, mut issuer: Issuer) -> Result<Issuer, ConfigError> {
        for old in &self.section.retiring {
            let other = self.single(old)?;
            issuer = issuer.with_key_of(&other).map_err(|error| error.within(old))?;
        }
        Ok(issuer)
    }

    /// One key: PEM or a secret for the algorithm that is named, or a JWK.
    fn single(&mut self, keys: &SecretRef) -> Result<Issuer, ConfigError> {
        let TokenSection { issuer, audience, .. } = self.section;
        let algorithm = self.section.algorithm()?;
        let text = self.text(keys)?;
        let made = match algorithm {
            Some(algorithm) if algorithm.is_symmetric() => {
                Issuer::from_secret(issuer, audience, keys.decode(text)?, algorithm)
            }
            _ if keys::is_pem(&text) => {
                Issuer::from_pem(issuer, audience, text, algorithm.unwrap_or(Algorithm::ES256))
            }
            Some(_) => return Err(ConfigError::new(NEEDLESS)),
            None => {
                let neither = || ConfigError::new("the key is neither PEM nor JSON").within(keys);
                let json = String::from_utf8(text).map_err(|_| neither())?;
                Issuer::from_jwk(issuer, audience, &json)
            }
        };
        made.map_err(|error| error.within(keys))
    }

    /// The text, of a file that nobody else can read.
    fn text(&mut self, keys: &SecretRef) -> Result<Vec<u8>, ConfigError> {
        let text = keys.text(self.sources)?;
        if let Some(path) = keys.path(self.sources)
            && let Some(error) = is_exposed(&path)?
        {
            let error = error.within(keys);
            if self.profile != Profile::Dev {
                return Err(error);
            }
            let warning = format!("[token]: {error}");
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        Ok(text)
    }
}
