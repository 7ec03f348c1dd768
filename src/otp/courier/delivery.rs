use super::{
    desk::{Job, Parcel},
    outages::Outages,
};
use crate::{
    clock::Clock,
    eventual::BoxFuture,
    meter::{Stopwatch, Times},
    otp::{
        Challenges, CodeSender, Sent,
        fraud::Bill,
        receipts::Errand,
        sender::{Message, SendError, Taken},
    },
};
use futures_util::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// What precedes each message, and says how long it takes if it is only feigned.
pub(crate) type OnStart = Box<dyn Fn(Errand) -> BoxFuture<'static, Duration> + Send + Sync>;

/// What follows each message, before its place is free again.
pub(crate) type OnEnd = Box<dyn Fn(Ended) -> BoxFuture<'static, ()> + Send + Sync>;

/// How a message ended, or one that was only feigned.
pub(crate) struct Ended {
    /// `None` where nothing was sent and nobody must find out.
    pub(crate) message: Option<Message>,
    pub(crate) errand: Errand,
    pub(crate) outcome: Result<Taken, SendError>,
}

/// What happens to one message.
pub(super) struct Delivery {
    pub(super) sender: Arc<dyn CodeSender>,
    pub(super) challenges: Arc<dyn Challenges>,
    /// By which messages are posted.
    pub(super) clock: Arc<dyn Clock>,
    pub(super) on_start: OnStart,
    pub(super) on_end: OnEnd,
    pub(super) outages: Outages,
    pub(super) times: SendTimes,
}

/// How long messages take, by how they end.
pub(super) struct SendTimes {
    sent: Times,
    not_sent: Times,
    unknown: Times,
}

impl Delivery {
    pub(super) async fn take(self: Arc<Self>, job: Job) {
        match job {
            Job::Deliver(parcel) => self.deliver(*parcel).await,
            Job::Finish(rest) => rest.await,
        }
    }

    async fn deliver(&self, Parcel { message, errand, calling_code, bill }: Parcel) {
        let feigned = (self.on_start)(errand).await;
        let waited = self.clock.wall().since(errand.posted_at);
        let message = message.map(|message| message.after(waited));
        let outcome = match &message {
            Some(message) => self.send(message, calling_code).await,
            // While messages fail, a number that gets none must not be the only one whose cooldown goes on, nor the first whose does not.
            None if self.outages.reach(calling_code) => {
                if !feigned.is_zero() {
                    tokio::time::sleep(feigned).await;
                }
                Err(SendError::NotSent)
            }
            None => Ok(Taken::new()),
        };
        if let Err(error) = &outcome {
            self.give_back(*error, errand.sent, bill).await;
        }
        (self.on_end)(Ended { message, errand, outcome }).await;
    }

    async fn send(&self, message: &Message, calling_code: u16) -> Result<Taken, SendError> {
        let since = Stopwatch::start();
        let sending = async { self.sender.send(message.clone()).await };
        let sending = AssertUnwindSafe(sending).catch_unwind();
        let outcome = sending.await.unwrap_or(Err(SendError::Unknown));
        self.times.of(&outcome).record(&since);
        let failed = outcome.as_ref().is_err_and(|error| error.is_given_back());
        self.outages.note(calling_code, failed);
        outcome
    }

    async fn give_back(&self, error: SendError, sent: Sent, bill: Option<Bill>) {
        if error.is_given_back() {
            // A store that does not answer now counts a send too many, which is the safe side.
            let _ = self.challenges.give_back(sent).await;
        }
        match bill {
            Some(bill) if error.is_given_back() => bill.void().await,
            Some(bill) if error.costs_nothing() => bill.pay_back().await,
            _ => {}
        }
    }
}

impl SendTimes {
    pub(super) fn new() -> Self {
        Self {
            sent: Times::of_message("sent"),
            not_sent: Times::of_message("not-sent"),
            unknown: Times::of_message("unknown"),
        }
    }

