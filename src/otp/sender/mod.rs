//! How a code gets to its phone.
//!
//! With the feature `sms`: `Twilio`, `TwilioVerify`, `Msg91`, and `Hook`, which asks a server of yours. [`LogSender`] is for a developer's
//! machine. One of your own is a [`CodeSender`]. A [`Route`] makes one of several: with an order, by country, with breakers and budgets.
//!
//! | What happened | [`SendError`] | Counts for the phone | Costs money | Another provider |
//! |---|---|---|---|---|
//! | no connection | `NotSent` | no | no | yes |
//! | refused without a reason that is known here | `Refused` | no | no | yes |
//! | no such number, or none that takes messages | `Recipient` | yes | no | no |
//! | the provider sends nothing to that country: it is off for our account | `Region` | yes | no | yes |
//! | the owner unsubscribed | `OptedOut`, [kept](crate::otp::OtpBuilder::believe_opt_outs) where that is wanted | yes | no | no |
//! | nothing may be sent there: a suspicion of fraud | `Blocked` | yes | no | no |
//! | 429 | `RateLimited` | no | no | yes |
//! | credentials or settings are wrong | `Misconfigured`, told as the step `sender-refused` | no | no | yes |
//! | our own budget is spent | `OverBudget` | no | no | yes |
//! | no whole answer, 5xx, an answer that cannot be read | `Unknown` | yes | yes | no, it could be a second message |
//!
//! # Codes of a provider
//!
//! Most senders carry the code that the login drew. `TwilioVerify` with `twilio_codes`, and `Msg91Otp`, make codes of their own, and
//! are asked whether one is right: a [`CodeChecker`] beside the [`CodeSender`]. Blocks, attempts, windows, devices and the lifetime
//! stay the login's; each attempt is counted before the provider is asked, and of several that are right at once one logs in. But
//! such codes are worth less:
//!
//! * **They belong to a number, not to a challenge.** The provider has one code for a number at a time. So it is good for each
//!   challenge of that number, whatever its purpose, on each device that asked for one; wrong codes from one device use up the checks
//!   that the provider allows another, which are five at Twilio; and a message that is sent again repeats the code. The
//!   profile `banking` takes no such sender, and no profile more than five attempts.
//! * **They need the provider twice.** While it does not answer nobody logs in: 503 `sms-unavailable`, which costs an attempt of the challenge and no
//!   guess of the phone. A code that the provider took for used before its answer was lost is lost, too.
//! * **Nobody else can send or check them.** A challenge remembers who holds its code. In a [`Route`] the first provider that is not left alone is
//!   chosen when the challenge begins, and a message of one whose code a provider holds goes to that one or to nobody.
//!
//! A challenge that is a decoy asks nobody, and is answered after a time, and with an outcome, like those of the last checks that were real.
//! Before the first one, that is a quarter of a second.

#[cfg(feature = "sms")]
mod api;
#[cfg(feature = "sms")]
mod api_secret;
mod checking;
mod content;
#[cfg(feature = "sms")]
mod error_table;
#[cfg(feature = "sms")]
mod exchange;
#[cfg(feature = "sms")]
mod hook;
mod log;
#[cfg(feature = "sms")]
mod msg91;
mod route;
mod taken;
#[cfg(feature = "sms")]
mod twilio;
#[cfg(feature = "sms")]
mod twilio_verify;

#[cfg(feature = "sms")]
pub(super) use self::api::{FORM, JSON};
#[cfg(feature = "sms")]
#[cfg_attr(docsrs, doc(cfg(feature = "sms")))]
pub use self::{
    api_secret::ApiSecret,
    hook::{Hook, HookKeys, SIGNATURE},
    msg91::{Msg91, Msg91Otp},
    twilio::{Twilio, TwilioFrom, TwilioKey},
    twilio_verify::TwilioVerify,
};
pub use checking::{Checked, CodeChecker, Held};
pub use content::Content;
pub use log::LogSender;
#[doc(inline)]
pub use route::{Failover, Provider, Route};
pub use taken::{Answered, MessageId, Reported, Taken};

