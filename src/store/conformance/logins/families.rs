//! Sessions: rotation, reuse, ends.

use super::{super::answer, Caller, Make, Scene};
use crate::{
    clock::UnixTime,
    jwt::KeyThumbprint,
    token::{Opened, Opening, Rotated, Rotation, Session, SessionId},
};
use std::time::Duration;

pub(super) async fn check(make: Make<'_>) {
    a_session_opens_rotates_and_shows_when(make).await;
    the_generation_before_is_good_for_the_grace(make).await;
    reuse_ends_the_session_for_good(make).await;
    a_generation_the_store_has_not_seen_goes_on_from_there(make).await;
    a_session_ends_idle_and_at_its_absolute_end(make).await;
    the_newest_sessions_of_a_subject_are_kept(make).await;
    sessions_are_ended_one_or_all(make).await;
}

const MICRO: Duration = Duration::from_micros(1);
const IDLE: Duration = Duration::from_secs(7 * 86_400);
const LONGEST: Duration = Duration::from_secs(30 * 86_400);
const GRACE: Duration = Duration::from_secs(10);

impl Scene {
    async fn open(&self, id: u8, subject: &str, most: u8) -> Opened {
        answer(self.store.open(opening(id, subject, most))).await
    }

    async fn rotate(&self, id: u8, generation: u32) -> Rotated {
        let id = SessionId::from_bytes([id; 16]);
        answer(self.store.rotate(Rotation { id, generation, idle: IDLE, grace: GRACE })).await
    }

    async fn session(&self, id: u8) -> Option<Session> {
        answer(self.store.session(SessionId::from_bytes([id; 16]))).await
    }

    async fn end(&self, id: u8) -> Option<Session> {
        answer(self.store.end(SessionId::from_bytes([id; 16]))).await
    }

    async fn list(&self, subject: &str) -> Vec<u8> {
        ids(&answer(self.store.sessions(subject)).await)
    }

    /// Rotates, and must get the next generation.
    async fn next(&self, id: u8, generation: u32) -> Session {
        match self.rotate(id, generation).await {
            Rotated::Next(session) => session,
            told => panic!("{told:?}"),
        }
    }
}

pub(super) fn opening(id: u8, subject: &str, most: u8) -> Opening {
    Opening {
        id: SessionId::from_bytes([id; 16]),
        subject: subject.into(),
        device: Caller::new(1, 1, id.into()).device,
        bound_to: key_of(id),
        idle: IDLE,
        longest: LONGEST,
        most,
    }
}

/// Every other session is bound to a key.
fn key_of(id: u8) -> Option<KeyThumbprint> {
    (id % 2 == 1).then(|| KeyThumbprint::from_bytes([id; 32]))
}

fn ids(sessions: &[Session]) -> Vec<u8> {
    sessions.iter().map(|session| session.id.as_bytes()[0]).collect()
}

async fn a_session_opens_rotates_and_shows_when(make: Make<'_>) {
    let scene = Scene::new(make);
    let opened = scene.open(1, "a", 5).await;
    let login = UnixTime::from_secs(1_700_000_000);
    let mut session = Session {
        id: SessionId::from_bytes([1; 16]),
        subject: "a".into(),
        device: Caller::new(1, 1, 1).device,
        bound_to: key_of(1),
        generation: 0,
        opened_at: login,
        used_at: login,
        expires_in: IDLE,
    };
    assert_eq!(opened, Opened { session: session.clone(), ended: Vec::new() });
    scene.clock.advance(GRACE);
    session.expires_in = IDLE - GRACE;
    assert_eq!(scene.session(1).await, Some(session.clone()));
    // The time of day may be set back; what lasts is counted in ticks.
    scene.clock.set_wall(UnixTime::from_secs(1));
    (session.generation, session.used_at) = (1, UnixTime::from_secs(1));
    session.expires_in = IDLE;
    assert_eq!(scene.rotate(1, 0).await, Rotated::Next(session.clone()));
    assert_eq!(scene.session(1).await, Some(session));
    assert_eq!(scene.rotate(2, 0).await, Rotated::Over);
    let taken = scene.store.open(opening(1, "b", 5)).await;
    assert!(taken.is_err(), "{taken:?}");
    assert_eq!((scene.list("a").await, scene.list("b").await), (vec![1], Vec::new()));
}

async fn the_generation_before_is_good_for_the_grace(make: Make<'_>) {
    let scene = Scene::new(make);
    scene.open(1, "a", 5).await;
    scene.next(1, 0).await;
    scene.clock.advance(GRACE - MICRO);
    for left in [MICRO, Duration::ZERO] {
        let told = scene.rotate(1, 0).await;
        let Rotated::Replay(session) = told else { panic!("{told:?}") };
        // It does not grow, and nothing is written.
        assert_eq!((session.generation, session.expires_in), (1, IDLE - GRACE + left));
        assert_eq!(session.used_at, UnixTime::from_secs(1_700_000_000));
        scene.clock.advance(MICRO);
    }
    assert!(matches!(scene.rotate(1, 0).await, Rotated::Reused(_)), "just past the grace");
    // Within the grace, only the generation just before is good.
    scene.open(2, "a", 5).await;
    scene.next(2, 0).await;
    scene.next(2, 1).await;
    assert!(matches!(scene.rotate(2, 0).await, Rotated::Reused(_)));
}

