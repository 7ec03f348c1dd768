//! Codes over HTTP: how long they live, what they look like, what they are good for, and what is left of them at rest.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/login.rs"]
mod login;

use login::{Ask, DEVICE, Login, PHONE, address, device, wrong};
use portcullis::{
    ConfigError, Key, Otp, Profile, Store,
    key::KeyKind,
    otp::{
        Arrival, Attempt, Caller, ChallengeId, Challenges, CodeMac, Dispatched, Issue, Purpose,
        Resend, Sealed, Secrets, Settings, Texts, Verdict,
    },
};
use std::{net::IpAddr, time::Duration};

const MICROSECOND: Duration = Duration::from_micros(1);

/// A challenge of the store's, made by hand.
fn issue(login: &Login, phone: &str, id: u8) -> Issue {
    let pepper = login.store.pepper();
    Issue {
        arrival: Arrival {
            client: Key::ip(address(0).parse().unwrap()),
            may_be_struck: true,
            fingerprint: pepper.tag(KeyKind::Fingerprint, &[phone.as_bytes()]),
        },
        phone: login.blocks().phone(&phone.parse().unwrap()),
        challenge: ChallengeId([id; 16]),
        device: pepper.tag(KeyKind::Device, &[DEVICE.as_bytes()]),
        code: Some(CodeMac::from_bytes([1; 32])),
        sealed: Sealed::from_bytes(b"sealed"),
        rules: Settings::new(Profile::Dev).rules(),
    }
}

#[tokio::test]
async fn requirement_2_a_challenge_id_is_taken_once_and_free_after_its_lifetime() {
    let login = Login::new();
    let once = async |phone| login.store.issue(issue(&login, phone, 1)).await.unwrap().outcome;
    let Dispatched::Allowed { expires_in, .. } = once(PHONE).await else { panic!("refused") };
    assert_eq!(expires_in, Duration::from_secs(300));
    login.clock.advance(Duration::from_secs(300) - MICROSECOND);
    assert!(matches!(once(PHONE).await, Dispatched::NotLive), "the first is live");
    // What was refused has left the first as it was.
    let Issue { arrival, phone, challenge, device, code, rules, .. } = issue(&login, PHONE, 1);
    let code = code.unwrap();
    let attempt = Attempt { arrival, phone, challenge, device, code, rules };
    let verdict = login.store.verify(attempt).await.unwrap().outcome;
    assert!(matches!(verdict, Verdict::Right { .. }), "{verdict:?}");
    assert!(matches!(once(PHONE).await, Dispatched::Allowed { .. }));
}

#[tokio::test]
async fn requirement_4_a_code_lives_for_its_lifetime_to_the_microsecond() {
    for (seconds, profile) in [(300, Profile::Dev), (60, Profile::Dev)] {
        let settings = Settings::new(profile).lifetime(Duration::from_secs(seconds)).unwrap();
        for (lived, status) in [(Duration::ZERO, 401), (MICROSECOND, 200)] {
            let login = Login::with(settings.clone());
            let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
            login.clock.advance(Duration::from_secs(seconds) - lived);
            let answer = login.ask(Ask::verify(&challenge, &code)).await;
            assert_eq!(answer.status, status, "{answer:?}");
            if status == 401 {
                answer.assert(401, "otp-invalid");
                assert_eq!(answer.attempts(), 0);
            }
        }
    }
}

#[test]
fn requirement_4_a_lifetime_beyond_the_bounds_is_refused_at_start() {
    for profile in [Profile::Dev, Profile::Standard, Profile::Banking] {
        let lifetime = |seconds| Settings::new(profile).lifetime(Duration::from_secs(seconds));
        for seconds in [0, 59, 301, 600] {
            let error = lifetime(seconds).unwrap_err().to_string();
            assert!(error.contains("60 to 300 seconds"), "{error}");
        }
        assert!(lifetime(60).is_ok() && lifetime(300).is_ok());
    }
}

