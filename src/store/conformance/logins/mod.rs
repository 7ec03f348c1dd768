//! Checks that a store of your own keeps codes and sessions as their contracts say: that of
//! [codes](crate::otp::contract), that of [sessions](crate::token::Sessions), and that of
//! [traffic](crate::otp::fraud::Traffic) if it counts that.
//!
//! [`check`] runs all that can be told from one caller: examples of every rule, and random histories compared
//! step by step with a naive model. It panics with what differs. Races need your runtime; see
//! `tests/otp_store.rs` of this crate.
//!
//! ```
//! # async fn example() {
//! use portcullis::{Memory, store::conformance::logins};
//!
//! logins::check(&|clock| Memory::new().clock(clock.clone()).into(), 4).await;
//! # }
//! ```

mod codes;
mod families;
mod given_back;
mod held;
mod history;
mod lockout;
mod model;
mod rotations;
mod scene;
mod traffic;
mod traffic_model;
mod windows;

pub use history::replay;
pub use rotations::replay_sessions;
pub use scene::{Caller, Scene};
pub use traffic::replay_traffic;

use crate::{clock::ManualClock, otp::SharedLoginStore};

/// Makes an empty store that goes by the clock.
pub type Make<'a> = &'a (dyn Fn(&ManualClock) -> SharedLoginStore + Sync);

/// Runs every example, and as many random histories as `seeds` says.
///
/// # Panics
///
/// When the store breaks a contract, or does not answer.
pub async fn check(make: Make<'_>, seeds: u64) {
    codes::check(make).await;
    given_back::check(make).await;
    held::check(make).await;
    windows::check(make).await;
    lockout::check(make).await;
    families::check(make).await;
    let has_traffic = make(&super::clock()).traffic().is_some();
    if has_traffic {
        traffic::check(make).await;
    }
    for seed in 0..seeds {
        replay(make, seed, 400).await;
        replay_sessions(make, seed, 400).await;
        if has_traffic {
            replay_traffic(make, seed, 400).await;
        }
    }
}
