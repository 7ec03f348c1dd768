use super::{
    super::{Inner, Redis, connection::Call, schema},
    question::span,
    told::{self, Answer, Told},
};
use crate::{
    eventual::Eventual,
    key::KeyKind,
    store::{StoreError, question},
    token::{Opened, Opening, Rotated, Rotation, Session, SessionId, Sessions},
};
use std::sync::Arc;

/// How often a question about a subject is asked again because another call changed the list of its sessions.
pub(super) const TRIES: u32 = 300;

impl Sessions for Redis {
    fn open(&self, opening: Opening) -> Eventual<Result<Opened, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { question::one(inner.open(&opening)).await })
    }

    fn rotate(&self, rotation: Rotation) -> Eventual<Result<Rotated, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.rotate(rotation).await })
    }

    fn session(&self, id: SessionId) -> Eventual<Result<Option<Session>, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.one_session(id, false).await })
    }

    fn end(&self, id: SessionId) -> Eventual<Result<Option<Session>, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.one_session(id, true).await })
    }

    fn end_all(&self, subject: &str) -> Eventual<Result<Vec<Session>, StoreError>> {
        let (inner, subject) = (Arc::clone(&self.0), String::from(subject));
        Eventual::later(async move { question::one(inner.all_sessions(&subject, true)).await })
    }

    fn sessions(&self, subject: &str) -> Eventual<Result<Vec<Session>, StoreError>> {
        let (inner, subject) = (Arc::clone(&self.0), String::from(subject));
        Eventual::later(async move { question::one(inner.all_sessions(&subject, false)).await })
    }
}

impl Inner {
    async fn open(&self, opening: &Opening) -> Result<Opened, StoreError> {
        if self.schema.has_tags {
            return self.open_apart(opening).await;
        }
        let Opening { id, subject, device, bound_to, idle, longest, most } = opening;
        let list = self.list(subject);
        let told = self.of_subject(|ids| {
            let mut call = self.scripts.logins.open.call();
            call.key(&list).key(&self.schema.session(id.as_bytes()));
            self.keys(&mut call, ids);
            call.micros(self.now()).micros(span(*idle)).micros(span(*longest)).number(*most);
            call.text(&schema::hex(id.as_bytes())).text(subject).text(&device.to_string());
            call.text(&told::written(*bound_to));
            arguments(&mut call, ids);
            call
        });
        let told = told.await?;
        if told.0.first() == Some(&2) {
            return Err(StoreError::new("there is a session of this name"));
        }
        Told::read(told, |told| {
            (told.number() == Some(1_u8)).then_some(())?;
            Some(Opened { session: told.session()?, ended: told.sessions()? })
        })
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        let Rotation { id, generation, idle, grace } = rotation;
        let mut call = self.scripts.logins.rotate.call();
        call.key(&self.schema.session(id.as_bytes())).micros(self.now());
        call.text(&schema::hex(id.as_bytes())).number(generation);
        call.micros(span(idle)).micros(span(grace));
        Told::read(self.link.run(call).await?, |told| {
            Some(match told.number()? {
                0_u8 => Rotated::Next(told.session()?),
                1 => Rotated::Replay(told.session()?),
                2 => Rotated::Reused(told.session()?),
                3 => Rotated::Over,
                _ => return None,
            })
        })
    }

    pub(super) async fn one_session(
        &self,
        id: SessionId,
        ends: bool,
    ) -> Result<Option<Session>, StoreError> {
        let mut call = self.scripts.logins.one_session.call();
        call.key(&self.schema.session(id.as_bytes())).micros(self.now());
        call.text(&schema::hex(id.as_bytes())).number(i64::from(ends));
        let mut sessions = Told::read(self.link.run(call).await?, Told::sessions)?;
        Ok(sessions.pop())
    }

    async fn all_sessions(&self, subject: &str, end: bool) -> Result<Vec<Session>, StoreError> {
        if self.schema.has_tags {
            return self.all_apart(subject, end).await;
        }
        let list = self.list(subject);
        let told = self.of_subject(|ids| {
            let mut call = self.scripts.logins.all_sessions.call();
            call.key(&list);
            self.keys(&mut call, ids);
            call.micros(self.now()).number(i64::from(end)).text(subject);
            arguments(&mut call, ids);
            call
        });
        Told::read(told.await?, |told| {
            (told.number() == Some(1_u8)).then_some(())?;
            told.sessions()
        })
    }

    /// Asks with the sessions that the subject is thought to have, until it has these: a script names all its keys.
    /// Nothing is written before that. The first question is for a subject that has none.
    async fn of_subject<'a>(
        &'a self,
        call: impl Fn(&[SessionId]) -> Call<'a>,
    ) -> Result<Answer, StoreError> {
        let mut ids = Vec::new();
        for _ in 0..TRIES {
            let told: Answer = self.link.run(call(&ids)).await?;
            if told.0 != [0] {
                return Ok(told);
            }
            ids = Told::read(told, |told| told.number::<u8>().and_then(|_| told.ids()))?;
        }
        Err(StoreError::new("the sessions of the subject change all the time"))
    }

    fn keys(&self, call: &mut Call<'_>, ids: &[SessionId]) {
        ids.iter().for_each(|id| _ = call.key(&self.schema.session(id.as_bytes())));
    }

    /// The list of the sessions of a subject.
    pub(super) fn list(&self, subject: &str) -> String {
        let tag = self.pepper.tag(KeyKind::Subject, &[subject.as_bytes()]);
        self.schema.sessions(tag)
    }
}

fn arguments(call: &mut Call<'_>, ids: &[SessionId]) {
    ids.iter().for_each(|id| _ = call.text(&schema::hex(id.as_bytes())));
}
