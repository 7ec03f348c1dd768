//! Clients that hang up while the store is asked: hyper drops the request, wherever it is.

use crate::{
    built,
    faults::Faulty,
    login::{Ask, Login, PHONE, address, answer, device, phone},
    priced,
};
use std::{
    pin::pin,
    task::{Context, Waker},
};

/// Asks and hangs up after the store was polled so often; says whether there was an answer before.
async fn hang_up(login: &Login, ask: Ask, polls: usize) -> bool {
    let done = {
        let mut request = pin!(answer(login.service.clone(), ask));
        let mut cx = Context::from_waker(Waker::noop());
        (0..polls).any(|_| request.as_mut().poll(&mut cx).is_ready())
    };
    login.sent.settled().await;
    done
}

fn of(number: usize) -> Ask {
    Ask::code(&phone(100 * number)).from(&address(number)).device(&device(number))
}

#[tokio::test]
async fn who_hangs_up_before_the_message_is_on_its_way_has_spent_nothing() {
    let (login, store) = built(priced("0.10"), |it| it);
    store.slow_down();
    let mut polls = 1;
    while !hang_up(&login, of(polls), polls).await {
        polls += 1;
    }
    assert!(polls > 3, "the store was asked {polls} times");
    assert_eq!(login.sent.settled().await, 1, "the one that has waited");
    assert_eq!(login.ask(of(50)).await.status, 202);
    login.ask(of(51)).await.assert(503, "sms-budget");
}

#[tokio::test]
async fn who_hangs_up_before_the_store_has_answered_can_ask_again_at_once() {
    let (login, store) = built(priced("10"), |it| it);
    store.answer_late();
    let mut polls = 1;
    while !hang_up(&login, of(polls), polls).await {
        let again = login.ask(of(polls)).await;
        assert_eq!(again.status, 202, "{polls}: {again:?}");
        polls += 1;
    }
    assert!(polls > 3, "the store was asked {polls} times");
}

#[tokio::test]
async fn who_hangs_up_while_the_price_is_paid_back_gets_it_back_once() {
    let (login, store) = built(priced("0.10"), |it| it);
    assert_eq!(login.request().await.status, 202);
    store.slow_down();
    let again = |number: usize| Ask::code(PHONE).from(&address(number));
    let mut polls = 1;
    while !hang_up(&login, again(polls), polls).await {
        polls += 1;
    }
    login.ask(again(60)).await.assert(429, "cooldown");
    assert_eq!(login.ask(of(50)).await.status, 202);
    login.ask(of(51)).await.assert(503, "sms-budget");
}

#[tokio::test]
async fn who_hangs_up_while_a_code_is_sent_again_can_ask_for_it_again() {
    for take_time in [Faulty::slow_down, Faulty::answer_late] {
        let (login, store) = built(priced("10"), |it| it);
        take_time(&store);
        let mut done = false;
        for number in 1.. {
            let challenge = login.ask(of(number)).await.str("challenge_id");
            login.pass(30);
            let resend = || Ask::resend(&challenge).from(&address(number)).device(&device(number));
            done = hang_up(&login, resend(), number).await;
            if done {
                break;
            }
            let again = login.ask(resend()).await;
            assert_eq!(again.status, 202, "{number}: {again:?}");
        }
        assert!(done);
    }
}
