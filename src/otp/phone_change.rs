//! Another number for a user who is logged in.

use super::{
    Caller, Challenge, Notice, Otp, Purpose, Subject, Tokens,
    bound::Bonds,
    courier::Place,
    login::Inner,
    refusal,
    sender::{Content, Message},
    session::over,
};
use crate::{
    audit::{self, Act, Event, Step},
    clock::{Clock, UnixTime},
    identity::{Claims, challenge},
    key::phone_key,
    phone::Phone,
    records::Relinked,
    rejection::{Reason, Rejection},
    store::StoreError,
    token::{Session, SessionId},
};
use futures_util::FutureExt;
use http::{HeaderValue, header::WWW_AUTHENTICATE};
use std::{panic::AssertUnwindSafe, sync::Arc};

/// Who wants another number, and by which session.
struct Owner {
    subject: Subject,
    phone: Phone,
    session: Session,
    /// The user's other sessions.
    others: Vec<SessionId>,
    bonds: Bonds,
}

/// What becomes of the notice to the number before.
enum Announcement {
    Post(Place, Message),
    /// The number gets no messages.
    Withheld,
    /// Nobody could send it.
    Unsendable,
}

/// No answer of the records says that the number was changed.
struct Unmoved {
    error: StoreError,
    /// It may have been, all the same.
    in_doubt: bool,
}

impl Otp {
    /// Sends a code to the number that a user wants to have, or does as if: the answer does not tell whose the number is, or
    /// whether anything was sent. `claims` are those of an access token that was verified just now, for the caller's device.
    ///
    /// The code is good for the session of that token alone, and for [`verify_phone_change`](Self::verify_phone_change).
    ///
    /// # Errors
    ///
    /// `reauth-required` if the login of the session is [too long ago](super::Settings::reauth_after); `device-too-new` in the
    /// device's [cool-off](super::Settings::device_cool_off); `device-mismatch` if the session is another device's; `token-invalid`
    /// if it is over; `phone-taken` if it is the user's number already; `not-found` if the settings let nobody change, or the
    /// [subjects](super::Subjects) do not know the number; and those of [`request`](Self::request).
    pub async fn change_phone(
        &self,
        caller: &Caller,
        claims: &Claims,
        phone: &Phone,
    ) -> Result<Challenge, Rejection> {
        let inner = &*self.0;
        let owner = inner.owner(caller, claims).await?;
        inner.refuse_stale(&owner).await?;
        if owner.phone == *phone {
            return Err(Reason::PhoneTaken.into());
        }
        let of = Some(owner.session.id);
        let challenge = inner.issue(caller, phone, Purpose::PhoneChange, of).await?;
        inner.tell_change(caller, Step::PhoneChangeRequested, phone, &owner);
        Ok(challenge)
    }

