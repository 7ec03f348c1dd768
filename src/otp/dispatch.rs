//! From a request of a code to the message on its way.

use super::{
    Arrival, Arrived, Caller, Challenge, Code, Dispatch, Dispatched, Issue, Purpose, Resend,
    Sealed, Sent,
    answer::Standings,
    courier::Place,
    hold::Hold,
    login::Inner,
    number::{self, Number},
    receipts::Errand,
    record::Record,
    refusal,
    secrets::Handle,
    sender::{Content, Held, Message, SendError},
};
use crate::{
    audit::Step,
    clock::Clock,
    key::{Key, phone_key},
    limit::Name,
    phone::Phone,
    rejection::{Reason, Rejection},
    token::SessionId,
};
use std::time::Duration;
use zeroize::Zeroizing;

/// A message may leave, and what its client is told.
struct Allowed {
    number: u8,
    expires_in: Duration,
    cooldown: Duration,
    sealed: Sealed,
    standings: Standings,
}

impl Inner {
    /// Starts a challenge, which a session alone can answer if it is `of` one.
    pub(super) async fn issue(
        &self,
        caller: &Caller,
        phone: &Phone,
        purpose: Purpose,
        of: Option<SessionId>,
    ) -> Result<Challenge, Rejection> {
        let number = number::read(phone).ok_or(Reason::PhoneInvalid)?;
        let mut hold = Hold::new(self.store.clone(), self.place()?);
        let issued = self.issue_held(caller, (phone, &number), (purpose, of), &mut hold).await;
        if issued.is_err() {
            hold.undo().await;
        }
        issued
    }

    async fn issue_held(
        &self,
        caller: &Caller,
        (phone, number): (&Phone, &Number),
        (purpose, of): (Purpose, Option<SessionId>),
        hold: &mut Hold,
    ) -> Result<Challenge, Rejection> {
        // Before anything is stored: a code that cannot be sent must not cost a send.
        self.sender.ready(phone).map_err(refusal::unsendable)?;
        let pepper = self.store.pepper();
        let tag = phone_key(pepper, phone);
        let is_withheld = self.is_withheld(phone, purpose).await?;
        let (code, is_fixed) = self.draw(tag)?;
        let holder = self.sender.holder(phone).filter(|_| !is_fixed);
        let is_paid = !is_withheld && !is_fixed;
        let arrival = caller.arrival(tag, pepper);
        let is_silent = match self.screen(caller, phone, number, tag, is_paid, hold).await {
            Ok(is_silent) => is_silent,
            Err(refusal) => return Err(self.refused(caller, arrival, refusal).await),
        };
        let is_decoy = is_withheld || is_silent;
        let challenge = match of {
            Some(session) => self.secrets.draw_challenge_of(session, is_decoy),
            None => self.secrets.draw_challenge(is_decoy),
        };
        let challenge = challenge.ok_or(Reason::StoreUnavailable)?;
        let handle = Handle { purpose, challenge, phone: tag };
        let device = self.device(caller)?;
        // A decoy takes the same work, so that time does not tell.
        let message = self.write(*phone, purpose, caller.language.as_deref(), &code);
        let message = held_by(holder, false, message);
        let mac = self.secrets.code(&handle, device, &code);
        let (language, client) = (message.language.clone(), Some(caller.client.key()));
        let record = Record { phone: *phone, language, client, holder };
        let issue = Issue {
            arrival,
            phone: handle.phone,
            challenge,
            device,
            code: Some(mac.ok_or(Reason::StoreUnavailable)?).filter(|_| holder.is_none()),
            sealed: record.seal(&self.secrets, challenge)?,
            rules: self.settings.rules,
        };
        let dispatch = hold.count((tag, challenge), self.store.issue(issue)).await?;
        let allowed = self.allowed(caller, dispatch)?;
        self.tell(Some(caller), Step::CodeRequested, handle.phone, None);
        let message = (!is_decoy && !is_fixed).then_some(message);
        self.post(hold, (&handle, device), &allowed, (message, number.calling_code));
        self.told(&handle, *phone, &allowed)
    }

