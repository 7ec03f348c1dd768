//! What a login keeps in memory stays within its bound, loses nothing that is live, and goes when it is past.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use portcullis::{
    Eventual, Memory, Profile,
    clock::{ManualClock, UnixTime},
    otp::{Challenges, Dispatched, Settings, SharedLoginStore, Verdict},
    store::{
        StoreError,
        conformance::logins::{Caller, Scene},
    },
    token::{Opening, Rotated, Rotation, SessionId, Sessions},
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A store of ten thousand places for phones, and a scene that goes by its clock.
fn scene() -> (Memory, Scene) {
    let clock = ManualClock::at(UnixTime::from_secs(1_700_000_000));
    let memory = Memory::new().clock(clock.clone()).max_keys(40_000);
    let store: SharedLoginStore = memory.clone().into();
    let rules = Settings::new(Profile::Standard).rules();
    (memory, Scene { store, clock, rules })
}

fn now<T>(eventual: Eventual<Result<T, StoreError>>) -> Result<T, StoreError> {
    match eventual {
        Eventual::Ready(answer) => answer,
        Eventual::Pending(_) => panic!("memory answers at once"),
    }
}

fn opening(id: u32) -> Opening {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&id.to_be_bytes());
    Opening {
        id: SessionId::from_bytes(bytes),
        subject: format!("subject {id}").into(),
        device: Caller::new(1, 1, id).device,
        bound_to: None,
        idle: DAY,
        longest: 2 * DAY,
        most: 5,
    }
}

#[tokio::test]
async fn a_flood_of_phones_stays_in_bounds_and_loses_nothing_live() {
    let (memory, scene) = scene();
    let caller = |number| Caller::new(number, number, number);
    const BOUND: u32 = 500;
    const WAITING: std::ops::Range<u32> = BOUND..1_000;
    for number in 0..BOUND {
        scene.allowed(&caller(number), number, 1).await;
        scene.verify(&caller(number), number, 1).await;
    }
    scene.wait(scene.rules.phone.within);
    for number in WAITING {
        scene.allowed(&caller(number), number, 1).await;
        for _ in 0..3 {
            scene.verify(&caller(number), number, 9).await;
        }
    }
    let mut full = 0;
    for number in 1_000..101_000 {
        match now(memory.issue(scene.to_issue(&caller(number), number, 1))) {
            Ok(told) => assert!(matches!(told.outcome, Dispatched::Allowed { .. }), "{told:?}"),
            Err(_) => full += 1,
        }
    }
    let stats = memory.stats();
    assert!(full > 80_000, "{full}, {stats:?}");
    assert!(stats.phones <= 10_000 + 64 && stats.windows <= 20_000 + 128, "{stats:?}");
    for number in WAITING {
        let told = scene.verify(&caller(number), number, 9).await.outcome;
        assert_eq!(told, Verdict::Wrong { attempt: 4, left: 1 }, "{number}: nothing was reset");
        let wait = scene.rules.cooldown;
        assert_eq!(scene.issue(&caller(number), 0, 1).await.outcome, Dispatched::Cooldown { wait });
        let told = scene.verify(&caller(number), number, 1).await.outcome;
        assert!(matches!(told, Verdict::Right { attempt: 5, .. }), "{number}: {told:?}");
    }
    scene.wait(scene.rules.guesses.within);
    let mut forgotten = 0;
    for number in 0..BOUND {
        // From another address: the flood has passed, and there is room again.
        let caller =
            Caller { device: caller(number).device, ..Caller::new(200_000 + number, number, 0) };
        scene.allowed(&caller, number, 2).await;
        let told = scene.verify(&caller, number, 2).await.outcome;
        let Verdict::Right { new_device, .. } = told else { panic!("{number}: {told:?}") };
        forgotten += u32::from(new_device);
    }
    // Their devices alone gave way to what was live.
    assert!(forgotten > 0);
}

