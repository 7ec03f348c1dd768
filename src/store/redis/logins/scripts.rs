use super::super::connection::Script;

/// The scripts of codes and sessions.
pub(in crate::store::redis) struct LoginScripts {
    pub(super) issue: Script,
    pub(super) resend: Script,
    pub(super) verify: Script,
    pub(super) give_back: Script,
    pub(super) open: Script,
    pub(super) rotate: Script,
    pub(super) one_session: Script,
    pub(super) all_sessions: Script,
}

impl LoginScripts {
    /// The scripts, each after what all of the store share.
    pub(in crate::store::redis) fn new(prelude: &str) -> Self {
        let script = |parts: &[&str]| Script::new(&[&[prelude], parts].concat().concat());
        let (phone, dispatch) = (include_str!("phone.lua"), include_str!("dispatch.lua"));
        let session = include_str!("session.lua");
        Self {
            issue: script(&[phone, dispatch, include_str!("issue.lua")]),
            resend: script(&[phone, dispatch, include_str!("resend.lua")]),
            verify: script(&[phone, include_str!("verify.lua")]),
            give_back: script(&[include_str!("give_back.lua")]),
            open: script(&[session, include_str!("open.lua")]),
            rotate: script(&[session, include_str!("rotate.lua")]),
            one_session: script(&[session, include_str!("one_session.lua")]),
            all_sessions: script(&[session, include_str!("all_sessions.lua")]),
        }
    }
}
