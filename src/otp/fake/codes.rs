use super::{FakeServer, Received};
use crate::otp::Code;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A provider that makes codes, as a server.
#[derive(Debug)]
pub(super) struct Maker {
    pub(super) server: FakeServer,
    pub(super) codes: Arc<Codes>,
}

/// The codes that a fake provider made, by number: one at a time, as providers have it.
#[derive(Debug, Default)]
pub(super) struct Codes(Mutex<HashMap<String, Made>>);

#[derive(Debug)]
struct Made {
    code: Code,
    checks: u8,
    is_used: bool,
}

/// What becomes of a code that is checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Check {
    Right,
    Wrong,
    /// It was right before.
    Used,
    /// It was checked too often.
    Exhausted,
    /// There is none for the number.
    Gone,
}

const MOST_CHECKS: u8 = 5;

impl Maker {
    /// Starts a server with no codes.
    pub(super) fn start(usual: fn(&Received, &Codes) -> (u16, String)) -> io::Result<Self> {
        let codes = Arc::<Codes>::default();
        let made = Arc::clone(&codes);
        let server = FakeServer::start(move |request| usual(request, &made))?;
        Ok(Self { server, codes })
    }
}

impl Codes {
    /// Makes a code for a number, unless it has one that waits to be checked. `None` if there is no code of that length.
    pub(super) fn make(&self, to: &str, digits: u8) -> Option<()> {
        let mut codes = self.lock();
        if codes.get(to).is_none_or(|made| made.is_used) {
            let code = Code::random(digits)?;
            codes.insert(to.to_owned(), Made { code, checks: 0, is_used: false });
        }
        Some(())
    }

    /// Whether a number has a code that waits to be checked.
    pub(super) fn has(&self, to: &str) -> bool {
        self.lock().get(to).is_some_and(|made| !made.is_used)
    }

    pub(super) fn check(&self, to: &str, code: &str) -> Check {
        let mut codes = self.lock();
        let Some(made) = codes.get_mut(to) else { return Check::Gone };
        if made.is_used {
            return Check::Used;
        }
        if made.checks == MOST_CHECKS {
            return Check::Exhausted;
        }
        made.checks += 1;
        made.is_used = made.code.as_digits() == code;
        if made.is_used { Check::Right } else { Check::Wrong }
    }

    /// The code that was sent to a number last.
    pub(super) fn sent_to(&self, to: &str) -> Option<String> {
        self.lock().get(to).map(|made| made.code.as_digits().to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
