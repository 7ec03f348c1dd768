use super::super::connection::Script;

/// The scripts of codes and sessions.
pub(in crate::store::redis) struct LoginScripts {
    pub(super) issue: Script,
    pub(super) resend: Script,
    pub(super) verify: Script,
    pub(super) conclude: Script,
    pub(super) give_back: Script,
    pub(super) forget: Script,
    pub(super) weigh: Script,
    pub(super) settle: Script,
    pub(super) conversions: Script,
    pub(super) open: Script,
    pub(super) rotate: Script,
    pub(super) one_session: Script,
    pub(super) all_sessions: Script,
    /// What a cluster needs besides.
    pub(super) apart: ApartScripts,
}

/// Parts of the others, each for one slot.
pub(in crate::store::redis) struct ApartScripts {
    pub(super) stands: Script,
    pub(super) blocked: Script,
    pub(super) arrive: Script,
    pub(super) leave: Script,
    pub(super) create: Script,
    pub(super) enlist: Script,
    pub(super) unlist: Script,
    pub(super) ids: Script,
}

impl LoginScripts {
    /// The scripts, each after what all of the store share.
    pub(in crate::store::redis) fn new(prelude: &str) -> Self {
        let script = |parts: &[&str]| Script::new(&[&[prelude], parts].concat().concat());
        let window = include_str!("window.lua");
        let phone = &[window, include_str!("phone.lua")].concat();
        let dispatch = include_str!("dispatch.lua");
        let right = include_str!("right.lua");
        let session = include_str!("session.lua");
        let ledger = include_str!("ledger.lua");
        Self {
            issue: script(&[phone, dispatch, include_str!("issue.lua")]),
            resend: script(&[phone, dispatch, include_str!("resend.lua")]),
            verify: script(&[phone, right, include_str!("verify.lua")]),
            conclude: script(&[phone, right, include_str!("conclude.lua")]),
            give_back: script(&[include_str!("give_back.lua")]),
            forget: script(&[include_str!("forget.lua")]),
            weigh: script(&[ledger, include_str!("weigh.lua")]),
            settle: script(&[ledger, include_str!("settle.lua")]),
            conversions: script(&[ledger, include_str!("conversions.lua")]),
            open: script(&[session, include_str!("open.lua")]),
            rotate: script(&[session, include_str!("rotate.lua")]),
            one_session: script(&[session, include_str!("one_session.lua")]),
            all_sessions: script(&[session, include_str!("all_sessions.lua")]),
            apart: ApartScripts {
                stands: script(&[include_str!("stands.lua")]),
                blocked: script(&[phone, include_str!("blocked.lua")]),
                arrive: script(&[window, include_str!("arrive.lua")]),
                leave: script(&[include_str!("leave.lua")]),
                create: script(&[session, include_str!("create.lua")]),
                enlist: script(&[session, include_str!("enlist.lua")]),
                unlist: script(&[include_str!("unlist.lua")]),
                ids: script(&[include_str!("ids.lua")]),
            },
        }
    }
}
