//! What the rules say to one request, before anything is kept of it.

use super::Mode;
use crate::{
    audit::{Act, FraudRule},
    key::Key,
    otp::{Caller, login::Inner, number::Number},
    rejection::{Reason, Rejection},
};

impl Inner {
    /// Whether nothing may be sent to a number, whatever the answer says. Tells what the rules found.
    pub(in crate::otp) fn screen(
        &self,
        caller: &Caller,
        number: &Number,
        phone: Key,
    ) -> Result<bool, Rejection> {
        let mut strictest = None;
        for (rule, mode) in self.settings.destinations.judge(number) {
            self.tell_fraud(caller, rule, mode, phone);
            strictest = strictest.max(Some(mode));
        }
        match strictest {
            None | Some(Mode::Observe) => Ok(false),
            Some(Mode::Silent) => Ok(true),
            Some(Mode::Deny) => Err(Reason::RegionNotSupported.into()),
        }
    }

    fn tell_fraud(&self, caller: &Caller, rule: FraudRule, mode: Mode, key: Key) {
        self.record(Some(caller), Act::Fraud { rule, verdict: mode.verdict(), key });
    }
}
