//! A login that sends by a fake Twilio, and hears what becomes of messages.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and may panic")]

use super::{
    login::{self, Answer, Ask, Login, send, spawn},
    sms,
};
use http_body_util::Full;
use portcullis::{
    Otp, Profile,
    otp::{MemoryOptOuts, Settings, fake::FakeTwilio, webhooks::SmsWebhooks},
    webhook::{PublicUrl, TwilioKeys},
};
use std::time::Duration;

pub(crate) const SITE: &str = "https://login.example";
pub(crate) const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

/// A login that sends by a fake, and what that calls.
pub(crate) struct Scene {
    pub(crate) login: Login,
    pub(crate) webhooks: SmsWebhooks,
    pub(crate) fake: FakeTwilio,
    pub(crate) opt_outs: MemoryOptOuts,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let fake = FakeTwilio::start().unwrap();
        let opt_outs = MemoryOptOuts::new();
        let kept = opt_outs.clone();
        let edit = |builder: portcullis::otp::OtpBuilder| builder.opt_outs(kept);
        let (login, courier) =
            Login::sending(Settings::new(Profile::Dev), edit, sms::twilio(&fake));
        spawn(courier);
        Self { webhooks: webhooks(&login.otp), login, fake, opt_outs }
    }

    /// Has a code sent, and says the challenge and what Twilio calls the message.
    pub(crate) async fn sent(&self, ask: Ask) -> (String, String) {
        let before = self.fake.received().len();
        let answer = self.login.ask(ask).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let sid = FakeTwilio::sid(&self.fake.wait_for(before + 1).await[before]);
        until(&self.login, "code-sent").await;
        (answer.str("challenge_id"), sid)
    }

    pub(crate) async fn status(&self, fields: &[(&str, &str)]) -> Answer {
        self.call(SmsWebhooks::TWILIO_STATUS, fields).await
    }

    pub(crate) async fn call(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = FakeTwilio::call(&format!("{SITE}{path}"), fields);
        send(self.webhooks.clone(), request.map(Full::new)).await
    }

    pub(crate) async fn state(&self, challenge: &str) -> String {
        state(&self.login, challenge).await
    }
}

/// Waits until something was told, and forgets what was.
pub(crate) async fn until(login: &Login, act: &str) {
    let is_told = async {
        while !login.told.events().iter().any(|event| event.act.name() == act) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_told).await.unwrap();
    login.told.acts();
}

pub(crate) fn webhooks(otp: &Otp) -> SmsWebhooks {
    let url = PublicUrl::base(Profile::Standard, SITE).unwrap();
    let keys = TwilioKeys::token(Profile::Standard, FakeTwilio::AUTH_TOKEN.as_bytes()).unwrap();
    SmsWebhooks::new(otp.clone()).twilio(url, keys).msg91(SECRET.as_bytes()).unwrap()
}

pub(crate) fn of(challenge: &str) -> Ask {
    Ask::get(&format!("/v1/otp/{challenge}")).device(login::DEVICE)
}

pub(crate) async fn state(login: &Login, challenge: &str) -> String {
    let answer = login.ask(of(challenge)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.str("state")
}
