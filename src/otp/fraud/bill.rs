//! What a message was counted as, until it is known what became of it.

use super::{Settlement, Weighed, traffic::Route};
use crate::otp::SharedLoginStore;

/// A message that was weighed. What was not counted has a bill too, so that time does not tell.
pub(in crate::otp) struct Bill {
    store: SharedLoginStore,
    settlement: Settlement,
}

impl Bill {
    /// That of a message, which costs `price` unless it does not leave.
    pub(super) fn new(
        store: SharedLoginStore,
        route: Route,
        weighed: &Weighed,
        price: u64,
    ) -> Self {
        let (messages, day) = (weighed.is_counted.into(), weighed.day);
        let refund = if weighed.is_counted { price } else { 0 };
        let settlement = Settlement { route, messages, answered: false, refund, day };
        Self { store, settlement }
    }

    /// The message did not leave: it was no message, and cost nothing.
    pub(in crate::otp) async fn void(self) {
        self.settle().await;
    }

    /// The message cost nothing, but counts: whoever tries numbers that get none looks like whoever has messages sent that nobody answers.
    pub(in crate::otp) async fn pay_back(mut self) {
        self.settlement.messages = 0;
        self.settle().await;
    }

    /// All messages of a challenge were answered.
    pub(super) async fn answered(store: SharedLoginStore, route: Route, messages: u8) {
        let settlement = Settlement { route, messages, answered: true, refund: 0, day: 0 };
        Self { store, settlement }.settle().await;
    }

    async fn settle(self) {
        if let Some(traffic) = self.store.traffic() {
            // A store that does not answer now counts a message too many, which is the safe side.
            let _ = traffic.settle(self.settlement).await;
        }
    }
}
