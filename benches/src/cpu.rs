use std::{fs, path::Path, time::Duration};

/// How long a thread was running, by its file `schedstat`.
///
/// # Panics
///
/// When this is no Linux.
pub fn running(file: &Path) -> Duration {
    let text = fs::read_to_string(file).expect("a Linux");
    let running = text.split(' ').next().expect("the time it ran");
    Duration::from_nanos(running.parse().expect("nanoseconds"))
}
