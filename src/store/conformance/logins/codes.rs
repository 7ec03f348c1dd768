//! One challenge: its code, attempts, resends and end.

use super::{super::answer, Caller, Make, Scene};
use crate::otp::{Dispatched, Sealed, Verdict};
use std::time::Duration;

pub(super) async fn check(make: Make<'_>) {
    the_right_code_is_good_once(make).await;
    attempts_are_counted_and_then_the_right_code_finds_nothing(make).await;
    another_device_is_told_nothing_and_pays(make).await;
    another_phone_or_challenge_finds_nothing(make).await;
    a_resend_keeps_attempts_and_kills_the_old_code(make).await;
    resends_wait_twice_as_long_each_and_end(make).await;
    a_challenge_ends_and_resends_stretch_it_to_a_bound(make).await;
    stricter_rules_end_what_they_would_not_have_let_grow(make).await;
    the_same_device_replaces_its_challenge(make).await;
    a_device_that_is_forgotten_is_a_strangers(make).await;
}

const MICRO: Duration = Duration::from_micros(1);
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn right(attempt: u8, challenge: u32, new_device: bool) -> Verdict {
    right_after(1, attempt, challenge, new_device)
}

fn right_after(messages: u8, attempt: u8, challenge: u32, new_device: bool) -> Verdict {
    let sealed = Sealed::from_bytes(&challenge.to_be_bytes());
    Verdict::Right { attempt, sealed, new_device, messages }
}

async fn the_right_code_is_good_once(make: Make<'_>) {
    let scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    let told = scene.issue(&one, 1, 1).await;
    let allowed = Dispatched::Allowed {
        number: 0,
        expires_in: scene.rules.lifetime,
        cooldown: scene.rules.cooldown,
        sealed: Sealed::from_bytes(&1_u32.to_be_bytes()),
    };
    assert_eq!((told.outcome, told.started.len()), (allowed, 0));
    assert_eq!(told.client.map(|standing| standing.remaining), Some(9));
    assert_eq!(told.device.map(|standing| standing.remaining), Some(2));
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, right(1, 1, true));
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, Verdict::NotLive);
    scene.wait(scene.rules.cooldown);
    scene.allowed(&one, 2, 2).await;
    assert_eq!(scene.verify(&one, 2, 2).await.outcome, right(1, 2, false), "it is remembered");
    scene.wait(scene.rules.device_memory);
    scene.allowed(&one, 3, 3).await;
    assert_eq!(scene.verify(&one, 3, 3).await.outcome, right(1, 3, true), "and then forgotten");
}

async fn attempts_are_counted_and_then_the_right_code_finds_nothing(make: Make<'_>) {
    let scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    scene.allowed(&one, 1, 1).await;
    for attempt in 1..=5 {
        let told = scene.verify(&one, 1, 9).await;
        assert_eq!(told.outcome, Verdict::Wrong { attempt, left: 5 - attempt });
        assert!(told.started.is_empty());
    }
    for code in [1, 9] {
        assert_eq!(scene.verify(&one, 1, code).await.outcome, Verdict::NotLive);
    }
    scene.wait(scene.rules.cooldown);
    assert_eq!(scene.resend(&one, 1, 2).await.outcome, Dispatched::NotLive);
    scene.allowed(&one, 2, 2).await;
    assert_eq!(scene.verify(&one, 2, 2).await.outcome, right(1, 2, true));
}

async fn another_device_is_told_nothing_and_pays(make: Make<'_>) {
    let scene = Scene::new(make);
    let (one, thief) = (Caller::new(1, 1, 1), Caller::new(2, 1, 2));
    scene.allowed(&one, 1, 1).await;
    for (attempt, code) in [(1, 1), (2, 9), (3, 1), (4, 9)] {
        let told = scene.verify(&thief, 1, code).await.outcome;
        assert_eq!(told, Verdict::OtherDevice { attempt, left: 5 - attempt });
    }
    scene.wait(scene.rules.cooldown);
    assert_eq!(scene.resend(&thief, 1, 2).await.outcome, Dispatched::NotLive);
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, right(5, 1, true));
}

async fn another_phone_or_challenge_finds_nothing(make: Make<'_>) {
    let scene = Scene::new(make);
    let (one, other) = (Caller::new(1, 1, 1), Caller::new(1, 2, 1));
    scene.allowed(&one, 1, 1).await;
    assert_eq!(scene.verify(&other, 1, 1).await.outcome, Verdict::NotLive);
    assert_eq!(scene.verify(&one, 2, 1).await.outcome, Verdict::NotLive);
    scene.allowed(&other, 2, 2).await;
    assert_eq!(scene.verify(&other, 1, 1).await.outcome, Verdict::NotLive);
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, right(1, 1, true), "nothing was counted");
    scene.wait(scene.rules.cooldown);
    let again = scene.issue(&other, 2, 3).await;
    assert_eq!(again.outcome, Dispatched::NotLive, "the name is taken");
}

async fn a_resend_keeps_attempts_and_kills_the_old_code(make: Make<'_>) {
    let scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    scene.allowed(&one, 1, 1).await;
    for _ in 0..2 {
        scene.verify(&one, 1, 9).await;
    }
    scene.wait(scene.rules.cooldown);
    let told = scene.resend(&one, 1, 2).await;
    let Dispatched::Allowed { number: 1, sealed, .. } = told.outcome else { panic!("{told:?}") };
    assert_eq!(sealed, Sealed::from_bytes(&1_u32.to_be_bytes()), "sealed as it was");
    let old = scene.verify(&one, 1, 1).await.outcome;
    assert_eq!(old, Verdict::Wrong { attempt: 3, left: 2 });
    assert_eq!(scene.verify(&one, 1, 2).await.outcome, right_after(2, 4, 1, true));
}

