//! Stores and records that fail in each step: nothing is half done, or whoever asks again finishes it.

use crate::{
    NEW, OTHER, PHONE, change, claims, dev,
    faults::Faulty,
    login::{Answer, Ask, Login, answer},
    refresh, sessions, steps, verify,
};
use portcullis::{
    Eventual, Phone,
    otp::{Found, OtpBuilder, Subject, Subjects},
    records::Relinked,
    store::StoreError,
};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::Notify;

/// Users in a database that fails when it is told to.
#[derive(Clone, Debug, Default)]
struct Users(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    users: Vec<(Phone, Subject)>,
    failing: Vec<&'static str>,
    moved: bool,
    pause: Option<Pause>,
}

/// The next call of this name tells that it has its answer, and waits.
#[derive(Clone, Debug)]
struct Pause {
    name: &'static str,
    there: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Users {
    /// From now on these calls fail, and no others.
    fn fail(&self, calls: &[&'static str]) {
        self.0.lock().unwrap().failing = calls.to_vec();
    }

    fn pause(&self, name: &'static str) -> Pause {
        let pause = Pause { name, there: Arc::default(), go_on: Arc::default() };
        self.0.lock().unwrap().pause = Some(pause.clone());
        pause
    }

    fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        call: impl FnOnce(&mut State) -> T,
    ) -> Eventual<Result<T, StoreError>> {
        let mut state = self.0.lock().unwrap();
        let down = Eventual::Ready(Err(StoreError::new("connection refused")));
        if state.failing.contains(&name) {
            return down;
        }
        let told = call(&mut state);
        let is_lost = name == "relink" && state.failing.contains(&"answer");
        match state.pause.take_if(|pause| pause.name == name) {
            _ if is_lost => down,
            Some(pause) => Eventual::later(async move {
                pause.there.notify_one();
                pause.go_on.notified().await;
                Ok(told)
            }),
            None => Eventual::Ready(Ok(told)),
        }
    }
}

impl Subjects for Users {
    fn find(&self, phone: &Phone) -> Eventual<Result<Option<Subject>, StoreError>> {
        self.call("find", |state| {
            let mut users = state.users.iter();
            users.find(|(own, _)| own == phone).map(|(_, subject)| subject.clone())
        })
    }

    fn find_or_create(&self, phone: &Phone) -> Eventual<Result<Found, StoreError>> {
        self.call("create", |state| {
            if let Some((_, subject)) = state.users.iter().find(|(own, _)| own == phone) {
                return Found { subject: subject.clone(), is_new: false };
            }
            let subject = Subject::new(&format!("user-{}", state.users.len())).unwrap();
            state.users.push((*phone, subject.clone()));
            Found { subject, is_new: true }
        })
    }

    fn phone(&self, subject: &Subject) -> Eventual<Result<Option<Phone>, StoreError>> {
        let name = if self.0.lock().unwrap().moved { "again" } else { "phone" };
        self.call(name, |state| {
            state.users.iter().find(|(_, own)| own == subject).map(|(phone, _)| *phone)
        })
    }

