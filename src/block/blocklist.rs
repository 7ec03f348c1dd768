use super::Ladder;
use crate::{
    audit::{self, Act, Event, Sink},
    key::{Key, KeyKind, phone_key},
    limit::Name,
    meter,
    phone::Phone,
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

    /// The key of a phone number. The number itself is not kept.
    pub fn phone(&self, phone: &Phone) -> Key {
        phone_key(self.store.pepper(), phone)
    }

    /// The key of a user: of an issuer's `sub`.
    pub fn subject(&self, issuer: &str, subject: &str) -> Key {
        self.store.pepper().of_issuer(KeyKind::Subject, issuer, subject)
    }

    /// The key of a session: of an issuer's `sid`.
    pub fn session(&self, issuer: &str, session: &str) -> Key {
        self.store.pepper().of_issuer(KeyKind::Session, issuer, session)
    }

    /// The key of a single token: of an issuer's `jti`.
    pub fn token(&self, issuer: &str, token_id: &str) -> Key {
        self.store.pepper().of_issuer(KeyKind::Token, issuer, token_id)
    }

    /// The key of all tokens of an issuer.
    pub fn issuer(&self, issuer: &str) -> Key {
        self.store.pepper().issuer(issuer)
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
        self.record(Act::Blocked { key, lasting: block.lasting, cause: None });
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
        meter::strike(cause);
        let asks = Asks::new().strike(Strike { key, cause, ladder });
        let answer = self.store.admit(asks).await?;
        Ok(answer.started.first().map(|started| {
            let lasting = Some(started.lasting);
            self.record(Act::Blocked { key, lasting, cause: Some(cause) });
            Blocked { key, remaining: lasting, since: None }
        }))
    }

    /// Counts an attempt that may turn out wrong, unless `key` is blocked: then that is the answer, and the
    /// attempt must not be looked at. [`unblock`](Self::unblock) once it was right.
    ///
    /// A check now and a strike after a wrong code would let guesses that are sent at once all pass the
    /// check. Here each is counted before its code is compared, so only those under way while the block
    /// starts can go beyond the ladder. The attempt that starts it may still be right.
    ///
    /// # Errors
    ///
    /// When the store does not answer; then the attempt must not be looked at either.
    pub async fn attempt(
        &self,
        key: Key,
        cause: Name,
        ladder: Ladder,
    ) -> Result<Option<Blocked>, StoreError> {
        meter::strike(cause);
        let asks = Asks::new().absent(key).strike(Strike { key, cause, ladder });
        let answer = self.store.admit(asks).await?;
        for started in &answer.started {
            let (lasting, cause) = (Some(started.lasting), Some(cause));
            self.record(Act::Blocked { key, lasting, cause });
        }
        Ok(match answer.outcome {
            Outcome::Blocked { key, remaining, since } => Some(Blocked { key, remaining, since }),
            Outcome::Admitted | Outcome::Refused { .. } => None,
        })
    }

    fn record(&self, act: Act) {
        audit::record(self.sink.as_deref(), Event::new(act));
    }
}

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests {
    use super::*;
    use crate::store::Memory;

    const LADDER: Ladder = Ladder::after(3);

    async fn goes_on(blocks: &Blocklist, key: Key) -> bool {
        blocks.attempt(key, "code".into(), LADDER).await.unwrap().is_none()
    }

    #[tokio::test]
    async fn as_many_attempts_as_strikes_go_on_and_a_right_one_starts_over() {
        let blocks = Blocklist::new(Memory::new());
        let key = |phone: &str| blocks.phone(&phone.parse().unwrap());
        let (phone, other) = (key("+919876543210"), key("+14155550100"));
        for _ in 0..2 {
            for _ in 0..3 {
                assert!(goes_on(&blocks, phone).await);
            }
            assert!(!goes_on(&blocks, phone).await);
            assert!(goes_on(&blocks, other).await);
            assert!(blocks.unblock(phone).await.unwrap());
        }
    }

    #[tokio::test]
    async fn attempts_on_a_blocked_key_do_not_make_the_block_longer() {
        let blocks = Blocklist::new(Memory::new());
        let key = blocks.phone(&"+919876543210".parse().unwrap());
        for _ in 0..20 {
            goes_on(&blocks, key).await;
        }
        let standing = blocks.check(key).await.unwrap().unwrap();
        assert!(standing.remaining.unwrap() <= LADDER.first());
    }
}
