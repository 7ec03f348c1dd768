use super::Ladder;
use crate::{
    audit::{self, Act, Event, Sink},
    key::{Key, phone_key},
    limit::Name,
    store::{Asks, Block, Blocked, Outcome, SharedStore, StoreError, Strike},
};
use std::sync::Arc;

/// Sets, lists, checks and lifts blocks, and counts strikes. Cheap to clone.
///
/// All of it holds at the next request: the layers that share the store see the same blocks. Errors
/// mean that the store did not answer, and that nothing is known.
#[derive(Clone, Debug)]
pub struct Blocklist {
    store: SharedStore,
    sink: Option<Arc<dyn Sink>>,
}

impl Blocklist {
    /// The blocks in `store`.
    pub fn new(store: impl Into<SharedStore>) -> Self {
        Self { store: store.into(), sink: None }
    }

    /// Who is told of blocks that start and are lifted here.
    #[must_use]
    pub fn audit(mut self, sink: impl Sink + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// The key of a phone number in E.164: `+919876543210`. The number itself is not kept.
    pub fn phone(&self, e164: &str) -> Key {
        phone_key(self.store.pepper(), e164)
    }

    /// The block that stands on `key`, if any.
    ///
    /// # Errors
    ///
    /// When the store does not answer; treat that as blocked where a login hangs on it.
    pub async fn check(&self, key: Key) -> Result<Option<Blocked>, StoreError> {
        let answer = self.store.admit(Asks::new().absent(key)).await?;
        Ok(match answer.outcome {
            Outcome::Blocked { key, remaining, since } => Some(Blocked { key, remaining, since }),
            Outcome::Admitted | Outcome::Refused { .. } => None,
        })
    }

    /// Blocks `key`, in place of a block it may have.
    ///
    /// # Errors
    ///
    /// When the store does not answer or has no room.
    pub async fn block(&self, key: Key, block: Block) -> Result<(), StoreError> {
        self.store.block(key, block).await?;
        self.record(Act::Blocked { key, lasting: block.lasting });
        Ok(())
    }

    /// Lifts the block on `key` and forgets its strikes. Says whether there was a block.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn unblock(&self, key: Key) -> Result<bool, StoreError> {
        let stood = self.store.unblock(key).await?;
        if stood {
            self.record(Act::Unblocked(key));
        }
        Ok(stood)
    }

    /// The blocks that stand, at most `most`, in no order.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn list(&self, most: usize) -> Result<Vec<Blocked>, StoreError> {
        self.store.blocks(most).await
    }

    /// Counts a strike for `cause`. Answers the block that this started, if it did.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn strike(
        &self,
        key: Key,
        cause: Name,
        ladder: Ladder,
    ) -> Result<Option<Blocked>, StoreError> {
        let asks = Asks::new().strike(Strike { key, cause, ladder });
        let answer = self.store.admit(asks).await?;
        Ok(answer.started.first().map(|started| {
            let lasting = Some(started.lasting);
            self.record(Act::Blocked { key, lasting });
            Blocked { key, remaining: lasting, since: None }
        }))
    }

    fn record(&self, act: Act) {
        audit::record(self.sink.as_deref(), Event::new(act));
    }
}
