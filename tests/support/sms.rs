//! A login whose messages go to a real sender, and how each of them ended.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use super::login::{Ask, Login, address, device, phone, spawn};
use portcullis::{
    CodeSender, Phone, Profile,
    eventual::BoxFuture,
    limit::Name,
    otp::{
        Settings,
        fake::{FakeMsg91, FakeTwilio},
        sender::{
            Answered, ApiSecret, CodeChecker, Message, Msg91, SendError, Taken, Twilio, TwilioFrom,
            TwilioKey,
        },
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

pub(crate) type Outcome = Result<(), SendError>;

pub(crate) struct Scene {
    pub(crate) login: Login,
    outcomes: UnboundedReceiver<Outcome>,
    asked: usize,
}

impl Scene {
    pub(crate) fn new(sender: impl CodeSender + Clone + 'static) -> Self {
        let (told, outcomes) = unbounded_channel();
        let watched = Watched(sender, told);
        let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, watched);
        spawn(courier);
        Self { login, outcomes, asked: 0 }
    }

    /// Has a code sent to the next phone, and says how that ended.
    pub(crate) async fn send(&mut self) -> Outcome {
        self.challenge().await.1
    }

    /// Says the challenge, too.
    pub(crate) async fn challenge(&mut self) -> (String, Outcome) {
        let number = self.asked;
        self.asked += 1;
        let ask = Ask::code(&phone(number)).device(&device(number)).from(&address(number));
        let answer = self.login.ask(ask).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        (answer.str("challenge_id"), self.outcome().await)
    }

    /// How the next message ends.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        timeout(Duration::from_secs(20), self.outcomes.recv()).await.unwrap().unwrap()
    }
}

#[derive(Clone, Debug)]
struct Watched<S>(S, UnboundedSender<Outcome>);

impl<S: CodeSender + Clone + 'static> CodeSender for Watched<S> {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let Self(sender, told) = self.clone();
        Box::pin(async move {
            let outcome = sender.send(message).await;
            told.send(outcome.as_ref().map(drop).map_err(|error| *error)).unwrap();
            outcome
        })
    }

    fn ready(&self, to: &Phone) -> Result<(), SendError> {
        self.0.ready(to)
    }

    fn hears_answers(&self) -> bool {
        self.0.hears_answers()
    }

    fn answered(&self, answered: Answered) -> BoxFuture<'static, ()> {
        self.0.answered(answered)
    }

    fn holder(&self, to: &Phone) -> Option<Name> {
        self.0.holder(to)
    }

    fn checkers(&self) -> Vec<(Name, Arc<dyn CodeChecker>)> {
        self.0.checkers()
    }
}

pub(crate) const FROM: &str = "+12025550123";

pub(crate) fn auth_token() -> TwilioKey {
    TwilioKey::auth_token(ApiSecret::new(FakeTwilio::AUTH_TOKEN).unwrap())
}

pub(crate) fn twilio(fake: &FakeTwilio) -> Twilio {
    let from = TwilioFrom::sender(FROM).unwrap();
    Twilio::new(FakeTwilio::ACCOUNT, auth_token(), from).unwrap().base_url(&fake.url()).unwrap()
}

pub(crate) fn msg91(fake: &FakeMsg91) -> Msg91 {
    let authkey = ApiSecret::new(FakeMsg91::AUTHKEY).unwrap();
    Msg91::new(authkey, FakeMsg91::TEMPLATE).unwrap().base_url(&fake.url()).unwrap()
}
