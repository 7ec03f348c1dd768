//! Notes about messages on the server, each in a key of its own.

use super::super::{Inner, Redis};
use crate::{
    eventual::Eventual,
    key::Key,
    otp::receipts::{Note, Noted, Notes},
    store::StoreError,
};
use std::sync::Arc;

impl Notes for Redis {
    fn note(&self, key: Key, note: Note) -> Eventual<Result<Noted, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.note(key, note).await })
    }

    fn noted(&self, key: Key) -> Eventual<Result<Option<Note>, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move {
            let mut call = inner.scripts.noted.call();
            call.key(&inner.schema.message(key));
            let text: Option<String> = inner.link.run(call).await?;
            Ok(text.as_deref().and_then(read))
        })
    }
}

impl Inner {
    async fn note(&self, key: Key, note: Note) -> Result<Noted, StoreError> {
        let mut call = self.scripts.note.call();
        call.key(&self.schema.message(key));
        call.number(note.rank).text(&note.text).micros(Note::LASTING.as_millis() as u64);
        let (kept, before): (bool, Option<String>) = self.link.run(call).await?;
        Ok(Noted { kept, before: before.as_deref().and_then(read) })
    }
}

/// A note as it is kept: the rank, and behind a space the text.
fn read(kept: &str) -> Option<Note> {
    let (rank, text) = kept.split_once(' ')?;
    Some(Note { rank: rank.parse().ok()?, text: text.into() })
}
