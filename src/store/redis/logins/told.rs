//! What scripts answer, read strictly: what is not ours is an error.

use super::{super::schema, question::Subjects};
use crate::{
    clock::UnixTime,
    jwt::KeyThumbprint,
    key::Key,
    limit::Name,
    otp::{Dispatch, Dispatched, Guess, Sealed, Verdict, Verified, Windowed},
    store::{Standing, Started, StoreError},
    token::{Session, SessionId},
};
use smallvec::SmallVec;
use std::{time::Duration, vec};

/// The two lists of every answer.
pub(super) type Answer = (Vec<i64>, Vec<Vec<u8>>);

/// An answer that is being read, from the front.
pub(super) struct Told {
    numbers: vec::IntoIter<i64>,
    texts: vec::IntoIter<Vec<u8>>,
}

impl Told {
    /// Reads all of an answer.
    pub(super) fn read<T>(
        (numbers, texts): Answer,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<T, StoreError> {
        let mut told = Self { numbers: numbers.into_iter(), texts: texts.into_iter() };
        let value = read(&mut told).filter(|_| told.is_read());
        value.ok_or_else(|| StoreError::new("the answer is none of ours"))
    }

    pub(super) fn dispatch(&mut self, of: Subjects) -> Option<Dispatch> {
        let kind: u8 = self.number()?;
        let mut about = Self { numbers: self.take(3)?.into_iter(), texts: Vec::new().into_iter() };
        let outcome = match kind {
            0 => Dispatched::Allowed {
                number: about.number()?,
                expires_in: about.span()?,
                cooldown: about.span()?,
                sealed: Sealed::from_bytes(&self.texts.next()?),
            },
            1 => Dispatched::Blocked { key: about.key(of)?, remaining: about.remaining()? },
            2 => Dispatched::Limited { by: about.windowed()?, wait: about.span()? },
            3 => Dispatched::Cooldown { wait: about.span()? },
            4 => Dispatched::NotLive,
            5 => Dispatched::ResendsSpent,
            _ => return None,
        };
        let (client, device) = (self.standing()?, self.standing()?);
        let started = self.started(of, "otp-requests", "otp-sends")?;
        Some(Dispatch { outcome, client, device, started })
    }

    pub(super) fn verified(&mut self, of: Subjects) -> Option<Verified> {
        let outcome = match self.number()? {
            0_u8 => Verdict::Right {
                attempt: self.number()?,
                new_device: self.flag()?,
                messages: self.number()?,
                sealed: Sealed::from_bytes(&self.texts.next()?),
            },
            1 => Verdict::Wrong { attempt: self.number()?, left: self.number()? },
            2 => Verdict::OtherDevice { attempt: self.number()?, left: self.number()? },
            3 => {
                self.take(2)?;
                Verdict::NotLive
            }
            4 => Verdict::Blocked { key: self.key(of)?, remaining: self.remaining()? },
            5 => Verdict::Held {
                attempt: self.number()?,
                left: self.number()?,
                guess: Guess { at: self.number()?, bound: self.flag()? },
                sealed: Sealed::from_bytes(&self.texts.next()?),
            },
            _ => return None,
        };
        let started = self.started(of, "otp-codes", "otp-guesses")?;
        Some(Verified { outcome, started })
    }

    pub(super) fn number<T: TryFrom<i64>>(&mut self) -> Option<T> {
        T::try_from(self.numbers.next()?).ok()
    }

    /// The sessions that follow.
    pub(super) fn sessions(&mut self) -> Option<Vec<Session>> {
        let mut sessions = Vec::new();
        while !self.is_read() {
            sessions.push(self.session()?);
        }
        Some(sessions)
    }

    pub(super) fn session(&mut self) -> Option<Session> {
        Some(Session {
            id: self.id()?,
            subject: self.text()?.into(),
            device: Key::parse(&self.text()?)?,
            bound_to: bound_to(&self.text()?)?,
            generation: self.number()?,
            opened_at: UnixTime::from_micros(self.number()?),
            used_at: UnixTime::from_micros(self.number()?),
            expires_in: self.span()?,
        })
    }

    /// The ids that follow.
    pub(super) fn ids(&mut self) -> Option<Vec<SessionId>> {
        (0..self.texts.len()).map(|_| self.id()).collect()
    }

    fn id(&mut self) -> Option<SessionId> {
        schema::unhex(&self.text()?).map(SessionId::from_bytes)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.texts.next()?).ok()
    }

    fn span(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_micros)
    }

    /// How much longer; -1 until it is lifted.
    fn remaining(&mut self) -> Option<Option<Duration>> {
        match self.numbers.next()? {
            -1 => Some(None),
            left => u64::try_from(left).ok().map(|left| Some(Duration::from_micros(left))),
        }
    }

    fn flag(&mut self) -> Option<bool> {
        match self.numbers.next()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn key(&mut self, of: Subjects) -> Option<Key> {
        match self.numbers.next()? {
            0 => Some(of.client),
            1 => Some(of.fingerprint),
            2 => Some(of.phone),
            _ => None,
        }
    }

    fn windowed(&mut self) -> Option<Windowed> {
        Some(match self.numbers.next()? {
            0 => Windowed::Client,
            1 => Windowed::Fingerprint,
            2 => Windowed::Phone,
            3 => Windowed::Device,
            _ => return None,
        })
    }

    /// How a window stands, if it was looked at.
    fn standing(&mut self) -> Option<Option<Standing>> {
        let is_known = self.flag()?;
        let standing =
            Standing { remaining: self.number()?, full_in: self.number()?, wait: self.number()? };
        Some(is_known.then_some(standing))
    }

    /// The blocks that follow: those of the phone have a cause of their own.
    fn started(
        &mut self,
        of: Subjects,
        arrival: &'static str,
        phone: &'static str,
    ) -> Option<SmallVec<[Started; 1]>> {
        let mut started = SmallVec::new();
        while self.numbers.len() > 0 {
            let key = self.key(of)?;
            let cause = Name::from(if key == of.phone { phone } else { arrival });
            started.push(Started { key, cause, lasting: self.span()? });
        }
        Some(started)
    }

    fn take(&mut self, count: usize) -> Option<Vec<i64>> {
        let taken: Vec<_> = self.numbers.by_ref().take(count).collect();
        (taken.len() == count).then_some(taken)
    }

    fn is_read(&self) -> bool {
        self.numbers.len() == 0 && self.texts.len() == 0
    }
}

/// How a session says whether it is bound to a key: its thumbprint, or nothing.
pub(super) fn written(bound_to: Option<KeyThumbprint>) -> String {
    bound_to.map(|key| key.to_string()).unwrap_or_default()
}

fn bound_to(text: &str) -> Option<Option<KeyThumbprint>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}
