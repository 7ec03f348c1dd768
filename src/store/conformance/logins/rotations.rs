use super::{
    super::{answer, history::Dice, model::same},
    Make,
    families::opening,
};
use crate::{
    clock::{UnixTime, micros},
    token::{Opening, Rotated, Rotation, Session, SessionId},
};
use std::time::Duration;

/// Plays a random history of sessions to a store, and compares every answer with that of a list of them. The same seed
/// gives the same history.
///
/// # Panics
///
/// When they differ, or the store does not answer.
pub async fn replay_sessions(make: Make<'_>, seed: u64, steps: usize) {
    let clock = super::super::clock();
    let store = make(&clock);
    let (mut dice, mut model, mut last) = (Dice(seed), Model::default(), 0);
    for at in 0..steps {
        let subject = ["a", "b"][dice.below(2) as usize];
        let number = u64::from(last).saturating_sub(dice.below(6)) as u8;
        let id = SessionId::from_bytes([number; 16]);
        let choice = dice.below(16);
        let told = match choice {
            0..=2 => {
                let minutes = dice.below(3) * dice.below(40);
                let time = Duration::from_micros((minutes * 60_000_000 + dice.below(3)).max(1) - 1);
                clock.advance(time);
                model.now += micros(time);
                Ok(())
            }
            3..=4 if last < u8::MAX => {
                last += 1;
                let opening = opening(last, subject, dice.below(4) as u8);
                let opening = Opening { idle: IDLE, longest: IDLE * 3, ..opening };
                let told = answer(store.open(opening.clone())).await;
                let ended = model.open(&opening);
                same("ended", &ended, &told.ended).and(same(
                    "session",
                    &model.live(opening.id),
                    &Some(told.session),
                ))
            }
            5..=11 => {
                let grace = Duration::from_secs(60);
                let back = [0, 0, 0, 0, 1, 1, 2][dice.below(7) as usize];
                let good = model.rows.iter().find(|row| row.session.id == id);
                let good = good.map_or(0, |row| row.session.generation);
                // Now and then the store has lost a rotation.
                let generation =
                    if dice.below(30) == 0 { good + 2 } else { good.saturating_sub(back) };
                let rotation = Rotation { id, generation, idle: IDLE, grace };
                let told = answer(store.rotate(rotation)).await;
                same("rotated", &model.rotate(rotation), &told)
            }
            12 => same("ended", &model.end(id), &answer(store.end(id)).await),
            13 => {
                let expected = model.all(subject);
                expected.iter().for_each(|session| drop(model.end(session.id)));
                same("ended", &expected, &answer(store.end_all(subject)).await)
            }
            14 => same("session", &model.live(id), &answer(store.session(id)).await),
            _ => same("sessions", &model.all(subject), &answer(store.sessions(subject)).await),
        };
        if let Err(difference) = told {
            panic!("seed {seed}, step {at}, choice {choice} of {number}, {subject}: {difference}");
        }
    }
}

const IDLE: Duration = Duration::from_secs(3_600);

/// Every session there ever was, the oldest first.
#[derive(Default)]
struct Model {
    now: u64,
    rows: Vec<Row>,
}

struct Row {
    session: Session,
    idle: u64,
    end: u64,
    rotated: u64,
    ended: bool,
    reused: bool,
}

impl Model {
    fn open(&mut self, opening: &Opening) -> Vec<Session> {
        let Opening { id, device, bound_to, idle, longest, most, .. } = *opening;
        let end = self.now + micros(longest);
        let session = Session {
            id,
            subject: opening.subject.clone(),
            device,
            bound_to,
            generation: 0,
            opened_at: self.wall(),
            used_at: self.wall(),
            expires_in: Duration::ZERO,
        };
        let idle = (self.now + micros(idle)).min(end);
        self.rows.push(Row { session, idle, end, rotated: 0, ended: false, reused: false });
        let mut gone = self
            .all(&opening.subject)
            .split_off(usize::from(most.max(1)).min(self.all(&opening.subject).len()));
        gone.reverse();
        gone.iter().for_each(|session| drop(self.end(session.id)));
        gone
    }

    fn rotate(&mut self, rotation: Rotation) -> Rotated {
        let (now, wall, live) = (self.now, self.wall(), self.live(rotation.id).is_some());
        let Some(row) = self.rows.iter_mut().find(|row| row.session.id == rotation.id) else {
            return Rotated::Over;
        };
        if row.reused && now < row.end {
            return Rotated::Reused(row.shown(now));
        }
        if !live {
            return Rotated::Over;
        }
        if rotation.generation >= row.session.generation {
            row.session.generation = rotation.generation + 1;
            row.session.used_at = wall;
            (row.rotated, row.idle) = (now, (now + micros(rotation.idle)).min(row.end));
            return Rotated::Next(row.shown(now));
        }
        let before = rotation.generation + 1 == row.session.generation;
        if before && now - row.rotated <= micros(rotation.grace) {
            return Rotated::Replay(row.shown(now));
        }
        row.reused = true;
        Rotated::Reused(row.shown(now))
    }

    fn live(&self, id: SessionId) -> Option<Session> {
        let row = self.rows.iter().find(|row| row.session.id == id)?;
        (!row.ended && !row.reused && self.now < row.idle).then(|| row.shown(self.now))
    }

    fn end(&mut self, id: SessionId) -> Option<Session> {
        let session = self.live(id)?;
        let row = self.rows.iter_mut().find(|row| row.session.id == id)?;
        row.ended = true;
        Some(session)
    }

    /// The newest first.
    fn all(&self, subject: &str) -> Vec<Session> {
        let rows = self.rows.iter().rev().filter(|row| &*row.session.subject == subject);
        rows.filter_map(|row| self.live(row.session.id)).collect()
    }

    fn wall(&self) -> UnixTime {
        UnixTime::from_secs(1_700_000_000).plus(Duration::from_micros(self.now))
    }
}

impl Row {
    fn shown(&self, now: u64) -> Session {
        let expires_in = Duration::from_micros(self.idle.saturating_sub(now));
        Session { expires_in, ..self.session.clone() }
    }
}
