use crate::otp::sender::SendError;
use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A circuit breaker around a provider: closed, it is asked; open, it is left alone; half open, one message finds out.
///
/// Times are ticks of a clock.
pub(super) struct Breaker {
    most_failures: u32,
    pause: Duration,
    state: Mutex<State>,
}

/// What an outcome changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// After failures in a row, or as it asked for a pause.
    Opened,
    /// As it refuses us.
    Refused,
    Closed,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration, pause: Duration },
    HalfOpen { since: Duration, pause: Duration },
}

/// Pauses grow up to this; it is also how long a provider is left alone that refuses us.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// No sender takes longer than this. A probe that did not end by then never will: its message was dropped.
const LONGEST_PROBE: Duration = Duration::from_secs(60);

impl Breaker {
    pub(super) fn new(most_failures: u32, pause: Duration) -> Self {
        Self { most_failures, pause, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// How much longer the provider is left alone; `None` if it can be asked, by who comes first at least.
    pub(super) fn pause(&self, now: Duration) -> Option<Duration> {
        match *self.state() {
            State::Closed { .. } => None,
            State::Open { until, .. } => until.checked_sub(now).filter(|left| !left.is_zero()),
            State::HalfOpen { since, .. } => {
                (since + LONGEST_PROBE).checked_sub(now).filter(|left| !left.is_zero())
            }
        }
    }

    /// Lets a message through, or says how much longer none goes. Of all that come when the pause is over, one is let through.
    pub(super) fn pass(&self, now: Duration) -> Result<(), Duration> {
        let mut state = self.state();
        let (free_at, pause) = match *state {
            State::Closed { .. } => return Ok(()),
            State::Open { until, pause } => (until, pause),
            State::HalfOpen { since, pause } => (since + LONGEST_PROBE, pause),
        };
        if now < free_at {
            return Err(free_at - now);
        }
        *state = State::HalfOpen { since: now, pause };
        Ok(())
    }

    /// Takes note of how a message that was let through ended.
    pub(super) fn note<T>(&self, now: Duration, outcome: &Result<T, SendError>) -> Option<Change> {
        let mut state = self.state();
        let was_closed = matches!(*state, State::Closed { .. });
        let (pause, change) = match outcome {
            // It answered, whatever it thinks of the number: else who finds numbers that it refuses could stop it for all.
            Ok(_)
            | Err(
                SendError::Recipient
                | SendError::Region
                | SendError::Blocked
                | SendError::OptedOut
                | SendError::Refused,
            ) => {
                // A message from before the pause does not end it.
                if !matches!(*state, State::Open { .. }) {
                    *state = State::Closed { failures: 0 };
                    return (!was_closed).then_some(Change::Closed);
                }
                return None;
            }
            Err(SendError::Misconfigured) => (LONGEST_PAUSE, Change::Refused),
            Err(SendError::RateLimited { retry_after: Some(time) }) => {
                ((*time).min(LONGEST_PAUSE), Change::Opened)
            }
            Err(_) => (self.failed(&mut state)?, Change::Opened),
        };
        let until = now + pause;
        // A message from before a longer pause does not shorten it.
        if !matches!(*state, State::Open { until: later, .. } if later > until) {
            *state = State::Open { until, pause };
        }
        was_closed.then_some(change)
    }

    /// How long to leave it alone after one more failure, if it is to be.
    fn failed(&self, state: &mut State) -> Option<Duration> {
        match state {
            State::Closed { failures } => {
                *failures += 1;
                (*failures >= self.most_failures).then_some(self.pause)
            }
            State::HalfOpen { pause, .. } => Some((2 * *pause).max(self.pause).min(LONGEST_PAUSE)),
            State::Open { .. } => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);
    const OK: Result<(), SendError> = Ok(());
    const DOWN: Result<(), SendError> = Err(SendError::NotSent);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn open() -> Breaker {
        let breaker = Breaker::new(2, PAUSE);
        assert_eq!(breaker.note(at(0), &DOWN), None);
        assert_eq!(breaker.note(at(0), &Err::<(), _>(SendError::Unknown)), Some(Change::Opened));
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let breaker = Breaker::new(2, PAUSE);
        let answers = [
            SendError::Recipient,
            SendError::Region,
            SendError::Blocked,
            SendError::OptedOut,
            SendError::Refused,
        ];
        for good in answers.map(Err).into_iter().chain([OK]) {
            assert_eq!(breaker.note(at(0), &DOWN), None);
            assert_eq!(breaker.note(at(0), &good), None);
        }
        assert_eq!(breaker.pass(at(0)), Ok(()));
        let breaker = open();
        assert_eq!((breaker.pass(at(10)), breaker.pause(at(10))), (Err(at(20)), Some(at(20))));
    }

    #[test]
    fn one_probe_closes_it_or_doubles_the_pause() {
        let breaker = open();
        assert_eq!(breaker.pass(at(30)), Ok(()));
        assert_eq!(breaker.pass(at(30)), Err(LONGEST_PROBE), "another waits for the first");
        assert_eq!(breaker.note(at(31), &DOWN), None, "it was known to be down");
        assert_eq!(breaker.pass(at(31)), Err(2 * PAUSE));
        assert_eq!(breaker.pass(at(91)), Ok(()));
        assert_eq!(breaker.note(at(92), &OK), Some(Change::Closed));
        assert_eq!((breaker.pass(at(92)), breaker.pass(at(92))), (Ok(()), Ok(())));
        assert_eq!(breaker.note(at(92), &DOWN), None, "failures count from the start");
    }

    #[test]
    fn pauses_have_an_end() {
        let breaker = open();
        let mut now = at(0);
        for _ in 0..10 {
            now += breaker.pass(now).unwrap_err();
            breaker.pass(now).unwrap();
            breaker.note(now, &DOWN);
        }
        assert_eq!(breaker.pass(now), Err(LONGEST_PAUSE));
    }

    #[test]
    fn a_pause_that_was_asked_for_and_a_refusal_open_it_at_once() {
        let limited =
            |seconds| Err::<(), _>(SendError::RateLimited { retry_after: Some(at(seconds)) });
        for (outcome, pause, change) in [
            (limited(7), at(7), Change::Opened),
            (limited(9_999), LONGEST_PAUSE, Change::Opened),
            (Err(SendError::Misconfigured), LONGEST_PAUSE, Change::Refused),
        ] {
            let breaker = Breaker::new(2, PAUSE);
            assert_eq!(breaker.note(at(0), &outcome), Some(change));
            assert_eq!(breaker.pass(at(0)), Err(pause));
            // Messages that were under way end, and change nothing.
            assert_eq!(breaker.note(at(0), &OK), None);
            assert_eq!(breaker.note(at(0), &outcome), None);
            assert_eq!(breaker.note(at(0), &limited(1)), None);
            assert_eq!(breaker.pass(at(0)), Err(pause));
        }
    }

    #[test]
    fn a_probe_that_never_ended_is_not_waited_for() {
        let breaker = open();
        breaker.pass(at(30)).unwrap();
        assert_eq!(breaker.pass(at(89)), Err(at(1)));
        assert_eq!((breaker.pause(at(90)), breaker.pass(at(90))), (None, Ok(())));
    }
}
