//! What the number before is told, and by whom.

use crate::{
    NEW, PHONE, change, changed, dev,
    login::{AUDIENCE, Ask, ISSUER, Login, Sent, answer, secrets, spawn, texts},
    steps, told_of, verify,
};
use portcullis::{
    CodeSender, Memory, Otp, OtpService,
    audit::Step,
    clock::UnixTime,
    eventual::BoxFuture,
    otp::{
        Code, MemoryOptOuts, Notice, TestNumbers, Wish,
        sender::{Message, Provider, Route, SendError, Taken},
    },
    token::Issuer,
};
use std::num::NonZeroU16;

#[tokio::test]
async fn it_is_in_the_language_that_was_asked_for() {
    let texts = texts()
        .notice(Notice::PhoneChanged, "en", "{app}: your number is another one.")
        .and_then(|it| it.notice(Notice::PhoneChanged, "de", "{app}: Nummer geändert."))
        .unwrap();
    let (sent, issuer) = (Sent::default(), Issuer::generate(ISSUER, AUDIENCE).unwrap());
    let builder = Otp::builder(dev(), secrets(), texts);
    let (otp, courier) = builder.build(Memory::new(), issuer, sent.clone()).unwrap();
    spawn(courier);
    let service = OtpService::new(otp);
    let ask = |ask: Ask| answer(service.clone(), ask);
    let asked = ask(Ask::code(PHONE)).await;
    let code = sent.code(0).await;
    let tokens = ask(Ask::verify(&asked.str("challenge_id"), &code)).await;
    let asked = ask(change(&tokens, NEW)).await;
    let code = sent.code(1).await;
    let done = verify(&tokens, &asked.str("challenge_id"), &code);
    assert_eq!(ask(done.header("accept-language", "de-AT, en;q=0.3")).await.status, 200);
    let notice = sent.message(2).await;
    assert_eq!((&*notice.language, notice.text.as_str()), ("de", "Acme: Nummer geändert."));
}

#[tokio::test]
async fn who_gets_no_messages_gets_no_notice_and_that_is_told() {
    let outs = MemoryOptOuts::new();
    let login = Login::built(dev(), |builder| builder.opt_outs(outs));
    let tokens = login.login().await;
    login.otp.heed(&PHONE.parse().unwrap(), Wish::Stop).await.unwrap();
    changed(&login, &tokens).await;
    assert_eq!(login.sent.settled().await, 2);
    assert_eq!(told_of(&login, Step::NoticeWithheld, PHONE), 1);

    let own = PHONE.parse().unwrap();
    let code = Code::parse("407193", 6).unwrap();
    let numbers = TestNumbers::new().number(own, code, Some(UnixTime::from_secs(1_800_001_000)));
    let login = Login::built(dev(), |builder| builder.test_numbers(numbers));
    let asked = login.request().await;
    let tokens = login.ask(Ask::verify(&asked.str("challenge_id"), "407193")).await;
    let (challenge, code) = login.challenge(change(&tokens, NEW)).await;
    assert_eq!(login.ask(verify(&tokens, &challenge, &code)).await.status, 200);
    assert_eq!(login.sent.settled().await, 1);
    assert_eq!(told_of(&login, Step::NoticeWithheld, PHONE), 1);
}

#[tokio::test]
async fn a_new_number_that_gets_no_messages_has_a_challenge_that_nothing_answers() {
    let (new, outs) = (NEW.parse().unwrap(), MemoryOptOuts::new());
    let login = Login::built(dev(), |builder| builder.opt_outs(outs));
    login.otp.heed(&new, Wish::Stop).await.unwrap();
    let tokens = login.login().await;
    let asked = login.ask(change(&tokens, NEW)).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    assert_eq!(login.sent.settled().await, 1);
    let refused = login.ask(verify(&tokens, &asked.str("challenge_id"), "123456")).await;
    refused.assert(401, "otp-invalid");
    assert_eq!(refused.attempts(), 4);
}

/// Takes codes, and of notices what it is told to.
#[derive(Clone, Debug)]
struct Codes(Sent, Option<SendError>);

impl CodeSender for Codes {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        match (message.code(), self.1) {
            (None, Some(error)) => Box::pin(async move { Err(error) }),
            _ => self.0.send(message),
        }
    }

    fn sends_notices(&self) -> bool {
        self.1 != Some(SendError::Refused)
    }
}

async fn by(sender: impl CodeSender + 'static, sent: &Sent) -> Vec<&'static str> {
    let (mut login, courier) = Login::sending(dev(), |builder| builder, sender);
    spawn(courier);
    login.sent = sent.clone();
    let tokens = login.login().await;
    login.told.acts();
    changed(&login, &tokens).await;
    login.sent.settled().await;
    steps(&login)
}

#[tokio::test]
async fn a_notice_that_does_not_leave_is_told() {
    for error in [SendError::NotSent, SendError::Recipient, SendError::Refused] {
        let sent = Sent::default();
        let told = by(Codes(sent.clone(), Some(error)), &sent).await;
        assert_eq!(told, ["phone-change-requested", "phone-changed", "notice-not-sent"]);
        assert_eq!(sent.count(), 2, "{error:?}");
    }
}

#[tokio::test]
async fn a_route_passes_over_those_that_send_codes_alone() {
    let (codes, all) = (Sent::default(), Sent::default());
    let first = Provider::new("codes", Codes(codes.clone(), Some(SendError::Refused))).unwrap();
    let second = Provider::new("all", all.clone()).unwrap();
    let told = by(Route::new([first, second]).unwrap().over(Memory::new()), &codes).await;
    assert_eq!(told, ["phone-change-requested", "phone-changed", "notice-sent"]);
    assert_eq!((codes.count(), all.count()), (2, 1));
    assert_eq!(all.message(0).await.to.as_e164(), PHONE);

    let only = Provider::new("codes", Codes(codes.clone(), Some(SendError::Refused))).unwrap();
    let route = Route::new([only]).unwrap().over(Memory::new());
    assert!(!route.sends_notices());
}

#[tokio::test]
async fn where_no_notice_can_be_taken_on_the_code_is_kept() {
    let login = Login::built(dev(), |builder| builder.queue(NonZeroU16::MIN));
    let tokens = login.login().await;
    let (challenge, code) = login.challenge(change(&tokens, NEW)).await;
    // The courier has not run since the message: nothing here has waited for it.
    let full = login.ask(Ask::code("+14155552679")).await;
    assert_eq!(full.status, 202, "{full:?}");
    let refused = login.ask(verify(&tokens, &challenge, &code)).await;
    refused.assert(503, "sms-unavailable");
    login.sent.settled().await;
    assert_eq!(login.ask(verify(&tokens, &challenge, &code)).await.status, 200);
}
