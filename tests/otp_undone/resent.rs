//! Codes that are asked for again, where none leaves.

use crate::{
    built,
    login::{Ask, PHONE},
    priced,
};
use portcullis::{
    Eventual, Phone, Profile,
    otp::{OptOuts, Settings},
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