    /// Gives a user the number that a code was sent to. All sessions of the user end, that of the token included, and a new one
    /// begins, bound to the same key: whoever had got hold of a token has nothing any more. The number before gets a
    /// [notice](super::Notice).
    ///
    /// What can be refused is so before the code is used up, and then before the number is changed. If the store fails after
    /// that, the sessions of other devices are over, the notice is on its way, and the user logs in with the new number.
    ///
    /// # Errors
    ///
    /// `phone-taken` if the number is somebody else's; `token-invalid` if the session is over, or another one of the user changed
    /// the number just now; `device-mismatch`, `not-found`, `blocked` and `denied` as for logins; `sms-unavailable` if no notice
    /// can be taken on; and those of [`check`](Self::check).
    pub async fn verify_phone_change(
        &self,
        caller: &Caller,
        claims: &Claims,
        challenge: &str,
        code: &str,
    ) -> Result<Tokens, Rejection> {
        let inner = &*self.0;
        let owner = inner.owner(caller, claims).await?;
        let handle = inner.secrets.read_handle(challenge).ok_or_else(refusal::no_such_challenge)?;
        let is_own = inner.secrets.is_of_session(handle.challenge, owner.session.id);
        if !is_own.ok_or(Reason::StoreUnavailable)? {
            return Err(refusal::no_such_challenge());
        }
        inner.refuse_blocked(&owner.subject, None).await?;
        let announcement = inner.announcement(caller, &owner.phone).await?;
        let to = self.check(caller, challenge, code, Purpose::PhoneChange).await?.phone;
        let holder = inner.subjects.find(&to).await?;
        if holder.is_some_and(|holder| holder != owner.subject) {
            return Err(inner.taken(caller, &to, &owner));
        }
        // Whoever is logged in elsewhere does not outlive the number, whatever stops this process after it was changed.
        for session in &owner.others {
            self.logout(*session).await?;
        }
        inner.store.forget(phone_key(inner.store.pepper(), &owner.phone), None).await?;
        match inner.relink(&owner, &to).await {
            Ok(Relinked::Moved) => {}
            Ok(Relinked::Taken) => return Err(inner.taken(caller, &to, &owner)),
            Ok(Relinked::Nobody) => return Err(over()),
            Err(Unmoved { error, in_doubt }) => {
                if in_doubt {
                    inner.announce(caller, announcement, &owner);
                }
                return Err(error.into());
            }
        }
        inner.tell_change(caller, Step::PhoneChanged, &to, &owner);
        inner.announce(caller, announcement, &owner);
        self.logout_all(&owner.subject).await?;
        inner.open_session(caller, &owner.subject, owner.bonds).await
    }
}

impl Inner {
    /// Refuses a login with a number that is its subject's no more: it was changed between the question whose it is and the
    /// beginning of the session, which the end of all sessions may have missed.
    pub(super) async fn refuse_former(
        &self,
        subject: &Subject,
        phone: &Phone,
    ) -> Result<(), Rejection> {
        match self.subjects.phone(subject).await? {
            Some(own) if own != *phone => Err(refusal::no_such_challenge()),
            _ => Ok(()),
        }
    }

    /// Until when the number of a subject is new to it, if it is.
    pub(super) async fn phone_new_until(
        &self,
        subject: &Subject,
    ) -> Result<Option<UnixTime>, Rejection> {
        let cool_off = self.settings.phone_cool_off;
        if cool_off.is_zero() {
            return Ok(None);
        }
        let changed_at = self.subjects.phone_changed_at(subject).await?;
        let until = changed_at.map(|at| at.plus(cool_off));
        Ok(until.filter(|until| *until > self.issuer.time().wall()))
    }

    async fn owner(&self, caller: &Caller, claims: &Claims) -> Result<Owner, Rejection> {
        if !self.settings.phones_change {
            return Err(Reason::NotFound.into());
        }
        let is_ours = claims.issuer() == self.issuer.name();
        let subject = claims.subject().filter(|_| is_ours).and_then(Subject::new);
        let session = claims.session().and_then(|id| id.parse().ok());
        let (subject, id) = subject.zip(session).ok_or_else(over)?;
        // In this order: who reads a number that another session has changed to finds its own one over, and who does not has
        // not seen the session that began then, and does not end it.
        let sessions = self.store.sessions(subject.as_str()).await?;
        let phone = self.subjects.phone(&subject).await?;
        let session = self.store.session(id).await?;
        let session = session.filter(|session| *session.subject == *subject.as_str());
        let session = session.ok_or_else(over)?;
        if session.device != self.device(caller)? {
            return Err(Reason::DeviceMismatch.into());
        }
        let access = claims.registered().key_thumbprint.as_deref();
        let bonds =
            Bonds { session: session.bound_to, access: access.and_then(|key| key.parse().ok()) };
        let others = sessions.into_iter().map(|other| other.id).filter(|other| *other != id);
        let (phone, others) = (phone.ok_or(Reason::NotFound)?, others.collect());
        Ok(Owner { subject, phone, session, others, bonds })
    }

