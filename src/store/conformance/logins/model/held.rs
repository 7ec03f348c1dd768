//! Codes that somebody else holds.

use super::{
    super::super::model::{Told, same},
    Call, Lane, Live, Model,
};
use crate::otp::{ChallengeId, Conclusion, Verdict, Verified, sender::Checked};

impl Model {
    /// An attempt that is counted as wrong for now. Moments are the store's own to name.
    pub(super) fn hold(
        &mut self,
        live: &Live,
        lane: Lane,
        left: u8,
        told: &Verdict,
    ) -> Result<Verdict, String> {
        let Verdict::Held { guess, .. } = *told else {
            return Err(format!("held, not {told:?}"));
        };
        same("bound", &lane.1.is_some(), &guess.bound)?;
        self.held.push((live.id, live.attempts, self.now));
        Ok(Verdict::Held { attempt: live.attempts, left, sealed: live.sealed.clone(), guess })
    }

    pub(in super::super) fn conclude(&mut self, conclusion: &Conclusion, told: &Verified) -> Told {
        let Conclusion { arrival, phone, challenge, device, attempt, guess, said, rules } =
            *conclusion;
        let started = told.started.iter();
        let mut call = Call { arrival, phone, device, rules, started, standings: [None; 2] };
        let lane = (phone, guess.bound.then_some(device));
        let found = self.live.iter().position(|live| {
            (live.phone, live.id, live.device) == (phone, challenge, device)
                && live.code.is_none()
                && live.end > self.now
        });
        let outcome = match (said, found) {
            (Some(Checked::Right), Some(at)) => self.right(&call, lane, at, attempt),
            (Some(Checked::Right), None) => Verdict::NotLive,
            (said, found) => {
                match said {
                    Some(_) => self.struck(&mut call, lane)?,
                    None => self.unsay(lane, (challenge, attempt)),
                }
                let left = |at: usize| rules.attempts.saturating_sub(self.live[at].attempts);
                let wrong = |at| Verdict::Wrong { attempt, left: left(at) };
                found.map_or(Verdict::NotLive, wrong)
            }
        };
        same("started", &None, &call.started.next())?;
        same("outcome", &outcome, &told.outcome)
    }

    /// What was counted as wrong was not.
    fn unsay(&mut self, lane: Lane, of: (ChallengeId, u8)) {
        let made = self.held.iter().find(|held| (held.0, held.1) == of).map(|held| held.2);
        let counted = self.wrong.iter().position(|wrong| Some(*wrong) == made.map(|at| (lane, at)));
        counted.map(|at| self.wrong.remove(at));
    }
}
