//! Windows of clients, fingerprints, phones and devices, and what full ones lead to.

use super::{super::answer, Caller, Make, Scene};
use crate::{
    block::Ladder,
    clock::UnixTime,
    otp::{Dispatched, Verdict, Windowed},
    store::{Block, Standing},
};
use std::time::Duration;

pub(super) async fn check(make: Make<'_>) {
    the_window_of_a_client_is_exact_and_refusals_strike(make).await;
    the_window_of_a_fingerprint_comes_after_the_clients(make).await;
    a_client_that_must_not_be_struck_is_counted_and_refused(make).await;
    a_request_that_is_refused_elsewhere_counts_like_any(make).await;
    the_window_of_a_device_is_exact(make).await;
    messages_of_a_day_run_out_however_slow(make).await;
    blocks_of_a_phone_last_longer_each_time(make).await;
    blocks_of_any_key_stop_calls_in_order(make).await;
}

const MICRO: Duration = Duration::from_micros(1);

async fn the_window_of_a_client_is_exact_and_refusals_strike(make: Make<'_>) {
    let scene = Scene::new(make);
    let within = scene.rules.client.within;
    let caller = |phone| Caller::new(1, phone, phone);
    for phone in 0..10 {
        let told = scene.allowed(&caller(phone), phone, 1).await;
        let standing = told.client.map(|standing| (standing.remaining, standing.full_in()));
        assert_eq!(standing, Some((9 - phone, within)));
        scene.wait(MICRO);
    }
    scene.wait(within - MICRO * 11);
    let told = scene.issue(&caller(10), 10, 1).await;
    assert_eq!(told.outcome, Dispatched::Limited { by: Windowed::Client, wait: MICRO });
    assert_eq!(told.client.map(Standing::wait), Some(MICRO));
    assert_eq!(told.device, None, "not looked at");
    scene.wait(MICRO);
    scene.allowed(&caller(10), 10, 1).await;
    let mut told = scene.issue(&caller(11), 11, 1).await;
    assert_eq!(told.outcome, Dispatched::Limited { by: Windowed::Client, wait: MICRO });
    for _ in 0..3 {
        assert!(told.started.is_empty(), "{told:?}");
        told = scene.resend(&caller(10), 10, 1).await;
    }
    let [started] = told.started[..] else { panic!("{told:?}") };
    assert_eq!((started.key, started.lasting.as_secs()), (caller(1).client, 900));
    let remaining = Some(started.lasting);
    assert_eq!(told.outcome, Dispatched::Blocked { key: started.key, remaining });
    let listed = answer(scene.store.blocks(9)).await;
    assert_eq!(listed.iter().map(|block| block.key).collect::<Vec<_>>(), [started.key]);
    let other = Caller::new(2, 11, 11);
    scene.allowed(&other, 12, 1).await;
    let told = scene.verify(&caller(10), 10, 1).await.outcome;
    assert_eq!(told, Verdict::Blocked { key: started.key, remaining });
}

async fn the_window_of_a_fingerprint_comes_after_the_clients(make: Make<'_>) {
    let scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    for challenge in 1..=5 {
        scene.allowed(&one, challenge, 1).await;
        scene.give_back(&one, challenge, 0).await;
    }
    let told = scene.issue(&one, 6, 1).await;
    let wait = scene.rules.fingerprint.within;
    assert_eq!(told.outcome, Dispatched::Limited { by: Windowed::Fingerprint, wait });
    assert_eq!(told.client.map(|standing| standing.remaining), Some(5), "counted in neither");
    scene.allowed(&Caller::new(1, 2, 1), 7, 1).await;
}

