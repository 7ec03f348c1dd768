use super::super::{
    Memory,
    table::{Mortal, Table},
};
use crate::{
    clock::{Clock, UnixTime, micros},
    eventual::Eventual,
    jwt::KeyThumbprint,
    key::Key,
    store::StoreError,
    token::{Opened, Opening, Rotated, Rotation, Session, SessionId, Sessions},
};
use std::{sync::Arc, time::Duration};

/// The sessions, and which are whose.
///
/// A subject's list may name sessions that are over; it never lacks one that is not.
#[derive(Debug)]
pub(super) struct Kept {
    sessions: Table<SessionId, Record>,
    subjects: Table<Arc<str>, Owned>,
}

/// A session, in ticks but for what is shown.
#[derive(Debug)]
struct Record {
    subject: Arc<str>,
    device: Key,
    bound_to: Option<KeyThumbprint>,
    generation: u32,
    opened_at: UnixTime,
    used_at: UnixTime,
    rotated: u64,
    /// When the refresh token that is good is so no more.
    idle: u64,
    /// The absolute end.
    end: u64,
    reused: bool,
}

/// The sessions of a subject and their absolute ends, in the order they were opened.
#[derive(Debug, Default)]
struct Owned(Vec<(SessionId, u64)>);

/// Both hands of the clock, read once.
#[derive(Clone, Copy)]
struct Now {
    wall: UnixTime,
    ticks: u64,
}

impl Sessions for Memory {
    fn open(&self, opening: Opening) -> Eventual<Result<Opened, StoreError>> {
        Eventual::Ready(self.0.logins.kept.open(opening, &self.0.clock))
    }

    fn rotate(&self, rotation: Rotation) -> Eventual<Result<Rotated, StoreError>> {
        let mut sessions = self.0.logins.kept.sessions.lock_for(&rotation.id);
        let now = Now::read(&self.0.clock);
        Eventual::Ready(Ok(match sessions.find_mut(&rotation.id) {
            Some(record) => record.rotate(rotation, now),
            None => Rotated::Over,
        }))
    }

    fn session(&self, id: SessionId) -> Eventual<Result<Option<Session>, StoreError>> {
        Eventual::Ready(Ok(self.0.logins.kept.find(id, Now::read(&self.0.clock).ticks)))
    }

    fn end(&self, id: SessionId) -> Eventual<Result<Option<Session>, StoreError>> {
        let (kept, now) = (&self.0.logins.kept, Now::read(&self.0.clock).ticks);
        let ended = kept.remove(id, now);
        if let Some(session) = &ended {
            let mut subjects = kept.subjects.lock_for(&session.subject);
            if let Some(owned) = subjects.find_mut(&session.subject) {
                owned.0.retain(|(of, _)| *of != id);
                if owned.0.is_empty() {
                    subjects.remove(&session.subject);
                }
            }
        }
        Eventual::Ready(Ok(ended))
    }

    fn end_all(&self, subject: &str) -> Eventual<Result<Vec<Session>, StoreError>> {
        let (kept, subject) = (&self.0.logins.kept, Arc::from(subject));
        // While the subject is locked, it opens no other.
        let mut subjects = kept.subjects.lock_for(&subject);
        let now = Now::read(&self.0.clock).ticks;
        let owned = subjects.remove(&subject).unwrap_or_default();
        let newest_first = owned.0.into_iter().rev();
        Eventual::Ready(Ok(newest_first.filter_map(|(id, _)| kept.remove(id, now)).collect()))
    }

    fn sessions(&self, subject: &str) -> Eventual<Result<Vec<Session>, StoreError>> {
        let (kept, subject) = (&self.0.logins.kept, Arc::from(subject));
        let subjects = kept.subjects.lock_for(&subject);
        let now = Now::read(&self.0.clock).ticks;
        let owned = subjects.find(&subject).map_or(&[][..], |owned| &owned.0);
        Eventual::Ready(Ok(owned.iter().rev().filter_map(|(id, _)| kept.find(*id, now)).collect()))
    }
}

