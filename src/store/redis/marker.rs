//! What tells whether the server, or one of a cluster, lost what it kept, and what puts back what others know.

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
    texts: Vec<Option<Text>>,
    /// How often one of them was of another life.
    losses: u64,
    /// How often one was of another run of its server in the same life.
    runs: u64,
}

/// What a marker says: which life, since when nothing was lost, and which run of the server wrote that.
struct Text {
    life: String,
    since: u64,
    run: String,
}

impl Inner {
    pub(super) async fn marker(&self) -> Result<Marker, StoreError> {
        let names = self.schema.markers();
        let told = join_all(names.iter().map(|name| self.text(name))).await;
        self.markers.meet(told)
    }

    /// Reads a marker, which begins the life of an empty server.
    async fn text(&self, name: &str) -> Result<Text, StoreError> {
        let id = getrandom::u64().map_err(|_| StoreError::new("no random bytes"))?;
        let mut call = self.scripts.marker.call();
        call.key(name).micros(self.now()).text(&format!("{id:016x}"));
        let told: String = self.link.run_if_there(call).await?;
        Text::parse(&told).ok_or_else(|| StoreError::new("the marker is none").said())
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
    fn meet(&self, told: Vec<Result<Text, StoreError>>) -> Result<Marker, StoreError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.texts.resize_with(told.len(), || None);
        let (mut answers, mut last) = (0, None);
        for (at, told) in told.into_iter().enumerate() {
            match told {
                Ok(text) => {
                    known.take(at, text);
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
    /// Takes over what a marker says. One that is read for the first time is no loss, and neither is one that says its run
    /// for the first time.
    fn take(&mut self, at: usize, text: Text) {
        if let Some(before) = &self.texts[at] {
            let is_lost = before.life != text.life;
            let is_of_another_run = before.run != text.run && !before.run.is_empty();
            self.losses += u64::from(is_lost);
            self.runs += u64::from(is_of_another_run && !is_lost);
        }
        self.texts[at] = Some(text);
    }

    fn marker(&self) -> Marker {
        let since = self.texts.iter().flatten().map(|text| text.since).max();
        let since = UnixTime::from_micros(since.unwrap_or(0));
        Marker { id: self.losses.to_string(), run: self.runs.to_string(), since }
    }
}

impl Text {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '|');
        let (life, since, run) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { life: life.to_owned(), since: since.parse().ok()?, run: run.to_owned() })
    }
}
