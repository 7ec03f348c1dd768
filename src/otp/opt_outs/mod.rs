mod memory;

pub use memory::MemoryOptOuts;

use crate::{eventual::Eventual, phone::Phone, store::StoreError};
use std::fmt;

/// Whose owners want no messages: the contract of what keeps it for good.
///
/// Contract: what `set` was told holds from its answer on, over all instances, until it is told otherwise; it is never
/// forgotten, as the law of several countries asks for it (47 CFR 64.1200). `is_out` is asked for every number that a code is requested for,
/// so its time must not tell whether the number is out. Neither call may block.
pub trait OptOuts: fmt::Debug + Send + Sync {
    /// Whether the owner of a number wants no messages.
    fn is_out(&self, phone: &Phone) -> Eventual<Result<bool, StoreError>>;

    /// Keeps whether the owner wants none, and says whether that is new.
    fn set(&self, phone: &Phone, is_out: bool) -> Eventual<Result<bool, StoreError>>;
}

/// What the owner of a phone wrote, as far as it is about messages in general.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wish {
    /// No more of them.
    Stop,
    /// Some again.
    Start,
}

impl Wish {
    /// The wish that a whole text is: `STOP`, `STOPALL`, `UNSUBSCRIBE`, `CANCEL`, `END`, `QUIT`, `REVOKE` and `OPTOUT`; `START`, `YES` and
    /// `UNSTOP`. In upper or lower case, and whatever spaces, hyphens, full stops and exclamation marks are in it: `Opt out.` is one.
    pub fn of(text: &str) -> Option<Self> {
        const STOP: [&str; 8] =
            ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"];
        const START: [&str; 3] = ["START", "YES", "UNSTOP"];
        let counts = |letter: &char| !letter.is_whitespace() && !"-.!".contains(*letter);
        let letters = || text.chars().filter(counts).map(|letter| letter.to_ascii_uppercase());
        let is_one_of = |words: &[&str]| words.iter().any(|word| letters().eq(word.chars()));
        if is_one_of(&STOP) {
            return Some(Self::Stop);
        }
        is_one_of(&START).then_some(Self::Start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_text_is_a_wish() {
        for text in [
            "STOP",
            "stop",
            " Stop\r\n",
            "Stop.",
            "StopAll",
            "stop all",
            "unsubscribe",
            "END",
            "quit",
            "cancel",
            "OPT OUT",
            "opt-out!",
            "revoke",
        ] {
            assert_eq!(Wish::of(text), Some(Wish::Stop), "{text}");
        }
        for text in ["START", "yes", "Unstop "] {
            assert_eq!(Wish::of(text), Some(Wish::Start), "{text}");
        }
        for text in ["", "STOP it", "please stop", "ok", "STOPP", "123456", "no"] {
            assert_eq!(Wish::of(text), None, "{text}");
        }
    }
}