impl Kept {
    /// Room for `most` sessions of as many subjects.
    pub(super) fn new(most: usize) -> Self {
        Self { sessions: Table::new(most), subjects: Table::new(most) }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    fn open(&self, opening: Opening, clock: &dyn Clock) -> Result<Opened, StoreError> {
        let Opening { id, subject, device, bound_to, idle, longest, most } = opening;
        let mut subjects = self.subjects.lock_for(&subject);
        let now = Now::read(clock);
        let end = now.ticks.saturating_add(micros(longest));
        let record = Record {
            subject: Arc::clone(&subject),
            device,
            bound_to,
            generation: 0,
            opened_at: now.wall,
            used_at: now.wall,
            rotated: 0,
            idle: now.ticks.saturating_add(micros(idle)).min(end),
            end,
            reused: false,
        };
        let session = record.shown(id, now.ticks);
        let mut owned = Vec::new();
        if let Some(known) = subjects.find(&subject) {
            owned.extend(known.0.iter().filter(|(id, _)| self.find(*id, now.ticks).is_some()));
        }
        self.insert(id, record, now.ticks)?;
        owned.push((id, end));
        let too_many = owned.len().saturating_sub(most.max(1).into());
        let give_way: Vec<_> = owned.drain(..too_many).collect();
        if subjects.insert(subject, Owned(owned), now.ticks).is_err() {
            self.sessions.lock_for(&id).remove(&id);
            return Err(StoreError::new("no room for another subject"));
        }
        let ended = give_way.into_iter().filter_map(|(id, _)| self.remove(id, now.ticks)).collect();
        Ok(Opened { session, ended })
    }

    fn insert(&self, id: SessionId, record: Record, now: u64) -> Result<(), StoreError> {
        let mut sessions = self.sessions.lock_for(&id);
        if sessions.find(&id).is_some_and(|old| old.dies_at() > now) {
            return Err(StoreError::new("there is a session of this name"));
        }
        let no_room = |_| StoreError::new("no room for another session");
        sessions.insert(id, record, now).map_err(no_room)
    }

    fn find(&self, id: SessionId, now: u64) -> Option<Session> {
        let sessions = self.sessions.lock_for(&id);
        sessions.find(&id).filter(|record| !record.is_over(now)).map(|record| record.shown(id, now))
    }

    /// Takes a session out, unless it is over: one that was reused must stay known.
    fn remove(&self, id: SessionId, now: u64) -> Option<Session> {
        let mut sessions = self.sessions.lock_for(&id);
        let session = sessions.find(&id).filter(|record| !record.is_over(now))?.shown(id, now);
        sessions.remove(&id);
        Some(session)
    }
}

impl Record {
    fn rotate(&mut self, rotation: Rotation, now: Now) -> Rotated {
        let Rotation { id, generation, idle, grace } = rotation;
        if self.reused && self.end > now.ticks {
            return Rotated::Reused(self.shown(id, now.ticks));
        }
        if self.is_over(now.ticks) {
            return Rotated::Over;
        }
        if generation >= self.generation {
            self.generation = generation.saturating_add(1);
            self.rotated = now.ticks;
            self.used_at = now.wall;
            self.idle = now.ticks.saturating_add(micros(idle)).min(self.end);
            return Rotated::Next(self.shown(id, now.ticks));
        }
        let since = now.ticks.saturating_sub(self.rotated);
        if generation + 1 == self.generation && since <= micros(grace) {
            return Rotated::Replay(self.shown(id, now.ticks));
        }
        self.reused = true;
        Rotated::Reused(self.shown(id, now.ticks))
    }

    fn is_over(&self, now: u64) -> bool {
        // The idle end is never after the absolute one.
        self.reused || self.idle <= now
    }

    fn shown(&self, id: SessionId, now: u64) -> Session {
        Session {
            id,
            subject: Arc::clone(&self.subject),
            device: self.device,
            bound_to: self.bound_to,
            generation: self.generation,
            opened_at: self.opened_at,
            used_at: self.used_at,
            expires_in: Duration::from_micros(self.idle.saturating_sub(now)),
        }
    }
}

impl Mortal for Record {
    fn dies_at(&self) -> u64 {
        if self.reused { self.end } else { self.idle }
    }
}

impl Mortal for Owned {
    fn dies_at(&self) -> u64 {
        self.0.iter().map(|(_, end)| *end).max().unwrap_or(0)
    }

    fn shed(&mut self, now: u64) {
        self.0.retain(|(_, end)| *end > now);
    }
}

impl Now {
    fn read(clock: &dyn Clock) -> Self {
        Self { wall: clock.wall(), ticks: micros(clock.ticks()) }
    }
}
