//! Several who change numbers at the same time: one wins.

use crate::{
    NEW, PHONE, change,
    login::{Answer, Ask, Login, address, device, phone},
    refresh, sessions, verify,
};

/// As somebody on a device and at an address of its own.
fn by(number: usize, ask: Ask) -> Ask {
    ask.device(&device(number)).from(&address(number))
}

/// Logs somebody in, past the cooldown.
async fn on(login: &Login, phone: &str, number: usize) -> Answer {
    login.pass(31);
    let (challenge, code) = login.challenge(by(number, Ask::code(phone))).await;
    let answer = login.ask(by(number, Ask::verify(&challenge, &code))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// Asks for a code on the same device, past the cooldown, and says what answers it.
async fn ready(login: &Login, tokens: &Answer, to: &str, number: usize) -> Ask {
    login.pass(31);
    let (challenge, code) = login.challenge(by(number, change(tokens, to))).await;
    by(number, verify(tokens, &challenge, &code))
}

fn refusals(answers: &[Answer]) -> Vec<(u16, String)> {
    let refused = answers.iter().filter(|answer| answer.status != 200);
    refused.map(Answer::refusal).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_who_want_one_number_do_not_both_get_it() {
    for round in 0..20 {
        let login = Login::new();
        let (one, other) = (on(&login, &phone(1), 1).await, on(&login, &phone(2), 2).await);
        let asks = [ready(&login, &one, NEW, 1).await, ready(&login, &other, NEW, 2).await];
        let answers = login.race(asks).await;
        assert_eq!(refusals(&answers), [(409, "phone-taken".to_owned())], "{round}");
        let won = answers.iter().position(|answer| answer.status == 200).unwrap();
        let (winner, loser) = if won == 0 { (&one, &other) } else { (&other, &one) };
        refresh(&login, winner).await.assert(401, "token-invalid");
        // The notice, too, has left.
        login.sent.message(4).await;
        // Who lost keeps the session and the number.
        assert_eq!(refresh(&login, loser).await.status, 200);
        login.pass(3600);
        let owner = login.login_of(NEW).await;
        assert_eq!(owner.str("subject"), winner.str("subject"));
        let kept = login.login_of(&phone(if won == 0 { 2 } else { 1 })).await;
        assert_eq!(kept.str("subject"), loser.str("subject"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_of_one_user_do_not_both_change_the_number() {
    for round in 0..20 {
        let login = Login::new();
        let (one, two) = (on(&login, PHONE, 1).await, on(&login, PHONE, 2).await);
        let asks =
            [ready(&login, &one, &phone(1), 1).await, ready(&login, &two, &phone(2), 2).await];
        let answers = login.race(asks).await;
        assert_eq!(refusals(&answers), [(401, "token-invalid".to_owned())], "{round}");
        let won = answers.iter().find(|answer| answer.status == 200).unwrap();
        assert_eq!(sessions(&login, won).await.status, 200, "{round}");
        login.sent.message(4).await;
        for old in [&one, &two] {
            refresh(&login, old).await.assert(401, "token-invalid");
        }
        login.pass(3600);
        let mut numbers = Vec::new();
        for number in [PHONE.to_owned(), phone(1), phone(2)] {
            let answer = login.login_of(&number).await;
            if answer.str("subject") == one.str("subject") {
                numbers.push(number);
            }
            login.pass(600);
        }
        assert_eq!(numbers.len(), 1, "{round}: {numbers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_the_number_before_does_not_outlive_the_change() {
    let mut went_on = 0;
    for round in 0..40 {
        let login = Login::new();
        let tokens = on(&login, PHONE, 1).await;
        login.pass(31);
        let (challenge, code) = login.challenge(by(2, Ask::code(PHONE))).await;
        let late = by(2, Ask::verify(&challenge, &code));
        let asks = [ready(&login, &tokens, NEW, 1).await, late];
        let answers = login.race(asks).await;
        if answers[0].status != 200 || answers[1].status != 200 {
            continue;
        }
        went_on += 1;
        // Whichever came first: the session is over, or it is of a new user, as the number was nobody's.
        if answers[1].str("subject") == tokens.str("subject") {
            sessions(&login, &answers[1]).await.assert(401, "token-invalid");
        } else {
            assert_eq!(answers[1].json()["is_new"], true, "{round}");
        }
        assert_eq!(sessions(&login, &answers[0]).await.status, 200, "{round}");
    }
    assert!(went_on > 0, "one of both was refused each time");
}
