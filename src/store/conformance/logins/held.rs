//! Codes that somebody else holds: an attempt is counted first, and ends when its holder has been asked.

use super::{super::answer, Caller, Make, Scene};
use crate::{
    block::Ladder,
    otp::{Dispatched, Guess, Sealed, Verdict, sender::Checked},
};

pub(super) async fn check(make: Make<'_>) {
    of_two_that_were_right_one_logs_in(make).await;
    what_is_not_said_costs_the_attempt_and_no_guess(make).await;
    wrong_ones_strike_when_they_end(make).await;
    guesses_that_go_on_count_as_wrong(make).await;
    another_device_does_not_get_that_far(make).await;
    what_ended_meanwhile_is_not_found(make).await;
}

const RIGHT: Option<Checked> = Some(Checked::Right);
const WRONG: Option<Checked> = Some(Checked::Wrong);

async fn hold(scene: &Scene, caller: &Caller, challenge: u32) {
    let issue = scene.to_hold(caller, challenge);
    let told = answer(scene.store.issue(issue)).await.outcome;
    assert!(matches!(told, Dispatched::Allowed { number: 0, .. }), "{told:?}");
}

/// Makes an attempt that must be held, with this number.
async fn held(scene: &Scene, caller: &Caller, challenge: u32, number: u8) -> Guess {
    let told = scene.verify(caller, challenge, 1).await;
    assert!(told.started.is_empty(), "{told:?}");
    let Verdict::Held { attempt, left, sealed, guess } = told.outcome else { panic!("{told:?}") };
    assert_eq!((attempt, left), (number, scene.rules.attempts - number));
    assert_eq!(sealed, Sealed::from_bytes(&challenge.to_be_bytes()));
    guess
}

async fn of_two_that_were_right_one_logs_in(make: Make<'_>) {
    let scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    hold(&scene, &one, 1).await;
    let (first, second) = (held(&scene, &one, 1, 1).await, held(&scene, &one, 1, 2).await);
    assert!(!first.bound && !second.bound);
    let sealed = Sealed::from_bytes(&1_u32.to_be_bytes());
    let right = Verdict::Right { attempt: 2, sealed, new_device: true, messages: 1 };
    assert_eq!(scene.conclude(&one, 1, 2, second, RIGHT).await.outcome, right);
    assert_eq!(scene.conclude(&one, 1, 1, first, RIGHT).await.outcome, Verdict::NotLive);
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, Verdict::NotLive);
    // The device is known from now on.
    scene.wait(scene.rules.cooldown);
    hold(&scene, &one, 2).await;
    let guess = held(&scene, &one, 2, 1).await;
    assert!(guess.bound);
    let told = scene.conclude(&one, 2, 1, guess, RIGHT).await.outcome;
    assert!(matches!(told, Verdict::Right { new_device: false, .. }), "{told:?}");
}

async fn what_is_not_said_costs_the_attempt_and_no_guess(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.guesses.count = 3;
    let one = Caller::new(1, 1, 1);
    hold(&scene, &one, 1).await;
    for attempt in 1..=5 {
        let guess = held(&scene, &one, 1, attempt).await;
        let told = scene.conclude(&one, 1, attempt, guess, None).await;
        let wrong = Verdict::Wrong { attempt, left: 5 - attempt };
        assert_eq!((told.outcome, told.started.len()), (wrong, 0));
    }
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, Verdict::NotLive);
    assert!(answer(scene.store.blocks(10)).await.is_empty());
}

async fn wrong_ones_strike_when_they_end(make: Make<'_>) {
    let mut scene = Scene::new(make);
    (scene.rules.guesses.count, scene.rules.wrong_codes) = (2, Ladder::after(2));
    let one = Caller::new(1, 1, 1);
    hold(&scene, &one, 1).await;
    let guesses = [held(&scene, &one, 1, 1).await, held(&scene, &one, 1, 2).await];
    // The lane is full at the first already, as the other goes on.
    let told = scene.conclude(&one, 1, 1, guesses[0], WRONG).await;
    assert_eq!(told.outcome, Verdict::Wrong { attempt: 1, left: 3 });
    let keys: Vec<_> = told.started.iter().map(|started| started.key).collect();
    assert_eq!(keys, [one.phone]);
    let told = scene.conclude(&one, 1, 2, guesses[1], WRONG).await;
    assert_eq!(told.outcome, Verdict::Wrong { attempt: 2, left: 3 });
    let keys: Vec<_> = told.started.iter().map(|started| started.key).collect();
    assert_eq!(keys, [one.client, one.fingerprint]);
}

async fn guesses_that_go_on_count_as_wrong(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.guesses.count = 3;
    let (one, other) = (Caller::new(1, 1, 1), Caller::new(2, 1, 2));
    hold(&scene, &one, 1).await;
    scene.wait(scene.rules.cooldown);
    hold(&scene, &other, 2).await;
    let first = held(&scene, &one, 1, 1).await;
    held(&scene, &other, 2, 1).await;
    held(&scene, &one, 1, 2).await;
    let told = scene.verify(&other, 2, 1).await.outcome;
    assert!(matches!(told, Verdict::Blocked { key, .. } if key == one.phone), "{told:?}");
    // One that was let in is right all the same, and forgives the others.
    let told = scene.conclude(&one, 1, 1, first, RIGHT).await.outcome;
    assert!(matches!(told, Verdict::Right { attempt: 1, .. }), "{told:?}");
    held(&scene, &other, 2, 2).await;
}

async fn another_device_does_not_get_that_far(make: Make<'_>) {
    let scene = Scene::new(make);
    let (one, thief) = (Caller::new(1, 1, 1), Caller::new(2, 1, 2));
    hold(&scene, &one, 1).await;
    let told = scene.verify(&thief, 1, 1).await.outcome;
    assert_eq!(told, Verdict::OtherDevice { attempt: 1, left: 4 });
    let guess = held(&scene, &one, 1, 2).await;
    assert_eq!(scene.conclude(&thief, 1, 2, guess, RIGHT).await.outcome, Verdict::NotLive);
    let told = scene.conclude(&one, 1, 2, guess, RIGHT).await.outcome;
    assert!(matches!(told, Verdict::Right { attempt: 2, .. }), "{told:?}");
    // Nor does one whose code is the login's own.
    scene.wait(scene.rules.cooldown);
    scene.allowed(&thief, 2, 1).await;
    assert_eq!(scene.conclude(&thief, 2, 1, guess, RIGHT).await.outcome, Verdict::NotLive);
}

async fn what_ended_meanwhile_is_not_found(make: Make<'_>) {
    let scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    hold(&scene, &one, 1).await;
    let late = held(&scene, &one, 1, 1).await;
    scene.wait(scene.rules.cooldown);
    // A new message is another one of the same holder.
    assert!(matches!(scene.resend(&one, 1, 1).await.outcome, Dispatched::Allowed { .. }));
    held(&scene, &one, 1, 2).await;
    scene.wait(scene.rules.lifetime);
    for said in [RIGHT, WRONG, None] {
        assert_eq!(scene.conclude(&one, 1, 1, late, said).await.outcome, Verdict::NotLive);
    }
    let nobody = Caller::new(9, 9, 9);
    for said in [RIGHT, WRONG, None] {
        assert_eq!(scene.conclude(&nobody, 1, 1, late, said).await.outcome, Verdict::NotLive);
    }
}
