//! Sessions of a login: they begin with a code, go on with refresh tokens, and end.

use super::{
    Caller, Otp, OwnSession, Subject, Tokens,
    bound::{self, Bonds},
    login::Inner,
};
use crate::{
    audit::Step,
    client::Client,
    identity::{TokenFault, challenge},
    jwt::{DpopProof, KeyThumbprint, MAX_LEEWAY, Proven},
    key::{Key, KeyKind},
    rejection::{Reason, Rejection},
    store::Block,
    token::{Grant, Issuer, Opening, RefreshToken, Rotated, Rotation, Session, SessionId},
};
use zeroize::Zeroizing;

/// More than this many sessions of one subject are not kept; the oldest ends.
const MAX_SESSIONS: u8 = 20;

impl Otp {
    /// Exchanges a refresh token for new tokens. Used twice, it ends its session: somebody has a copy. For a few
    /// seconds both uses get the same successor, so that a client that asks twice at once is not logged out.
    ///
    /// # Errors
    ///
    /// `token-invalid` if it is not a token of a session that goes on; `blocked` or `denied` if its subject is;
    /// `dpop-proof-invalid` if the session is bound to a key; `store-unavailable`. After all but the first the token is as
    /// good as before.
    pub async fn refresh(
        &self,
        client: impl Into<Client>,
        token: &str,
    ) -> Result<Tokens, Rejection> {
        self.refresh_with(client, token, None).await
    }

    /// Like [`refresh`](Self::refresh) with the [proof](Self::proof) that a session needs which is bound to a key. The
    /// access token of a session that is not is bound to the key of the proof, and the session is not.
    ///
    /// # Errors
    ///
    /// Those of `refresh`. `dpop-proof-invalid` if the proof is missing, used, of another key or not good; `token-invalid` if
    /// the session is bound to no key where all must be.
    pub async fn refresh_with(
        &self,
        client: impl Into<Client>,
        token: &str,
        proof: Option<DpopProof>,
    ) -> Result<Tokens, Rejection> {
        let client = client.into();
        let inner = &*self.0;
        let (id, generation) = RefreshToken::read(&inner.secrets, token)
            .ok_or_else(|| invalid(TokenFault::Malformed))?;
        let key = bound::verified(proof)?;
        // What may fail is asked before the token is used up: a client that comes again after the grace would be
        // taken for a thief.
        let grant = match inner.store.session(id).await? {
            Some(session) => Some(inner.grant_again(&session, key.as_ref()).await?),
            None => None,
        };
        let rotation =
            Rotation { id, generation, idle: inner.settings.refresh, grace: inner.settings.grace };
        let session = match inner.store.rotate(rotation).await? {
            Rotated::Next(session) | Rotated::Replay(session) => session,
            Rotated::Reused(session) => {
                inner.tell_session(Some(&client), Step::RefreshReused, &session);
                inner.deny(session.id).await?;
                return Err(over());
            }
            Rotated::Over => return Err(over()),
        };
        let grant = match grant {
            Some(grant) => grant,
            None => inner.grant_again(&session, key.as_ref()).await?,
        };
        let tokens = inner.tokens(&session, grant, Bonds::of(key.as_ref()).access)?;
        inner.tell_session(Some(&client), Step::TokenRefreshed, &session);
        Ok(tokens)
    }

    /// The session of a refresh token, used or not, if the token is one of ours.
    pub fn session_of(&self, token: &str) -> Option<SessionId> {
        RefreshToken::read(&self.0.secrets, token).map(|(id, _)| id)
    }

    /// Ends a session: its refresh tokens at once, its access tokens at the next request. Does nothing if it is over.
    ///
    /// # Errors
    ///
    /// `store-unavailable`: it may go on, or its access tokens may until they expire.
    pub async fn logout(&self, session: SessionId) -> Result<(), Rejection> {
        // A session ends also where its access tokens cannot be denied, for want of room.
        let denied = self.0.deny(session).await;
        if let Some(ended) = self.0.store.end(session).await? {
            self.0.tell_session(None, Step::SessionEnded, &ended);
        }
        denied
    }

    /// Ends all sessions of a subject, and says how many went on until now.
    ///
    /// # Errors
    ///
    /// `store-unavailable`: some may go on.
    pub async fn logout_all(&self, subject: &Subject) -> Result<usize, Rejection> {
        // Denied before they end: if the store fails in between, a second call finds them still there. They end
        // also where one cannot be denied, for want of room.
        let mut denied = Ok(());
        for session in self.0.store.sessions(subject.as_str()).await? {
            denied = denied.and(self.0.deny(session.id).await);
        }
        let ended = self.0.store.end_all(subject.as_str()).await?;
        for session in &ended {
            denied = denied.and(self.0.denied(session).await);
        }
        denied.map(|()| ended.len())
    }

    /// The sessions of a subject that go on, the newest first; `current` is the one that asks.
    ///
    /// # Errors
    ///
    /// `store-unavailable`.
    pub async fn sessions(
        &self,
        subject: &Subject,
        current: Option<SessionId>,
    ) -> Result<Vec<OwnSession>, Rejection> {
        let sessions = self.0.store.sessions(subject.as_str()).await?;
        let own = |session: Session| OwnSession { current: current == Some(session.id), session };
        Ok(sessions.into_iter().map(own).collect())
    }