#[tokio::test]
async fn where_there_is_no_room_messages_of_the_day_give_way_and_wrong_codes_do_not() {
    let (memory, mut scene) = scene();
    scene.rules.phone_per_day = 3;
    let caller = |address, phone| Caller {
        device: Caller::new(0, 0, 0).device,
        ..Caller::new(address, phone, 0)
    };
    const PHONES: u32 = 200;
    // The day of each is full; every other has a wrong code besides.
    for challenge in 0..3 {
        for phone in 0..PHONES {
            scene.allowed(&caller(challenge * 1_000 + phone, phone), challenge, 1).await;
            if challenge == 2 && phone % 2 == 1 {
                scene.verify(&caller(phone, phone), challenge, 9).await;
            }
        }
        scene.wait(scene.rules.phone.within);
    }
    for phone in 1_000..60_000 {
        let _ = memory.issue(scene.to_issue(&caller(phone, phone), phone, 1));
    }
    scene.wait(scene.rules.phone.within);
    let mut forgotten = [0, 0];
    for phone in 0..PHONES {
        let told = scene.issue(&caller(100_000 + phone, phone), 9, 1).await.outcome;
        forgotten[phone as usize % 2] += u32::from(matches!(told, Dispatched::Allowed { .. }));
    }
    assert!(forgotten[0] > 0, "{forgotten:?}");
    assert_eq!(forgotten[1], 0, "a guess would be forgotten");
}

#[tokio::test]
async fn requirement_13_phones_and_windows_are_swept_when_all_of_them_is_past() {
    let (memory, scene) = scene();
    let fill = async |from: u32| {
        for number in from..from + 2_000 {
            scene.allowed(&Caller::new(number, number, number), number, 1).await;
        }
    };
    fill(0).await;
    for number in 0..500 {
        scene.verify(&Caller::new(number, number, number), number, 9).await;
    }
    for number in 500..600 {
        scene.verify(&Caller::new(number, number, number), number, 1).await;
    }
    assert_eq!((memory.stats().phones, memory.stats().windows), (2_000, 4_000));
    scene.wait(scene.rules.phone.within - Duration::from_micros(1));
    fill(10_000).await;
    assert_eq!((memory.stats().phones, memory.stats().windows), (4_000, 8_000), "not too early");
    // Messages and wrong codes count for a day, arrivals for ten minutes.
    scene.wait(scene.rules.client.within);
    fill(20_000).await;
    assert_eq!((memory.stats().phones, memory.stats().windows), (6_000, 4_000));
    // Of the first fill the bound are left.
    scene.wait(DAY - scene.rules.client.within);
    fill(30_000).await;
    assert_eq!((memory.stats().phones, memory.stats().windows), (4_100, 4_000));
    scene.wait(DAY);
    fill(40_000).await;
    assert_eq!((memory.stats().phones, memory.stats().windows), (2_100, 4_000));
    scene.wait(scene.rules.device_memory);
    fill(50_000).await;
    assert_eq!((memory.stats().phones, memory.stats().windows), (2_000, 4_000));
}

#[tokio::test]
async fn sessions_have_a_bound_and_are_swept_when_they_are_over() {
    let (memory, scene) = scene();
    let opened: Vec<u32> =
        (0..20_000).filter(|id| now(memory.open(opening(*id))).is_ok()).collect();
    assert!(opened.len() < 10_064 && memory.stats().sessions == opened.len(), "{}", opened.len());
    for id in &opened {
        assert!(now(memory.session(opening(*id).id)).unwrap().is_some(), "{id} is live");
    }
    // Those that were reused stay known beyond the idle end, the rest goes.
    for id in &opened[..100] {
        let (id, idle, grace) = (opening(*id).id, DAY, Duration::ZERO);
        let rotate = |generation| now(memory.rotate(Rotation { id, generation, idle, grace }));
        assert!(matches!(rotate(0), Ok(Rotated::Next(_))));
        scene.wait(Duration::from_micros(1));
        assert!(matches!(rotate(0), Ok(Rotated::Reused(_))));
    }
    scene.wait(DAY);
    let again: Vec<u32> =
        (30_000..34_000).filter(|id| now(memory.open(opening(*id))).is_ok()).collect();
    // Each shard is swept when it is asked for room, so all have been.
    assert_eq!(memory.stats().sessions, again.len() + 100);
    scene.wait(2 * DAY);
    let last = (40_000..44_000).filter(|id| now(memory.open(opening(*id))).is_ok()).count();
    assert_eq!((memory.stats().sessions, last), (4_000, 4_000));
}
