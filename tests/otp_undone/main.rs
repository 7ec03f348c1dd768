//! What a request has counted is taken back when no message leaves, and who is refused in words is counted all the same.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/faults.rs"]
mod faults;
mod hanging_up;
#[path = "../support/login.rs"]
mod login;
mod refused;
mod resent;

use faults::Faulty;
use login::Login;
use portcullis::{
    Profile,
    otp::{OtpBuilder, Settings, fraud::Spending},
};
use std::sync::{Arc, OnceLock};

/// A login over a store that can fail or take its time, and counts messages.
fn built(settings: Settings, edit: impl FnOnce(OtpBuilder) -> OtpBuilder) -> (Login, Faulty) {
    let kept = OnceLock::new();
    let login = Login::over(settings, edit, |memory| {
        Arc::new(kept.get_or_init(|| Faulty::counting(memory)).clone())
    });
    (login, kept.into_inner().unwrap())
}

/// Messages cost 0.05 each.
fn priced(cap: &str) -> Settings {
    let spending = Spending::new(cap.parse().unwrap(), "0.05".parse().unwrap()).unwrap();
    Settings::new(Profile::Dev).spending(spending)
}
