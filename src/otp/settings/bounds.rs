//! Values within bounds, and errors that name them.

use crate::{error::ConfigError, otp::Window};
use std::{ops::RangeInclusive, time::Duration};

/// A count and a time, each within its bounds.
pub(super) fn window(
    what: &str,
    count: u8,
    time: Duration,
    counts: RangeInclusive<u8>,
    times: RangeInclusive<Duration>,
) -> Result<Window, ConfigError> {
    counted(what, count, counts, "the checklists")?;
    within(what, time, times, "the checklists")?;
    Ok(Window { count, within: time })
}

pub(super) fn counted(
    what: &str,
    count: u8,
    bounds: RangeInclusive<u8>,
    source: &str,
) -> Result<(), ConfigError> {
    if bounds.contains(&count) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    Err(ConfigError::new(format!("{what}: {least} to {most}, not {count} ({source})")))
}

pub(super) fn within(
    what: &str,
    time: Duration,
    bounds: RangeInclusive<Duration>,
    source: &str,
) -> Result<(), ConfigError> {
    if bounds.contains(&time) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    let (least, most, time) = (least.as_secs(), most.as_secs(), time.as_secs_f64());
    Err(ConfigError::new(format!("{what}: {least} to {most} seconds, not {time} ({source})")))
}
