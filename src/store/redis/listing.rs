//! What stands on a server, as operators see it.

use super::{Inner, Redis, families, schema};
use crate::{
    clock::UnixTime,
    key::Key,
    store::{Blocked, StoreError, question},
};
use futures_util::future::join_all;
use std::time::Duration;

/// A block or a revocation that stands on a server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NamedBlock {
    /// What its key is called there.
    pub name: String,
    /// Whose it is, and for how long.
    pub blocked: Blocked,
    /// The limit, or the cause of the strikes, that led to it; `None` if nothing is known of it, as of one that was set by hand.
    pub cause: Option<String>,
}

/// What the script says of one: how long, up to when tokens were issued, and why.
type Look = (i64, i64, String);

impl Redis {
    /// The blocks and revocations that stand, at most `most`, with their names on the server and what led to them.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub async fn named_blocks(&self, most: usize) -> Result<Vec<NamedBlock>, StoreError> {
        self.0.blocks(most).await
    }

    /// What the block of `key` is called on the server.
    pub fn block_name(&self, key: Key) -> String {
        self.0.schema.block(key)
    }

    /// Whose block or revocation it is that a server has under this name. `None` if it is the name of something else.
    pub fn blocked_by_name(name: &str) -> Option<Key> {
        schema::parse(name).map(|(key, _)| key)
    }
}

impl Inner {
    /// Takes as many trips as there are keys to go through, so each of them is a question of its own.
    pub(super) async fn blocks(&self, most: usize) -> Result<Vec<NamedBlock>, StoreError> {
        question::each(self.standing(most)).await
    }

    async fn standing(&self, most: usize) -> Result<Vec<NamedBlock>, StoreError> {
        let mut blocks = Vec::new();
        // One script for many keys, where they need not share a slot.
        let together = if self.schema.has_tags { 1 } else { 500 };
        for family in families::STANDING {
            let names = self.link.names(&family.glob(), most).await?;
            let known: Vec<_> = names
                .into_iter()
                .filter_map(|name| schema::parse(&name).map(|(key, revoked)| (name, key, revoked)))
                .collect();
            let looks = known.chunks(together).map(|known| async move {
                let mut call = self.scripts.look.call();
                for (name, key, _) in known {
                    call.key(name).key(&self.schema.strikes(*key));
                }
                call.micros(self.now());
                known.iter().for_each(|(.., revoked)| _ = call.number(i64::from(*revoked)));
                self.link.run::<Vec<Look>>(call).await
            });
            let mut told = Vec::new();
            for look in join_all(looks).await {
                told.extend(look?);
            }
            for ((name, key, _), (left, since, cause)) in known.into_iter().zip(told) {
                if left > -2 {
                    let remaining = u64::try_from(left).ok().map(Duration::from_micros);
                    let since = u64::try_from(since).ok().map(UnixTime::from_micros);
                    let blocked = Blocked { key, remaining, since };
                    let cause = Some(cause).filter(|cause| !cause.is_empty());
                    blocks.push(NamedBlock { name, blocked, cause });
                }
            }
        }
        blocks.truncate(most);
        Ok(blocks)
    }
}
