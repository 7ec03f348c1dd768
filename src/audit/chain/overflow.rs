use crate::{clock::UnixTime, meter::Count};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events for which there was no room, since the log said so last.
#[derive(Debug)]
pub(super) struct Overflow {
    lost: Mutex<Option<Lost>>,
    counted: Count,
}

/// How many, and since when: one without the other would be a lie. Nobody locks it while there is room, but the writer.
#[derive(Clone, Copy, Debug)]
struct Lost {
    events: u64,
    since: UnixTime,
}

impl Overflow {
    /// One more; whether it is the first.
    pub(super) fn add(&self, at: UnixTime) -> bool {
        self.counted.one();
        let mut lost = self.lost();
        let before = *lost;
        let Lost { events, since } = before.unwrap_or(Lost { events: 0, since: at });
        *lost = Some(Lost { events: events + 1, since: since.min(at) });
        before.is_none()
    }

    /// Since when events are lost, if any was.
    pub(super) fn since(&self) -> Option<UnixTime> {
        self.lost().map(|lost| lost.since)
    }

    /// How many were lost. From now on it is counted anew.
    pub(super) fn take(&self) -> u64 {
        self.lost().take().map_or(0, |lost| lost.events)
    }

    fn lost(&self) -> MutexGuard<'_, Option<Lost>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Overflow {
    fn default() -> Self {
        Self { lost: Mutex::new(None), counted: Count::unlogged() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
    };

    #[test]
    fn nobody_sees_a_loss_without_its_beginning() {
        const LOST: u64 = 100_000;
        let (overflow, added) = (Overflow::default(), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                for at in 1..=LOST {
                    overflow.add(UnixTime::from_micros(at));
                    added.store(at, Ordering::Release);
                }
            });
            let mut taken = 0;
            let mut told = 0;
            while taken < LOST {
                if let Some(since) = overflow.since() {
                    assert!(since.as_micros() > told, "{since:?} was told of what came before");
                    told = added.load(Ordering::Acquire);
                    taken += overflow.take();
                }
            }
        });
        assert_eq!(overflow.since(), None);
    }

    #[test]
    fn it_began_with_the_first_of_them() {
        let overflow = Overflow::default();
        let at = UnixTime::from_secs;
        for _ in 0..2 {
            assert_eq!([9, 8, 10].map(|seconds| overflow.add(at(seconds))), [true, false, false]);
            assert_eq!((overflow.since(), overflow.take()), (Some(at(8)), 3));
        }
    }
}
