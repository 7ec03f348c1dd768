use super::{Name, Quota};
use crate::store::{Adjustment, SharedStore, Standing, StoreError, Take};
use smallvec::SmallVec;
use std::sync::Arc;

/// What the limits said about the request at hand, for its handler.
///
/// A handler that learns the true cost of a request later can charge more or refund:
///
/// ```
/// # async fn handler(request: http::Request<()>) -> Result<(), portcullis::store::StoreError> {
/// if let Some(decision) = request.extensions().get::<portcullis::Guarded>().and_then(|g| g.decision()) {
///     decision.charge(9).await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Decision {
    store: SharedStore,
    takes: SmallVec<[Take; 2]>,
    /// In the order of the takes.
    standings: SmallVec<[Standing; 2]>,
    /// What a layer further out said.
    outer: Option<Arc<Self>>,
}

impl Decision {
    pub(crate) fn new(
        store: SharedStore,
        takes: SmallVec<[Take; 2]>,
        standings: SmallVec<[Standing; 2]>,
    ) -> Self {
        Self { store, takes, standings, outer: None }
    }

    pub(crate) fn inside(mut self, outer: Option<Self>) -> Self {
        self.outer = outer.map(Arc::new);
        self
    }

    /// Name, quota and standing of each limit, the innermost layer's first.
    pub fn standings(&self) -> impl Iterator<Item = (Name, Quota, Standing)> {
        self.layers()
            .flat_map(|decision| decision.takes.iter().zip(&decision.standings))
            .map(|(take, standing)| (take.limit, take.quota, *standing))
    }

    /// Takes `cells` more from each limit. Never refuses: a limit can go into debt, by one burst at most.
    ///
    /// # Errors
    ///
    /// When a store does not answer; limits may then have been charged in part.
    pub async fn charge(&self, cells: u32) -> Result<(), StoreError> {
        self.adjust(Adjustment::Charge(cells)).await
    }

    /// Gives `cells` back to each limit, up to full.
    ///
    /// # Errors
    ///
    /// When a store does not answer; limits may then have been refunded in part.
    pub async fn refund(&self, cells: u32) -> Result<(), StoreError> {
        self.adjust(Adjustment::Refund(cells)).await
    }

    async fn adjust(&self, by: Adjustment) -> Result<(), StoreError> {
        for decision in self.layers() {
            for take in &decision.takes {
                decision.store.adjust(*take, by).await?;
            }
        }
        Ok(())
    }

    fn layers(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |decision| decision.outer.as_deref())
    }
}
