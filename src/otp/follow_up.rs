//! What is known of messages after they left.

use super::{
    Caller, Otp, Wish,
    login::Inner,
    receipts::{MessageState, Report},
    refusal,
    secrets::Handle,
    sender::Reported,
};
use crate::{
    audit::Step,
    key::phone_key,
    phone::Phone,
    rejection::{Reason, Rejection},
};
use std::sync::Arc;

impl Otp {
    /// What became of the last message of a challenge, for the device that asked for it, as far as
    /// [may be told](super::receipts).
    ///
    /// # Errors
    ///
    /// `otp-invalid` if it is no challenge of this device; `store-unavailable`.
    pub async fn message_state(
        &self,
        caller: &Caller,
        challenge: &str,
    ) -> Result<MessageState, Rejection> {
        let inner = &*self.0;
        let handle = inner.secrets.read_handle(challenge).ok_or_else(refusal::no_such_challenge)?;
        let device = inner.device(caller)?;
        let state = inner.tracker.state(handle.phone, handle.challenge, device).await?;
        state.ok_or_else(refusal::no_such_challenge)
    }

    /// Takes note of what a provider says about a message. What comes twice changes nothing; what comes before the provider
    /// has answered is kept until it has.
    ///
    /// Whoever calls this must know that it is the provider who says so.
    ///
    /// # Errors
    ///
    /// `store-unavailable`: the provider may say it again.
    pub async fn report(&self, report: &Report<'_>) -> Result<(), Rejection> {
        let inner = &*self.0;
        let reported =
            inner.tracker.reported(report).await.map_err(|_| Reason::StoreUnavailable)?;
        let Some((sent, via)) = reported else { return Ok(()) };
        let step = if report.arrived { Step::CodeDelivered } else { Step::CodeUndelivered };
        inner.tell(None, step, sent.phone, None);
        if let (Some(via), Some(to)) = (via, report.to)
            && (report.arrived || !report.of_number)
        {
            inner.sender.reported(&Reported { via, to, arrived: report.arrived });
        }
        Ok(())
    }

    /// Does what the owner of a phone wishes about messages, and says whether that is new; nothing, if nobody keeps such
    /// [wishes](super::OptOuts).
    ///
    /// Whoever calls this must know that it is the owner who says so.
    ///
    /// # Errors
    ///
    /// `store-unavailable`: it has to be said again.
    pub async fn heed(&self, phone: &Phone, wish: Wish) -> Result<bool, Rejection> {
        let inner = &*self.0;
        let is_new = inner.opt_outs.set(phone, wish == Wish::Stop).await?;
        if is_new {
            let step = if wish == Wish::Stop { Step::OptedOut } else { Step::OptedIn };
            inner.tell(None, step, phone_key(inner.store.pepper(), phone), None);
        }
        Ok(is_new)
    }
}

impl Inner {
    /// Has the courier tell the provider of a challenge's last message that its code was right, if that wants to hear it and there is a
    /// place.
    pub(super) fn pass_on(&self, handle: &Handle) {
        let Some(answers) = self.answers.clone() else { return };
        let Some(place) = self.desk.reserve() else { return };
        let (sender, Handle { phone, challenge, .. }) = (Arc::clone(&self.sender), *handle);
        place.finish(Box::pin(async move {
            if let Some(answered) = answers.of(phone, challenge).await {
                sender.answered(answered).await;
            }
        }));
    }
}
