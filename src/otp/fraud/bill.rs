//! What a message was counted as, until it is known what became of it.

use super::{Settlement, traffic::Route};
use crate::otp::SharedLoginStore;

/// A message that was weighed. What was not counted has a bill too, so that time does not tell.
pub(in crate::otp) struct Bill {
    store: SharedLoginStore,
    settlement: Settlement,
}

impl Bill {
    /// That of `messages`, which cost `refund` if they do not leave.
    pub(super) fn new(store: SharedLoginStore, route: Route, messages: u8, refund: u64) -> Self {
        let settlement = Settlement { route, messages, answered: false, refund };
        Self { store, settlement }
    }

    /// The message did not leave: it was no message, and cost nothing.
    pub(in crate::otp) async fn void(self) {
        self.settle().await;
    }

    /// All messages of a challenge were answered.
    pub(super) async fn answered(store: SharedLoginStore, route: Route, messages: u8) {
        let settlement = Settlement { route, messages, answered: true, refund: 0 };
        Self { store, settlement }.settle().await;
    }

    async fn settle(self) {
        if let Some(traffic) = self.store.traffic() {
            // A store that does not answer now counts a message too many, which is the safe side.
            let _ = traffic.settle(self.settlement).await;
        }
    }
}
