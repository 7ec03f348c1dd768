//! Two providers behind a login, each of which ends messages as a test says.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and may panic")]

use super::{
    login::{Ask, Login, Told, address, device, phone, spawn},
    scripted::Scripted,
};
use portcullis::{
    Memory, Profile,
    clock::{ManualClock, UnixTime},
    otp::{
        Settings,
        sender::{Provider, Route, SendError},
    },
};
use std::time::Duration;

pub(crate) const DOWN: SendError = SendError::NotSent;

/// Noon of a day in UTC, as the logins have it.
const NOON: UnixTime = UnixTime::from_secs(1_800_014_400);

/// Two providers behind a login.
pub(crate) struct Scene {
    pub(crate) login: Login,
    pub(crate) clock: ManualClock,
    pub(crate) told: Told,
    pub(crate) twilio: Scripted,
    pub(crate) msg91: Scripted,
    asked: usize,
}

impl Scene {
    pub(crate) fn new(edit: impl FnOnce(Route) -> Route) -> Self {
        Self::over(&fresh(), |twilio| twilio, edit)
    }

    /// With budgets in `store`, where `paid` says what may be spent on the first.
    pub(crate) fn over(
        (store, clock): &(Memory, ManualClock),
        paid: impl FnOnce(Provider) -> Provider,
        edit: impl FnOnce(Route) -> Route,
    ) -> Self {
        let (clock, told) = (clock.clone(), Told::default());
        let (twilio, msg91) = (Scripted::default(), Scripted::default());
        let first = paid(Provider::new("twilio", twilio.clone()).unwrap());
        let route = edit(Route::new([first, provider("msg91", &msg91)]).unwrap());
        let sender = route.over(store.clone()).clock(clock.clone());
        let sender = sender.audit(told.clone());
        let (login, courier) = Login::sending(Settings::new(Profile::Dev), |it| it, sender);
        spawn(courier);
        Self { login, clock, told, twilio, msg91, asked: 0 }
    }

    /// Asks for a code of the next phone, lets the courier do all it can, and says the status.
    pub(crate) async fn ask(&mut self) -> u16 {
        let number = self.asked;
        self.asked += 1;
        let ask = Ask::code(&phone(number)).device(&device(number)).from(&address(number));
        let answer = self.login.ask(ask).await;
        self.login.sent.settled().await;
        answer.status.as_u16()
    }

    /// How many messages each provider was asked for since the last time.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.twilio.count(), self.msg91.count())
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// A store of budgets at noon.
pub(crate) fn fresh() -> (Memory, ManualClock) {
    let clock = ManualClock::at(NOON);
    (Memory::new().clock(clock.clone()), clock)
}

pub(crate) fn provider(name: &str, sender: &Scripted) -> Provider {
    Provider::new(name, sender.clone()).unwrap()
}
