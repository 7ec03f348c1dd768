use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Names of keys that the issuer does not have, so that a client which goes on with one makes nobody ask again.
///
/// Only who brings an unknown name looks here. A flood of names pushes out others, which costs one question more.
pub(super) struct Strangers {
    /// The oldest first, with the ticks until which they count.
    kids: Mutex<VecDeque<(Box<str>, Duration)>>,
    lasting: Duration,
}

/// Looked through one by one.
const MOST: usize = 64;

impl Strangers {
    pub(super) fn new(lasting: Duration) -> Self {
        Self { kids: Mutex::new(VecDeque::with_capacity(MOST)), lasting }
    }

    pub(super) fn has(&self, kid: &str, now: Duration) -> bool {
        self.kids().iter().any(|(known, until)| now < *until && **known == *kid)
    }

    pub(super) fn add(&self, kid: &str, now: Duration) {
        let mut kids = self.kids();
        kids.retain(|(known, until)| now < *until && **known != *kid);
        if kids.len() == MOST {
            kids.pop_front();
        }
        kids.push_back((kid.into(), now + self.lasting));
    }

    fn kids(&self) -> MutexGuard<'_, VecDeque<(Box<str>, Duration)>> {
        self.kids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_forgotten_after_a_while_and_when_there_are_too_many() {
        let (second, strangers) = (Duration::from_secs(1), Strangers::new(Duration::from_secs(2)));
        strangers.add("a", second);
        assert!(strangers.has("a", 2 * second) && !strangers.has("b", second));
        assert!(!strangers.has("a", 3 * second));
        for round in 0..3 {
            for number in 0..MOST {
                strangers.add(&format!("{round}-{number}"), 3 * second);
            }
        }
        assert!(strangers.has("2-0", 4 * second) && !strangers.has("1-63", 4 * second));
        strangers.add("2-0", 4 * second);
        assert_eq!(strangers.kids().len(), MOST, "no name is there twice");
        strangers.add("b", 9 * second);
        assert_eq!(strangers.kids().len(), 1);
    }
}