use super::Code;
use crate::{eventual::BoxFuture, limit::Name, phone::Phone};
use std::{fmt, sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// Sends messages: codes, and [notices](Content::Notice).
///
/// Contract: one call sends one message at most, to `to` and nobody else. It gives up by itself after a time, and
/// keeps neither text nor code.
pub trait CodeSender: fmt::Debug + Send + Sync {
    /// Sends `message`.
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>>;

    /// Whether a message to this number could leave now, as far as it is known without asking anybody.
    ///
    /// Asked before a code is stored, and again before one is sent again: [`OverBudget`](SendError::OverBudget) refuses its request as `sms-budget`, and any other error as
    /// `sms-unavailable`. It must not block, and must go by the country of the number alone: the answer tells who asks.
    fn ready(&self, to: &Phone) -> Result<(), SendError> {
        let _ = to;
        Ok(())
    }

    /// Whether nothing leaves now, to whatever number, as each provider is left alone: for readiness probes. It must not block.
    fn is_paused(&self) -> bool {
        false
    }

    /// Whether it sends messages without a code, too. One that does not is passed over where others do; asked for one all the
    /// same, it answers [`Refused`](SendError::Refused).
    fn sends_notices(&self) -> bool {
        true
    }

    /// Takes note of what became of a message, for who chooses among providers. It must not block.
    fn reported(&self, report: &Reported) {
        let _ = report;
    }

    /// Whether any of its messages [awaits](Taken::awaiting) an answer. Asked once, when the login is made.
    fn hears_answers(&self) -> bool {
        false
    }

    /// Tells the provider that a message's code was right, once at most. The login has answered by then, and neither waits for this nor
    /// repeats it; it ends by itself within five seconds.
    fn answered(&self, answered: Answered) -> BoxFuture<'static, ()> {
        let _ = answered;
        Box::pin(std::future::ready(()))
    }

    /// Who makes the code of a challenge for this number that begins now; `None` if the login does. One of those that
    /// [`checkers`](Self::checkers) names, by the country of the number alone. It must not block.
    fn holder(&self, to: &Phone) -> Option<Name> {
        let _ = to;
        None
    }

    /// Who checks codes, by the names of those who make them. Asked once, when the login is made.
    fn checkers(&self) -> Vec<(Name, Arc<dyn CodeChecker>)> {
        Vec::new()
    }

    /// Whether codes appear where others than the holder of the phone see them. Only the profile `dev` takes
    /// such a sender.
    fn reveals_codes(&self) -> bool {
        false
    }
}

/// A message, with a code or without.
#[derive(Clone)]
#[non_exhaustive]
pub struct Message {
    /// Whose phone.
    pub to: Phone,
    /// What to send, the code inside.
    pub text: Zeroizing<String>,
    /// What it is, for providers with templates of their own.
    pub content: Content,
    /// The language of the text, as a tag of BCP 47.
    pub language: Box<str>,
    /// How much longer its code is good for, so that nobody delivers it after that; `None` without a code.
    pub good_for: Option<Duration>,
}

impl Message {
    /// The code, if it has one of the login's.
    pub const fn code(&self) -> Option<&Code> {
        match &self.content {
            Content::Code { code, .. } => Some(code),
            Content::Held(_) | Content::Notice(_) => None,
        }
    }

    /// The same, after it has waited.
    #[must_use]
    pub(in crate::otp) fn after(self, waited: Duration) -> Self {
        let good_for = self.good_for.map(|time| time.saturating_sub(waited));
        Self { good_for, ..self }
    }
}

/// Why no message left, or may not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendError {
    /// Certainly nothing left, and another provider may do better. The send is given back and counts no more.
    NotSent,
    /// The provider refuses this message, and why is not known here. Nothing left, another provider may take it, and the send is
    /// given back. It says nothing about other messages.
    Refused,
    /// Something may have left: the send counts, and is never repeated.
    Unknown,
    /// The number does not exist or takes no messages. Nothing left; the send counts, as whoever tries numbers must not
    /// try any number of them.
    Recipient,
    /// The provider sends nothing to the country of the number, as that is off for our account. Nothing left, another provider may
    /// take it, and the send counts: else who tries countries could try any number of them.
    Region,
    /// The provider sends nothing there: a suspicion of fraud. Nothing left, nobody else should send it, and the send counts.
    Blocked,
    /// The owner wants no messages, and told the provider so. Nothing left, nobody else should send it, and the send counts.
    OptedOut,
    /// The provider wants to be left alone. Nothing left, and the send is given back.
    RateLimited {
        /// For how long, if it says so.
        retry_after: Option<Duration>,
    },
    /// What may be spent on messages is spent. Nothing left, and the send is given back.
    OverBudget {
        /// How long until more may be spent.
        retry_after: Duration,
    },
    /// Credentials or settings are wrong: no message leaves until somebody looks. The send is given back.
    Misconfigured,
}

impl SendError {
    /// Whether certainly nothing left, so that no provider charges for it: what was taken from budgets is paid back. Whether the send
    /// counts for its phone is another question.
    pub const fn costs_nothing(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Whether certainly nothing left, and neither number nor country was why: such a send counts for no window.
    pub const fn is_given_back(self) -> bool {
        matches!(
            self,
            Self::NotSent
                | Self::Refused
                | Self::RateLimited { .. }
                | Self::OverBudget { .. }
                | Self::Misconfigured
        )
    }

    /// Whether another provider may try: certainly nothing left, and it was not for the number.
    pub const fn is_for_another(self) -> bool {
        self.is_given_back() || matches!(self, Self::Region)
    }
}

/// Shows neither text nor code.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("to", &self.to)
            .field("about", &self.content.name())
            .finish_non_exhaustive()
    }
}
