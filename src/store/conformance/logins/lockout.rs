//! Strangers, the owner, and what neither can do to the other.

use super::{super::answer, Caller, Make, Scene};
use crate::{
    otp::{Dispatched, Verdict, Windowed},
    store::Block,
};
use std::time::Duration;

pub(super) async fn check(make: Make<'_>) {
    guesses_over_several_challenges_block_the_phone(make).await;
    a_stranger_who_sends_all_does_not_stop_the_owner(make).await;
    a_stranger_who_guesses_all_does_not_stop_the_owner(make).await;
    strangers_share_two_places_and_nobody_puts_out_anothers(make).await;
    a_place_is_free_when_there_are_few_enough(make).await;
    the_owner_has_windows_and_guesses_of_its_own(make).await;
    a_device_out_of_guesses_is_a_stranger(make).await;
    guesses_of_a_day_run_out_however_slow(make).await;
    five_devices_are_remembered(make).await;
    wrong_codes_strike_client_and_fingerprint(make).await;
}

const SECOND: Duration = Duration::from_secs(1);

/// Two challenges of one device and all ten guesses, the last of which blocks the phone.
async fn guess_all(scene: &Scene, phone: u32, first: u32) {
    for challenge in [first, first + 1] {
        let stranger = Caller::new(challenge, phone, first);
        scene.allowed(&stranger, challenge, 1).await;
        for attempt in 1..=5 {
            let told = scene.verify(&stranger, challenge, 9).await;
            assert_eq!(told.outcome, Verdict::Wrong { attempt, left: 5 - attempt });
            let last = challenge == first + 1 && attempt == 5;
            assert_eq!(told.started.len(), usize::from(last), "{told:?}");
            assert!(told.started.iter().all(|started| started.key == stranger.phone));
        }
        scene.wait(scene.rules.cooldown);
    }
}

async fn guesses_over_several_challenges_block_the_phone(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.phone.count = 10;
    let (late, start) = (Caller::new(50, 1, 50), scene.rules.cooldown);
    scene.allowed(&late, 50, 1).await;
    scene.wait(start);
    guess_all(&scene, 1, 10).await;
    let block = Duration::from_secs(900) - start;
    let told = scene.verify(&late, 50, 1).await.outcome;
    assert_eq!(told, Verdict::Blocked { key: late.phone, remaining: Some(block) });
    let told = scene.issue(&late, 51, 1).await.outcome;
    assert_eq!(told, Dispatched::Blocked { key: late.phone, remaining: Some(block) });
    // The first guess was one cooldown before the last; both and the wait lie within the hour.
    scene.wait(block);
    let wait = scene.rules.guesses.within - Duration::from_secs(900) - start;
    let told = scene.issue(&late, 52, 1).await;
    assert_eq!(told.outcome, Dispatched::Limited { by: Windowed::Phone, wait });
    assert!(told.started.is_empty(), "asking is no offence: {told:?}");
    let told = scene.verify(&late, 50, 1).await.outcome;
    assert_eq!(told, Verdict::Blocked { key: late.phone, remaining: Some(wait) });
    scene.wait(wait);
    scene.allowed(&late, 53, 1).await;
}

async fn a_stranger_who_sends_all_does_not_stop_the_owner(make: Make<'_>) {
    let scene = Scene::new(make);
    let owner = Caller::new(1, 1, 1);
    scene.bind(&owner, 1).await;
    scene.flood(1, 10).await;
    let stranger = Caller::new(12, 1, 10);
    let told = scene.resend(&stranger, 12, 1).await.outcome;
    assert!(matches!(told, Dispatched::Blocked { key, .. } if key == owner.phone), "{told:?}");
    scene.allowed(&owner, 2, 1).await;
    let told = scene.verify(&stranger, 12, 1).await.outcome;
    assert!(matches!(told, Verdict::Right { .. }), "sent before the block: {told:?}");
    assert!(matches!(scene.verify(&owner, 2, 9).await.outcome, Verdict::Wrong { .. }));
    scene.wait(scene.rules.cooldown);
    assert!(matches!(scene.resend(&owner, 2, 3).await.outcome, Dispatched::Allowed { .. }));
    let told = scene.verify(&owner, 2, 3).await.outcome;
    assert!(matches!(told, Verdict::Right { new_device: false, .. }), "{told:?}");
    // A block by hand, even over the other, stops all.
    answer(scene.store.block(owner.phone, Block::lasting(SECOND))).await;
    let (key, remaining) = (owner.phone, Some(SECOND));
    for caller in [owner, Caller::new(70, 1, 70)] {
        let told = scene.issue(&caller, 3, 1).await.outcome;
        assert_eq!(told, Dispatched::Blocked { key, remaining });
        assert_eq!(scene.verify(&caller, 2, 1).await.outcome, Verdict::Blocked { key, remaining });
    }
}

