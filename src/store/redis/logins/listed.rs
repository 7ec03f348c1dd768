//! Sessions in a cluster: each is in a slot of its own, and the list of its subject in another.
//!
//! A session is made before it is listed, and ended before it is taken off: none that can be used is missing on its list.

use super::{
    super::{Inner, schema},
    question::span,
    sessions::TRIES,
    told::{self, Answer, Told},
};
use crate::{
    store::StoreError,
    token::{Opened, Opening, Session, SessionId},
};
use futures_util::future::join_all;

impl Inner {
    pub(super) async fn open_apart(&self, opening: &Opening) -> Result<Opened, StoreError> {
        let session = self.create(opening).await?;
        let Opening { id, subject, longest, most, .. } = opening;
        let list = self.list(subject);
        let mut ended = Vec::new();
        for _ in 0..TRIES {
            let ids = self.ids(&list).await?;
            let mut mine = self.those_of(&ids, subject).await?;
            mine.retain(|session| session.id != *id);
            let surplus = (mine.len() + 1).saturating_sub(usize::from(*most).max(1));
            for session in mine.drain(..surplus) {
                ended.extend(self.one_session(session.id, true).await?);
            }
            let stays = |id: &&SessionId| mine.iter().any(|session| session.id == **id);
            let go: Vec<_> = ids.iter().filter(|id| !stays(id)).collect();
            let mut call = self.scripts.logins.apart.enlist.call();
            call.key(&list).micros(self.now()).micros(span(*longest));
            call.text(&schema::hex(id.as_bytes())).micros(go.len() as u64);
            let both = go.into_iter().chain(&ids);
            both.for_each(|id| _ = call.text(&schema::hex(id.as_bytes())));
            if self.link.run(call).await? {
                return Ok(Opened { session, ended });
            }
        }
        Err(StoreError::new("the sessions of the subject change all the time"))
    }

    pub(super) async fn all_apart(
        &self,
        subject: &str,
        end: bool,
    ) -> Result<Vec<Session>, StoreError> {
        let list = self.list(subject);
        let ids = self.ids(&list).await?;
        let mut sessions = self.those_of(&ids, subject).await?;
        sessions.reverse();
        if end {
            let ends = sessions.iter().map(|session| self.one_session(session.id, true));
            join_all(ends).await.into_iter().collect::<Result<Vec<_>, _>>()?;
            let mut call = self.scripts.logins.apart.unlist.call();
            call.key(&list).micros(self.now());
            ids.iter().for_each(|id| _ = call.text(&schema::hex(id.as_bytes())));
            let _done: i64 = self.link.run(call).await?;
        }
        Ok(sessions)
    }

    async fn create(&self, opening: &Opening) -> Result<Session, StoreError> {
        let Opening { id, subject, device, bound_to, idle, longest, .. } = opening;
        let mut call = self.scripts.logins.apart.create.call();
        call.key(&self.schema.session(id.as_bytes()));
        call.micros(self.now()).micros(span(*idle)).micros(span(*longest));
        call.text(&schema::hex(id.as_bytes())).text(subject).text(&device.to_string());
        call.text(&told::written(*bound_to));
        let told: Answer = self.link.run(call).await?;
        if told.0.first() == Some(&2) {
            return Err(StoreError::new("there is a session of this name"));
        }
        Told::read(told, |told| {
            (told.number() == Some(1_u8)).then_some(())?;
            told.session()
        })
    }

    async fn ids(&self, list: &str) -> Result<Vec<SessionId>, StoreError> {
        let mut call = self.scripts.logins.apart.ids.call();
        call.key(list).micros(self.now());
        Told::read(self.link.run(call).await?, Told::ids)
    }

    /// The sessions of these that are the subject's and not over, in their order.
    async fn those_of(&self, ids: &[SessionId], subject: &str) -> Result<Vec<Session>, StoreError> {
        let asked = join_all(ids.iter().map(|id| self.one_session(*id, false))).await;
        let found = asked.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().filter(|one| &*one.subject == subject).collect())
    }
}
