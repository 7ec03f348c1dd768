//! How old secrets are.

use crate::{
    clock::{Clock, SystemClock, UnixTime},
    duration,
    limit::Name,
    meter,
    token::KeyFile,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tokio::{task::spawn_blocking, time::interval};

/// Tells how old secrets are, and warns of those that should have changed.
///
/// Of a key file that is the key that signs now, by the second in which it began; of any other file, when it was written last. What comes
/// from the environment has no age, and peppers do not change.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SecretAges {
    warn_after: Option<Duration>,
    secrets: Vec<Aged>,
}

#[derive(Clone, Debug)]
struct Aged {
    /// Where the configuration names it.
    name: Name,
    path: PathBuf,
}

/// Between two looks.
const POLL: Duration = Duration::from_secs(3_600);
/// Between two warnings, in looks.
const WARNING: u32 = 24;

impl SecretAges {
    /// Warns of none yet; `None` of none at all.
    pub(super) const fn new(warn_after: Option<Duration>) -> Self {
        Self { warn_after, secrets: Vec::new() }
    }

    pub(super) fn add(&mut self, name: Name, path: PathBuf) {
        self.secrets.push(Aged { name, path });
    }

    /// Tells of it each hour and warns each day, for ever: at first an hour from now, as a start has told already.
    pub async fn run(self) {
        let mut ticks = interval(POLL);
        ticks.tick().await;
        for tick in (1..=WARNING).cycle() {
            ticks.tick().await;
            let ages = self.clone();
            let told = spawn_blocking(move || ages.tell());
            for warning in told.await.unwrap_or_default() {
                if tick == WARNING {
                    tracing::warn!("{warning}");
                }
            }
        }
    }

    /// Sets the metric, and says which are too old.
    pub(super) fn tell(&self) -> Vec<String> {
        let now = SystemClock::new().wall();
        let mut old = Vec::new();
        for Aged { name, path } in &self.secrets {
            let Some(age) = began(path).map(|began| now.since(began)) else { continue };
            meter::secret_age(name.as_str(), age);
            if let Some(most) = self.warn_after.filter(|most| age > *most) {
                let days = age.as_secs() / 86_400;
                let most = duration::format(most);
                old.push(format!(
                    "[secrets]: `{name}` is {days} days old, more than {most}: change it"
                ));
            }
        }
        old
    }
}

/// `None` if nobody can say.
fn began(path: &Path) -> Option<UnixTime> {
    let signs = KeyFile::read(path, true).ok().and_then(|file| file.active_since());
    signs.or_else(|| {
        let written = fs::metadata(path).ok()?.modified().ok()?;
        let since = written.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(UnixTime::from_secs(since.as_secs()))
    })
}
