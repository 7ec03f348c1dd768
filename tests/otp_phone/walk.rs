//! The whole of a change, and what it leaves.

use crate::{
    CHANGE, DEVICE, NEW, OTHER, PHONE, VERIFY, challenged, change, changed, claims, dev,
    login::{Ask, Login},
    refresh, sessions, told_of, verify,
};
use portcullis::{
    audit::Step,
    otp::{Notice, Purpose, sender::Content},
};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_number_is_changed_and_everybody_is_logged_out() {
    let login = Login::new();
    let (challenge, code) =
        login.challenge(Ask::code(PHONE).device("another-device-of-mine")).await;
    let elsewhere =
        login.ask(Ask::verify(&challenge, &code).device("another-device-of-mine")).await;
    login.pass(60);
    let here = login.login().await;
    assert_eq!(elsewhere.str("subject"), here.str("subject"));

    let asked = login.ask(change(&here, NEW).header("accept-language", "en")).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    assert_eq!(asked.str("phone_masked"), "+1******2671");
    assert!(asked.header("ratelimit").contains("otp-client"), "{asked:?}");
    let message = login.sent.message(2).await;
    assert_eq!(message.to.as_e164(), NEW);
    assert!(matches!(message.content, Content::Code { purpose: Purpose::PhoneChange, .. }));
    assert!(message.text.contains("is your Acme code for a new number"), "{}", *message.text);
    let code = message.code().unwrap().as_digits().to_owned();

    login.told.acts();
    let answer = login.ask(verify(&here, &asked.str("challenge_id"), &code)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.str("subject"), here.str("subject"));
    assert_ne!(answer.str("session_id"), here.str("session_id"));
    assert_eq!(claims(&answer)["auth_time"], 1_800_000_060_u64, "the code was a login, too");

    // Nobody else is logged in: not by a token of the session that changed it either.
    for old in [&elsewhere, &here] {
        sessions(&login, old).await.assert(401, "token-invalid");
        refresh(&login, old).await.assert(401, "token-invalid");
    }
    let listed = sessions(&login, &answer).await.json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(refresh(&login, &answer).await.status, 200);

    let notice = login.sent.message(3).await;
    assert_eq!((notice.to.as_e164(), notice.code().is_none()), (PHONE, true));
    assert!(matches!(notice.content, Content::Notice(Notice::PhoneChanged)));
    let text =
        "Your Acme account has a new phone number now. If that was not you, tell us at once.";
    assert_eq!(notice.text.as_str(), text);
    login.sent.settled().await;
    for (step, phone) in [(Step::PhoneChanged, NEW), (Step::NoticeSent, PHONE)] {
        assert_eq!(told_of(&login, step, phone), 1, "{step:?}");
    }
    let told = format!("{:?}", login.told.events());
    assert!(!told.contains("5552671") && !told.contains("43210"), "{told}");

    // The new number is the user's, and the old one is nobody's.
    login.pass(600);
    let (mine, others) = (login.login_of(NEW).await, login.login_of(PHONE).await);
    assert_eq!((mine.str("subject"), &mine.json()["is_new"]), (here.str("subject"), &json!(false)));
    assert_ne!(others.str("subject"), here.str("subject"));
    assert_eq!(others.json()["is_new"], true);
}

#[tokio::test]
async fn the_code_can_be_sent_again_and_asked_after() {
    let login = Login::new();
    let tokens = login.login().await;
    let asked = login.ask(change(&tokens, NEW)).await;
    let challenge = asked.str("challenge_id");
    login.sent.message(1).await;
    login.pass(30);
    assert_eq!(login.ask(Ask::resend(&challenge)).await.status, 202);
    let message = login.sent.message(2).await;
    assert_eq!(message.to.as_e164(), NEW);
    let state = login.ask(Ask::get(&format!("/v1/otp/{challenge}")).device(DEVICE)).await;
    assert_eq!(state.str("state"), "sent");
    let code = message.code().unwrap().as_digits().to_owned();
    assert_eq!(login.ask(verify(&tokens, &challenge, &code)).await.status, 200);
    login.ask(verify(&tokens, &challenge, &code)).await.assert(401, "token-invalid");
}

