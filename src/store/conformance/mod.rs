//! Checks that a store of your own answers as the [contract](super::contract) says.
//!
//! [`check`] runs all that can be told from one caller: examples of every rule, and random histories
//! compared step by step with a naive [`model`]. It panics with what differs. Races need your runtime; see
//! `tests/store.rs` of this crate.
//!
//! ```
//! # async fn example() {
//! use portcullis::{Memory, store::conformance};
//!
//! conformance::check(&|clock| Memory::new().clock(clock.clone()).into(), 4).await;
//! # }
//! ```

mod examples;
mod history;
#[cfg(feature = "otp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otp")))]
pub mod logins;
pub mod model;

pub use history::{Step, history};

use super::SharedStore;
use crate::{
    clock::{ManualClock, UnixTime},
    eventual::Eventual,
    store::{Asks, StoreError},
};
use model::Model;

/// Makes an empty store that goes by the clock.
pub type Make<'a> = &'a (dyn Fn(&ManualClock) -> SharedStore + Sync);

/// Runs every example, and as many random histories as `seeds` says.
///
/// # Panics
///
/// When the store breaks the contract, or does not answer.
pub async fn check(make: Make<'_>, seeds: u64) {
    examples::check(make).await;
    for seed in 0..seeds {
        replay(make, history(seed, 400)).await;
    }
}

/// Plays a history to a store and to the model, and compares every answer.
///
/// # Panics
///
/// When they differ, or the store does not answer.
pub async fn replay(make: Make<'_>, steps: Vec<Step>) {
    let clock = clock();
    let store = make(&clock);
    let mut model = Model::default();
    for (at, step) in steps.into_iter().enumerate() {
        let told = match &step {
            Step::Wait(time) => {
                clock.advance(*time);
                model.wait(*time);
                Ok(())
            }
            Step::Admit(asks) => model.admit(asks, &answer(store.admit(Asks::clone(asks))).await),
            Step::Adjust(take, by) => {
                model.adjust(take, *by, answer(store.adjust(*take, *by)).await)
            }
            Step::Block(key, block) => {
                answer(store.block(*key, *block)).await;
                model.block(*key, *block);
                Ok(())
            }
            Step::Unblock(key) => model.unblock(*key, answer(store.unblock(*key)).await),
            Step::List => model.list(answer(store.blocks(usize::MAX)).await),
        };
        if let Err(difference) = told {
            panic!("step {at}, {step:?}: {difference}");
        }
    }
}

fn clock() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(1_700_000_000))
}

async fn answer<T>(eventual: Eventual<Result<T, StoreError>>) -> T {
    match eventual.await {
        Ok(answer) => answer,
        Err(error) => panic!("{error}"),
    }
}