async fn a_stranger_who_guesses_all_does_not_stop_the_owner(make: Make<'_>) {
    let scene = Scene::new(make);
    let owner = Caller::new(1, 1, 1);
    scene.bind(&owner, 1).await;
    scene.allowed(&owner, 2, 2).await;
    scene.wait(scene.rules.cooldown);
    // The messages of all are counted for strangers, and the owner's is one.
    guess_all(&scene, 1, 10).await;
    let told = scene.verify(&Caller::new(60, 1, 60), 2, 2).await.outcome;
    assert!(matches!(told, Verdict::Blocked { .. }), "{told:?}");
    let told = scene.verify(&owner, 2, 2).await.outcome;
    assert!(matches!(told, Verdict::Right { attempt: 1, .. }), "{told:?}");
    scene.allowed(&owner, 3, 3).await;
    let told = scene.issue(&Caller::new(60, 1, 60), 60, 1).await.outcome;
    assert!(
        matches!(told, Dispatched::Blocked { .. }),
        "the owner's login lifts nothing: {told:?}"
    );
}

async fn strangers_share_two_places_and_nobody_puts_out_anothers(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.phone.count = 10;
    let (lifetime, cooldown) = (scene.rules.lifetime, scene.rules.cooldown);
    let stranger = |number| Caller::new(number, 1, number);
    scene.allowed(&stranger(10), 10, 1).await;
    scene.wait(cooldown);
    scene.allowed(&stranger(11), 11, 1).await;
    scene.wait(cooldown);
    // The third waits until the first ends. That is no offence, and counts no message.
    for challenge in 12..40 {
        let told = scene.issue(&stranger(challenge), challenge, 1).await;
        let wait = lifetime - cooldown * 2;
        assert_eq!(told.outcome, Dispatched::Limited { by: Windowed::Phone, wait });
        assert!(told.started.is_empty() && told.device.is_none(), "{told:?}");
    }
    // Who has a place keeps it, with another challenge in place of its own.
    scene.allowed(&stranger(11), 41, 1).await;
    let gone = scene.verify(&stranger(11), 11, 1).await.outcome;
    assert_eq!(gone, Verdict::NotLive);
    let told = scene.verify(&stranger(10), 10, 1).await.outcome;
    assert!(matches!(told, Verdict::Right { .. }), "as good as before: {told:?}");
    // It is the owner's from now on, so its challenges are beside those of strangers, and theirs beside its.
    scene.wait(cooldown);
    scene.allowed(&stranger(12), 42, 1).await;
    scene.allowed(&stranger(10), 43, 1).await;
    scene.wait(cooldown);
    let told = scene.issue(&stranger(13), 44, 1).await.outcome;
    assert!(matches!(told, Dispatched::Limited { by: Windowed::Phone, .. }), "{told:?}");
    for (number, challenge) in [(10, 43), (11, 41), (12, 42)] {
        let told = scene.verify(&stranger(number), challenge, 1).await.outcome;
        assert!(matches!(told, Verdict::Right { .. }), "{challenge}: {told:?}");
    }
}

async fn a_place_is_free_when_there_are_few_enough(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.phone.count = 10;
    let stranger = |number| Caller::new(number, 1, number);
    let owner = stranger(1);
    scene.bind(&owner, 1).await;
    scene.allowed(&stranger(10), 10, 1).await;
    scene.allowed(&owner, 2, 1).await;
    // Its guesses used up, the owner's device is a stranger, whose challenge takes a place.
    for challenge in [2, 3] {
        for _ in 0..5 {
            scene.verify(&owner, challenge, 9).await;
        }
        if challenge == 2 {
            scene.wait(scene.rules.cooldown);
            scene.allowed(&owner, 3, 1).await;
        }
    }
    let late = stranger(12);
    let wait = scene.rules.lifetime - scene.rules.cooldown;
    let told = scene.issue(&late, 12, 1).await.outcome;
    assert_eq!(told, Dispatched::Limited { by: Windowed::Phone, wait });
    scene.wait(wait - Duration::from_micros(1));
    let told = scene.issue(&late, 12, 1).await.outcome;
    let wait = Duration::from_micros(1);
    assert_eq!(told, Dispatched::Limited { by: Windowed::Phone, wait });
    scene.wait(wait);
    scene.allowed(&late, 12, 1).await;
}