#[tokio::test]
async fn only_a_fresh_login_changes_the_number() {
    let login = Login::with(dev().reauth_after(Duration::from_secs(120)).unwrap());
    let tokens = login.login().await;
    login.pass(120);
    assert_eq!(login.ask(change(&tokens, NEW)).await.status, 202);
    login.pass(1);
    let refused = login.ask(change(&tokens, OTHER)).await;
    refused.assert(401, "reauth-required");
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer error=\"insufficient_user_authentication\", max_age=\"120\""
    );
    assert_eq!(login.sent.settled().await, 2, "nothing was sent");
    // A refresh is no login.
    let refreshed = refresh(&login, &tokens).await;
    login.ask(change(&refreshed, OTHER)).await.assert(401, "reauth-required");
    login.pass(60);
    let again = login.login().await;
    // A challenge goes with its session, whoever has another one.
    let ask = challenged(&login, &again).await;
    login.pass(250);
    assert_eq!(login.ask(ask).await.status, 200, "it was fresh when it was asked for");
}

#[tokio::test]
async fn a_number_that_was_changed_is_told_for_a_while() {
    let settings = dev().phone_cool_off(Duration::from_secs(86_400)).unwrap();
    let login = Login::with(settings);
    let tokens = login.login().await;
    assert_eq!(claims(&tokens)["phone_new_until"], json!(null));
    let answer = changed(&login, &tokens).await;
    let until = 1_800_000_000_u64 + 86_400;
    assert_eq!(claims(&answer)["phone_new_until"], until);
    login.pass(600);
    // On every device of the user.
    let (challenge, code) = login.challenge(Ask::code(NEW).device("another-device-of-mine")).await;
    let other = login.ask(Ask::verify(&challenge, &code).device("another-device-of-mine")).await;
    assert_eq!(claims(&other)["phone_new_until"], until);
    login.pass(86_400);
    assert_eq!(claims(&refresh(&login, &answer).await)["phone_new_until"], json!(null));
}

#[tokio::test]
async fn a_device_in_its_cool_off_changes_nothing() {
    let login = Login::with(dev().device_cool_off(Duration::from_secs(3600)).unwrap());
    login.login().await;
    login.pass(600);
    let (challenge, code) = login.challenge(Ask::code(PHONE).device("a-device-of-a-thief")).await;
    let thief = login.ask(Ask::verify(&challenge, &code).device("a-device-of-a-thief")).await;
    login.pass(100);
    let refused = login.ask(change(&thief, NEW).device("a-device-of-a-thief")).await;
    refused.assert(403, "device-too-new");
    assert_eq!(refused.retry_after(), 3500);
    // The first device is no new one.
    login.pass(60);
    let owner = login.login().await;
    assert_eq!(login.ask(change(&owner, NEW)).await.status, 202);
}

#[tokio::test]
async fn where_numbers_are_fixed_nobody_changes_one() {
    let login = Login::with(dev().fixed_phones());
    let tokens = login.login().await;
    login.ask(change(&tokens, NEW)).await.assert(404, "not-found");
    login.ask(verify(&tokens, "x", "123456")).await.assert(404, "not-found");
    assert_eq!(login.sent.settled().await, 1);
    assert!([CHANGE, VERIFY].iter().all(|path| path.starts_with("/v1/phone")));
}

#[tokio::test]
async fn a_number_of_somebody_else_is_told_by_the_right_code_alone() {
    let login = Login::new();
    let owner = login.login_of(NEW).await;
    login.pass(60);
    let tokens = login.login().await;
    let shape = |answer: &crate::login::Answer| {
        let names: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
        (answer.status, names, answer.headers.keys().cloned().collect::<Vec<_>>())
    };
    let (taken, free) =
        (login.ask(change(&tokens, NEW)).await, login.ask(change(&tokens, OTHER)).await);
    assert_eq!(shape(&taken), shape(&free));
    let code = login.sent.code(2).await;
    let wrong =
        login.ask(verify(&tokens, &taken.str("challenge_id"), &crate::login::wrong(&code))).await;
    wrong.assert(401, "otp-invalid");
    login.told.acts();
    let refused = login.ask(verify(&tokens, &taken.str("challenge_id"), &code)).await;
    refused.assert(409, "phone-taken");
    assert_eq!(crate::steps(&login), ["phone-taken"]);
    // Nothing has happened to anybody.
    assert_eq!(refresh(&login, &tokens).await.status, 200);
    assert_eq!(refresh(&login, &owner).await.status, 200);
    login.ask(change(&tokens, PHONE)).await.assert(409, "phone-taken");
}
