//! Codes and sessions are kept as their contracts say: examples, random histories against a model, races.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use portcullis::{
    Memory,
    otp::{Dispatched, SharedLoginStore, Verdict},
    store::conformance::logins::{self, Caller, Make, Scene},
    token::{Opening, Rotated, Rotation, SessionId},
};
use proptest::prelude::*;
use std::{sync::Barrier, thread, time::Duration};

const MEMORY: Make<'static> = &|clock| Memory::new().clock(clock.clone()).into();
const ROUNDS: usize = 5;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

#[test]
fn memory_keeps_the_contracts() {
    runtime().block_on(logins::check(MEMORY, 64));
}

proptest! {
    #[test]
    fn memory_answers_as_the_model_does(seed: u64) {
        runtime().block_on(logins::replay(MEMORY, seed, 300));
        runtime().block_on(logins::replay_sessions(MEMORY, seed, 300));
    }
}

/// Rules that became stricter ended a challenge early, which a message that is given back must not bring to life.
#[test]
fn what_is_over_stays_over() {
    runtime().block_on(logins::replay(MEMORY, 4_635_746_543_757_160_058, 300));
}

/// Runs `act` on as many threads as `racers` says, all let go at once, and gives back what each got.
fn race<T: Send>(racers: u32, act: impl Fn(u32) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(racers as usize);
    let (start, act) = (&start, &act);
    thread::scope(|scope| {
        let run = move |racer| {
            start.wait();
            act(racer)
        };
        let threads: Vec<_> = (0..racers).map(|racer| scope.spawn(move || run(racer))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// What the memory store has at once.
fn now<T>(eventual: portcullis::Eventual<Result<T, portcullis::store::StoreError>>) -> T {
    match eventual {
        portcullis::Eventual::Ready(answer) => answer.unwrap(),
        portcullis::Eventual::Pending(_) => panic!("memory answers at once"),
    }
}

fn verify(scene: &Scene, caller: &Caller, challenge: u32, code: u8) -> Verdict {
    now(scene.store.verify(scene.to_verify(caller, challenge, code))).outcome
}

fn issue(scene: &Scene, caller: &Caller, challenge: u32) -> Dispatched {
    now(scene.store.issue(scene.to_issue(caller, challenge, 1))).outcome
}

#[test]
fn requirement_8_of_200_wrong_codes_at_once_five_count_and_the_right_one_finds_nothing() {
    for _ in 0..ROUNDS {
        let scene = Scene::new(MEMORY);
        let one =
            |address| Caller { device: Caller::new(0, 1, 1).device, ..Caller::new(address, 1, 0) };
        assert!(matches!(issue(&scene, &one(0), 1), Dispatched::Allowed { .. }));
        let told = race(200, |racer| verify(&scene, &one(racer), 1, 9));
        let mut attempts: Vec<_> = told
            .iter()
            .filter_map(|verdict| match verdict {
                Verdict::Wrong { attempt, left } => Some((*attempt, *left)),
                Verdict::NotLive => None,
                told => panic!("{told:?}"),
            })
            .collect();
        attempts.sort_unstable();
        assert_eq!(attempts, [(1, 4), (2, 3), (3, 2), (4, 1), (5, 0)]);
        assert_eq!(verify(&scene, &one(0), 1, 1), Verdict::NotLive);
    }
}

#[test]
fn requirement_7_of_100_right_codes_at_once_one_is_right() {
    for _ in 0..ROUNDS {
        let scene = Scene::new(MEMORY);
        let one = Caller::new(1, 1, 1);
        assert!(matches!(issue(&scene, &one, 1), Dispatched::Allowed { .. }));
        let told = race(100, |_| verify(&scene, &one, 1, 1));
        let right = told.iter().filter(|told| matches!(told, Verdict::Right { .. })).count();
        let nothing = told.iter().filter(|told| **told == Verdict::NotLive).count();
        assert_eq!((right, nothing), (1, 99));
    }
}

#[test]
fn of_100_requests_at_once_one_gets_a_challenge() {
    for _ in 0..ROUNDS {
        let scene = Scene::new(MEMORY);
        let told = race(100, |racer| issue(&scene, &Caller::new(racer, 1, racer), racer));
        let allowed = told.iter().filter(|told| matches!(told, Dispatched::Allowed { .. })).count();
        let wait = scene.rules.cooldown;
        let cooldown = told.iter().filter(|told| **told == Dispatched::Cooldown { wait }).count();
        assert_eq!((allowed, cooldown), (1, 99));
    }
}

#[test]
fn requirement_25_of_100_requests_of_one_client_at_once_ten_are_counted_and_one_block_starts() {
    for _ in 0..ROUNDS {
        let scene = Scene::new(MEMORY);
        let told = race(100, |racer| {
            let caller = Caller::new(1, racer, racer);
            now(scene.store.issue(scene.to_issue(&caller, racer, 1)))
        });
        let count =
            |of: fn(&Dispatched) -> bool| told.iter().filter(|told| of(&told.outcome)).count();
        assert_eq!(count(|told| matches!(told, Dispatched::Allowed { .. })), 10, "{told:?}");
        let refused = |told: &Dispatched| {
            matches!(told, Dispatched::Blocked { .. } | Dispatched::Limited { .. })
        };
        assert_eq!(count(refused), 90);
        assert_eq!(told.iter().flat_map(|told| &told.started).count(), 1, "one block: {told:?}");
    }
}

#[test]
fn requirement_9_of_guesses_at_once_over_many_devices_ten_count_and_the_phone_is_blocked_once() {
    for _ in 0..ROUNDS {
        let mut scene = Scene::new(MEMORY);
        (scene.rules.live, scene.rules.phone.count) = (10, 10);
        for device in 0..10 {
            assert!(matches!(
                issue(&scene, &Caller::new(device, 1, device), device),
                Dispatched::Allowed { .. }
            ));
            scene.wait(scene.rules.cooldown);
        }
        let told = race(200, |racer| {
            let caller =
                Caller { device: Caller::new(0, 1, racer % 10).device, ..Caller::new(racer, 1, 0) };
            now(scene.store.verify(scene.to_verify(&caller, racer % 10, 9)))
        });
        let wrong =
            told.iter().filter(|told| matches!(told.outcome, Verdict::Wrong { .. })).count();
        let started: usize = told.iter().map(|told| told.started.len()).sum();
        assert_eq!((wrong, started), (10, 1));
    }
}

fn open(store: &SharedLoginStore, id: u32, subject: &str, most: u8) -> Vec<SessionId> {
    let opening = Opening {
        id: session(id),
        subject: subject.into(),
        device: Caller::new(1, 1, id).device,
        bound_to: None,
        idle: Duration::from_secs(86_400),
        longest: Duration::from_secs(86_400),
        most,
    };
    now(store.open(opening)).ended.iter().map(|session| session.id).collect()
}

fn session(id: u32) -> SessionId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&id.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn rotate(store: &SharedLoginStore, id: u32, generation: u32) -> Rotated {
    let (idle, grace) = (Duration::from_secs(86_400), Duration::from_secs(10));
    now(store.rotate(Rotation { id: session(id), generation, idle, grace }))
}

#[test]
fn requirement_22_of_20_refreshes_at_once_one_rotates_and_all_get_the_same_successor() {
    for _ in 0..ROUNDS {
        let store = Scene::new(MEMORY).store;
        open(&store, 1, "a", 5);
        for generation in 0..10 {
            let told = race(20, |_| rotate(&store, 1, generation));
            let same = |session: &portcullis::token::Session| session.generation == generation + 1;
            let next =
                told.iter().filter(|told| matches!(told, Rotated::Next(to) if same(to))).count();
            let replay =
                told.iter().filter(|told| matches!(told, Rotated::Replay(to) if same(to))).count();
            assert_eq!((next, replay), (1, 19));
        }
    }
}

#[test]
fn of_logins_at_once_the_bound_is_kept_and_all_ends_end_all() {
    for _ in 0..ROUNDS {
        let store = Scene::new(MEMORY).store;
        let ended = race(50, |racer| open(&store, racer, "a", 5));
        assert_eq!(ended.iter().flatten().count(), 45);
        assert_eq!(now(store.sessions("a")).len(), 5);
        // Whatever end comes first tells of a session, and no other does.
        let ended = race(20, |racer| match racer % 2 {
            0 => now(store.end_all("a")).len(),
            _ => (0..50).filter(|id| now(store.end(session(*id))).is_some()).count(),
        });
        assert_eq!(ended.iter().sum::<usize>(), 5);
        assert!(now(store.sessions("a")).is_empty());
    }
}
