//! From a request of a code to the message on its way.

use super::{
    Caller, Challenge, Code, Dispatch, Dispatched, Issue, Purpose, Resend, Sealed, Sent,
    answer::Standings,
    courier::Place,
    fraud::{Bill, Screened},
    login::Inner,
    number,
    receipts::Errand,
    record::Record,
    refusal,
    secrets::Handle,
    sender::{Content, Message, SendError},
};
use crate::{
    audit::Step,
    clock::Clock,
    key::{Key, phone_key},
    phone::Phone,
    rejection::{Reason, Rejection},
};
use std::time::Duration;

/// A message may leave, and what its client is told.
struct Allowed {
    number: u8,
    expires_in: Duration,
    cooldown: Duration,
    sealed: Sealed,
    standings: Standings,
}

impl Inner {
    pub(super) async fn issue(
        &self,
        caller: &Caller,
        phone: &Phone,
        purpose: Purpose,
    ) -> Result<Challenge, Rejection> {
        let number = number::read(phone).ok_or(Reason::PhoneInvalid)?;
        // Before anything is stored: a code that cannot be sent must not cost a send.
        let place = self.place()?;
        self.sender.ready(phone).map_err(refusal::unsendable)?;
        let pepper = self.store.pepper();
        let tag = phone_key(pepper, phone);
        let is_withheld = self.is_withheld(phone, purpose).await?;
        let (code, is_fixed) = self.draw(tag)?;
        let screened = self.screen(caller, phone, &number, tag, !is_withheld && !is_fixed).await?;
        let is_decoy = is_withheld || screened.is_silent;
        let challenge = self.secrets.draw_challenge(is_decoy).ok_or(Reason::StoreUnavailable)?;
        let handle = Handle { purpose, challenge, phone: tag };
        let device = self.device(caller)?;
        // A decoy takes the same work, so that time does not tell.
        let message = self.write(*phone, purpose, caller.language.as_deref(), &code);
        let mac = self.secrets.code(&handle, device, &code);
        let (language, client) = (message.language.clone(), Some(caller.client.key()));
        let record = Record { phone: *phone, language, client };
        let issue = Issue {
            arrival: caller.arrival(handle.phone, pepper),
            phone: handle.phone,
            challenge,
            device,
            code: mac.ok_or(Reason::StoreUnavailable)?,
            sealed: record.seal(&self.secrets, challenge)?,
            rules: self.settings.rules,
        };
        let dispatch = self.store.issue(issue).await;
        let allowed =
            match dispatch.map_err(Rejection::from).and_then(|it| self.allowed(caller, it)) {
                Ok(allowed) => allowed,
                Err(refusal) => {
                    if let Some(bill) = screened.bill {
                        bill.void().await;
                    }
                    return Err(refusal);
                }
            };
        self.tell(Some(caller), Step::CodeRequested, handle.phone, None);
        let message = (!is_decoy && !is_fixed).then_some(message);
        self.post(place, (&handle, device), &allowed, message, screened.bill);
        self.told(&handle, *phone, &allowed)
    }

    pub(super) async fn resend(
        &self,
        caller: &Caller,
        challenge: &str,
    ) -> Result<Challenge, Rejection> {
        let handle = self.secrets.read_handle(challenge).ok_or_else(refusal::no_such_challenge)?;
        let place = self.place()?;
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
        let allowed = self.allowed(caller, self.store.resend(resend).await?)?;
        let record = Record::open(&self.secrets, handle.challenge, &allowed.sealed)?;
        self.tell(Some(caller), Step::CodeResent, handle.phone, None);
        let language = caller.language.as_deref().unwrap_or(&record.language);
        let message = self.write(record.phone, handle.purpose, Some(language), &code);
        // Since the first message the number may have opted out. The code is stored: where that cannot be told none leaves.
        let is_out = self.is_silenced(&record.phone).await.unwrap_or(true);
        let is_feigned = is_decoy || is_out || is_fixed;
        let screened =
            self.screen_again(caller, &handle, &allowed, &record.phone, !is_feigned).await?;
        let message = (!is_feigned && !screened.is_silent).then_some(message);
        self.post(place, (&handle, device), &allowed, message, screened.bill);
        self.told(&handle, record.phone, &allowed)
    }

    /// Asks the rules about a message that is sent again, whose number was not known before. One that they refuse is given back.
    async fn screen_again(
        &self,
        caller: &Caller,
        handle: &Handle,
        allowed: &Allowed,
        phone: &Phone,
        paid: bool,
    ) -> Result<Screened, Rejection> {
        let number = number::read(phone).ok_or(Reason::StoreUnavailable)?;
        let screened = self.screen(caller, phone, &number, handle.phone, paid).await;
        if screened.is_err() {
            let Handle { challenge, phone, .. } = *handle;
            let sent = Sent { phone, challenge, number: allowed.number };
            // A store that does not answer now counts a send too many, which is the safe side.
            let _ = self.store.give_back(sent).await;
        }
        screened
    }

    fn place(&self) -> Result<Place, Rejection> {
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
    async fn is_silenced(&self, phone: &Phone) -> Result<bool, Rejection> {
        let withheld = self.withheld.as_ref().is_some_and(|withheld| withheld(phone));
        Ok(self.opt_outs.is_out(phone).await? || withheld)
    }

    /// The code of the next message, and whether it is the fixed one of a test number.
    fn draw(&self, phone: Key) -> Result<(Code, bool), Rejection> {
        let now = self.issuer.time().wall();
        let fixed = self.test_numbers.code_for(self.store.pepper(), phone, now);
        let is_fixed = fixed.is_some();
        let code = fixed.or_else(|| Code::random(self.settings.digits));
        Ok((code.ok_or(Reason::StoreUnavailable)?, is_fixed))
    }

    fn write(&self, to: Phone, purpose: Purpose, language: Option<&str>, code: &Code) -> Message {
        let lifetime = self.settings.rules.lifetime;
        let (language, text) = self.texts.render(purpose, language, code, lifetime);
        Message { to, text, content: Content::Code { code: code.clone(), purpose }, language }
    }

    /// Puts a message on its way; `None` for decoys and test numbers.
    fn post(
        &self,
        place: Place,
        (handle, device): (&Handle, Key),
        allowed: &Allowed,
        message: Option<Message>,
        bill: Option<Bill>,
    ) {
        let Handle { challenge, phone, .. } = *handle;
        let sent = Sent { phone, challenge, number: allowed.number };
        let errand = Errand { sent, device, posted_at: self.issuer.time().wall() };
        place.post(message, errand, bill);
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