    pub(super) async fn resend(
        &self,
        caller: &Caller,
        challenge: &str,
    ) -> Result<Challenge, Rejection> {
        let handle = self.secrets.read_handle(challenge).ok_or_else(refusal::no_such_challenge)?;
        let mut hold = Hold::new(self.store.clone(), self.place()?);
        let resent = self.resend_held(caller, handle, &mut hold).await;
        if resent.is_err() {
            hold.undo().await;
        }
        resent
    }

    async fn resend_held(
        &self,
        caller: &Caller,
        handle: Handle,
        hold: &mut Hold,
    ) -> Result<Challenge, Rejection> {
        let is_decoy = self.secrets.is_decoy(handle.challenge).ok_or(Reason::StoreUnavailable)?;
        let pepper = self.store.pepper();
        let device = self.device(caller)?;
        let (code, is_fixed) = self.draw(handle.phone)?;
        let mac = self.secrets.code(&handle, device, &code);
        let resend = Resend {
            arrival: caller.arrival(handle.phone, pepper),
            phone: handle.phone,
            challenge: handle.challenge,
            device,
            code: mac.ok_or(Reason::StoreUnavailable)?,
            rules: self.settings.rules,
        };
        let of = (handle.phone, handle.challenge);
        let dispatch = hold.count(of, self.store.resend(resend)).await?;
        let allowed = self.allowed(caller, dispatch)?;
        let record = Record::open(&self.secrets, handle.challenge, &allowed.sealed)?;
        let language = caller.language.as_deref().unwrap_or(&record.language);
        let message = self.write(record.phone, handle.purpose, Some(language), &code);
        let message = held_by(record.holder, true, message);
        // Only now it is known whose number it is.
        self.sender.ready(&record.phone).map_err(refusal::unsendable)?;
        // Since the first message the number may have opted out, and the rules did not know before whose it is.
        let is_feigned = self.is_silenced(&record.phone).await? || is_decoy || is_fixed;
        let number = number::read(&record.phone).ok_or(Reason::StoreUnavailable)?;
        let (phone, is_paid) = (&record.phone, !is_feigned);
        let is_silent = self.screen(caller, phone, &number, handle.phone, is_paid, hold).await?;
        self.tell(Some(caller), Step::CodeResent, handle.phone, None);
        let message = (!is_feigned && !is_silent).then_some(message);
        self.post(hold, (&handle, device), &allowed, (message, number.calling_code));
        self.told(&handle, record.phone, &allowed)
    }

    /// What to say to a request that the rules refuse: it counts for its client like all others, and says so when there were too many.
    async fn refused(&self, caller: &Caller, arrival: Arrival, refusal: Rejection) -> Rejection {
        // A store that could not be asked is asked for nothing more.
        if refusal.reason() == Reason::StoreUnavailable {
            return refusal;
        }
        let Arrived { refused, client, started } =
            match self.store.arrive(arrival, self.settings.rules).await {
                Ok(arrived) => arrived,
                Err(error) => return error.into(),
            };
        let Some(outcome) = refused else { return refusal };
        let dispatch = Dispatch { outcome, client, device: None, started };
        self.allowed(caller, dispatch).err().unwrap_or(refusal)
    }

    pub(super) fn place(&self) -> Result<Place, Rejection> {
        self.desk.reserve().ok_or_else(|| refusal::unsendable(SendError::NotSent))
    }

    /// Whether nothing may be sent to a number. Asks about every number in the same way.
    async fn is_withheld(&self, phone: &Phone, purpose: Purpose) -> Result<bool, Rejection> {
        let withheld = self.is_silenced(phone).await?;
        // A number that a user changes to is not known yet.
        if self.settings.known_only && purpose == Purpose::Login {
            return Ok(self.subjects.find(phone).await?.is_none() || withheld);
        }
        Ok(withheld)
    }

