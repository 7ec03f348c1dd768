use crate::{
    key::Key,
    otp::{ChallengeId, CodeMac, Sealed, Sent},
};

/// A challenge that waits for its code.
#[derive(Debug)]
pub(super) struct Challenge {
    pub(super) id: ChallengeId,
    pub(super) device: Key,
    /// `None` if somebody else holds the code.
    pub(super) code: Option<CodeMac>,
    /// What the last message has put in place of, and its end.
    pub(super) replaced: Option<(Option<CodeMac>, u64)>,
    pub(super) sealed: Sealed,
    pub(super) attempts: u8,
    /// Of the last message.
    pub(super) number: u8,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Challenge {
    /// The code of the next message, and until when it is good. What somebody else holds, somebody else sends anew.
    pub(super) fn replace(&mut self, code: CodeMac, end: u64) {
        let before = self.code;
        self.code = before.and(Some(code));
        self.replaced = Some((before, std::mem::replace(&mut self.end, end)));
        self.number += 1;
    }

    /// Puts the code back that a message replaced which did not leave, if that is the last one and the code would still be good.
    pub(super) fn give_back(&mut self, sent: Sent, now: u64) {
        if (self.id, self.number) == (sent.challenge, sent.number)
            && self.end > now
            && let Some((code, end)) = self.replaced.take_if(|(_, end)| *end > now)
        {
            (self.code, self.end) = (code, end);
        }
    }
}
