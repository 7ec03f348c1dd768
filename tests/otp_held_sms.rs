//! Codes that Twilio Verify and MSG91 make and check: what they are asked, and what their answers mean.
#![cfg(all(feature = "sms", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/login.rs"]
mod login;
#[path = "support/sms.rs"]
mod sms;

use login::{Answer, Ask, address, device, phone, wrong};
use portcullis::{
    Memory,
    otp::{
        fake::{FakeMsg91, FakeServer, FakeTwilio, Reply},
        sender::{ApiSecret, Msg91Otp, Provider, Route, SendError, TwilioVerify},
    },
};
use sms::{Scene, auth_token};
use std::time::Duration;

fn twilio(fake: &FakeTwilio) -> TwilioVerify {
    let it = TwilioVerify::new(FakeTwilio::ACCOUNT, auth_token(), FakeTwilio::VERIFY_SERVICE);
    it.unwrap().base_url(&fake.url()).unwrap().twilio_codes()
}

fn msg91(fake: &FakeMsg91) -> Msg91Otp {
    let it = Msg91Otp::new(ApiSecret::new(FakeMsg91::AUTHKEY).unwrap(), FakeMsg91::TEMPLATE);
    it.unwrap().base_url(&fake.url()).unwrap()
}

/// Answers the challenge of the number that asked at this place.
async fn verify(scene: &Scene, number: usize, challenge: &str, code: &str) -> Answer {
    let ask = Ask::verify(challenge, code).device(&device(number)).from(&address(number));
    scene.login.ask(ask).await
}

/// Has a code sent for each case, and answers it right while the provider says what the case says.
async fn each<const N: usize>(
    mut scene: Scene,
    code: impl Fn(usize) -> Option<String>,
    fake: &FakeServer,
    cases: [(Reply, u16); N],
) {
    for (number, (reply, becomes)) in cases.into_iter().enumerate() {
        let (challenge, outcome) = scene.challenge().await;
        assert_eq!(outcome, Ok(()), "{reply:?}");
        fake.reply(reply.clone());
        let told = verify(&scene, number, &challenge, &code(number).unwrap()).await;
        assert_eq!(told.status, becomes, "{reply:?}: {told:?}");
    }
}

fn answer(status: u16, body: &str) -> Reply {
    Reply::Answer { status, body: body.into() }
}

#[tokio::test]
async fn requirement_45_twilio_makes_a_code_and_checks_it() {
    let fake = FakeTwilio::start().unwrap();
    let mut scene = Scene::new(twilio(&fake));
    let (challenge, outcome) = scene.challenge().await;
    assert_eq!(outcome, Ok(()));
    let code = fake.code(&phone(0)).unwrap();
    let refused = verify(&scene, 0, &challenge, &wrong(&code)).await;
    assert_eq!((refused.refusal(), refused.attempts()), ((401, "otp-invalid".into()), 4));
    assert_eq!(verify(&scene, 0, &challenge, &code).await.status, 200);
    verify(&scene, 0, &challenge, &code).await.assert(401, "otp-invalid");
    let received = fake.received();
    let service = format!("/v2/Services/{}", FakeTwilio::VERIFY_SERVICE);
    let paths: Vec<_> = received.iter().map(|it| it.path.replace(&service, "")).collect();
    assert_eq!(paths, ["/Verifications", "/VerificationCheck", "/VerificationCheck"]);
    assert_eq!(received[0].field("CustomCode").or(received[0].field("Code")), None);
    assert_eq!(received[2].field("To"), Some(phone(0)));
    assert_eq!(received[2].field("Code"), Some(code));
    assert!(received.iter().all(|it| !it.path.contains('?')));
}

