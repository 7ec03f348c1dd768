//! What becomes of messages after a provider took them.
//!
//! A message has a state, which [`Otp::message_state`](super::Otp::message_state) tells to the device that asked for it. Providers report
//! through [`Otp::report`](super::Otp::report), which `SmsWebhooks` does over HTTP. Notes about all this are kept in the store
//! for a day.
//!
//! # What the states tell
//!
//! Whoever asks for a code must not learn whether a number is known. Where everybody may sign up, each number gets its message, and
//! its state is the truth; one that must not get one looks like those before it: as long on its way, and then delivered, if
//! those were. With [`known_only`](super::Settings::known_only) what a number does would tell that it is known: states end
//! at `sent` then, for all alike.

mod answers;
mod notes;
mod tracker;

pub(super) use answers::Answers;
pub use notes::{Note, Noted, Notes};
pub(super) use tracker::{Errand, Tracker};

use crate::phone::Phone;

/// What became of the last message of a challenge, as far as may be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MessageState {
    /// It is on its way to the provider, or nothing is known of it any more.
    Queued,
    /// A provider took it, or may have.
    Sent,
    /// It arrived at the phone.
    Delivered,
    /// It did not leave, or did not arrive: another one can be asked for.
    Failed,
}

/// What a provider says about a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Report<'a> {
    /// Who says so, by the name in [`MessageId`](super::sender::MessageId).
    pub provider: &'a str,
    /// What it calls the message.
    pub id: &'a str,
    /// Whether it arrived.
    pub arrived: bool,
    /// Whether it is the number's doing that it did not: then it is no reason to ask another provider next time.
    pub of_number: bool,
    /// Whose phone, if it says so.
    pub to: Option<Phone>,
}

impl MessageState {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}
