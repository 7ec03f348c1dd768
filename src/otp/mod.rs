//! Login by a code sent to a phone.

mod challenges;
mod code;
mod courier;
mod device;
pub mod message;
mod number;
mod secrets;
pub mod sender;
mod settings;
mod store;
mod subjects;
mod test_numbers;

#[doc = include_str!("contract.md")]
pub mod contract {}

pub use challenges::{
    Arrival, Attempt, ChallengeId, Challenges, Dispatch, Dispatched, Issue, Resend, Rules, Sent,
    Verdict, Verified, Window, Windowed,
};
pub use code::{Code, CodeMac};
pub use courier::Courier;
pub use device::DeviceId;
pub use message::Texts;
pub use secrets::{Purpose, Sealed, Secrets};
pub use sender::CodeSender;
pub use settings::Settings;
pub use store::{LoginStore, SharedLoginStore};
pub use subjects::{Found, MemorySubjects, Subject, Subjects};
pub use test_numbers::TestNumbers;
