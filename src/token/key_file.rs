use super::{
    NewKey, private_file,
    private_set::{self, PrivateSet},
};
use crate::{
    clock::{Clock, SystemClock, UnixTime},
    duration,
    error::ConfigError,
    jwt::{Algorithm, Ring, Rings},
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use zeroize::Zeroizing;

/// A file of signing keys, which instances can share. A clone is one more reference to the same keys.
///
/// It is a JWK set with private keys. Each key signs from the second that it names in `nbf` until the next one does, and is
/// trusted until the last token that it can have signed has ended. So nothing has to be told to anybody: all who
/// have the file agree by their clocks.
///
/// A key of which no token is good any more is dropped by the next [`rotate`](Self::rotate). Its public half stays in the file, in the member
/// `retired`, as the last 256 do: no token is trusted by it, but [`Keys::ever`](crate::jwt::Keys::ever) knows what it signed to stay.
///
/// ```no_run
/// use portcullis::{jwt::Algorithm, token::{Issuer, KeyFile, NewKey}};
/// use std::time::Duration;
///
/// # async fn run() -> Result<(), portcullis::ConfigError> {
/// NewKey::generate(Algorithm::ES256)?.write_set("signing.jwks")?; // once
/// let file = KeyFile::open("signing.jwks")?;
/// let issuer = Issuer::from_file("https://login.example/", "https://api.example", &file)?;
/// tokio::spawn(async move {
///     loop {
///         tokio::time::sleep(Duration::from_secs(1)).await;
///         if let Err(error) = file.reload() {
///             eprintln!("{error}"); // and the keys so far go on
///         }
///     }
/// });
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct KeyFile {
    path: PathBuf,
    keys: Rings,
    /// What was read last.
    text: Arc<Mutex<Zeroizing<Vec<u8>>>>,
    may_be_exposed: bool,
    is_exposed: bool,
    algorithm: Option<Algorithm>,
    clock: Arc<dyn Clock>,
}

impl KeyFile {
    /// The shortest time for which a next key is published before it signs, 5 seconds: [`reload`](Self::reload) more often
    /// than twice in it.
    pub const LEAST_OVERLAP: Duration = Duration::from_secs(5);
    /// The longest, 30 days.
    pub const MOST_OVERLAP: Duration = Duration::from_secs(30 * 86_400);

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is larger than 1 MiB, or is no JWK set of which every key may and can sign; when other users can
    /// read or change it. Its group may read it where it belongs to another user than the one of the process.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::read(path.as_ref(), false).map_err(|error| error.within(path.as_ref().display()))
    }

    /// Reads a file that others may be able to read: on a machine of one's own.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open) but the last.
    pub fn open_exposed(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::read(path.as_ref(), true).map_err(|error| error.within(path.as_ref().display()))
    }

    /// Reads a file; errors do not name it.
    pub(crate) fn read(path: &Path, may_be_exposed: bool) -> Result<Self, ConfigError> {
        let (text, exposed) = private_file::read(path)?;
        if let (Some(error), false) = (&exposed, may_be_exposed) {
            return Err(error.clone());
        }
        Ok(Self {
            path: path.to_owned(),
            keys: Rings::changing(ring(&text)?),
            text: Arc::new(Mutex::new(text)),
            may_be_exposed,
            is_exposed: exposed.is_some(),
            algorithm: None,
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// What the next keys are for; by default the same as the last one.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Reads the time from `clock`.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Reads the file again, and says whether it has changed. Every issuer that has its keys from here, and whoever
    /// [trusts](super::Issuer::trusted) it, goes by the new keys at once.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open); the keys so far go on.
    pub fn reload(&self) -> Result<bool, ConfigError> {
        self.read_again().map_err(|error| error.within(self.path.display()))
    }

    fn read_again(&self) -> Result<bool, ConfigError> {
        // Locked first: of two callers the later one must not put back what it read before.
        let mut last = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, exposed) = private_file::read(&self.path)?;
        if let (Some(error), false) = (exposed, self.may_be_exposed) {
            return Err(error);
        }
        if **last == *text {
            return Ok(false);
        }
        self.keys.replace(ring(&text)?);
        *last = text;
        Ok(true)
    }

    /// Adds a key that signs after `overlap`, and drops those that are gone. Verifiers elsewhere keep what is published: choose
    /// `overlap` longer than [`jwks_max_age`](super::Issuer::jwks_max_age), or the tokens of the new key are refused there at first.
    ///
    /// # Errors
    ///
    /// When `overlap` is less than 5 seconds or more than 30 days, a next key is waiting already, or the file cannot be
    /// changed.
    pub fn rotate(&self, overlap: Duration) -> Result<(), ConfigError> {
        if !(Self::LEAST_OVERLAP..=Self::MOST_OVERLAP).contains(&overlap) {
            return Err(ConfigError::new("the overlap of keys: 5s to 30d"));
        }
        self.change(|set, now| match waits(&set.ring()?, now) {
            Some(wait) => Err(ConfigError::new(format!(
                "the next key is there already: it signs in {}",
                duration::format(Duration::from_secs(wait.as_secs().max(1)))
            ))),
            None => self.follow(set, now, overlap).map(Some),
        })
        .map(drop)
    }

    /// [Rotates](Self::rotate) if the key that signs will have signed for `period` after `overlap`, and says whether it did.
    /// Of several instances that share the file, one does. While another process changes the file it does not: ask again later.
    ///
    /// # Errors
    ///
    /// When `period` is not longer than `overlap`, or those of `rotate`.
    pub fn rotate_after(&self, period: Duration, overlap: Duration) -> Result<bool, ConfigError> {
        if period <= overlap {
            return Err(ConfigError::new("keys that rotate sign for longer than they overlap"));
        }
        let is_due = |ring: &Ring, now: UnixTime| {
            let last = ring.keys().last().map(|timed| timed.begins).unwrap_or_default();
            waits(ring, now).is_none() && now.plus(overlap) >= last.plus(period)
        };
        if !is_due(&self.keys.now(), self.time()) {
            return Ok(false);
        }
        let changed = private_file::try_change(&self.path, |text| {
            let (set, now) = (PrivateSet::parse(utf8(text)?)?, self.time());
            match is_due(&set.ring()?, now) {
                true => self.follow(set, now, overlap)?.to_text().map(Some),
                false => Ok(None),
            }
        });
        let changed = changed.map_err(|error| error.within(self.path.display()))?;
        if changed.is_some() {
            self.reload()?;
        }
        Ok(changed.unwrap_or_default())
    }

    /// Puts one new key into the place of all: for when somebody else has them. All tokens that they signed are refused
    /// as soon as an instance has [read](Self::reload) the file; tokens of the new key are, until then, by other instances. Their public
    /// halves do not stay: who has to verify what they signed before it happened names these himself.
    ///
    /// # Errors
    ///
    /// When the file cannot be changed.
    pub fn revoke(&self) -> Result<(), ConfigError> {
        self.change(|mut set, now| {
            let key = NewKey::generate(self.next_algorithm(&set.ring()?))?;
            set.only(key.fresh(), now)?;
            Ok(Some(set))
        })
        .map(drop)
    }

    /// Whether other users could read or change the file when it was [opened](Self::open_exposed).
    pub const fn is_exposed(&self) -> bool {
        self.is_exposed
    }

    pub(super) fn time(&self) -> UnixTime {
        self.clock.wall()
    }

    pub(crate) const fn keys(&self) -> &Rings {
        &self.keys
    }

    /// Changes the file, and reads it.
    fn change(
        &self,
        edit: impl FnOnce(PrivateSet, UnixTime) -> Result<Option<PrivateSet>, ConfigError>,
    ) -> Result<bool, ConfigError> {
        let changed = private_file::change(&self.path, |text| {
            let set = PrivateSet::parse(utf8(text)?)?;
            edit(set, self.time())?.map(|set| set.to_text()).transpose()
        });
        let changed = changed.map_err(|error| error.within(self.path.display()))?;
        self.reload()?;
        Ok(changed)
    }

    /// The set with a key more that begins after `overlap`.
    fn follow(
        &self,
        mut set: PrivateSet,
        now: UnixTime,
        overlap: Duration,
    ) -> Result<PrivateSet, ConfigError> {
        let key = NewKey::generate(self.next_algorithm(&set.ring()?))?;
        set.forget_gone(now)?;
        set.push(key.fresh(), now.plus(overlap))?;
        Ok(set)
    }

    fn next_algorithm(&self, ring: &Ring) -> Algorithm {
        let last = ring.keys().last().map(|timed| timed.key.algorithm());
        self.algorithm.or(last).unwrap_or(Algorithm::ES256)
    }
}

/// How long the last key does not sign yet.
fn waits(ring: &Ring, now: UnixTime) -> Option<Duration> {
    let last = ring.keys().last().map(|timed| timed.begins)?;
    (ring.keys().len() > 1 && last > now).then(|| last.since(now))
}

fn ring(text: &[u8]) -> Result<Ring, ConfigError> {
    private_set::ring(utf8(text)?)
}

fn utf8(text: &[u8]) -> Result<&str, ConfigError> {
    std::str::from_utf8(text).map_err(|_| ConfigError::new("the text is not a JWK set"))
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("path", &self.path).finish_non_exhaustive()
    }
}
