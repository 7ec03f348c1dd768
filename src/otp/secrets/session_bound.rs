//! Challenges of a session: no other one can answer them.

use super::{Secrets, constant_time_eq, decoy::MARK};
use crate::{otp::ChallengeId, token::SessionId};

/// Where the tag of the session begins. What is before is random, and enough for names that live minutes.
const TAG_AT: usize = 8;

impl Secrets {
    /// Draws the name of a new challenge for a session. The name is in the authenticator of the code and in the handle, and the
    /// session is in the name: so it goes with the challenge wherever that is sent again, and is asked of nobody.
    pub(crate) fn draw_challenge_of(
        &self,
        session: SessionId,
        is_decoy: bool,
    ) -> Option<ChallengeId> {
        let mut id = [0; 16];
        getrandom::fill(&mut id[..TAG_AT]).ok()?;
        let tag = self.session_tag(&id, session)?;
        id[TAG_AT..].copy_from_slice(&tag);
        self.marked(id, is_decoy)
    }

    /// Whether a challenge was drawn for this session.
    pub(crate) fn is_of_session(&self, challenge: ChallengeId, session: SessionId) -> Option<bool> {
        let mut tag = self.session_tag(&challenge.0, session)?;
        let mut claimed = [0; 16 - TAG_AT];
        claimed.copy_from_slice(&challenge.0[TAG_AT..]);
        // That bit says whether it is a decoy.
        for last in [&mut tag[15 - TAG_AT], &mut claimed[15 - TAG_AT]] {
            *last &= !MARK;
        }
        Some(constant_time_eq(&tag, &claimed))
    }

    fn session_tag(&self, id: &[u8; 16], session: SessionId) -> Option<[u8; 16 - TAG_AT]> {
        let mac = self.sessions.mac(&[&id[..TAG_AT], &session.0])?;
        mac.first_chunk().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_of_the_session_it_was_drawn_for_and_of_no_other() {
        let (secrets, other) = (Secrets::random().unwrap(), Secrets::random().unwrap());
        let [own, others] = [SessionId([1; 16]), SessionId([2; 16])];
        for is_decoy in [false, true] {
            let id = secrets.draw_challenge_of(own, is_decoy).unwrap();
            assert_eq!(secrets.is_decoy(id), Some(is_decoy));
            assert_eq!(secrets.is_of_session(id, own), Some(true));
            assert_eq!(secrets.is_of_session(id, others), Some(false));
            assert_eq!(other.is_of_session(id, own), Some(false));
            assert_ne!(id, secrets.draw_challenge_of(own, is_decoy).unwrap());
            // All of it counts but the bit of decoys.
            for bit in (0..128).filter(|bit| *bit != 120) {
                let mut bad = id;
                bad.0[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(secrets.is_of_session(bad, own), Some(false), "{bit}");
            }
            let plain = secrets.draw_challenge(is_decoy).unwrap();
            assert_eq!(secrets.is_of_session(plain, own), Some(false));
        }
    }
}
