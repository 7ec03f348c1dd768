//! What tells whether the server lost everything, and what puts back what others know.

use super::Inner;
use crate::{
    clock::UnixTime,
    store::{Block, Blocked, Marker, StoreError},
};
use futures_util::future::try_join_all;

impl Inner {
    /// A read in nearly all cases, so that it is no script among those of requests.
    pub(super) async fn marker(&self) -> Result<Marker, StoreError> {
        let name = self.schema.marker();
        let text = match self.link.read(&name).await? {
            Some(text) => text,
            None => self.begin(&name).await?,
        };
        // Whatever an operator wrote there is as good as a number of ours.
        let since = text.rsplit_once('|').and_then(|(_, since)| since.parse().ok());
        let since = UnixTime::from_micros(since.unwrap_or(0));
        Ok(Marker { id: text, since })
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