#[tokio::test]
async fn only_what_is_approved_and_valid_is_right() {
    let approved =
        |status, valid| answer(200, &format!(r#"{{"status":{status},"valid":{valid}}}"#));
    let fake = FakeTwilio::start().unwrap();
    let scene = Scene::new(twilio(&fake));
    let cases = [
        (approved("\"approved\"", "true"), 200),
        (answer(201, r#"{"status":"approved","valid":true,"sid":"VE1"}"#), 200),
        (approved("\"approved\"", "false"), 401),
        (approved("\"approved\"", "null"), 401),
        (answer(200, r#"{"status":"approved"}"#), 401),
        (approved("\"pending\"", "true"), 401),
        (approved("\"APPROVED\"", "true"), 401),
        (approved("\"canceled\"", "false"), 401),
        (approved("\"max_attempts_reached\"", "false"), 401),
        (approved("\"expired\"", "false"), 401),
        // Nothing of it tells whether Twilio has a code for the number.
        (FakeTwilio::error(404, 20404), 401),
        (answer(404, ""), 401),
        (FakeTwilio::error(429, 60202), 401),
        (FakeTwilio::error(429, 60212), 401),
        (FakeTwilio::error(400, 60200), 401),
        (FakeTwilio::error(403, 60410), 401),
        (FakeTwilio::error(400, 99999), 401),
        // Twilio did not say.
        (FakeTwilio::error(401, 20003), 503),
        (answer(401, "{}"), 503),
        (answer(500, r#"{"status":"approved","valid":true}"#), 503),
        (answer(503, ""), 503),
        (answer(200, r#"{"status":true,"valid":true}"#), 503),
        (answer(200, "approved"), 503),
        (answer(302, "{}"), 503),
        (Reply::CutBeforeAnswer, 503),
        (Reply::CutWithinAnswer, 503),
        (Reply::Oversized, 503),
    ];
    each(scene, |number| fake.code(&phone(number)), &fake, cases).await;
}

#[tokio::test]
async fn requirement_50_checks_wait_for_their_own_pause_and_messages_go_on() {
    let fake = FakeTwilio::start().unwrap();
    let mut scene = Scene::new(twilio(&fake));
    let (challenge, _) = scene.challenge().await;
    let code = fake.code(&phone(0)).unwrap();
    fake.reply(Reply::RateLimited { retry_after: 60 });
    for _ in 0..3 {
        verify(&scene, 0, &challenge, &code).await.assert(503, "sms-unavailable");
    }
    assert_eq!(fake.received().len(), 2, "a message and one check");
    assert_eq!(scene.send().await, Ok(()));
}

#[tokio::test]
async fn a_provider_that_hangs_is_given_up() {
    let fake = FakeTwilio::start().unwrap();
    let sender = twilio(&fake).timeout(Duration::from_secs(1)).unwrap();
    let mut scene = Scene::new(sender);
    let (challenge, _) = scene.challenge().await;
    let code = fake.code(&phone(0)).unwrap();
    fake.reply(Reply::Silence);
    verify(&scene, 0, &challenge, &code).await.assert(503, "sms-unavailable");
    // Twilio had taken the code for used before.
    let told = verify(&scene, 0, &challenge, &code).await;
    assert_eq!((told.refusal(), told.attempts()), ((401, "otp-invalid".into()), 3));
}

#[tokio::test]
async fn msg91_makes_a_code_sends_it_again_and_checks_it() {
    let fake = FakeMsg91::start().unwrap();
    let mut scene = Scene::new(msg91(&fake));
    let (challenge, outcome) = scene.challenge().await;
    assert_eq!(outcome, Ok(()));
    let code = fake.code(&phone(0)).unwrap();
    assert_eq!(code.len(), 6);
    scene.login.pass(30);
    let resend = Ask::resend(&challenge).device(&device(0)).from(&address(0));
    assert_eq!(scene.login.ask(resend).await.status, 202);
    assert_eq!(scene.outcome().await, Ok(()));
    assert_eq!(verify(&scene, 0, &challenge, &wrong(&code)).await.attempts(), 4);
    assert_eq!(verify(&scene, 0, &challenge, &code).await.status, 200);
    let received = fake.received();
    let asked: Vec<_> = received.iter().map(|it| (&*it.method, &*it.path)).collect();
    let number = phone(0).trim_start_matches('+').to_owned();
    let id = FakeMsg91::TEMPLATE;
    let begin = format!("/api/v5/otp?template_id={id}&mobile={number}&otp_length=6&otp_expiry=10");
    let retry = format!("/api/v5/otp/retry?mobile={number}&retrytype=text");
    assert_eq!(asked[0], ("POST", &*begin));
    assert_eq!(asked[1], ("GET", &*retry));
    let right = format!("/api/v5/otp/verify?otp={code}&mobile={number}");
    assert_eq!(asked[3], ("GET", &*right));
    for request in &received {
        assert_eq!(request.header("authkey"), Some(FakeMsg91::AUTHKEY));
        assert!(!request.path.contains(FakeMsg91::AUTHKEY), "requirement 49: {request:?}");
    }
}

#[tokio::test]
async fn where_msg91_has_nothing_to_repeat_it_begins() {
    let fake = FakeMsg91::start().unwrap();
    let mut scene = Scene::new(msg91(&fake));
    fake.reply(FakeMsg91::error("template not found"));
    let (challenge, outcome) = scene.challenge().await;
    assert_eq!(outcome, Err(SendError::Refused));
    for (wait, reply, becomes, requests) in [
        (30, FakeMsg91::error("No OTP request found to retryotp"), Ok(()), 2),
        (60, FakeMsg91::error("OTP retry count maxed out"), Err(SendError::Blocked), 1),
        (120, Reply::CutBeforeAnswer, Err(SendError::Unknown), 1),
    ] {
        let before = fake.received().len();
        scene.login.pass(wait);
        fake.reply(reply);
        let resend = Ask::resend(&challenge).device(&device(0)).from(&address(0));
        assert_eq!(scene.login.ask(resend).await.status, 202);
        assert_eq!(scene.outcome().await, becomes);
        assert_eq!(fake.received().len() - before, requests);
    }
}

#[tokio::test]
async fn what_msg91_verified_before_is_not_verified() {
    let success = |text: &str| answer(200, &format!(r#"{{"type":"success","message":"{text}"}}"#));
    let fake = FakeMsg91::start().unwrap();
    let scene = Scene::new(msg91(&fake));
    let cases = [
        (success("OTP verified success"), 200),
        (success("number_verified_successfully"), 200),
        (success("already_verified"), 401),
        (success("Mobile no. already verified"), 401),
        (FakeMsg91::error("already_verified"), 401),
        (FakeMsg91::error("Mobile no. already verified"), 401),
        (FakeMsg91::error("OTP verified success"), 401),
        (FakeMsg91::error("OTP not match"), 401),
        (FakeMsg91::error("OTP expired"), 401),
        (FakeMsg91::error("Mobile no. not found"), 401),
        (FakeMsg91::error("Max limit reached for this otp verification"), 401),
        (FakeMsg91::error("Mobile no. empty or not numeric"), 401),
        (FakeMsg91::error("something new"), 401),
        (answer(400, r#"{"type":"error","message":"OTP not match"}"#), 401),
        (FakeMsg91::error("IPBlocked"), 503),
        (answer(200, r#"{"type":"error","message":"x","code":"201"}"#), 503),
        (answer(200, r#"{"message":"OTP verified success"}"#), 503),
        (answer(200, r#"{"type":"Success","message":"OTP verified success"}"#), 503),
        (answer(200, "OTP verified success"), 503),
        (answer(500, r#"{"type":"success","message":"OTP verified success"}"#), 503),
        (Reply::CutWithinAnswer, 503),
    ];
    each(scene, |number| fake.code(&phone(number)), &fake, cases).await;
}

#[tokio::test]
async fn what_may_have_left_is_asked_of_who_may_have_sent_it() {
    let (theirs, ours) = (FakeTwilio::start().unwrap(), FakeMsg91::start().unwrap());
    let providers = [
        Provider::new("twilio-verify", twilio(&theirs)).unwrap(),
        Provider::new("msg91", sms::msg91(&ours)).unwrap(),
    ];
    let mut scene = Scene::new(Route::new(providers).unwrap().over(Memory::new()));
    for (number, (reply, becomes)) in [
        (Reply::CutBeforeAnswer, Err(SendError::Unknown)),
        // Nor is it another's when it certainly did not leave: the challenge waits for a code of Twilio's.
        (FakeTwilio::error(400, 99999), Err(SendError::Refused)),
    ]
    .into_iter()
    .enumerate()
    {
        theirs.reply(reply);
        let (challenge, outcome) = scene.challenge().await;
        assert_eq!((outcome, ours.received().len()), (becomes, 0));
        let code = theirs.code(&phone(number)).unwrap();
        assert_eq!(verify(&scene, number, &challenge, &code).await.status, 200);
    }
    // Once Twilio is left alone, challenges that begin get codes of ours.
    theirs.reply(FakeTwilio::error(401, 20003));
    assert_eq!(scene.send().await, Err(SendError::Misconfigured));
    let (challenge, outcome) = scene.challenge().await;
    assert_eq!(outcome, Ok(()));
    let code = ours.received()[0].text("/recipients/0/otp").unwrap();
    assert_eq!(verify(&scene, 3, &challenge, &code).await.status, 200);
    assert_eq!(theirs.received().len(), 5);
}