    /// Ends one session of a subject.
    ///
    /// # Errors
    ///
    /// `not-found` if the subject has no such session, whoever else has; `store-unavailable`.
    pub async fn end_session(
        &self,
        subject: &Subject,
        session: SessionId,
    ) -> Result<(), Rejection> {
        let found = self.0.store.session(session).await?;
        if found.is_none_or(|found| *found.subject != *subject.as_str()) {
            return Err(Reason::NotFound.into());
        }
        self.logout(session).await
    }
}

impl Inner {
    /// Begins a session and issues its first tokens.
    pub(super) async fn begin(
        &self,
        caller: &Caller,
        subject: &Subject,
        key: Option<&Proven>,
    ) -> Result<Tokens, Rejection> {
        self.refuse_blocked(subject, key).await?;
        self.open_session(caller, subject, Bonds::of(key)).await
    }

    pub(super) async fn open_session(
        &self,
        caller: &Caller,
        subject: &Subject,
        bonds: Bonds,
    ) -> Result<Tokens, Rejection> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Reason::StoreUnavailable)?;
        let opening = Opening {
            id: SessionId(id),
            subject: subject.as_str().into(),
            device: self.device(caller)?,
            bound_to: bonds.session,
            idle: self.settings.refresh,
            longest: self.settings.longest_session,
            most: MAX_SESSIONS,
        };
        let opened = self.store.open(opening).await?;
        for session in &opened.ended {
            // It is over. That its last access token is good to its end is no reason to keep out who logs in.
            let _ = self.denied(session).await;
        }
        let tokens = match self.grant(&opened.session).await {
            Ok(grant) => self.tokens(&opened.session, grant, bonds.access).map_err(Rejection::from),
            Err(refusal) => Err(refusal),
        };
        if tokens.is_err() {
            // Nobody has got hold of it.
            let _ = self.store.end(opened.session.id).await;
        }
        let tokens = tokens?;
        self.tell_session(Some(&caller.client), Step::TokenIssued, &opened.session);
        Ok(tokens)
    }

    /// What the next access token of a session says.
    async fn grant(&self, session: &Session) -> Result<Grant, Rejection> {
        let subject = subject_of(session)?;
        let grant = Grant::new(subject.as_str());
        let grant = match &self.claims {
            Some(claims) => claims.grant(grant, &subject).await?,
            None => grant,
        };
        let grant = match self.device_new_until(session, &subject).await? {
            Some(until) => grant.claim("device_new_until", until.as_secs()),
            None => grant,
        };
        let grant = match self.phone_new_until(&subject).await? {
            Some(until) => grant.claim("phone_new_until", until.as_secs()),
            None => grant,
        };
        // Whatever was made of the grant: a token without its session could not be denied.
        Ok(grant
            .about(subject.as_str())
            .session(session.id.to_string())
            .claim("auth_time", session.opened_at.as_secs())
            // RFC 8176: a one-time password, by text message.
            .claim("amr", vec!["otp", "sms"]))
    }

    /// The same for a session that goes on, if it may.
    async fn grant_again(
        &self,
        session: &Session,
        key: Option<&Proven>,
    ) -> Result<Grant, Rejection> {
        self.refuse_ended(session, key).await?;
        self.grant(session).await
    }

    fn tokens(
        &self,
        session: &Session,
        grant: Grant,
        bound_to: Option<KeyThumbprint>,
    ) -> Result<Tokens, Reason> {
        let grant = match bound_to {
            Some(key) => grant.bound_to(key),
            None => grant,
        };
        // What is wrong with the grant, its maker is told by a test of the claims, not the client.
        let (access, access_expires_in) =
            self.issuer.mint_spread(&grant).map_err(|_| Reason::StoreUnavailable)?;
        let refresh = RefreshToken::of(&self.secrets, session.id, session.generation);
        Ok(Tokens {
            access: Zeroizing::new(access),
            access_expires_in,
            refresh: refresh.ok_or(Reason::StoreUnavailable)?,
            refresh_expires_in: session.expires_in,
            session: session.id,
            subject: subject_of(session)?,
            bound_to,
        })
    }

    /// A session has ended: denies its access tokens, and tells.
    async fn denied(&self, session: &Session) -> Result<(), Rejection> {
        self.deny(session.id).await?;
        self.tell_session(None, Step::SessionEnded, session);
        Ok(())
    }

    /// Denies access tokens of a session until the last of them has ended.
    async fn deny(&self, session: SessionId) -> Result<(), Rejection> {
        // Not by the lifetime of today: a token may be from before it was made shorter.
        let block = Block::lasting(Issuer::LONGEST + MAX_LEEWAY);
        Ok(self.store.block(self.session_key(session), block).await?)
    }

    pub(super) fn session_key(&self, session: SessionId) -> Key {
        self.issuer.session_key(self.store.pepper(), &session.to_string())
    }

    /// The key of a subject, as tokens of our issuer make it.
    pub(super) fn subject_key(&self, subject: &str) -> Key {
        self.store.pepper().of_issuer(KeyKind::Subject, self.issuer.name(), subject)
    }
}

fn subject_of(session: &Session) -> Result<Subject, Reason> {
    Subject::new(&session.subject).ok_or(Reason::StoreUnavailable)
}

/// A session that is over.
pub(super) fn over() -> Rejection {
    invalid(TokenFault::Revoked)
}

fn invalid(fault: TokenFault) -> Rejection {
    challenge::reject(fault.into())
}
