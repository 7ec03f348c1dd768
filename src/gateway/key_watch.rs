use crate::{
    error::ConfigError,
    token::{KeyFile, KeyState},
};
use std::time::Duration;
use tokio::{task::spawn_blocking, time::interval};

/// Follows a file of signing keys: what somebody changes in it counts within a second, and the next key is made when it
/// is due.
///
/// A file that cannot be used is a warning in the log, and the keys so far go on.
#[derive(Clone, Debug)]
#[must_use]
pub struct KeyWatch {
    /// The section that names the file.
    section: &'static str,
    file: KeyFile,
    /// How long a key signs, and how long the next one is published before.
    schedule: Option<(Duration, Duration)>,
}

/// Between two looks at the file.
const POLL: Duration = Duration::from_secs(1);
/// Between two looks at the schedule, in looks at the file.
const SCHEDULE_POLL: u32 = 60;

impl KeyWatch {
    pub(super) const fn new(
        section: &'static str,
        file: KeyFile,
        schedule: Option<(Duration, Duration)>,
    ) -> Self {
        Self { section, file, schedule }
    }

    /// Looks at the file each second, for ever.
    pub async fn run(self) {
        let section = self.section;
        let mut ticks = interval(POLL);
        let mut trouble = None;
        for tick in (0..SCHEDULE_POLL).cycle() {
            ticks.tick().await;
            match self.aside(KeyFile::reload).await {
                Ok(changed) => {
                    trouble = None;
                    if changed {
                        self.tell();
                    }
                }
                // One that goes on is told once.
                Err(error) if trouble.as_ref() != Some(&error) => {
                    tracing::warn!("{section} keys: {error}");
                    trouble = Some(error);
                }
                Err(_) => {}
            }
            if let (0, Some((period, overlap))) = (tick, self.schedule) {
                match self.aside(move |file| file.rotate_after(period, overlap)).await {
                    Ok(true) => self.tell(),
                    Ok(false) => {}
                    Err(error) => tracing::warn!("{section} the next key is due: {error}"),
                }
            }
        }
    }

    /// Disks and the making of keys take their time.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&KeyFile) -> Result<T, ConfigError> + Send + 'static,
    ) -> Result<T, ConfigError> {
        let file = self.file.clone();
        let done = spawn_blocking(move || work(&file)).await;
        done.unwrap_or_else(|error| Err(ConfigError::new(error.to_string())))
    }

    /// Names of keys are public.
    fn tell(&self) {
        for key in self.file.standings() {
            let state = match key.state {
                KeyState::Standby => "standby",
                KeyState::Active => "active",
                KeyState::Retiring => "retiring",
                KeyState::Gone => continue,
            };
            let kid = key.kid.as_deref().unwrap_or("-");
            tracing::info!(
                kid,
                algorithm = key.algorithm.name(),
                state,
                "a signing key of {}",
                self.section
            );
        }
    }
}
