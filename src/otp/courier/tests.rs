use super::*;
use crate::{
    eventual::{BoxFuture, Eventual},
    key::{Key, KeyKind},
    otp::{Attempt, ChallengeId, Code, Dispatch, Issue, Purpose, Resend, Verified},
    store::StoreError,
};
use std::sync::Mutex;
use tokio::{sync::mpsc::unbounded_channel, sync::oneshot, task::JoinHandle};
use zeroize::Zeroizing;

/// Knows what was given back.
#[derive(Debug, Default)]
struct Returned(Mutex<Vec<u8>>);

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

    fn give_back(&self, sent: Sent) -> Eventual<Result<(), StoreError>> {
        self.0.lock().unwrap().push(sent.number);
        Eventual::Ready(Err(StoreError::new("it does not matter")))
    }
}

/// Sends when the test says how it ends.
#[derive(Debug)]
struct Provider(mpsc::UnboundedSender<(String, oneshot::Sender<Result<(), SendError>>)>);

impl CodeSender for Provider {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<(), SendError>> {
        let (end, ended) = oneshot::channel();
        let text = message.text.as_str();
        assert!(!text.starts_with("at once"), "a sender with a bug");
        self.0.send((text.to_owned(), end)).unwrap();
        // A test that drops its end makes this one panic later on.
        Box::pin(async move { ended.await.unwrap() })
    }
}

struct Scene {
    desk: Desk,
    courier: Courier,
    at_provider: mpsc::UnboundedReceiver<(String, oneshot::Sender<Result<(), SendError>>)>,
    outcomes: mpsc::UnboundedReceiver<(u8, Result<(), SendError>)>,
    returned: Arc<Returned>,
}

fn scene(waiting: u16) -> Scene {
    let (provider, at_provider) = unbounded_channel();
    let (told, outcomes) = unbounded_channel();
    let returned = Arc::new(Returned::default());
    let (desk, courier) = queue(
        NonZeroU16::new(waiting).unwrap(),
        Arc::new(Provider(provider)),
        returned.clone(),
        Box::new(move |message, sent, outcome| {
            assert_eq!(format!("{message:?}").matches("123456").count(), 0);
            told.send((sent.number, outcome)).unwrap();
        }),
    );
    Scene { desk, courier, at_provider, outcomes, returned }
}

fn post(desk: &Desk, number: u8) -> Option<()> {
    post_text(desk, number, &format!("{number}"))
}

fn post_text(desk: &Desk, number: u8, text: &str) -> Option<()> {
    let message = Message {
        to: "+919876543210".parse().unwrap(),
        text: Zeroizing::new(text.into()),
        code: Code::parse("123456", 6).unwrap(),
        purpose: Purpose::Login,
        language: "en".into(),
    };
    let phone = Key::tag(KeyKind::Phone, [7; 16]);
    let sent = Sent { phone, challenge: ChallengeId([9; 16]), number };
    desk.reserve().map(|place| place.post(message, sent))
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
async fn only_what_certainly_did_not_leave_is_given_back() {
    let Scene { desk, courier, mut at_provider, mut outcomes, returned } = scene(10);
    run(courier);
    let ends = [Ok(()), Err(SendError::Unknown), Err(SendError::NotSent)];
    for (number, end) in (0..).zip(ends) {
        post(&desk, number).unwrap();
        at_provider.recv().await.unwrap().1.send(end).unwrap();
        assert_eq!(outcomes.recv().await, Some((number, end)));
    }
    assert_eq!(*returned.0.lock().unwrap(), [2]);
}

#[tokio::test]
async fn a_full_desk_and_one_without_a_courier_take_nothing() {
    let Scene { desk, courier, at_provider: _provider, .. } = scene(2);
    let place = desk.reserve().unwrap();
    post(&desk, 1).unwrap();
    assert!(desk.reserve().is_none());
    // A place that is not used is free again.
    drop(place);
    post(&desk, 2).unwrap();
    assert!(desk.clone().reserve().is_none());
    drop(courier);
    assert!(desk.reserve().is_none());
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
async fn it_ends_when_all_handles_are_gone_and_all_is_delivered() {
    let Scene { desk, courier, mut at_provider, mut outcomes, .. } = scene(10);
    let courier = run(courier.in_flight(1).unwrap());
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

#[tokio::test]
async fn a_sender_that_panics_stops_nobody_else() {
    let Scene { desk, courier, mut at_provider, mut outcomes, returned } = scene(10);
    run(courier);
    post_text(&desk, 1, "at once").unwrap();
    assert_eq!(outcomes.recv().await, Some((1, Err(SendError::Unknown))));
    post(&desk, 2).unwrap();
    drop(at_provider.recv().await.unwrap().1);
    assert_eq!(outcomes.recv().await, Some((2, Err(SendError::Unknown))));
    post(&desk, 3).unwrap();
    at_provider.recv().await.unwrap().1.send(Ok(())).unwrap();
    assert_eq!(outcomes.recv().await, Some((3, Ok(()))));
    assert!(returned.0.lock().unwrap().is_empty());
}
