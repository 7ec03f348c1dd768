mod delivery;
mod desk;
mod outages;

pub(crate) use self::{
    delivery::{Ended, OnEnd, OnStart},
    desk::{Desk, Place},
};

use self::{
    delivery::{Delivery, SendTimes},
    desk::Job,
    outages::Outages,
};
use super::{Challenges, CodeSender};
use crate::{clock::Clock, error::ConfigError};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{
    fmt,
    future::poll_fn,
    num::NonZeroU16,
    ops::ControlFlow,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// Carries messages from the login to their [`CodeSender`]: a future for the program to spawn, for the library never
/// spawns. Its runtime needs tokio's timer.
///
/// The login has answered by then, so neither a slow provider nor a failing one can be seen in an answer. At most
/// 1,024 messages are on their way at a time, so one that takes long holds up no other, and at most 4,096 wait; when all
/// these places are taken, requests for a code are refused with 503 before anything is stored.
///
/// There is no deadline here: the contract of [`CodeSender`] obliges it to give up by itself. One that panics has failed
/// with an unknown end, and whatever panics for one message, such as a sink that is told of it, the others go on.
#[must_use = "no message leaves unless `run` is spawned"]
pub struct Courier {
    desk: mpsc::Receiver<Job>,
    delivery: Arc<Delivery>,
    in_flight: usize,
}

/// How many messages wait at most.
pub(crate) const WAITING: NonZeroU16 = NonZeroU16::MIN.saturating_add(4_095);
const IN_FLIGHT: usize = 1_024;

/// A desk with room for `waiting` messages, and the courier who fetches them there.
pub(crate) fn queue(
    waiting: NonZeroU16,
    sender: Arc<dyn CodeSender>,
    challenges: Arc<dyn Challenges>,
    clock: Arc<dyn Clock>,
    on_start: OnStart,
    on_end: OnEnd,
) -> (Desk, Courier) {
    let (into, desk) = Desk::new(waiting);
    let (outages, times) = (Outages::default(), SendTimes::new());
    let delivery =
        Arc::new(Delivery { sender, challenges, clock, on_start, on_end, outages, times });
    (into, Courier { desk, delivery, in_flight: IN_FLIGHT })
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
                if let Poll::Ready(Some(_)) = on_their_way.poll_next_unpin(cx) {
                    return Poll::Ready(ControlFlow::Continue(()));
                }
                if !room {
                    return Poll::Pending;
                }
                self.desk.poll_recv(cx).map(|job| match job {
                    Some(job) => {
                        let doing = Arc::clone(&self.delivery).take(job);
                        on_their_way.push(AssertUnwindSafe(doing).catch_unwind());
                        ControlFlow::Continue(())
                    }
                    None => ControlFlow::Break(()),
                })
            });
            if step.await.is_break() {
                break;
            }
        }
        while on_their_way.next().await.is_some() {}
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

#[cfg(test)]
mod tests {
    use super::{delivery::tests::Returned, desk::tests::post, *};
    use crate::{
        clock::SystemClock,
        eventual::BoxFuture,
        otp::sender::{Message, SendError, Taken},
    };
    use std::time::Duration;
    use tokio::{
        sync::{mpsc::unbounded_channel, oneshot},
        task::JoinHandle,
    };

    /// Sends when the test says how it ends.
    #[derive(Debug)]
    struct Provider(mpsc::UnboundedSender<(String, oneshot::Sender<Result<(), SendError>>)>);

