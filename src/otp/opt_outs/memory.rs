use super::OptOuts;
use crate::{
    eventual::Eventual,
    key::{Key, KeyKind, Pepper},
    phone::Phone,
    store::StoreError,
};
use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The opt-outs of a single process, gone when it ends: for development and tests. In production they have to outlive it.
///
/// Numbers are not kept: only their tags under a pepper that the process draws. A clone shares what is kept.
#[derive(Clone)]
pub struct MemoryOptOuts {
    out: Arc<Mutex<HashSet<Key>>>,
    pepper: Pepper,
}

/// Each takes some 30 bytes.
const MOST: usize = 1_000_000;

impl MemoryOptOuts {
    /// Nobody is out.
    pub fn new() -> Self {
        Self { out: Arc::default(), pepper: Pepper::random() }
    }

    fn key(&self, phone: &Phone) -> Key {
        self.pepper.tag(KeyKind::Phone, &[phone.as_e164().as_bytes()])
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryOptOuts {
    fn default() -> Self {
        Self::new()
    }
}

impl OptOuts for MemoryOptOuts {
    fn is_out(&self, phone: &Phone) -> Eventual<Result<bool, StoreError>> {
        Eventual::Ready(Ok(self.lock().contains(&self.key(phone))))
    }

    fn set(&self, phone: &Phone, is_out: bool) -> Eventual<Result<bool, StoreError>> {
        let (key, mut out) = (self.key(phone), self.lock());
        Eventual::Ready(match is_out {
            true if out.len() >= MOST && !out.contains(&key) => {
                Err(StoreError::new("there is no room for another opt-out"))
            }
            true => Ok(out.insert(key)),
            false => Ok(out.remove(&key)),
        })
    }
}

impl fmt::Debug for MemoryOptOuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOptOuts").field("out", &self.lock().len()).finish_non_exhaustive()
    }
}
