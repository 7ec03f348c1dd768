use super::{Found, Subject, Subjects};
use crate::{
    eventual::Eventual,
    key::{Key, KeyKind, Pepper},
    phone::Phone,
    store::StoreError,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use foldhash::fast::RandomState;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The subjects of a single process, gone when it ends: for development, and for services whose users live no
/// longer than the process.
///
/// A subject is 16 random bytes in base64url. Numbers are not kept: only their tags under a pepper that the process
/// draws, so nobody can list them. A clone shares what is kept.
#[derive(Clone)]
pub struct MemorySubjects {
    subjects: Arc<Mutex<HashMap<Key, Subject, RandomState>>>,
    pepper: Pepper,
    most: usize,
}

impl MemorySubjects {
    /// No subjects, with room for a million, which take up to 120 MB.
    pub fn new() -> Self {
        Self { subjects: Arc::default(), pepper: Pepper::random(), most: 1_000_000 }
    }

    /// No subjects, with room for another number of them. When all places are taken a number that is not known gets
    /// an error, for a user must never be forgotten.
    #[must_use]
    pub fn most(self, most: usize) -> Self {
        Self { most, ..Self::new() }
    }

    fn key(&self, phone: &Phone) -> Key {
        self.pepper.tag(KeyKind::Phone, &[phone.as_e164().as_bytes()])
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Subject, RandomState>> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_or_draw(&self, phone: &Phone) -> Result<Found, StoreError> {
        let key = self.key(phone);
        let mut subjects = self.lock();
        if let Some(subject) = subjects.get(&key) {
            return Ok(Found { subject: subject.clone(), is_new: false });
        }
        if subjects.len() >= self.most {
            return Err(StoreError::new("there is no room for another subject"));
        }
        let subject = draw().ok_or_else(|| StoreError::new("the system gave no random bytes"))?;
        subjects.insert(key, subject.clone());
        Ok(Found { subject, is_new: true })
    }
}

impl Default for MemorySubjects {
    fn default() -> Self {
        Self::new()
    }
}

impl Subjects for MemorySubjects {
    fn find(&self, phone: &Phone) -> Eventual<Result<Option<Subject>, StoreError>> {
        Eventual::Ready(Ok(self.lock().get(&self.key(phone)).cloned()))
    }

    fn find_or_create(&self, phone: &Phone) -> Eventual<Result<Found, StoreError>> {
        Eventual::Ready(self.find_or_draw(phone))
    }
}

impl fmt::Debug for MemorySubjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySubjects")
            .field("kept", &self.lock().len())
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

fn draw() -> Option<Subject> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Subject::new(&URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, sync::Barrier, thread};

    fn phone(last: u32) -> Phone {
        format!("+919876{last:06}").parse().unwrap()
    }

    #[test]
    fn of_a_hundred_calls_at_once_one_creates_and_all_answer_the_same() {
        let subjects = MemorySubjects::new();
        let start = Barrier::new(100);
        let found: Vec<_> = thread::scope(|scope| {
            let call = || {
                start.wait();
                subjects.find_or_draw(&phone(1)).unwrap()
            };
            let threads: Vec<_> = (0..100).map(|_| scope.spawn(call)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(found.iter().filter(|found| found.is_new).count(), 1);
        let all: HashSet<_> = found.into_iter().map(|found| found.subject).collect();
        assert_eq!(all.len(), 1);
    }

    #[tokio::test]
    async fn finding_does_not_create() {
        let subjects = MemorySubjects::new();
        assert_eq!(subjects.find(&phone(1)).await, Ok(None));
        let found = subjects.find_or_create(&phone(1)).await.unwrap();
        assert!(found.is_new);
        assert_eq!(subjects.clone().find(&phone(1)).await, Ok(Some(found.subject)));
    }

    #[tokio::test]
    async fn a_subject_is_random_and_not_made_from_the_number() {
        let first = MemorySubjects::new().find_or_create(&phone(1)).await.unwrap().subject;
        let second = MemorySubjects::new().find_or_create(&phone(1)).await.unwrap().subject;
        assert_ne!(first, second);
        assert_eq!(URL_SAFE_NO_PAD.decode(first.as_str()).unwrap().len(), 16);
    }

    #[tokio::test]
    async fn when_it_is_full_who_is_known_stays_known_and_nobody_else_gets_in() {
        let subjects = MemorySubjects::new().most(2);
        let first = subjects.find_or_create(&phone(1)).await.unwrap();
        assert!(subjects.find_or_create(&phone(2)).await.is_ok());
        assert!(subjects.find_or_create(&phone(3)).await.is_err());
        let again = subjects.find_or_create(&phone(1)).await.unwrap();
        assert_eq!(again, Found { subject: first.subject, is_new: false });
        let shown = format!("{subjects:?}");
        assert_eq!(shown, "MemorySubjects { kept: 2, most: 2, .. }");
    }
}
