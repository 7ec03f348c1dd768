//! What a request has taken before its message is on its way.

use super::{
    ChallengeId, Dispatch, Dispatched, SharedLoginStore,
    courier::Place,
    fraud::{Bill, Weighed},
    receipts::Errand,
    sender::Message,
};
use crate::{
    eventual::{BoxFuture, Eventual},
    key::Key,
    otp::Sent,
    store::StoreError,
};

/// A place at the desk of the courier, and what was counted for the message. If it is dropped before the message is posted, because the
/// client hung up and nobody polls its request any more, the courier takes back what was counted.
pub(super) struct Hold {
    store: SharedLoginStore,
    place: Option<Place>,
    sent: Option<Sent>,
    bill: Option<Bill>,
    /// Asked for, and counted perhaps.
    weighing: Option<Weighing>,
    asking: Option<Asking>,
    undoing: Option<BoxFuture<'static, ()>>,
}

/// What a store says of a message, and the bill for it.
pub(super) type Weighing = BoxFuture<'static, Result<(Weighed, Bill), StoreError>>;

/// What a store says of a code for a phone, and the message that it has counted then.
type Asking = BoxFuture<'static, Result<(Dispatch, Option<Sent>), StoreError>>;

impl Hold {
    pub(super) fn new(store: SharedLoginStore, place: Place) -> Self {
        let (sent, bill, weighing, asking, undoing) = (None, None, None, None, None);
        Self { store, place: Some(place), sent, bill, weighing, asking, undoing }
    }

    /// Counts a message, and holds the bill. When the store answers an error it may have counted it all the same: that is the safe side,
    /// as what was never spent must not be paid back.
    pub(super) async fn weigh(&mut self, weighing: Weighing) -> Result<Weighed, StoreError> {
        let told = self.weighing.insert(weighing).await;
        self.weighing = None;
        let (weighed, bill) = told?;
        self.bill = Some(bill);
        Ok(weighed)
    }

    /// Counts a message for its phone, and holds it. An error is as with [`weigh`](Self::weigh).
    pub(super) async fn count(
        &mut self,
        (phone, challenge): (Key, ChallengeId),
        asking: Eventual<Result<Dispatch, StoreError>>,
    ) -> Result<Dispatch, StoreError> {
        let asking = asking.map(move |told| {
            let told = told?;
            let sent = match told.outcome {
                Dispatched::Allowed { number, .. } => Some(Sent { phone, challenge, number }),
                _ => None,
            };
            Ok((told, sent))
        });
        let told = self.asking.insert(Box::pin(asking.into_future())).await;
        self.asking = None;
        let (dispatch, sent) = told?;
        self.sent = sent;
        Ok(dispatch)
    }

    /// Puts the message on its way.
    pub(super) fn post(&mut self, message: Option<Message>, errand: Errand, calling_code: u16) {
        self.sent = None;
        if let Some(place) = self.place.take() {
            place.post(message, errand, calling_code, self.bill.take());
        }
    }

    /// Takes back what was counted.
    pub(super) async fn undo(&mut self) {
        self.undoing = self.rest();
        if let Some(undoing) = &mut self.undoing {
            undoing.await;
            self.undoing = None;
        }
    }

    /// What is left to be taken back.
    fn rest(&mut self) -> Option<BoxFuture<'static, ()>> {
        if self.undoing.is_some() {
            return self.undoing.take();
        }
        let (sent, asking) = (self.sent.take(), self.asking.take());
        let (bill, weighing) = (self.bill.take(), self.weighing.take());
        if sent.is_none() && asking.is_none() && bill.is_none() && weighing.is_none() {
            return None;
        }
        let store = self.store.clone();
        Some(Box::pin(async move {
            let late = match asking {
                Some(asking) => asking.await.ok().and_then(|(_, sent)| sent),
                None => None,
            };
            // A store that does not answer now counts a send too many, which is the safe side.
            if let Some(sent) = sent.or(late) {
                let _ = store.give_back(sent).await;
            }
            let late = match weighing {
                Some(weighing) => weighing.await.ok().map(|(_, bill)| bill),
                None => None,
            };
            if let Some(bill) = bill.or(late) {
                bill.void().await;
            }
        }))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(place) = self.place.take()
            && let Some(rest) = self.rest()
        {
            place.finish(rest);
        }
    }
}
