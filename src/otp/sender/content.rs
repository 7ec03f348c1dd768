use super::Held;
use crate::otp::{Code, Notice, Purpose};

/// What a message is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// One with a code.
    Code {
        /// The code alone, for providers with templates of their own.
        code: Code,
        /// What the code is for.
        purpose: Purpose,
    },
    /// One whose code the provider makes. It has neither code nor text.
    Held(Held),
    /// One that tells the owner of a number something, without a code.
    Notice(Notice),
}

impl Content {
    /// The name of what it is about: `login`, `phone_changed`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Code { purpose, .. } | Self::Held(Held { purpose, .. }) => purpose.name(),
            Self::Notice(notice) => notice.name(),
        }
    }
}