async fn a_request_that_is_refused_elsewhere_counts_like_any(make: Make<'_>) {
    let scene = Scene::new(make);
    let arrive = async |phone, may_be_struck| {
        let caller = Caller { may_be_struck, ..Caller::new(1, phone, 1) };
        answer(scene.store.arrive(caller.arrival(), scene.rules)).await
    };
    for left in (5..10).rev() {
        let told = arrive(1, true).await;
        assert_eq!((told.refused, told.client.map(|it| it.remaining)), (None, Some(left)));
    }
    let (of_one, wait) = (Windowed::Fingerprint, scene.rules.fingerprint.within);
    assert_eq!(arrive(1, true).await.refused, Some(Dispatched::Limited { by: of_one, wait }));
    // The same windows as those of requests, and nothing of the phone.
    let told = scene.allowed(&Caller::new(1, 2, 1), 1, 1).await;
    assert_eq!(told.client.map(|standing| standing.remaining), Some(4));
    for phone in 3..7 {
        assert_eq!(arrive(phone, true).await.refused, None);
    }
    let full = Some(Dispatched::Limited { by: Windowed::Client, wait: scene.rules.client.within });
    for phone in 7..20 {
        assert_eq!(arrive(phone, false).await.refused, full, "spared, and refused");
    }
    for phone in 7..11 {
        assert_eq!(arrive(phone, true).await.refused, full);
    }
    let told = arrive(11, true).await;
    let [started] = told.started[..] else { panic!("{told:?}") };
    let (key, remaining) = (Caller::new(1, 0, 0).client, Some(started.lasting));
    assert_eq!((started.key, told.refused), (key, Some(Dispatched::Blocked { key, remaining })));
    let told = arrive(12, true).await;
    assert_eq!(told.refused, Some(Dispatched::Blocked { key, remaining }));
    assert_eq!((told.client, told.started.len()), (None, 0));
}

async fn a_client_that_must_not_be_struck_is_counted_and_refused(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.wrong_codes = Ladder::after(1);
    let caller = |phone| Caller { may_be_struck: false, ..Caller::new(1, phone, phone) };
    for phone in 0..10 {
        let told = scene.allowed(&caller(phone), phone, 1).await;
        let left = told.client.map(|standing| standing.remaining);
        assert_eq!(left, Some(9 - phone));
    }
    let wait = scene.rules.client.within;
    for _ in 0..30 {
        let told = scene.issue(&caller(10), 10, 1).await;
        assert_eq!(told.outcome, Dispatched::Limited { by: Windowed::Client, wait });
        assert!(told.started.is_empty(), "{told:?}");
    }
    // Its fingerprint is struck like any other, and a block of the address does not stop it.
    answer(scene.store.block(caller(0).client, Block::forever())).await;
    let told = scene.verify(&caller(1), 1, 9).await;
    let keys: Vec<_> = told.started.iter().map(|started| started.key).collect();
    assert_eq!(keys, [caller(1).fingerprint]);
    assert!(matches!(scene.verify(&caller(2), 2, 1).await.outcome, Verdict::Right { .. }));
    scene.wait(wait);
    scene.allowed(&caller(10), 11, 1).await;
}

async fn the_window_of_a_device_is_exact(make: Make<'_>) {
    let mut scene = Scene::new(make);
    scene.rules.phone.count = 10;
    let within = scene.rules.device.within;
    let from = |address| Caller::new(address, 1, 1);
    for challenge in 0..3 {
        scene.allowed(&from(challenge), challenge, 1).await;
        scene.wait(scene.rules.cooldown);
    }
    scene.wait(within - scene.rules.cooldown * 3 - MICRO);
    let told = scene.issue(&from(3), 3, 1).await;
    assert_eq!(told.outcome, Dispatched::Limited { by: Windowed::Device, wait: MICRO });
    assert_eq!(told.device.map(|standing| (standing.remaining, standing.wait())), Some((0, MICRO)));
    scene.wait(MICRO);
    scene.allowed(&from(4), 4, 1).await;
}

async fn messages_of_a_day_run_out_however_slow(make: Make<'_>) {
    let scene = Scene::new(make);
    let owner = Caller::new(1, 1, 1);
    let hour = Duration::from_secs(3600);
    scene.bind(&owner, 1).await;
    scene.wait(hour - scene.rules.phone.within);
    for challenge in 10..19 {
        scene.allowed(&Caller::new(challenge, 1, challenge), challenge, 1).await;
        scene.wait(hour);
    }
    // The owner's was the first of ten: for strangers the day is full, for the owner it is not.
    let told = scene.issue(&Caller::new(20, 1, 20), 20, 1).await;
    let [started] = told.started[..] else { panic!("{told:?}") };
    assert_eq!((started.key, started.cause.as_str()), (owner.phone, "otp-sends"));
    let remaining = Some(scene.rules.sends_block.first());
    assert_eq!(told.outcome, Dispatched::Blocked { key: owner.phone, remaining });
    for challenge in 30..39 {
        scene.allowed(&owner, challenge, 1).await;
        scene.wait(hour);
    }
    let told = scene.issue(&owner, 40, 1).await;
    let wait = hour * (24 - 19);
    assert_eq!(told.outcome, Dispatched::Limited { by: Windowed::Phone, wait }, "nor for ever");
    assert!(told.started.is_empty(), "{told:?}");
    scene.wait(wait - MICRO);
    let told = scene.issue(&owner, 40, 1).await.outcome;
    assert_eq!(told, Dispatched::Limited { by: Windowed::Phone, wait: MICRO });
    scene.wait(MICRO);
    scene.allowed(&owner, 40, 1).await;
}