async fn the_owner_has_windows_and_guesses_of_its_own(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.device.count = 10;
    let owner = |address| Caller::new(address, 1, 1);
    scene.bind(&owner(1), 1).await;
    let wait = scene.rules.phone.within - scene.rules.cooldown * 3;
    for challenge in 10..13 {
        scene.allowed(&owner(challenge), challenge, 1).await;
        let told = scene.issue(&owner(challenge), 99, 1).await.outcome;
        assert_eq!(told, Dispatched::Cooldown { wait: scene.rules.cooldown });
        scene.wait(scene.rules.cooldown);
    }
    let told = scene.issue(&owner(20), 20, 1).await;
    assert_eq!(told.outcome, Dispatched::Limited { by: Windowed::Phone, wait }, "no block");
    assert!(told.started.is_empty());
    scene.wait(wait);
    scene.allowed(&owner(21), 21, 1).await;
}

async fn a_device_out_of_guesses_is_a_stranger(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.phone.count = 10;
    scene.rules.device.count = 10;
    let owner = Caller::new(1, 1, 1);
    let from = |address| Caller { device: owner.device, ..Caller::new(address, 1, 0) };
    scene.bind(&owner, 1).await;
    for challenge in 10..14 {
        scene.allowed(&from(challenge), challenge, 1).await;
        for attempt in 1..=5 {
            let told = scene.verify(&from(challenge), challenge, 9).await;
            assert_eq!(told.outcome, Verdict::Wrong { attempt, left: 5 - attempt });
            let last = challenge == 13 && attempt == 5;
            assert_eq!(told.started.len(), usize::from(last), "twenty in all: {told:?}");
        }
        scene.wait(scene.rules.cooldown);
    }
    let told = scene.issue(&from(20), 20, 1).await.outcome;
    assert!(matches!(told, Dispatched::Blocked { key, .. } if key == owner.phone), "{told:?}");
}

async fn guesses_of_a_day_run_out_however_slow(make: Make<'_>) {
    let scene = Scene::new(make);
    let hour = scene.rules.guesses.within;
    let last = Caller::new(15, 1, 15);
    // Five guesses an hour never fill the short window.
    for challenge in 10..16 {
        let stranger = Caller::new(challenge, 1, challenge);
        scene.allowed(&stranger, challenge, 1).await;
        for attempt in 1..=5 {
            let told = scene.verify(&stranger, challenge, 9).await;
            assert_eq!(told.outcome, Verdict::Wrong { attempt, left: 5 - attempt });
            let thirtieth = challenge == 15 && attempt == 5;
            assert_eq!(told.started.len(), usize::from(thirtieth), "{told:?}");
        }
        if challenge < 15 {
            scene.wait(hour);
        }
    }
    let remaining = Some(scene.rules.guesses_block.first());
    let told = scene.issue(&last, 16, 1).await.outcome;
    assert_eq!(told, Dispatched::Blocked { key: last.phone, remaining });
    // Then they wait until the first of the thirty are a day old.
    scene.wait(scene.rules.guesses_block.first());
    let wait = hour * (24 - 5) - scene.rules.guesses_block.first();
    let told = scene.issue(&last, 16, 1).await.outcome;
    assert_eq!(told, Dispatched::Limited { by: Windowed::Phone, wait });
    let told = scene.verify(&last, 15, 1).await.outcome;
    assert_eq!(told, Verdict::Blocked { key: last.phone, remaining: Some(wait) });
    scene.wait(wait);
    scene.allowed(&last, 17, 1).await;
}

async fn five_devices_are_remembered(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.phone_per_day = 50;
    let device = |number| Caller::new(number, 1, number);
    // The second logs in again, so the first, then the third are the ones that did longest ago.
    for (challenge, number) in [1, 2, 3, 4, 5, 2, 6, 7].into_iter().enumerate() {
        scene.bind(&device(number), 100 + challenge as u32).await;
    }
    scene.flood(1, 10).await;
    for (number, remembered) in [(1, false), (2, true), (3, false), (4, true), (6, true), (7, true)]
    {
        let told = scene.issue(&device(number), 200 + number, 1).await.outcome;
        assert_eq!(matches!(told, Dispatched::Allowed { .. }), remembered, "{number}: {told:?}");
    }
}

async fn wrong_codes_strike_client_and_fingerprint(make: Make<'_>) {
    let mut scene = Scene::new(make);
    (scene.rules.attempts, scene.rules.guesses.count) = (50, 50);
    scene.rules.guesses_per_day = 50;
    let one = Caller::new(1, 1, 1);
    scene.allowed(&one, 1, 1).await;
    for _ in 1..20 {
        assert!(scene.verify(&one, 1, 9).await.started.is_empty());
    }
    let told = scene.verify(&one, 1, 9).await;
    let keys: Vec<_> = told.started.iter().map(|started| started.key).collect();
    assert_eq!(keys, [one.client, one.fingerprint]);
    assert_eq!(told.outcome, Verdict::Wrong { attempt: 20, left: 30 });
    let told = scene.verify(&one, 1, 1).await.outcome;
    assert!(matches!(told, Verdict::Blocked { key, .. } if key == one.client), "{told:?}");
}
