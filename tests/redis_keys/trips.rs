//! What a request costs in trips: all that clients send is counted.

use super::{DAY, PEER, Place, Scene, ended};
use crate::login::{self, Ask, Login};
use portcullis::{Key, Store, store::Block};
use std::{collections::BTreeSet, time::Duration};

#[tokio::test]
async fn a_request_is_one_command_whatever_is_asked_and_a_repeated_refusal_none() {
    let scene = Scene::new();
    let guard = scene.guard();
    let token = scene.login.login().await.str("access_token");
    let ask = async || {
        let request = Ask::get("/").bearer(&token).from(PEER).request();
        let status = login::send(guard.clone(), request).await.status.as_u16();
        (status, scene.place.told())
    };
    // The server learns the script, which takes two.
    assert_eq!(ask().await.0, 200);
    let one = runs([Some("admit")]);
    for _ in 1..20 {
        assert_eq!(ask().await, (200, one.clone()), "block, revocations and two limits");
    }
    assert_eq!(ask().await, (429, one), "the first refusal, and its strike");
    for _ in 0..20 {
        assert_eq!(ask().await, (429, Vec::new()), "told from memory");
    }
}

#[tokio::test]
async fn in_a_cluster_a_request_is_one_command_for_each_subject_and_a_repeated_refusal_none() {
    let scene = Scene::at(Place::cluster());
    let guard = scene.guard();
    let token = scene.login.login().await.str("access_token");
    let ask = async || {
        let request = Ask::get("/").bearer(&token).from(PEER).request();
        let status = login::send(guard.clone(), request).await.status.as_u16();
        (status, scene.place.sent())
    };
    // The servers learn the scripts.
    assert_eq!(ask().await.0, 200);
    for _ in 1..20 {
        let (status, sent) = ask().await;
        assert_eq!(status, 200);
        let mut subjects = BTreeSet::new();
        for one in &sent {
            assert_eq!(one.told(), "evalsha admit");
            let [subject] = one.tags().into_iter().collect::<Vec<_>>()[..] else { panic!() };
            assert!(subjects.insert(subject), "twice for {subject}");
        }
        // The address, the user, the session, the token and its issuer.
        assert_eq!(subjects.len(), 5, "{subjects:?}");
    }
    let (status, sent) = ask().await;
    assert!(status == 429 && !sent.is_empty(), "the first refusal");
    for _ in 0..20 {
        let (status, sent) = ask().await;
        assert!(status == 429 && sent.is_empty(), "told from memory: {sent:?}");
    }
}

#[tokio::test]
async fn a_request_for_a_code_is_one_script_more() {
    let scene = Scene::new();
    // The server learns the scripts.
    scene.login.login().await;
    ended(&scene.login, 1).await;
    scene.login.clock.advance(Duration::from_secs(90));
    scene.place.told();
    let asked = scene.login.ask(Ask::code("+919876500001").from("198.51.100.1")).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    ended(&scene.login, 1).await;
    // The guard, the phone, that the message is on its way, and what became of it.
    let scripts = ["admit", "logins/issue", "note", "note"];
    assert_eq!(scene.place.told(), runs(scripts.map(Some)));
    scene.store.block(Key::ip([198, 51, 100, 1].into()), Block::lasting(DAY)).await.unwrap();
    let ask = async || scene.login.ask(Ask::code("+919876500002").from("198.51.100.1")).await;
    ask().await.assert(429, "blocked");
    scene.place.told();
    ask().await.assert(429, "blocked");
    assert!(scene.place.told().is_empty(), "told from memory");
}

#[tokio::test]
async fn rules_about_traffic_are_one_script_more_for_a_message_and_for_an_answer() {
    let scene = Scene::new();
    let (plain, ruled) = (&scene.login, &scene.ruled());
    let away = "198.51.100.2";
    // The server learns the scripts.
    plain.login().await;
    ruled.login_of("+919876500001").await;
    ended(plain, 1).await;
    ended(ruled, 1).await;
    let told = async |login: &Login, ask: Ask, status: u16| {
        scene.place.told();
        let answer = login.ask(ask.from(away)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        (scene.place.told(), answer)
    };
    for (login, number, is_ruled) in
        [(plain, "+919876511111", false), (ruled, "+919876722222", true)]
    {
        let with = |rule: &'static str| is_ruled.then_some(rule);
        let (weigh, settle) = (with("logins/weigh"), with("logins/settle"));
        let before = login.sent.settled().await;
        let (request, answer) = told(login, Ask::code(number), 202).await;
        assert_eq!(request, runs([Some("admit"), weigh, Some("logins/issue")]));
        let (challenge, code) = (answer.str("challenge_id"), login.sent.code(before).await);
        ended(login, 1).await;
        let again = Ask::code(number).header("user-agent", "another");
        // What the phone refuses is taken back.
        let (cooldown, _) = told(login, again, 429).await;
        assert_eq!(cooldown, runs([Some("admit"), weigh, Some("logins/issue"), settle]));
        let (wrong, _) = told(login, Ask::verify(&challenge, &login::wrong(&code)), 401).await;
        assert_eq!(wrong, runs([Some("admit"), Some("logins/verify")]));
        let (right, _) = told(login, Ask::verify(&challenge, &code), 200).await;
        let session = [Some("admit"), Some("logins/open")];
        assert_eq!(
            right,
            [runs([Some("admit"), Some("logins/verify"), settle]), runs(session)].concat()
        );
    }
    // What is silenced asks as often as what is sent.
    let silenced = told(ruled, Ask::code("+4915123456789"), 202).await.0;
    assert_eq!(silenced, runs([Some("admit"), Some("logins/weigh"), Some("logins/issue")]));
    assert_eq!(ruled.sent.settled().await, 2);
}

/// Each of these scripts as the server is asked for it, and nothing else.
fn runs<const N: usize>(scripts: [Option<&str>; N]) -> Vec<String> {
    scripts.into_iter().flatten().map(|name| format!("evalsha {name}")).collect()
}
