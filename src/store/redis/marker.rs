//! What tells whether the server, or one of a cluster, lost everything, and what puts back what others know.

use super::Inner;
use crate::{
    clock::UnixTime,
    store::{Block, Blocked, Marker, StoreError},
};
use futures_util::future::{join_all, try_join_all};
use std::sync::{Mutex, PoisonError};

/// What was last read of each marker. A cluster has many, spread over the slots, so that no server is without one.
#[derive(Default)]
pub(super) struct Markers(Mutex<Known>);

#[derive(Default)]
struct Known {
    texts: Vec<Option<String>>,
    /// How many of them changed.
    losses: u64,
}

impl Inner {
    pub(super) async fn marker(&self) -> Result<Marker, StoreError> {
        let names = self.schema.markers();
        let told = join_all(names.iter().map(|name| self.text(name))).await;
        self.markers.meet(told)
    }

    /// A read in nearly all cases, so that it is no script among those of requests.
    async fn text(&self, name: &str) -> Result<String, StoreError> {
        match self.link.read(name).await? {
            Some(text) => Ok(text),
            None => self.begin(name).await,
        }
    }

    /// Begins the life of an empty server.
    async fn begin(&self, name: &str) -> Result<String, StoreError> {
        let id = getrandom::u64().map_err(|_| StoreError::new("no random bytes"))?;
        let mut call = self.scripts.marker.call();
        call.key(name).micros(self.now()).text(&format!("{id:016x}"));
        self.link.run(call).await
    }

    pub(super) async fn restore(&self, blocks: Vec<Blocked>) -> Result<(), StoreError> {
        let puts = blocks.into_iter().map(|Blocked { key, remaining, since }| {
            self.put(key, Block { lasting: remaining, since }, true)
        });
        try_join_all(puts).await.map(|_| ())
    }
}

impl Markers {
    /// Takes note of what was read. What does not answer now is as it was; if nothing does, that is the answer.
    fn meet(&self, told: Vec<Result<String, StoreError>>) -> Result<Marker, StoreError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.texts.resize(told.len(), None);
        let (mut answers, mut last) = (0, None);
        for (at, told) in told.into_iter().enumerate() {
            match told {
                Ok(text) => {
                    let before = known.texts[at].replace(text);
                    let is_lost = before.is_some() && before != known.texts[at];
                    known.losses += u64::from(is_lost);
                    answers += 1;
                }
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) if answers == 0 => Err(error),
            _ => Ok(known.marker()),
        }
    }
}

impl Known {
    fn marker(&self) -> Marker {
        // Whatever an operator wrote there is as good as a text of ours.
        let since = |text: &String| text.rsplit_once('|')?.1.parse().ok();
        let since = self.texts.iter().flatten().filter_map(since).max();
        let since = UnixTime::from_micros(since.unwrap_or(0));
        // Not the texts: one that is read for the first time is no loss.
        Marker { id: self.losses.to_string(), since }
    }
}
