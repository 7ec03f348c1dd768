use super::{
    Challenges, CodeSender,
    challenges::Sent,
    sender::{Message, SendError},
};
use crate::error::ConfigError;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{
    fmt,
    future::poll_fn,
    num::NonZeroU16,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// Carries messages from the login to their [`CodeSender`]: a future for the program to spawn, for the library never
/// spawns.
///
/// The login has answered by then, so neither a slow provider nor a failing one can be seen in an answer. At most
/// 1,024 messages are on their way at a time, so one that takes long holds up no other, and at most 4,096 wait; when all
/// these places are taken, requests for a code are refused with 503 before anything is stored.
///
/// There is no deadline here: the contract of [`CodeSender`] obliges it to give up by itself. One that panics has failed
/// with an unknown end, and the others go on.
#[must_use = "no message leaves unless `run` is spawned"]
pub struct Courier {
    desk: mpsc::Receiver<Parcel>,
    delivery: Arc<Delivery>,
    in_flight: usize,
}

/// Where the login hands in messages. A clone hands them to the same courier.
#[derive(Clone)]
pub(crate) struct Desk(mpsc::Sender<Parcel>);

/// Room for one message, kept until it is used or dropped.
pub(crate) struct Place(mpsc::OwnedPermit<Parcel>);

/// What is told about each message: it, which it was, and how it ended. Called between two messages, so it must not
/// block.
pub(crate) type OnOutcome = Box<dyn Fn(&Message, Sent, Result<(), SendError>) + Send + Sync>;

/// How many messages wait at most.
pub(crate) const WAITING: NonZeroU16 = NonZeroU16::MIN.saturating_add(4_095);
const IN_FLIGHT: usize = 1_024;

struct Parcel {
    message: Message,
    sent: Sent,
}

struct Delivery {
    sender: Arc<dyn CodeSender>,
    store: Arc<dyn Challenges>,
    on_outcome: OnOutcome,
}

/// A desk with room for `waiting` messages, and the courier who fetches them there.
pub(crate) fn queue(
    waiting: NonZeroU16,
    sender: Arc<dyn CodeSender>,
    store: Arc<dyn Challenges>,
    on_outcome: OnOutcome,
) -> (Desk, Courier) {
    let (into, desk) = mpsc::channel(waiting.get().into());
    let delivery = Arc::new(Delivery { sender, store, on_outcome });
    (Desk(into), Courier { desk, delivery, in_flight: IN_FLIGHT })
}

impl Courier {
    /// Has at most `most` messages on their way at a time.
    ///
    /// # Errors
    ///
    /// When there are none or more than 65,536.
    pub fn in_flight(self, most: usize) -> Result<Self, ConfigError> {
        if !(1..=65_536).contains(&most) {
            let error = format!("messages on their way: 1 to 65536, not {most}");
            return Err(ConfigError::new(error));
        }
        Ok(Self { in_flight: most, ..self })
    }

    /// Delivers until the last handle of the login is gone and nothing is left to do. Dropping the future drops
    /// the messages that wait or are on their way.
    pub async fn run(mut self) {
        let mut on_their_way = FuturesUnordered::new();
        loop {
            let room = on_their_way.len() < self.in_flight;
            let step = poll_fn(|cx: &mut Context<'_>| {
                if let Poll::Ready(Some(())) = on_their_way.poll_next_unpin(cx) {
                    return Poll::Ready(Step::Delivered);
                }
                if room {
                    return self
                        .desk
                        .poll_recv(cx)
                        .map(|parcel| parcel.map_or(Step::Closed, Step::Fetched));
                }
                Poll::Pending
            });
            match step.await {
                Step::Fetched(parcel) => {
                    on_their_way.push(Arc::clone(&self.delivery).deliver(parcel))
                }
                Step::Delivered => {}
                Step::Closed => break,
            }
        }
        while on_their_way.next().await.is_some() {}
    }
}

enum Step {
    Fetched(Parcel),
    Delivered,
    Closed,
}

impl Desk {
    /// Takes a place for one message before anything is stored. `None` if all are taken or the courier is gone.
    pub(crate) fn reserve(&self) -> Option<Place> {
        self.0.clone().try_reserve_owned().ok().map(Place)
    }
}

impl Place {
    /// Hands the message in.
    pub(crate) fn post(self, message: Message, sent: Sent) {
        self.0.send(Parcel { message, sent });
    }
}

impl Delivery {
    async fn deliver(self: Arc<Self>, Parcel { message, sent }: Parcel) {
        let sending = async { self.sender.send(message.clone()).await };
        let sending = AssertUnwindSafe(sending).catch_unwind();
        let outcome = sending.await.unwrap_or(Err(SendError::Unknown));
        if outcome == Err(SendError::NotSent) {
            // A store that does not answer now counts a send too many, which is the safe side.
            let _ = self.store.give_back(sent).await;
        }
        (self.on_outcome)(&message, sent, outcome);
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("waiting", &self.desk.len())
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("free", &self.0.capacity()).finish()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

#[cfg(test)]
mod tests;