async fn blocks_of_a_phone_last_longer_each_time(make: Make<'_>) {
    let mut scene = Scene::new(make);
    (scene.rules.phone_per_day, scene.rules.guesses_per_day) = (50, 100);
    let first = scene.flood(1, 10).await;
    assert_eq!(first.as_secs(), 900, "exact the first time");
    let late = Caller::new(90, 1, 90);
    scene.wait(first - MICRO);
    let told = scene.issue(&late, 20, 1).await.outcome;
    assert_eq!(told, Dispatched::Blocked { key: late.phone, remaining: Some(MICRO) });
    scene.wait(MICRO);
    let second = scene.flood(1, 30).await;
    assert!((1_800..=1_980).contains(&second.as_secs()), "{second:?}");
    scene.wait(second);
    // For messages up to an hour, for guesses up to a day.
    for first in [40, 50, 60] {
        let hour = scene.flood(1, first).await;
        assert_eq!(hour.as_secs(), 3_600);
        scene.wait(hour);
    }
    let mut lasted = Vec::new();
    for challenge in 100..108 {
        (scene.rules.attempts, scene.rules.guesses.count) = (10, 10);
        let stranger = Caller::new(challenge, 1, challenge);
        scene.allowed(&stranger, challenge, 1).await;
        let mut told = scene.verify(&stranger, challenge, 9).await;
        for _ in 0..9 {
            told = scene.verify(&stranger, challenge, 9).await;
        }
        let [started] = told.started[..] else { panic!("{told:?}") };
        assert_eq!(started.cause.as_str(), "otp-guesses");
        lasted.push(started.lasting.as_secs());
        scene.wait(started.lasting.max(scene.rules.guesses.within));
    }
    assert!((3_600..=3_960).contains(&lasted[0]) && lasted.ends_with(&[86_400; 2]), "{lasted:?}");
    let other = Caller::new(91, 2, 91);
    scene.allowed(&other, 40, 1).await;
}

async fn blocks_of_any_key_stop_calls_in_order(make: Make<'_>) {
    let scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    scene.bind(&one, 1).await;
    scene.allowed(&one, 2, 2).await;
    let client = one.client;
    let revoked = Block::forever().issued_until(UnixTime::from_secs(2_000_000_000));
    for key in [one.phone, one.fingerprint, client] {
        answer(scene.store.block(key, revoked)).await;
    }
    assert!(
        matches!(scene.verify(&one, 2, 9).await.outcome, Verdict::Wrong { .. }),
        "revocations are of tokens"
    );
    // Each is told before those that were blocked before it.
    for key in [one.phone, one.fingerprint, client] {
        answer(scene.store.block(key, Block::lasting(Duration::from_secs(5)))).await;
        let remaining = Some(Duration::from_secs(5));
        let told = scene.issue(&one, 3, 1).await;
        assert_eq!(told.outcome, Dispatched::Blocked { key, remaining });
        assert_eq!((told.client, told.device, told.started.len()), (None, None, 0));
        assert_eq!(scene.resend(&one, 2, 1).await.outcome, Dispatched::Blocked { key, remaining });
        assert_eq!(scene.verify(&one, 2, 2).await.outcome, Verdict::Blocked { key, remaining });
    }
    answer(scene.store.block(client, Block::forever())).await;
    let told = scene.verify(&one, 2, 2).await.outcome;
    assert_eq!(told, Verdict::Blocked { key: client, remaining: None });
    for key in [one.phone, one.fingerprint, client] {
        assert!(answer(scene.store.unblock(key)).await);
    }
    assert!(matches!(scene.verify(&one, 2, 2).await.outcome, Verdict::Right { attempt: 2, .. }));
}