#[tokio::test]
async fn requirement_6_what_is_no_code_is_refused_before_it_is_counted() {
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    for bad in [
        "",
        "12345",
        "1234567",
        "12a456",
        "12 456",
        " 123456",
        "123456 ",
        "123456\n",
        "+12345",
        "-12345",
        "0x1234",
        "١٢٣٤٥٦",
        "۱۲۳۴۵۶",
        "１２３４５６",
        "12345\u{200b}",
        "\0\0\0\0\0\0",
    ] {
        login.ask(Ask::verify(&challenge, bad)).await.assert(400, "body-invalid");
    }
    let body = format!("{{\"challenge_id\":\"{challenge}\",\"code\":{code}}}");
    login.ask(Ask::verify("", "").body(body)).await.assert(400, "body-invalid");
    let first = login.ask(Ask::verify(&challenge, &wrong(&code))).await;
    assert_eq!(first.attempts(), 4, "an attempt was counted");
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn requirement_10_a_resend_makes_a_new_code_and_keeps_attempts_and_waits_longer_each_time() {
    let wide = Settings::new(Profile::Dev)
        .phone_window(10, Duration::from_secs(600))
        .and_then(|it| it.device_window(10, Duration::from_secs(600)))
        .unwrap();
    let login = Login::with(wide);
    let (challenge, mut code) = login.challenge(Ask::code(PHONE)).await;
    let refused = login.ask(Ask::verify(&challenge, &wrong(&code))).await;
    assert_eq!(refused.attempts(), 4);
    let mut left = 4;
    for (number, wait, next) in [(1, 30, 60), (2, 60, 120), (3, 120, 240)] {
        login.clock.advance(Duration::from_secs(wait) - MICROSECOND);
        // Arrivals count for address, phone and user agent, whatever comes after.
        let agent = format!("agent {number}");
        let early = login.ask(Ask::resend(&challenge).header("user-agent", &agent)).await;
        early.assert(429, "cooldown");
        assert_eq!(early.retry_after(), 1);
        assert_eq!(login.sent.settled().await, number);
        login.clock.advance(MICROSECOND);
        let again = login.ask(Ask::resend(&challenge)).await;
        assert_eq!(again.status, 202, "{again:?}");
        assert_eq!(again.str("challenge_id"), challenge);
        assert_eq!(again.json()["resend_after"], next);
        let old = std::mem::replace(&mut code, login.sent.code(number).await);
        // Two draws in a million are the same.
        if old != code {
            let answer = login.ask(Ask::verify(&challenge, &old)).await;
            answer.assert(401, "otp-invalid");
            left -= 1;
            assert_eq!(answer.attempts(), left, "a resend must not give attempts back");
        }
    }
    login.pass(240);
    let fifth = Ask::resend(&challenge).header("user-agent", "agent 4");
    login.ask(fifth).await.assert(429, "otp-exhausted");
    assert_eq!(login.sent.settled().await, 4);
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn requirement_10_resends_stretch_a_challenge_to_600_seconds_and_no_longer() {
    let wide = Settings::new(Profile::Dev)
        .phone_window(10, Duration::from_secs(3600))
        .and_then(|it| it.device_window(10, Duration::from_secs(3600)))
        .unwrap();
    let login = Login::with(wide);
    let (challenge, _) = login.challenge(Ask::code(PHONE)).await;
    let mut passed = 0;
    for (wait, expires_in) in [(250, 300), (200, 150), (140, 10)] {
        login.pass(wait);
        passed += wait;
        let again = login.ask(Ask::resend(&challenge)).await;
        assert_eq!(again.status, 202, "{again:?}");
        assert_eq!(again.json()["expires_in"], expires_in, "at {passed} s");
    }
    let code = login.sent.code(3).await;
    login.pass(10);
    login.ask(Ask::verify(&challenge, &code)).await.assert(401, "otp-invalid");
    login.ask(Ask::resend(&challenge)).await.assert(401, "otp-invalid");
}

#[tokio::test]
async fn a_resend_does_not_stretch_a_challenge_beyond_rules_that_have_become_stricter() {
    let login = Login::new();
    let made = issue(&login, PHONE, 1);
    login.store.issue(made.clone()).await.unwrap();
    login.pass(100);
    let Issue { arrival, phone, challenge, device, code, mut rules, .. } = made;
    rules.longest = Duration::from_secs(60);
    let code = code.unwrap();
    let resend = Resend { arrival, phone, challenge, device, code, rules };
    let told = login.store.resend(resend).await.unwrap().outcome;
    assert!(matches!(told, Dispatched::NotLive), "{told:?}");
    let attempt = Attempt { arrival, phone, challenge, device, code, rules };
    let verdict = login.store.verify(attempt).await.unwrap().outcome;
    assert!(matches!(verdict, Verdict::Right { .. }), "it lasts as long as was said: {verdict:?}");
}

#[tokio::test]
async fn requirement_11_a_code_is_good_for_its_own_challenge_alone() {
    let login = Login::new();
    let (a, code_of_a) = login.challenge(Ask::code(PHONE)).await;
    login.pass(30);
    let (b, code_of_b) = login.challenge(Ask::code(PHONE).device(&device(1))).await;
    let crossed = login.ask(Ask::verify(&b, &code_of_a).device(&device(1))).await;
    if code_of_a != code_of_b {
        crossed.assert(401, "otp-invalid");
        assert_eq!(crossed.attempts(), 4);
    }
    assert_eq!(login.ask(Ask::verify(&a, &code_of_a)).await.status, 200);
}

/// A challenge of the same phone and store, from a login with other secrets.
async fn foreign_challenge(login: &Login) -> String {
    let (settings, texts) = (Settings::new(Profile::Dev), Texts::new("Acme").unwrap());
    let (other, _courier) = Otp::builder(settings, Secrets::random().unwrap(), texts)
        .build(login.store.clone(), login.issuer.clone(), login.sent.clone())
        .unwrap();
    let caller = Caller::new(address(7).parse::<IpAddr>().unwrap(), device(7).parse().unwrap());
    login.pass(30);
    let phone = PHONE.parse().unwrap();
    other.request(&caller, &phone, Purpose::Login).await.unwrap().id
}

#[tokio::test]
async fn requirement_11_forged_cut_and_foreign_challenge_ids_find_nothing_and_count_nothing() {
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let foreign = foreign_challenge(&login).await;
    let changed: Vec<String> = (0..challenge.len())
        .map(|at| {
            let mut bytes = challenge.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        })
        .collect();
    let odd = [
        String::new(),
        challenge[1..].to_owned(),
        challenge[..49].to_owned(),
        format!("{challenge}A"),
        format!("{challenge}="),
        format!("{challenge} "),
        challenge.to_lowercase(),
        "A".repeat(50),
        "A".repeat(2000),
        "*".repeat(50),
        foreign,
    ];
    for id in changed.iter().chain(&odd) {
        for ask in [Ask::verify(id, &code), Ask::resend(id)] {
            let answer = login.ask(ask).await;
            answer.assert(401, "otp-invalid");
            assert_eq!(answer.attempts(), 0);
        }
    }
    assert_eq!(login.ask(Ask::verify(&challenge, &wrong(&code))).await.attempts(), 4);
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}

#[tokio::test]
async fn requirement_14_a_message_holds_the_code_and_nothing_that_was_typed() {
    let text = |template| -> Result<Texts, ConfigError> {
        Texts::new("Acme")?.text(Purpose::Login, "en", template)
    };
    for bad in ["{code} for {name}", "{code} {phone}", "{code} {}", "{code} {{app}}", "Hello {app}"]
    {
        assert!(text(bad).is_err(), "{bad}");
    }
    assert!(text("{code} is your {app} code, good for {minutes} minutes.").is_ok());

    let login = Login::new();
    let hostile = Ask::code(PHONE)
        .header("user-agent", "evil-agent")
        .header("accept-language", "evil-language")
        .device("evil-device-of-sixteen");
    let (_, code) = login.challenge(hostile).await;
    let message = login.sent.message(0).await;
    let built = format!("{code} is your Acme code. Do not share it.\n\n@acme.example #{code}");
    assert_eq!(message.text.as_str(), built);
}

#[tokio::test]
async fn requirement_15_a_code_for_one_purpose_is_none_for_another() {
    let login = Login::new();
    let caller = Caller::new(address(1).parse::<IpAddr>().unwrap(), DEVICE.parse().unwrap());
    let (for_login, code) = login.challenge(Ask::code(PHONE)).await;
    for purpose in [Purpose::StepUp, Purpose::PhoneChange] {
        let refused = login.otp.check(&caller, &for_login, &code, purpose).await.unwrap_err();
        assert_eq!(refused.reason().status(), 401);
        assert_eq!(refused.attempts(), Some(0));
    }
    // It was not even counted: the challenge is as good as before for what it is for.
    assert_eq!(login.ask(Ask::verify(&for_login, &wrong(&code))).await.attempts(), 4);
    login.pass(30);
    let phone = PHONE.parse().unwrap();
    let step_up = login.otp.request(&caller, &phone, Purpose::StepUp).await.unwrap();
    let code = login.sent.code(1).await;
    login.ask(Ask::verify(&step_up.id, &code)).await.assert(401, "otp-invalid");
    let proof = login.otp.check(&caller, &step_up.id, &code, Purpose::StepUp).await.unwrap();
    assert_eq!(proof.phone, phone);
}

#[tokio::test]
async fn requirement_70_a_device_id_is_needed_for_every_call_about_codes() {
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    let calls = [Ask::code(PHONE), Ask::resend(&challenge), Ask::verify(&challenge, &code)];
    for call in calls {
        login.ask(call.clone().without("x-device-id")).await.assert(400, "device-invalid");
        for bad in ["", "fifteen-letters", "a device with blanks", "a-device-of-the-owner/", "ä"] {
            login.ask(call.clone().device(bad)).await.assert(400, "device-invalid");
        }
        login.ask(call.device(&"d".repeat(129))).await.assert(400, "device-invalid");
    }
    assert_eq!(login.ask(Ask::verify(&challenge, &wrong(&code))).await.attempts(), 4);
}

#[tokio::test]
async fn requirement_71_another_device_gets_the_same_answer_for_a_right_and_a_wrong_code() {
    let login = Login::new();
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    login.told.acts();
    let ask = async |code: &str| {
        let answer = login.ask(Ask::verify(&challenge, code).device(&device(1))).await;
        assert_eq!(login.told.acts(), ["device-mismatch", "refused"]);
        answer.assert(403, "device-mismatch");
        (answer.attempts(), answer.text, answer.headers)
    };
    let (right, told_right, headers_right) = ask(&code).await;
    let (after, told_wrong, headers_wrong) = ask(&wrong(&code)).await;
    assert_eq!((right, after), (4, 3));
    let but_for_attempts =
        told_right.replace("\"attempts_remaining\":4", "\"attempts_remaining\":3");
    assert_eq!(but_for_attempts, told_wrong);
    let names = |headers: &http::HeaderMap| {
        headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
    };
    let length = |headers: &http::HeaderMap| headers.get("content-length").cloned();
    assert_eq!(length(&headers_right), length(&headers_wrong));
    assert_eq!(names(&headers_right), names(&headers_wrong));
    // The code is as good as before where it was asked for.
    assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
}
