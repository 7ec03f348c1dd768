use super::{Handle, Secrets};
use crate::key::Key;
use crate::otp::{ChallengeId, Code, CodeMac};

/// The bit of a challenge's name that says whether it is a decoy, to whoever has the secrets.
pub(super) const MARK: u8 = 1;

impl Secrets {
    /// Draws the name of a new challenge. Whether it is a decoy is written into it, so that it is known in every call
    /// before a store is asked, and looks random to all others.
    pub(crate) fn draw_challenge(&self, is_decoy: bool) -> Option<ChallengeId> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).ok()?;
        self.marked(id, is_decoy)
    }

    /// The name with the mark in it.
    pub(super) fn marked(&self, mut id: [u8; 16], is_decoy: bool) -> Option<ChallengeId> {
        id[15] = id[15] & !MARK | self.mark(&id)? ^ u8::from(is_decoy);
        Some(ChallengeId(id))
    }

    /// Whether nothing was sent for a challenge and nothing may answer it.
    pub(crate) fn is_decoy(&self, challenge: ChallengeId) -> Option<bool> {
        Some(self.mark(&challenge.0)? != challenge.0[15] & MARK)
    }

    /// What to compare a code by that came as an answer. For a decoy it is nothing that a code has, so that a guess
    /// is wrong even if it is the code that was drawn.
    pub(crate) fn answer(&self, handle: &Handle, device: Key, code: &Code) -> Option<CodeMac> {
        // Both are made, so that time does not tell.
        let (of_code, of_none) = (self.code(handle, device, code)?, Self::no_code()?);
        Some(if self.is_decoy(handle.challenge)? { of_none } else { of_code })
    }

    /// An authenticator that no code has.
    fn no_code() -> Option<CodeMac> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok()?;
        Some(CodeMac(bytes))
    }

    /// The mark of a challenge that is none, by the rest of its name.
    fn mark(&self, id: &[u8; 16]) -> Option<u8> {
        let rest: [&[u8]; 2] = [&id[..15], &[id[15] & !MARK]];
        Some(self.decoys.mac(&rest)?[0] & MARK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::KeyKind, otp::Purpose};

    #[test]
    fn a_decoy_is_known_by_its_name_to_whoever_has_the_secrets_and_to_nobody_else() {
        let (secrets, other) = (Secrets::random().unwrap(), Secrets::random().unwrap());
        for is_decoy in [false, true] {
            let (mut marked, mut guessed) = (0, 0);
            for _ in 0..1000 {
                let id = secrets.draw_challenge(is_decoy).unwrap();
                assert_eq!(secrets.is_decoy(id), Some(is_decoy));
                marked += u32::from(id.0[15] & MARK);
                guessed += u32::from(other.is_decoy(id).unwrap());
            }
            // Fair coins leave these bounds once in 10^9 runs.
            assert!(
                (400..600).contains(&marked) && (400..600).contains(&guessed),
                "{marked} {guessed}"
            );
        }
    }

    #[test]
    fn no_code_answers_a_decoy() {
        let secrets = Secrets::random().unwrap();
        let (phone, device) =
            (Key::tag(KeyKind::Phone, [7; 16]), Key::tag(KeyKind::Device, [9; 16]));
        let code = Code::parse("012345", 6).unwrap();
        for is_decoy in [false, true] {
            let challenge = secrets.draw_challenge(is_decoy).unwrap();
            let handle = Handle { purpose: Purpose::Login, challenge, phone };
            let kept = secrets.code(&handle, device, &code).unwrap();
            let answer = secrets.answer(&handle, device, &code).unwrap();
            assert_eq!(kept.matches(&answer), !is_decoy);
        }
    }
}
