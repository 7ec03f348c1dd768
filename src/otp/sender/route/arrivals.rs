use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Whose messages arrive where: by provider and country, each by its place.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<HashMap<(usize, Option<usize>), Record>>);

#[derive(Debug, Default)]
struct Record {
    /// Messages in a row that did not arrive.
    lost: u32,
    /// In ticks.
    last_until: Duration,
}

/// So many in a row, and a provider is asked last.
const MOST_LOST: u32 = 3;
const LAST_FOR: Duration = Duration::from_secs(600);

impl Arrivals {
    /// Whether a provider is asked after the others for a country.
    pub(super) fn is_last(&self, lane: usize, country: Option<usize>, now: Duration) -> bool {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.get(&(lane, country)).is_some_and(|record| now < record.last_until)
    }

    /// Takes note of a message, and says whether its provider is asked last from now on.
    pub(super) fn note(
        &self,
        lane: usize,
        country: Option<usize>,
        arrived: bool,
        now: Duration,
    ) -> bool {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records.entry((lane, country)).or_default();
        if arrived {
            *record = Record::default();
            return false;
        }
        record.lost += 1;
        if record.lost < MOST_LOST {
            return false;
        }
        let is_new = record.last_until <= now;
        *record = Record { lost: 0, last_until: now + LAST_FOR };
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lost_in_a_row_are_too_many_until_one_arrives_or_time_has_passed() {
        let (arrivals, now) = (Arrivals::default(), Duration::from_secs(9));
        let india = Some(0);
        for arrived in [false, false, true, false, false] {
            assert!(!arrivals.note(1, india, arrived, now));
        }
        assert!(!arrivals.is_last(1, india, now) && !arrivals.note(1, None, false, now));
        assert!(arrivals.note(1, india, false, now), "told");
        assert!(arrivals.is_last(1, india, now) && !arrivals.is_last(1, None, now));
        assert!(!arrivals.is_last(0, india, now));
        for _ in 0..3 {
            assert!(!arrivals.note(1, india, false, now), "known");
        }
        assert!(!arrivals.is_last(1, india, now + LAST_FOR));
        assert!(!arrivals.note(1, india, true, now) && !arrivals.is_last(1, india, now));
    }
}