async fn resends_wait_twice_as_long_each_and_end(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.phone.count = 10;
    scene.rules.device.count = 10;
    scene.rules.fingerprint.count = 10;
    let (one, stranger) = (Caller::new(1, 1, 1), Caller::new(2, 1, 2));
    scene.allowed(&one, 1, 1).await;
    let mut cooldown = scene.rules.cooldown;
    for number in 1..=3 {
        scene.wait(cooldown - MICRO);
        assert_eq!(scene.resend(&one, 1, 1).await.outcome, Dispatched::Cooldown { wait: MICRO });
        let told = scene.issue(&stranger, 2, 1).await.outcome;
        assert_eq!(told, Dispatched::Cooldown { wait: MICRO }, "strangers share it");
        scene.wait(MICRO);
        let told = scene.resend(&one, 1, 1).await.outcome;
        let Dispatched::Allowed { number: told, cooldown: next, .. } = told else {
            panic!("{told:?}")
        };
        assert_eq!((told, next), (number, cooldown * 2));
        cooldown = next;
    }
    scene.wait(cooldown);
    assert_eq!(scene.resend(&one, 1, 1).await.outcome, Dispatched::ResendsSpent);
}

async fn a_challenge_ends_and_resends_stretch_it_to_a_bound(make: Make<'_>) {
    let mut scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    scene.allowed(&one, 1, 1).await;
    scene.wait(scene.rules.lifetime);
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, Verdict::NotLive);
    assert_eq!(scene.resend(&one, 1, 1).await.outcome, Dispatched::NotLive);
    scene.rules.longest = scene.rules.lifetime + SECOND;
    scene.allowed(&one, 2, 1).await;
    scene.wait(scene.rules.lifetime - MICRO);
    let told = scene.resend(&one, 2, 2).await.outcome;
    let Dispatched::Allowed { expires_in, .. } = told else { panic!("{told:?}") };
    assert_eq!(expires_in, SECOND + MICRO);
    scene.wait(expires_in - MICRO);
    assert!(matches!(scene.verify(&one, 2, 9).await.outcome, Verdict::Wrong { .. }));
    scene.wait(MICRO);
    assert_eq!(scene.verify(&one, 2, 2).await.outcome, Verdict::NotLive);
}

async fn stricter_rules_end_what_they_would_not_have_let_grow(make: Make<'_>) {
    let mut scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    scene.allowed(&one, 1, 1).await;
    scene.wait(scene.rules.cooldown);
    for longest in [Duration::ZERO, SECOND, scene.rules.cooldown] {
        scene.rules.longest = longest;
        assert_eq!(scene.resend(&one, 1, 2).await.outcome, Dispatched::NotLive);
    }
    scene.rules.longest = scene.rules.cooldown + MICRO;
    let told = scene.resend(&one, 1, 2).await.outcome;
    assert!(matches!(told, Dispatched::Allowed { expires_in: MICRO, .. }), "{told:?}");
}

async fn the_same_device_replaces_its_challenge(make: Make<'_>) {
    let scene = Scene::new(make);
    let (one, other) = (Caller::new(1, 1, 1), Caller::new(2, 1, 2));
    scene.allowed(&other, 1, 1).await;
    scene.wait(scene.rules.cooldown);
    scene.allowed(&one, 2, 2).await;
    scene.wait(scene.rules.cooldown);
    scene.allowed(&one, 3, 3).await;
    assert_eq!(scene.verify(&one, 2, 2).await.outcome, Verdict::NotLive);
    assert_eq!(scene.verify(&one, 3, 3).await.outcome, right(1, 3, true));
    assert_eq!(scene.verify(&other, 1, 1).await.outcome, right(1, 1, true), "another's stays");
}

async fn a_device_that_is_forgotten_is_a_strangers(make: Make<'_>) {
    let scene = Scene::new(make);
    let callers = [1, 2, 3].map(|device| Caller::new(device, 1, device));
    let is_new = async |caller: &Caller, challenge| {
        scene.allowed(caller, challenge, 1).await;
        let told = scene.verify(caller, challenge, 1).await.outcome;
        scene.wait(scene.rules.phone.within);
        match told {
            Verdict::Right { new_device, .. } => new_device,
            other => panic!("{other:?}"),
        }
    };
    for (number, caller) in callers.iter().enumerate() {
        assert!(is_new(caller, number as u32).await);
    }
    let [one, two, three] = callers;
    answer(scene.store.forget(one.phone, Some(two.device))).await;
    answer(scene.store.forget(Caller::new(1, 2, 1).phone, None)).await;
    let told = [is_new(&one, 10).await, is_new(&two, 11).await, is_new(&three, 12).await];
    assert_eq!(told, [false, true, false]);
    answer(scene.store.forget(one.phone, None)).await;
    answer(scene.store.forget(one.phone, Some(one.device))).await;
    let told = [is_new(&one, 20).await, is_new(&two, 21).await, is_new(&three, 22).await];
    assert_eq!(told, [true; 3]);
}
