//! Codes and sessions on the server, one script for each question.
//!
//! All that passes with a phone lies in two keys that share a hash tag: one that lives for hours, and one with the
//! devices that logged in, which lives for months. A session has a key of its own, and its subject a list of ids. In a
//! cluster one question is several scripts, one after another: see `arrivals` and `listed`.

mod arrivals;
mod challenges;
mod listed;
mod notes;
mod question;
mod scripts;
mod sessions;
mod told;
mod traffic;

pub(super) use scripts::LoginScripts;