async fn reuse_ends_the_session_for_good(make: Make<'_>) {
    let scene = Scene::new(make);
    scene.open(1, "a", 5).await;
    scene.open(2, "a", 5).await;
    scene.next(1, 0).await;
    scene.clock.advance(GRACE + MICRO);
    let told = scene.rotate(1, 0).await;
    let Rotated::Reused(session) = told else { panic!("{told:?}") };
    assert_eq!((&*session.subject, session.generation), ("a", 1));
    assert_eq!((scene.session(1).await, scene.end(1).await), (None, None));
    assert_eq!(scene.list("a").await, [2]);
    assert_eq!(ids(&answer(scene.store.end_all("a")).await), [2]);
    scene.clock.advance(LONGEST - GRACE - MICRO * 2);
    for generation in [0, 1, 2] {
        let told = scene.rotate(1, generation).await;
        assert!(
            matches!(told, Rotated::Reused(_)),
            "the good one too, beyond the idle end: {told:?}"
        );
    }
    scene.clock.advance(MICRO);
    assert_eq!(scene.rotate(1, 1).await, Rotated::Over);
}

async fn a_generation_the_store_has_not_seen_goes_on_from_there(make: Make<'_>) {
    let scene = Scene::new(make);
    scene.open(1, "a", 5).await;
    assert_eq!(scene.next(1, 7).await.generation, 8);
    let told = scene.rotate(1, 7).await;
    assert!(matches!(&told, Rotated::Replay(session) if session.generation == 8), "{told:?}");
    assert_eq!(scene.next(1, 8).await.generation, 9);
}

async fn a_session_ends_idle_and_at_its_absolute_end(make: Make<'_>) {
    let scene = Scene::new(make);
    scene.open(1, "a", 5).await;
    scene.open(2, "a", 5).await;
    scene.clock.advance(IDLE - MICRO);
    let mut generation = scene.next(2, 0).await.generation;
    assert_eq!(scene.list("a").await, [2, 1]);
    scene.clock.advance(MICRO);
    assert_eq!(scene.rotate(1, 0).await, Rotated::Over);
    assert_eq!((scene.session(1).await, scene.end(1).await), (None, None));
    assert_eq!(scene.list("a").await, [2]);
    generation = scene.next(2, generation).await.generation;
    let mut lived = IDLE;
    while lived + IDLE <= LONGEST {
        scene.clock.advance(IDLE - MICRO);
        lived += IDLE - MICRO;
        generation = scene.next(2, generation).await.generation;
    }
    let session = scene.next(2, generation).await;
    assert_eq!(session.expires_in, LONGEST - lived, "not beyond the absolute end");
    scene.clock.advance(session.expires_in);
    assert_eq!(scene.rotate(2, session.generation).await, Rotated::Over);
    assert!(scene.list("a").await.is_empty());
}

async fn the_newest_sessions_of_a_subject_are_kept(make: Make<'_>) {
    let scene = Scene::new(make);
    for id in 1..=3 {
        assert_eq!(scene.open(id, "a", 3).await.ended, []);
        scene.clock.advance(MICRO);
    }
    scene.open(9, "b", 3).await;
    // Used last, but opened first.
    scene.next(1, 0).await;
    assert_eq!(ids(&scene.open(4, "a", 3).await.ended), [1]);
    assert_eq!(scene.rotate(1, 1).await, Rotated::Over);
    scene.end(3).await;
    assert!(scene.open(5, "a", 3).await.ended.is_empty(), "one was over");
    assert_eq!(scene.list("a").await, [5, 4, 2]);
    assert_eq!(ids(&scene.open(6, "a", 1).await.ended), [2, 4, 5], "the bound has changed");
    assert_eq!((scene.list("a").await, scene.list("b").await), (vec![6], vec![9]));
}

async fn sessions_are_ended_one_or_all(make: Make<'_>) {
    let scene = Scene::new(make);
    for (id, subject) in [(1, "a"), (2, "b"), (3, "a"), (4, "a")] {
        scene.open(id, subject, 5).await;
    }
    assert_eq!(scene.end(3).await.map(|session| session.id.as_bytes()[0]), Some(3));
    assert_eq!((scene.end(3).await, scene.rotate(3, 0).await), (None, Rotated::Over));
    assert_eq!(ids(&answer(scene.store.end_all("a")).await), [4, 1]);
    assert_eq!(answer(scene.store.end_all("a")).await, []);
    assert_eq!((scene.list("a").await, scene.list("b").await), (Vec::new(), vec![2]));
    assert_eq!(scene.rotate(1, 0).await, Rotated::Over);
}