    fn of(&self, outcome: &Result<Taken, SendError>) -> &Times {
        match outcome {
            Ok(_) => &self.sent,
            Err(SendError::Unknown) => &self.unknown,
            Err(_) => &self.not_sent,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::desk::tests::parcel, *};
    use crate::{
        clock::{ManualClock, UnixTime},
        eventual::Eventual,
        key::Key,
        otp::{Arrival, Arrived, Attempt, Conclusion, Dispatch, Issue, Resend, Rules, Verified},
        store::StoreError,
    };
    use std::sync::Mutex;

    /// Knows what was given back.
    #[derive(Debug, Default)]
    pub(in super::super) struct Returned(Mutex<Vec<u8>>);

    impl Challenges for Returned {
        fn issue(&self, _: Issue) -> Eventual<Result<Dispatch, StoreError>> {
            panic!("the courier does not issue");
        }

        fn resend(&self, _: Resend) -> Eventual<Result<Dispatch, StoreError>> {
            panic!("the courier does not resend");
        }

        fn verify(&self, _: Attempt) -> Eventual<Result<Verified, StoreError>> {
            panic!("the courier does not verify");
        }

        fn arrive(&self, _: Arrival, _: Rules) -> Eventual<Result<Arrived, StoreError>> {
            panic!("the courier counts no arrivals");
        }

        fn conclude(&self, _: Conclusion) -> Eventual<Result<Verified, StoreError>> {
            panic!("the courier does not conclude");
        }

        fn give_back(&self, sent: Sent) -> Eventual<Result<(), StoreError>> {
            self.0.lock().unwrap().push(sent.number);
            Eventual::Ready(Err(StoreError::new("it does not matter")))
        }

        fn forget(&self, _: Key, _: Option<Key>) -> Eventual<Result<(), StoreError>> {
            panic!("the courier does not forget");
        }
    }

    /// Ends as the number of the message says.
    #[derive(Debug)]
    struct Provider;

    impl CodeSender for Provider {
        fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
            assert_ne!(message.text.as_str(), "3", "a sender with a bug");
            Box::pin(async move {
                match message.text.as_str() {
                    "0" => Ok(Taken::new()),
                    "1" => Err(SendError::NotSent),
                    "2" => Err(SendError::Unknown),
                    "5" => Err(SendError::Recipient),
                    "6" => Err(SendError::Blocked),
                    "7" => Err(SendError::RateLimited { retry_after: None }),
                    "8" => Err(SendError::Misconfigured),
                    _ => panic!("a sender with another bug"),
                }
            })
        }
    }

    /// Knows how long what it got is good for.
    #[derive(Clone, Debug, Default)]
    struct Watch(Arc<Mutex<Option<Duration>>>);

    impl CodeSender for Watch {
        fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
            *self.0.lock().unwrap() = message.good_for;
            Box::pin(async { Ok(Taken::new()) })
        }
    }

    fn delivery(
        sender: impl CodeSender + 'static,
        clock: &ManualClock,
        on_end: OnEnd,
    ) -> (Delivery, Arc<Returned>) {
        let returned = Arc::new(Returned::default());
        let delivery = Delivery {
            sender: Arc::new(sender),
            challenges: returned.clone(),
            clock: Arc::new(clock.clone()),
            on_start: Box::new(|_| Box::pin(std::future::ready(Duration::ZERO))),
            on_end,
            outages: Outages::default(),
            times: SendTimes::new(),
        };
        (delivery, returned)
    }

    #[tokio::test]
    async fn a_message_that_waited_is_good_for_less() {
        let (watch, clock) = (Watch::default(), ManualClock::at(UnixTime::default()));
        let end = Box::new(|_| -> BoxFuture<'static, ()> { Box::pin(std::future::ready(())) });
        let (delivery, _) = delivery(watch.clone(), &clock, end);
        for (waits, left) in [(0, 300), (20, 280), (400, 0)] {
            clock.advance(Duration::from_secs(waits));
            delivery.deliver(parcel(0)).await;
            assert_eq!(*watch.0.lock().unwrap(), Some(Duration::from_secs(left)));
        }
    }

    #[tokio::test]
    async fn only_what_certainly_did_not_leave_is_given_back_and_all_is_told() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let on_end = Box::new(move |ended| -> BoxFuture<'static, ()> {
            let Ended { message, errand, outcome } = ended;
            if let Some(message) = message {
                assert_eq!(message.to.as_e164(), "+919876543210");
                tell.lock().unwrap().push((errand.sent.number, outcome.map(drop)));
            }
            Box::pin(std::future::ready(()))
        });
        let clock = ManualClock::at(UnixTime::default());
        let (delivery, returned) = delivery(Provider, &clock, on_end);
        let feigned = |number| Parcel { message: None, ..parcel(number) };
        for number in 0..=8 {
            delivery.deliver(parcel(number)).await;
            delivery.deliver(feigned(number + 10)).await;
        }
        assert_eq!(
            *returned.0.lock().unwrap(),
            [1, 11, 7, 17, 8, 18],
            "what is feigned ends as the last did"
        );
        let unknown = Err(SendError::Unknown);
        assert_eq!(
            *told.lock().unwrap(),
            [
                (0, Ok(())),
                (1, Err(SendError::NotSent)),
                (2, unknown),
                (3, unknown),
                (4, unknown),
                (5, Err(SendError::Recipient)),
                (6, Err(SendError::Blocked)),
                (7, Err(SendError::RateLimited { retry_after: None })),
                (8, Err(SendError::Misconfigured)),
            ]
        );
    }
}