    fn relink(
        &self,
        subject: &Subject,
        from: &Phone,
        to: &Phone,
    ) -> Eventual<Result<Relinked, StoreError>> {
        self.0.lock().unwrap().moved = true;
        self.call("relink", |state| {
            if state.users.iter().any(|(own, _)| own == to) {
                return Relinked::Taken;
            }
            match state.users.iter_mut().find(|(own, whose)| own == from && whose == subject) {
                Some((own, _)) => {
                    *own = *to;
                    Relinked::Moved
                }
                None => Relinked::Nobody,
            }
        })
    }
}

struct Scene {
    login: Login,
    store: Faulty,
    users: Users,
    tokens: Answer,
    elsewhere: Answer,
    ask: Ask,
}

/// Somebody who is logged in on two devices and has a code to the new number.
async fn scene() -> Scene {
    let (kept, users) = (OnceLock::new(), Users::default());
    let own = users.clone();
    let login = Login::over(
        dev(),
        |builder: OtpBuilder| builder.subjects(own),
        |memory| Arc::new(kept.get_or_init(|| Faulty::new(memory)).clone()),
    );
    let (challenge, code) =
        login.challenge(Ask::code(PHONE).device("another-device-of-mine")).await;
    let elsewhere =
        login.ask(Ask::verify(&challenge, &code).device("another-device-of-mine")).await;
    login.pass(60);
    let tokens = login.login().await;
    let (challenge, code) = login.challenge(change(&tokens, NEW)).await;
    login.told.acts();
    let ask = verify(&tokens, &challenge, &code);
    Scene { store: kept.into_inner().unwrap(), login, users, tokens, elsewhere, ask }
}

#[track_caller]
fn is_down(answer: &Answer) {
    answer.assert(503, "store-unavailable");
    assert!(!answer.text.contains("connection"), "{answer:?}");
}

#[tokio::test]
async fn what_fails_before_the_code_is_looked_at_costs_nothing() {
    let Scene { login, store, users, tokens, ask, .. } = scene().await;
    let wants = change(&tokens, OTHER);
    for (of_store, of_users, asks) in [
        (&["admit"][..], &[][..], &[&ask, &wants][..]),
        (&["sessions"], &[], &[&ask, &wants]),
        (&["session"], &[], &[&ask, &wants]),
        (&[], &["phone"], &[&ask, &wants]),
        (&["verify"], &[], &[&ask]),
        (&["issue"], &[], &[&wants]),
    ] {
        for ask in asks {
            store.fail(of_store);
            users.fail(of_users);
            is_down(&login.ask((*ask).clone()).await);
            store.fail(&[]);
            users.fail(&[]);
        }
    }
    login.told.acts();
    assert_eq!(login.ask(ask).await.status, 200);
    login.sent.settled().await;
    assert_eq!(steps(&login), ["phone-changed", "notice-sent"]);
}

#[tokio::test]
async fn what_fails_before_the_number_is_changed_changes_nothing() {
    for (of_store, of_users) in [
        (&["sessions"][..], &[][..]),
        (&["block"], &[]),
        (&["end"], &[]),
        (&["forget"], &[]),
        (&[], &["find"][..]),
        (&[], &["relink"]),
    ] {
        let scene = scene().await;
        let Scene { login, store, users, tokens, elsewhere, ask } = &scene;
        store.fail(of_store);
        users.fail(of_users);
        is_down(&login.ask(ask.clone()).await);
        store.fail(&[]);
        users.fail(&[]);
        login.sent.settled().await;
        assert_eq!(steps(login), [""; 0], "{of_store:?} {of_users:?}");
        assert_eq!(login.sent.count(), 3, "no notice");
        users.0.lock().unwrap().moved = false;
        // The session goes on, and the user begins again.
        login.pass(60);
        let (challenge, code) = login.challenge(change(tokens, NEW)).await;
        let answer = login.ask(verify(tokens, &challenge, &code)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for old in [tokens, elsewhere] {
            refresh(login, old).await.assert(401, "token-invalid");
        }
        login.sent.settled().await;
        assert_eq!(steps(login), ["phone-change-requested", "phone-changed", "notice-sent"]);
    }
}

#[tokio::test]
async fn a_login_that_has_found_its_user_does_not_outlive_the_change() {
    let Scene { login, users, tokens, ask, .. } = scene().await;
    login.pass(60);
    let (challenge, code) = login.challenge(Ask::code(PHONE).device("a-device-of-a-thief")).await;
    let pause = users.pause("create");
    let late = Ask::verify(&challenge, &code).device("a-device-of-a-thief");
    let late = tokio::spawn(answer(login.service.clone(), late));
    pause.there.notified().await;
    let changed = login.ask(ask).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    pause.go_on.notify_one();
    late.await.unwrap().assert(401, "otp-invalid");
    let listed = sessions(&login, &changed).await.json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(changed.str("subject"), tokens.str("subject"));
}

#[tokio::test]
async fn a_change_that_comes_too_late_ends_nothing_of_the_one_before() {
    let Scene { login, users, tokens, elsewhere, ask, .. } = scene().await;
    let there = |ask: Ask| ask.device("another-device-of-mine").from("198.51.100.9");
    let (challenge, code) = login.challenge(there(change(&elsewhere, OTHER))).await;
    let pause = users.pause("find");
    let late = there(verify(&elsewhere, &challenge, &code));
    let late = tokio::spawn(answer(login.service.clone(), late));
    // Its code was right, and it has not changed anything yet.
    pause.there.notified().await;
    let changed = login.ask(ask).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    pause.go_on.notify_one();
    late.await.unwrap().assert(401, "token-invalid");
    assert_eq!(sessions(&login, &changed).await.status, 200, "the new session is over");
    assert_eq!(changed.str("subject"), tokens.str("subject"));
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_finished() {
    let Scene { login, users, tokens, elsewhere, ask, .. } = scene().await;
    users.fail(&["answer"]);
    let answer = login.ask(ask).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    login.sent.settled().await;
    assert_eq!(steps(&login), ["phone-changed", "notice-sent"]);
    for old in [&tokens, &elsewhere] {
        refresh(&login, old).await.assert(401, "token-invalid");
    }
    assert_eq!(sessions(&login, &answer).await.status, 200);
}

#[tokio::test]
async fn where_nobody_can_say_whether_it_was_changed_the_old_number_is_told() {
    let Scene { login, users, elsewhere, ask, .. } = scene().await;
    users.fail(&["answer", "again"]);
    is_down(&login.ask(ask).await);
    login.sent.settled().await;
    assert_eq!(steps(&login), ["notice-sent"]);
    assert_eq!(login.sent.message(3).await.to.as_e164(), PHONE);
    refresh(&login, &elsewhere).await.assert(401, "token-invalid");
}

#[tokio::test]
async fn what_fails_after_the_number_was_changed_is_finished_by_a_login() {
    // The sessions of others end before the number is changed, so that call is let through once.
    let Scene { login, store, tokens, elsewhere, ask, .. } = scene().await;
    store.fail(&["open"]);
    is_down(&login.ask(ask).await);
    store.fail(&[]);
    login.sent.settled().await;
    assert_eq!(steps(&login), ["phone-changed", "notice-sent"]);
    for old in [&tokens, &elsewhere] {
        refresh(&login, old).await.assert(401, "token-invalid");
    }
    login.pass(60);
    let again = login.login_of(NEW).await;
    assert_eq!(again.str("subject"), tokens.str("subject"));
    assert_eq!(claims(&again)["sub"], claims(&tokens)["sub"]);
}
