//! The scripts, each after the prelude that all share.

use super::connection::Script;
#[cfg(feature = "otp")]
use super::logins::LoginScripts;
use std::fmt;

pub(super) struct Scripts {
    pub(super) admit: Script,
    pub(super) lean: Script,
    pub(super) adjust: Script,
    pub(super) block: Script,
    pub(super) unblock: Script,
    pub(super) look: Script,
    pub(super) marker: Script,
    pub(super) ready: Script,
    #[cfg(feature = "otp")]
    pub(super) note: Script,
    #[cfg(feature = "otp")]
    pub(super) noted: Script,
    #[cfg(feature = "otp")]
    pub(super) logins: LoginScripts,
}

const PRELUDE: &str = include_str!("prelude.lua");

impl Scripts {
    pub(super) fn new() -> Self {
        let script = |text: &str| Script::new(&[PRELUDE, text].concat());
        Self {
            admit: script(include_str!("admit.lua")),
            lean: Script::new(include_str!("lean.lua")),
            adjust: script(include_str!("adjust.lua")),
            block: script(include_str!("block.lua")),
            unblock: script(include_str!("unblock.lua")),
            look: script(include_str!("look.lua")),
            marker: script(include_str!("marker.lua")),
            // Without the prelude, which needs rights.
            ready: Script::new(include_str!("ready.lua")),
            #[cfg(feature = "otp")]
            note: Script::new(include_str!("note.lua")),
            #[cfg(feature = "otp")]
            noted: Script::new(include_str!("noted.lua")),
            #[cfg(feature = "otp")]
            logins: LoginScripts::new(PRELUDE),
        }
    }
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripts")
    }
}
