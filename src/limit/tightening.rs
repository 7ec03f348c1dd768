use super::{Quota, Share};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A switch that leaves a part of each limit that [goes by it](super::Limit::tightened_by), while the server runs. A clone is the
/// same switch.
///
/// What was used up stays used up: a quota that is tightened comes back more slowly and holds less.
///
/// ```
/// use portcullis::{Limit, limit::{Share, Tightening}};
///
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// let switch = Tightening::new();
/// let limit = Limit::per_minute(100).tightened_by(&switch);
/// switch.tighten(Share::new(0.1)?); // ten in a minute
/// switch.loosen();
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Tightening(Arc<AtomicU32>);

/// Thousandths.
const ALL: u32 = 1_000;

impl Tightening {
    /// A switch that leaves everything.
    pub fn new() -> Self {
        Self(Arc::new(AtomicU32::new(ALL)))
    }

    /// Leaves `share` of each quota, and at least one cell at a time.
    pub fn tighten(&self, share: Share) {
        self.0.store(share.thousandths(), Ordering::Relaxed);
    }

    /// Leaves everything again.
    pub fn loosen(&self) {
        self.0.store(ALL, Ordering::Relaxed);
    }

    /// What is left of a quota, and what something costs of it: what costs more than there is would never pass.
    #[inline]
    pub(super) fn of(&self, quota: Quota, cost: u32) -> (Quota, u32) {
        let left = self.0.load(Ordering::Relaxed);
        if left == ALL {
            return (quota, cost);
        }
        let quota = quota.share(left);
        (quota, cost.min(quota.burst()))
    }
}

impl Default for Tightening {
    fn default() -> Self {
        Self::new()
    }
}