    /// Whether a number gets no messages, known or not.
    pub(super) async fn is_silenced(&self, phone: &Phone) -> Result<bool, Rejection> {
        let withheld = self.withheld.as_ref().is_some_and(|withheld| withheld(phone));
        Ok(self.opt_outs.is_out(phone).await? || withheld)
    }

    /// The code of the next message, and whether it is the fixed one of a test number.
    pub(super) fn draw(&self, phone: Key) -> Result<(Code, bool), Rejection> {
        let now = self.issuer.time().wall();
        let fixed = self.test_numbers.code_for(self.store.pepper(), phone, now);
        let is_fixed = fixed.is_some();
        let code = fixed.or_else(|| Code::random(self.settings.digits));
        Ok((code.ok_or(Reason::StoreUnavailable)?, is_fixed))
    }

    fn write(&self, to: Phone, purpose: Purpose, language: Option<&str>, code: &Code) -> Message {
        let lifetime = self.settings.rules.lifetime;
        let (language, text) = self.texts.render(purpose, language, code, lifetime);
        let content = Content::Code { code: code.clone(), purpose };
        Message { to, text, content, language, good_for: Some(lifetime) }
    }

    /// Puts a message on its way; `None` for decoys and test numbers.
    fn post(
        &self,
        hold: &mut Hold,
        (handle, device): (&Handle, Key),
        allowed: &Allowed,
        (message, calling_code): (Option<Message>, u16),
    ) {
        let posted_at = self.issuer.time().wall();
        let errand = Errand { sent: sent(handle, allowed), device, posted_at };
        // A challenge that is stretched by another message may end before a new one would.
        let good_for = Some(allowed.expires_in);
        let message = message.map(|message| Message { good_for, ..message });
        hold.post(message, errand, calling_code);
    }

    fn allowed(&self, caller: &Caller, dispatch: Dispatch) -> Result<Allowed, Rejection> {
        self.tell_blocks(caller, &dispatch.started);
        let standings = Standings { client: dispatch.client, device: dispatch.device };
        let mut rejection = match dispatch.outcome {
            Dispatched::Allowed { number, expires_in, cooldown, sealed } => {
                return Ok(Allowed { number, expires_in, cooldown, sealed, standings });
            }
            Dispatched::Blocked { remaining, .. } => refusal::blocked(remaining),
            Dispatched::Limited { wait, .. } => {
                Rejection::new(Reason::RateLimited).retry_after(wait)
            }
            Dispatched::Cooldown { wait } => Rejection::new(Reason::Cooldown).retry_after(wait),
            Dispatched::NotLive => refusal::no_such_challenge(),
            Dispatched::ResendsSpent => Rejection::new(Reason::ResendsSpent),
        };
        self.windows.write(&standings, rejection.headers_mut());
        Err(rejection)
    }

    fn told(
        &self,
        handle: &Handle,
        phone: Phone,
        allowed: &Allowed,
    ) -> Result<Challenge, Rejection> {
        Ok(Challenge {
            id: self.secrets.handle(handle).ok_or(Reason::StoreUnavailable)?,
            expires_in: allowed.expires_in,
            resend_after: allowed.cooldown,
            code_length: self.settings.digits,
            phone,
            standings: allowed.standings,
        })
    }
}

fn sent(handle: &Handle, allowed: &Allowed) -> Sent {
    let Handle { challenge, phone, .. } = *handle;
    Sent { phone, challenge, number: allowed.number }
}

/// What whoever holds a code is asked to send, if somebody does: neither our code nor our text leaves then.
fn held_by(holder: Option<Name>, again: bool, message: Message) -> Message {
    let (Some(by), Content::Code { code, purpose }) = (holder, &message.content) else {
        return message;
    };
    let held = Held { by, again, purpose: *purpose, digits: code.length() };
    Message { content: Content::Held(held), text: Zeroizing::default(), ..message }
}
