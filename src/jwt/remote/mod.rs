//! Keys that are fetched from their issuer.

mod asking;
mod held;
mod refresh;
mod report;
mod source;
mod strangers;

pub use refresh::KeyRefresh;

use self::{
    asking::{Asking, Attempts, Remote},
    held::Held,
    refresh::SHORTEST,
    report::Report,
    source::{Http, Origin, Source},
    strangers::Strangers,
};
use super::Keys;
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    outbound::{Outbound, Place, check_ca},
};
use std::{ops::RangeInclusive, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// The keys that an issuer publishes as a JWK set, fetched over https and kept up to date.
///
/// [`build`](Self::build) gives the [`Keys`] and what fetches them, which the program spawns:
///
/// ```
/// use portcullis::{TrustedIssuer, Verifier, jwt::RemoteJwks};
///
/// # async fn run() -> Result<(), portcullis::ConfigError> {
/// let (keys, refresh) = RemoteJwks::url("https://idp.example/jwks.json")?.build()?;
/// tokio::spawn(refresh.run());
/// let issuer = TrustedIssuer::new("https://idp.example/", keys).audience("https://api.example");
/// let verifier = Verifier::new([issuer])?;
/// # Ok(()) }
/// ```
///
/// Nothing waits for the server but tokens with keys that are not known: at start, and after the issuer changed its
/// keys. They wait for a second at most, for one and the same fetch. Then they are refused: 401 if the issuer
/// has just said that there is no such key, 503 if it could not be asked.
///
/// # What is taken
///
/// A set of at most 256 KiB and 100 keys, whatever its media type, from https or from this machine, and without any
/// redirect. Symmetric and private keys in it, RSA keys of less than 2048 or more than 4096 bits, keys on other
/// curves, and ones that name a member twice are passed over. Keys without `alg` are for the one algorithm of
/// their kind, RS256 for RSA. A set without a key to use counts as not fetched.
#[derive(Clone, Debug)]
#[must_use]
pub struct RemoteJwks {
    origin: Origin,
    ca: Option<Vec<u8>>,
    refresh: Duration,
    cooldown: Duration,
    patience: Duration,
    stale_if_error: Duration,
    clock: Arc<dyn Clock>,
}

const REFRESH: RangeInclusive<Duration> = SHORTEST..=Duration::from_secs(24 * 3600);
const COOLDOWN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
const PATIENCE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(5);
const STALE: RangeInclusive<Duration> =
    Duration::from_secs(3600)..=Duration::from_secs(7 * 24 * 3600);
/// For how many cooldowns the issuer is not asked again for a key that it does not have.
const STRANGE: u32 = 4;

impl RemoteJwks {
    /// The set at `url`.
    ///
    /// # Errors
    ///
    /// When it is not an https URL, nor one of this machine (`localhost`, a loopback address), or has a user or a
    /// fragment.
    pub fn url(url: &str) -> Result<Self, ConfigError> {
        Ok(Self::at(Origin::Url(Place::parse(url).map_err(|error| error.within("JWKS URL"))?)))
    }

    /// The set that the metadata of `issuer` name as `jwks_uri`: OpenID Connect Discovery 1.0 or, where there is none,
    /// RFC 8414. Their `issuer` must be `issuer`, byte for byte. They are looked at before each fetch.
    ///
    /// # Errors
    ///
    /// As [`url`](Self::url), and when the name of the issuer has a query.
    pub fn discover(issuer: &str) -> Result<Self, ConfigError> {
        Ok(Self::at(Origin::of_issuer(issuer).map_err(|error| error.within("issuer"))?))
    }

    fn at(origin: Origin) -> Self {
        Self {
            origin,
            ca: None,
            refresh: Duration::from_secs(3600),
            cooldown: Duration::from_secs(30),
            patience: Duration::from_secs(1),
            stale_if_error: Duration::from_secs(12 * 3600),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Trusts the servers whose certificates `pem` has signed, too. It holds one or more certificates in PEM.
    ///
    /// # Errors
    ///
    /// When it holds none.
    pub fn ca(self, pem: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let pem = pem.into();
        check_ca(&pem).map_err(|error| error.within("CA"))?;
        Ok(Self { ca: Some(pem), ..self })
    }

    /// The longest time until the set is fetched again, whatever the server says: an hour by default. So long may a key
    /// that was withdrawn go unnoticed.
    ///
    /// # Errors
    ///
    /// When it is not a minute to a day.
    pub fn refresh(self, longest: Duration) -> Result<Self, ConfigError> {
        Ok(Self { refresh: within("refresh", longest, &REFRESH)?, ..self })
    }

    /// The time from the beginning of one fetch to the next one that a token with an unknown key leads to: 30 s by
    /// default.
    ///
    /// # Errors
    ///
    /// When it is not a second to ten minutes.
    pub fn cooldown(self, cooldown: Duration) -> Result<Self, ConfigError> {
        Ok(Self { cooldown: within("cooldown", cooldown, &COOLDOWN)?, ..self })
    }

    /// How long a request with an unknown key waits for a fetch: a second by default.
    ///
    /// # Errors
    ///
    /// When it is more than five seconds.
    pub fn patience(self, patience: Duration) -> Result<Self, ConfigError> {
        Ok(Self { patience: within("patience", patience, &PATIENCE)?, ..self })
    }

    /// How long keys are used after they were last fetched: twelve hours by default. Meanwhile the server may be gone, or
    /// answer anything but keys.
    ///
    /// # Errors
    ///
    /// When it is not an hour to seven days.
    pub fn stale_if_error(self, longest: Duration) -> Result<Self, ConfigError> {
        Ok(Self { stale_if_error: within("stale_if_error", longest, &STALE)?, ..self })
    }

    /// Reads the age of keys from `clock`. When to fetch again is told by tokio's timer.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// The keys, and what fetches them. Nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// When the authorities of the system cannot be read, or OpenSSL cannot be used.
    pub fn build(self) -> Result<(Keys, KeyRefresh), ConfigError> {
        let outbound = Outbound::new(self.ca.as_deref())?;
        let from = match &self.origin {
            Origin::Url(place) => place.to_string(),
            Origin::Issuer { name, .. } => name.clone(),
        };
        let source = Http { outbound, origin: self.origin.clone() };
        Ok(self.over(Box::new(source), from))
    }

    fn over(self, source: Box<dyn Source>, from: String) -> (Keys, KeyRefresh) {
        let held = Arc::new(Held::new(self.stale_if_error));
        let (wishes, wished) = mpsc::channel(1);
        let (attempts, attempted) = watch::channel(Attempts::default());
        let refresh = KeyRefresh {
            source,
            held: Arc::clone(&held),
            wishes: wished,
            attempts,
            clock: Arc::clone(&self.clock),
            cooldown: self.cooldown,
            longest: self.refresh,
            failures: 0,
            report: Report::new(from),
        };
        let asking = Asking {
            held,
            strangers: Strangers::new(self.cooldown * STRANGE),
            wishes,
            attempts: attempted,
            clock: self.clock,
            cooldown: self.cooldown,
            patience: self.patience,
        };
        (Keys::from_source(Remote(Arc::new(asking))), refresh)
    }
}

fn within(
    name: &str,
    time: Duration,
    bounds: &RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    if bounds.contains(&time) {
        return Ok(time);
    }
    let (least, most) = (bounds.start().as_secs(), bounds.end().as_secs());
    Err(ConfigError::new(format!("{name}: {least} s to {most} s, not {time:?}")))
}
