//! Login by a code sent to a phone.

mod challenges;
mod code;
mod cross_site;
mod device;
mod origins;
mod secrets;
pub mod sender;
mod settings;
mod store;
mod subjects;

#[doc = include_str!("contract.md")]
pub mod contract {}

pub use challenges::{
    Arrival, Attempt, ChallengeId, Challenges, Dispatch, Dispatched, Issue, Resend, Rules, Sent,
    Verdict, Verified, Window, Windowed,
};
pub use code::{Code, CodeMac};
pub use device::DeviceId;
pub use origins::Origins;
pub use secrets::{Purpose, Sealed, Secrets};
pub use sender::CodeSender;
pub use settings::Settings;
pub use store::{LoginStore, SharedLoginStore};
pub use subjects::{Found, Subject, Subjects};

pub(crate) use secrets::constant_time_eq;
