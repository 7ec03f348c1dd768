//! Where limits, blocks and strikes are kept: one question for each request, one answer.
//!
//! A [`Store`] gets all that a request must be asked in one [`Asks`] and says in one [`Answer`] whether it
//! is admitted. [`Memory`] is the store of a single process. Every store gives the same answers; they
//! are written down in [`contract`], and the suite in `conformance` (feature `test-util`) checks them.
//!
//! ```
//! use portcullis::{Key, Limit, store::{Asks, Memory, Outcome, Store}};
//!
//! # async fn example() -> Result<(), portcullis::store::StoreError> {
//! let store = Memory::new();
//! let limit = Limit::per_minute(60).named("api");
//! let key = Key::ip([203, 0, 113, 7].into());
//! let answer = store.admit(Asks::new().take(limit.take(key, 1))).await?;
//! assert_eq!(answer.outcome, Outcome::Admitted);
//! # Ok(()) }
//! ```

mod answer;
mod ask;
#[cfg(feature = "redis")]
mod breaker;
#[cfg(any(test, feature = "test-util"))]
#[cfg_attr(docsrs, doc(cfg(feature = "test-util")))]
pub mod conformance;
#[cfg(all(test, feature = "redis"))]
mod far;
#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "redis")]
mod near;
#[cfg(feature = "redis")]
mod question;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod resilient;
#[cfg(all(feature = "redis", feature = "otp"))]
mod through;

#[doc = include_str!("contract.md")]
pub mod contract {}

pub use answer::{Answer, Marker, Outcome, Standing, Started};
pub use ask::{Absent, Adjustment, Asks, Block, Blocked, Strike, Take};
#[cfg(feature = "memory")]
pub use memory::{Memory, MemoryStats};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use {
    near::Near,
    redis::{KeyFamily, Lifetime, NamedBlock, Redis},
    resilient::Resilient,
};

use crate::{
    eventual::Eventual,
    key::{Key, Pepper},
};
use std::{error, fmt, sync::Arc};

/// Keeps limits, blocks and strikes. What each call must do is written in [`contract`].
pub trait Store: fmt::Debug + Send + Sync {
    /// Decides about one request: the only call on the hot path.
    ///
    /// Contract: absences first, then all limits or none, strikes inside; it must not block.
    fn admit(&self, asks: Asks) -> Eventual<Result<Answer, StoreError>>;

    /// A block on `key` that this instance knows of without asking anybody, and may know of none.
    ///
    /// Asked before a token is verified, so that who is blocked costs no cryptography. It must not block.
    fn near(&self, key: Key) -> Option<Blocked> {
        let _ = key;
        None
    }

    /// The secret under which keys for this store are tagged. The same for all instances that share
    /// what is stored.
    fn pepper(&self) -> &Pepper;

    /// Puts a block on `key`, in place of the one it may have.
    fn block(&self, key: Key, block: Block) -> Eventual<Result<(), StoreError>>;

    /// Lifts the block on `key` and forgets its strikes. Says whether there was a block.
    fn unblock(&self, key: Key) -> Eventual<Result<bool, StoreError>>;

    /// The blocks that stand, at most `most` of them, in no order.
    fn blocks(&self, most: usize) -> Eventual<Result<Vec<Blocked>, StoreError>>;

    /// Charges or refunds after the decision. Never refuses.
    fn adjust(&self, take: Take, adjustment: Adjustment) -> Eventual<Result<Standing, StoreError>>;

    /// Whether the store can be reached: for readiness probes and at start.
    fn ready(&self) -> Eventual<Result<(), StoreError>>;

    /// Since when it keeps what it was given, for [`Resilient`]. A store that cannot lose everything while it goes on has
    /// none.
    fn marker(&self) -> Eventual<Result<Option<Marker>, StoreError>> {
        Eventual::Ready(Ok(None))
    }

    /// Puts back blocks that it lost. Where one stands already, what refuses more counts.
    ///
    /// Only asked of a store that has a [`marker`](Self::marker).
    fn restore(&self, blocks: Vec<Blocked>) -> Eventual<Result<(), StoreError>> {
        let _ = blocks;
        Eventual::Ready(Err(StoreError::new("it puts nothing back")))
    }

    /// Where it is several servers: those that have stopped answering while it goes on, each by a name for operators. It must not
    /// block, and asks nobody.
    fn lost_parts(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// A store as the layers share it.
pub type SharedStore = Arc<dyn Store>;

/// The store did not answer. A policy decides what that means for a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreError {
    message: String,
    /// Other keys are still answered for.
    of_part: bool,
    /// This is what the store said, and not that it said nothing.
    said: bool,
    /// It had too little time left to say anything.
    rushed: bool,
}

impl StoreError {
    /// An error that says `message`, which must not hold keys or secrets.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), of_part: false, said: false, rushed: false }
    }

    /// Says that the store still answers for other keys.
    #[cfg(feature = "redis")]
    pub(crate) fn of_part(self) -> Self {
        Self { of_part: true, ..self }
    }

    /// Says that the store answered, and this is what.
    #[cfg(feature = "redis")]
    pub(crate) fn said(self) -> Self {
        Self { said: true, ..self }
    }

    /// Says that the trips before it had used up the time, so that it is no sign of the store being gone.
    #[cfg(feature = "redis")]
    pub(crate) fn rushed(self) -> Self {
        Self { rushed: true, ..self }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store: {}", self.message)
    }
}

impl error::Error for StoreError {}
