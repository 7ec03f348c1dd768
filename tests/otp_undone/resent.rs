//! Codes that are asked for again, where none leaves.

use crate::{
    built,
    login::{Ask, Login, PHONE},
    priced,
};
use portcullis::{
    CodeSender, Eventual, Phone, Profile,
    eventual::BoxFuture,
    otp::{
        OptOuts, Settings,
        sender::{Message, SendError, Taken},
    },
    store::StoreError,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Nobody has opted out, as far as it answers.
#[derive(Clone, Debug, Default)]
struct Wishes {
    are_away: Arc<AtomicBool>,
}

impl OptOuts for Wishes {
    fn is_out(&self, _: &Phone) -> Eventual<Result<bool, StoreError>> {
        Eventual::Ready(match self.are_away.load(Ordering::SeqCst) {
            true => Err(StoreError::new("connection refused")),
            false => Ok(false),
        })
    }

    fn set(&self, _: &Phone, _: bool) -> Eventual<Result<bool, StoreError>> {
        Eventual::Ready(Ok(false))
    }
}

#[tokio::test]
async fn while_nobody_can_say_who_opted_out_nothing_is_sent_again_and_nothing_counted() {
    let wishes = Wishes::default();
    let (login, _) = built(Settings::new(Profile::Dev), |it| it.opt_outs(wishes.clone()));
    let (challenge, _) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    login.told.acts();
    wishes.are_away.store(true, Ordering::SeqCst);
    login.ask(Ask::resend(&challenge)).await.assert(503, "store-unavailable");
    assert_eq!(login.sent.settled().await, 1);
    assert_eq!(login.told.acts(), ["refused"]);
    wishes.are_away.store(false, Ordering::SeqCst);
    assert_eq!(login.ask(Ask::resend(&challenge)).await.status, 202);
    assert_eq!(login.sent.settled().await, 2);
    assert_eq!(login.told.acts(), ["code-resent", "code-sent"]);
}

#[tokio::test]
async fn what_the_budget_refuses_was_not_sent_again() {
    let (login, _) = built(priced("0.05"), |it| it);
    let (challenge, _) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    login.told.acts();
    login.ask(Ask::resend(&challenge)).await.assert(503, "sms-budget");
    assert!(!login.told.acts().contains(&"code-resent"));
}

/// Takes messages, fails, or cannot be asked at all.
#[derive(Clone, Debug, Default)]
struct Flaky {
    sent: crate::login::Sent,
    fails: Arc<AtomicBool>,
    is_away: Arc<AtomicBool>,
}

impl CodeSender for Flaky {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        match self.fails.load(Ordering::SeqCst) {
            true => Box::pin(async { Err(SendError::NotSent) }),
            false => self.sent.send(message),
        }
    }

    fn ready(&self, _: &Phone) -> Result<(), SendError> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(SendError::NotSent),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_code_that_could_not_be_sent_again_is_good_as_it_was() {
    let provider = Flaky::default();
    let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, provider.clone());
    crate::login::spawn(courier);
    let login = Login { sent: provider.sent.clone(), ..login };
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    provider.is_away.store(true, Ordering::SeqCst);
    login.ask(Ask::resend(&challenge)).await.assert(503, "sms-unavailable");
    provider.is_away.store(false, Ordering::SeqCst);
    provider.fails.store(true, Ordering::SeqCst);
    assert_eq!(login.ask(Ask::resend(&challenge)).await.status, 202);
    login.sent.settled().await;
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn a_code_that_must_not_be_sent_again_is_good_as_it_was() {
    let (login, _) = built(priced("0.05"), |it| it);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    login.ask(Ask::resend(&challenge)).await.assert(503, "sms-budget");
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}
