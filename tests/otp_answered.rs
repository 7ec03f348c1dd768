//! Providers that want to hear that a code was right, and hear it while nobody waits.
#![cfg(all(feature = "sms", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/login.rs"]
mod login;
#[path = "support/sms.rs"]
mod sms;

use login::{Ask, Login, address, device, phone, spawn, wrong};
use portcullis::{
    CodeSender, Memory, Profile,
    eventual::BoxFuture,
    otp::{
        Settings,
        fake::{FakeTwilio, Received, Reply},
        sender::{Answered, Message, Provider, Route, SendError, Taken, TwilioVerify},
    },
};
use sms::{Scene, auth_token};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

fn verify(fake: &FakeTwilio) -> TwilioVerify {
    let it = TwilioVerify::new(FakeTwilio::ACCOUNT, auth_token(), FakeTwilio::VERIFY_SERVICE);
    it.unwrap().base_url(&fake.url()).unwrap()
}

/// Has a code sent, and says the challenge and the code.
async fn begin(scene: &mut Scene, fake: &FakeTwilio) -> (String, String) {
    let (challenge, outcome) = scene.challenge().await;
    assert_eq!(outcome, Ok(()));
    (challenge, fake.received().last().unwrap().field("CustomCode").unwrap())
}

/// Those that tell how a verification ended.
fn told(fake: &FakeTwilio) -> Vec<Received> {
    fake.received().into_iter().filter(|it| it.field("Status").is_some()).collect()
}

#[tokio::test]
async fn verify_hears_of_each_code_that_was_right_and_of_no_other() {
    let fake = FakeTwilio::start().unwrap();
    let mut scene = Scene::new(verify(&fake));
    let (challenge, code) = begin(&mut scene, &fake).await;
    let answer = |code: &str| Ask::verify(&challenge, code).device(&device(0)).from(&address(0));
    scene.login.ask(answer(&wrong(&code))).await.assert(401, "otp-invalid");
    assert_eq!(scene.login.ask(answer(&code)).await.status, 200);
    let received = fake.wait_for(2).await;
    let sid = FakeTwilio::sid(&received[0]).replacen("SM", "VE", 1);
    let service = FakeTwilio::VERIFY_SERVICE;
    assert_eq!(received[1].path, format!("/v2/Services/{service}/Verifications/{sid}"));
    assert_eq!(received[1].method, "POST");
    assert_eq!(received[1].body, b"Status=approved");
    scene.login.ask(answer(&code)).await.assert(401, "otp-invalid");
    assert_eq!((scene.send().await, told(&fake).len()), (Ok(()), 1));
}

#[tokio::test]
async fn nobody_waits_for_it_and_it_is_not_repeated() {
    let fake = FakeTwilio::start().unwrap();
    let mut scene = Scene::new(verify(&fake));
    let replies = [
        Reply::Silence,
        FakeTwilio::error(404, 20404),
        FakeTwilio::error(500, 20500),
        Reply::CutBeforeAnswer,
        // Messages go on.
        Reply::RateLimited { retry_after: 60 },
    ];
    for (number, reply) in replies.into_iter().enumerate() {
        let (challenge, code) = begin(&mut scene, &fake).await;
        fake.reply(reply);
        let ask = Ask::verify(&challenge, &code).device(&device(number)).from(&address(number));
        let answer = timeout(Duration::from_secs(3), scene.login.ask(ask)).await.unwrap();
        assert_eq!(answer.status, 200);
        fake.wait_for(2 * (number + 1)).await;
    }
    assert_eq!((scene.send().await, told(&fake).len()), (Ok(()), 5));
}

/// A provider that wants to hear of all its messages, which it numbers.
#[derive(Clone, Debug)]
struct Hears {
    state: Arc<watch::Sender<State>>,
    fails: Arc<Mutex<Option<SendError>>>,
}

#[derive(Debug, Default)]
struct State {
    got: Vec<Message>,
    heard: Vec<String>,
}

impl Hears {
    fn new() -> Self {
        Self { state: Arc::default(), fails: Arc::default() }
    }

    fn fail(&self, error: impl Into<Option<SendError>>) {
        *self.fails.lock().unwrap() = error.into();
    }

    fn heard(&self) -> Vec<String> {
        self.state.borrow().heard.clone()
    }

    /// The code of its message with this number.
    async fn code(&self, number: usize) -> String {
        let message = self.until(|state| state.got.get(number).cloned()).await;
        message.code().unwrap().as_digits().to_owned()
    }

    async fn until<T>(&self, found: impl Fn(&State) -> Option<T>) -> T {
        let mut state = self.state.subscribe();
        let waiting = state.wait_for(|state| found(state).is_some());
        let state = timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
        found(&state).unwrap()
    }
}

impl CodeSender for Hears {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        if let Some(error) = *self.fails.lock().unwrap() {
            return Box::pin(async move { Err(error) });
        }
        let number = self.state.borrow().got.len();
        self.state.send_modify(|state| state.got.push(message));
        Box::pin(async move { Ok(Taken::new().awaiting(&format!("message {number}"))) })
    }

    fn hears_answers(&self) -> bool {
        true
    }

    fn answered(&self, answered: Answered) -> BoxFuture<'static, ()> {
        self.state.send_modify(|state| state.heard.push(answered.id.into()));
        Box::pin(async {})
    }
}

#[tokio::test]
async fn the_provider_of_a_route_hears_that_sent_the_last_message_unless_it_is_left_alone() {
    let (first, second) = (Hears::new(), Hears::new());
    let provider = |name, it: &Hears| {
        let it = Provider::new(name, it.clone()).unwrap();
        it.breaker(2, Duration::from_secs(300)).unwrap()
    };
    let route = Route::new([provider("first", &first), provider("second", &second)]).unwrap();
    let settings = Settings::new(Profile::Dev);
    let (login, courier) = Login::sending(settings, |it| it, route.over(Memory::new()));
    spawn(courier);
    let begin = async |number: usize| {
        let ask = Ask::code(&phone(number)).device(&device(number)).from(&address(number));
        let challenge = login.ask(ask).await.str("challenge_id");
        login.sent.settled().await;
        challenge
    };
    let verify = async |number: usize, challenge: &str, code: &str| {
        let ask = Ask::verify(challenge, code).device(&device(number)).from(&address(number));
        assert_eq!(login.ask(ask).await.status, 200);
        login.sent.settled().await;
    };
    // Both sent one; the code of the second is right.
    let challenge = begin(0).await;
    first.fail(SendError::NotSent);
    login.pass(30);
    let again = Ask::resend(&challenge).device(&device(0)).from(&address(0));
    assert_eq!(login.ask(again).await.status, 202);
    let code = second.code(0).await;
    login.sent.settled().await;
    first.fail(None);
    verify(0, &challenge, &code).await;
    second.until(|state| state.heard.first().cloned()).await;
    assert_eq!((first.heard(), second.heard()), (vec![], vec!["message 0".to_owned()]));

    let challenge = begin(1).await;
    let code = first.code(1).await;
    verify(1, &challenge, &code).await;
    first.until(|state| state.heard.first().cloned()).await;
    assert_eq!((first.heard(), second.heard().len()), (vec!["message 1".to_owned()], 1));

    // It fails for others before the code comes back.
    let challenge = begin(2).await;
    let code = first.code(2).await;
    first.fail(SendError::NotSent);
    begin(3).await;
    begin(4).await;
    verify(2, &challenge, &code).await;
    assert_eq!((first.heard().len(), second.heard().len()), (1, 1));
}