    impl CodeSender for Provider {
        fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
            let (end, ended) = oneshot::channel();
            self.0.send((message.text.as_str().to_owned(), end)).unwrap();
            Box::pin(async move { ended.await.unwrap().map(|()| Taken::new()) })
        }
    }

    struct Scene {
        desk: Desk,
        courier: Courier,
        at_provider: mpsc::UnboundedReceiver<(String, oneshot::Sender<Result<(), SendError>>)>,
        outcomes: mpsc::UnboundedReceiver<(u8, Result<(), SendError>)>,
    }

    fn scene(waiting: u16) -> Scene {
        let (provider, at_provider) = unbounded_channel();
        let (told, outcomes) = unbounded_channel();
        let (desk, courier) = queue(
            NonZeroU16::new(waiting).unwrap(),
            Arc::new(Provider(provider)),
            Arc::new(Returned::default()),
            Arc::new(SystemClock::new()),
            Box::new(|_| Box::pin(std::future::ready(Duration::ZERO))),
            Box::new(move |Ended { message, errand, outcome }| {
                assert_eq!(format!("{message:?}").matches("123456").count(), 0);
                let number = errand.sent.number;
                told.send((number, outcome.map(drop))).unwrap();
                assert_ne!(number, 13, "who is told has a bug");
                Box::pin(std::future::ready(()))
            }),
        );
        Scene { desk, courier, at_provider, outcomes }
    }

    fn run(courier: Courier) -> JoinHandle<()> {
        tokio::spawn(courier.run())
    }

    #[tokio::test]
    async fn a_slow_message_holds_up_no_other() {
        let Scene { desk, courier, mut at_provider, mut outcomes, .. } = scene(10);
        let courier = run(courier);
        post(&desk, 1).unwrap();
        post(&desk, 2).unwrap();
        let (first, slow) = at_provider.recv().await.unwrap();
        let (second, fast) = at_provider.recv().await.unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("1", "2"));
        fast.send(Ok(())).unwrap();
        assert_eq!(outcomes.recv().await, Some((2, Ok(()))));
        slow.send(Ok(())).unwrap();
        assert_eq!(outcomes.recv().await, Some((1, Ok(()))));
        drop(desk);
        courier.await.unwrap();
    }

    #[tokio::test]
    async fn no_more_than_may_are_on_their_way() {
        let Scene { desk, courier, mut at_provider, mut outcomes, .. } = scene(2);
        assert!(scene(1).courier.in_flight(0).is_err());
        assert!(scene(1).courier.in_flight(65_537).is_err());
        run(courier.in_flight(2).unwrap());
        post(&desk, 1).unwrap();
        post(&desk, 2).unwrap();
        let first = at_provider.recv().await.unwrap().1;
        let _second = at_provider.recv().await.unwrap().1;
        post(&desk, 3).unwrap();
        post(&desk, 4).unwrap();
        // Everybody else has had a turn, and still both wait.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(at_provider.try_recv().is_err() && desk.reserve().is_none());
        first.send(Ok(())).unwrap();
        assert_eq!(outcomes.recv().await, Some((1, Ok(()))));
        assert_eq!(at_provider.recv().await.unwrap().0, "3");
    }

    #[tokio::test]
    async fn what_panics_for_one_message_stops_no_other() {
        let Scene { desk, courier, mut at_provider, mut outcomes, .. } = scene(10);
        let courier = run(courier);
        for number in [13, 1] {
            post(&desk, number).unwrap();
            at_provider.recv().await.unwrap().1.send(Ok(())).unwrap();
            assert_eq!(outcomes.recv().await, Some((number, Ok(()))));
        }
        drop(desk);
        courier.await.unwrap();
    }

    #[tokio::test]
    async fn it_ends_when_all_handles_are_gone_and_all_is_delivered() {
        let Scene { desk, courier, mut at_provider, mut outcomes, .. } = scene(10);
        let courier = run(courier.in_flight(2).unwrap());
        let other = desk.clone();
        for number in 0..3 {
            post(&desk, number).unwrap();
        }
        // A place that is taken can still be used when the desk is gone.
        drop(desk);
        drop(other);
        for number in 0..3 {
            assert!(!courier.is_finished());
            at_provider.recv().await.unwrap().1.send(Ok(())).unwrap();
            assert_eq!(outcomes.recv().await, Some((number, Ok(()))));
        }
        courier.await.unwrap();
    }
}
