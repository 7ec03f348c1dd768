use super::{asking::Attempts, held::Held, report::Report, source::Source};
use crate::clock::Clock;
use std::{fmt, pin::pin, sync::Arc, time::Duration};
use tokio::{
    select,
    sync::{mpsc::Receiver, watch},
    time::sleep,
};

/// Fetches the keys of an issuer, again and again: a future for the program to spawn, for the library never spawns.
///
/// A set is fetched at start and then ahead of its end: after three to nine tenths of what `Cache-Control: max-age`
/// says, at least a minute and at most what [`RemoteJwks::refresh`](super::RemoteJwks::refresh) sets, at random so that
/// instances do not ask together. What fails is tried again after a second, and then at longer intervals.
#[must_use = "no key ever comes unless `run` is spawned"]
pub struct KeyRefresh {
    pub(super) source: Box<dyn Source>,
    pub(super) held: Arc<Held>,
    pub(super) wishes: Receiver<()>,
    pub(super) attempts: watch::Sender<Attempts>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) cooldown: Duration,
    pub(super) longest: Duration,
    pub(super) failures: u32,
    pub(super) report: Report,
}

/// Where the server does not say how long its answer may be kept.
const USUAL: Duration = Duration::from_secs(600);
/// However short the server says.
pub(super) const SHORTEST: Duration = Duration::from_secs(60);
const FIRST_RETRY: Duration = Duration::from_secs(1);

impl KeyRefresh {
    /// Fetches until the last handle of the keys is gone. Once the future is dropped no new key is found, and the keys
    /// that are there end when they are too old.
    pub async fn run(mut self) {
        loop {
            let pause = self.attempt().await;
            let mut due = pin!(sleep(pause));
            loop {
                select! {
                    wish = self.wishes.recv() => match wish {
                        Some(()) if self.may_follow() => break,
                        // Sent before an attempt began that has answered it.
                        Some(()) => {}
                        None => return,
                    },
                    () = &mut due => break,
                }
            }
        }
    }

    fn may_follow(&self) -> bool {
        self.attempts.borrow().are_cool(self.clock.ticks(), self.cooldown)
    }

    /// Fetches once; tells when to do so again.
    async fn attempt(&mut self) -> Duration {
        let begun = self.clock.ticks();
        self.attempts.send_modify(|attempts| {
            (attempts.begun, attempts.is_running) = (Some(begun), true);
        });
        let fetched = self.source.fetch().await;
        let is_good = fetched.is_ok();
        let pause = match fetched {
            Ok(fetched) => {
                self.failures = 0;
                self.report.fetched(&fetched.set);
                self.held.put(fetched.set.keys, begun);
                let keep = fetched.lifetime.unwrap_or(USUAL).clamp(SHORTEST, self.longest);
                between(keep * 3 / 10, keep * 9 / 10)
            }
            Err(error) => {
                let expired = self.held.expire(self.clock.ticks());
                self.report.failed(&error, expired);
                let longer = FIRST_RETRY.saturating_mul(1 << self.failures.min(16));
                self.failures += 1;
                let most = longer.min(self.cooldown.max(FIRST_RETRY));
                between(most / 2, most)
            }
        };
        self.attempts.send_modify(|attempts| {
            attempts.is_running = false;
            attempts.ended += 1;
            attempts.is_good = is_good;
        });
        pause
    }
}

impl fmt::Debug for KeyRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRefresh").field("of", &self.report.from).finish_non_exhaustive()
    }
}

/// A time at random; the longer one without randomness.
fn between(least: Duration, most: Duration) -> Duration {
    let share = getrandom::u32().unwrap_or(u32::MAX);
    least + (most - least).mul_f64(f64::from(share) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            RemoteJwks,
            source::{FetchError, Fetched},
        },
        *,
    };
    use crate::{clock::UnixTime, eventual::BoxFuture, jwt::set};
    use std::{collections::VecDeque, sync::Mutex};
    use tokio::{
        sync::mpsc::{UnboundedSender, unbounded_channel},
        time::Instant,
    };

    const SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    /// Tells when it was asked.
    struct Script {
        clock: PausedClock,
        asked: UnboundedSender<Duration>,
        /// Lifetimes, of which 0 stands for none; an empty one is a failure.
        answers: Mutex<VecDeque<Option<u64>>>,
    }

    impl Source for Script {
        fn fetch(&self) -> BoxFuture<'_, Result<Fetched, FetchError>> {
            let _ = self.asked.send(self.clock.ticks());
            let answer = self.answers.lock().unwrap().pop_front().flatten();
            Box::pin(async move {
                let seconds = answer.ok_or_else(|| FetchError::new("no"))?;
                let lifetime = (seconds > 0).then(|| Duration::from_secs(seconds));
                Ok(Fetched { set: set::published(SET)?, lifetime })
            })
        }
    }

    /// Goes on when the paused time of tokio does.
    #[derive(Clone, Copy, Debug)]
    struct PausedClock(Instant);

    impl Clock for PausedClock {
        fn wall(&self) -> UnixTime {
            UnixTime::default()
        }

        fn ticks(&self) -> Duration {
            self.0.elapsed()
        }
    }

    /// The times between fetches that are answered like this.
    #[allow(clippy::disallowed_methods, reason = "the paused time of tokio is the clock")]
    async fn pauses(answers: &[Option<u64>]) -> Vec<Duration> {
        let clock = PausedClock(Instant::now());
        let (asked, mut times) = unbounded_channel();
        let script = Script { clock, asked, answers: Mutex::new(answers.to_vec().into()) };
        let jwks = RemoteJwks::url("https://idp.example/").unwrap().clock(clock);
        let (_keys, refresh) = jwks.over(Box::new(script), "idp".into());
        let task = tokio::spawn(refresh.run());
        let mut last = times.recv().await.unwrap();
        let mut pauses = Vec::new();
        for _ in answers {
            let time = times.recv().await.unwrap();
            pauses.push(time - last);
            last = time;
        }
        task.abort();
        pauses
    }

    #[tokio::test(start_paused = true)]
    async fn a_set_is_fetched_ahead_of_its_end_and_not_by_all_at_once() {
        for (said, keeps) in [(0, 600), (1, 60), (60, 60), (300, 300), (3600, 3600), (86_400, 3600)]
        {
            let pauses = pauses(&[Some(said); 8]).await;
            let (least, most) = (keeps as f64 * 0.3, keeps as f64 * 0.9);
            let is_within = |pause: &Duration| (least..=most + 0.01).contains(&pause.as_secs_f64());
            assert!(pauses.iter().all(is_within), "{said}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_again_at_longer_intervals_up_to_the_cooldown() {
        let mut answers = vec![None; 8];
        answers.extend([Some(60), None, None]);
        let pauses = pauses(&answers).await;
        for (pause, most) in pauses.iter().zip([1, 2, 4, 8, 16, 30, 30, 30, 54, 1, 2]) {
            let most = f64::from(most);
            let least = if most == 54.0 { 18.0 } else { most / 2.0 };
            assert!((least..=most + 0.01).contains(&pause.as_secs_f64()), "{pauses:?}");
        }
    }
}
