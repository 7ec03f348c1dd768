//! How a code gets to its phone.

mod log;

pub use log::LogSender;

use super::{Code, Purpose};
use crate::{eventual::BoxFuture, phone::Phone};
use std::fmt;
use zeroize::Zeroizing;

/// Sends messages with codes.
///
/// Contract: one call sends one message at most, to `to` and nobody else. It gives up by itself after a time, and
/// keeps neither text nor code.
pub trait CodeSender: fmt::Debug + Send + Sync {
    /// Sends `message`.
    fn send(&self, message: Message) -> BoxFuture<'static, Result<(), SendError>>;

    /// Whether codes appear where others than the holder of the phone see them. Only the profile `dev` takes
    /// such a sender.
    fn reveals_codes(&self) -> bool {
        false
    }
}

/// A message with a code.
#[derive(Clone)]
#[non_exhaustive]
pub struct Message {
    /// Whose phone.
    pub to: Phone,
    /// What to send, the code inside.
    pub text: Zeroizing<String>,
    /// The code alone, for providers with templates of their own.
    pub code: Code,
    /// What the code is for.
    pub purpose: Purpose,
    /// The language of the text, as a tag of BCP 47.
    pub language: Box<str>,
}

/// Why no message left, or may not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendError {
    /// Certainly nothing left: the send is given back and counts no more.
    NotSent,
    /// Something may have left: the send counts.
    Unknown,
}

/// Shows neither text nor code.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("to", &self.to)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}