    async fn refuse_stale(&self, owner: &Owner) -> Result<(), Rejection> {
        let (now, most) = (self.issuer.time().wall(), self.settings.reauth_after);
        if now.since(owner.session.opened_at) > most {
            let scheme = if owner.bonds.access.is_some() { "DPoP" } else { "Bearer" };
            let error = "error=\"insufficient_user_authentication\"";
            let told = format!("{scheme} {error}, max_age=\"{}\"", most.as_secs());
            let mut refusal = challenge::reject(Reason::ReauthRequired);
            if let Ok(told) = HeaderValue::try_from(told) {
                refusal.headers_mut().insert(WWW_AUTHENTICATE, told);
            }
            return Err(refusal);
        }
        match self.device_new_until(&owner.session, &owner.subject).await? {
            Some(until) => Err(Rejection::new(Reason::DeviceTooNew).retry_after(until.since(now))),
            None => Ok(()),
        }
    }

    /// Takes all that the notice needs, as long as nothing has happened.
    async fn announcement(&self, caller: &Caller, to: &Phone) -> Result<Announcement, Rejection> {
        let (_, is_fixed) = self.draw(phone_key(self.store.pepper(), to))?;
        if is_fixed || self.is_silenced(to).await? {
            return Ok(Announcement::Withheld);
        }
        if !self.sender.sends_notices() {
            return Ok(Announcement::Unsendable);
        }
        let notice = Notice::PhoneChanged;
        let (language, text) = self.texts.render_notice(notice, caller.language.as_deref());
        let content = Content::Notice(notice);
        let message = Message { to: *to, text, content, language, good_for: None };
        Ok(Announcement::Post(self.place()?, message))
    }

    /// How the notice ends is told when it has.
    fn announce(&self, caller: &Caller, announcement: Announcement, owner: &Owner) {
        let tell = |step| self.change(caller, step, &owner.phone, owner);
        let sink = self.sink.clone();
        match announcement {
            Announcement::Post(place, message) => {
                let (sent, unsent) = (tell(Step::NoticeSent), tell(Step::NoticeNotSent));
                let sender = Arc::clone(&self.sender);
                place.finish(Box::pin(async move {
                    let sending = async { sender.send(message).await };
                    let outcome = AssertUnwindSafe(sending).catch_unwind().await;
                    let event = if matches!(outcome, Ok(Ok(_))) { sent } else { unsent };
                    audit::record(sink.as_deref(), event);
                }));
            }
            Announcement::Withheld => audit::record(sink.as_deref(), tell(Step::NoticeWithheld)),
            Announcement::Unsendable => audit::record(sink.as_deref(), tell(Step::NoticeNotSent)),
        }
    }

    async fn relink(&self, owner: &Owner, to: &Phone) -> Result<Relinked, Unmoved> {
        let error = match self.subjects.relink(&owner.subject, &owner.phone, to).await {
            Ok(relinked) => return Ok(relinked),
            Err(error) => error,
        };
        // A call that failed may have happened. What is there now says so.
        match self.subjects.phone(&owner.subject).await {
            Ok(Some(phone)) if phone == *to => Ok(Relinked::Moved),
            Ok(_) => Err(Unmoved { error, in_doubt: false }),
            Err(error) => Err(Unmoved { error, in_doubt: true }),
        }
    }

    fn taken(&self, caller: &Caller, phone: &Phone, owner: &Owner) -> Rejection {
        self.tell_change(caller, Step::PhoneTaken, phone, owner);
        Reason::PhoneTaken.into()
    }

    fn tell_change(&self, caller: &Caller, step: Step, phone: &Phone, owner: &Owner) {
        audit::record(self.sink.as_deref(), self.change(caller, step, phone, owner));
    }

    fn change(&self, caller: &Caller, step: Step, phone: &Phone, owner: &Owner) -> Event {
        let key = phone_key(self.store.pepper(), phone);
        let event = Event::new(Act::Login { step, key, attempt: None });
        let subject = self.subject_key(owner.subject.as_str());
        event.of(Some(&caller.client)).subject(Some(subject))
    }
}
