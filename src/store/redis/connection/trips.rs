use crate::meter::{Stopwatch, Times};
use tokio::time::error::Elapsed;

/// How long round trips take, by how they end.
pub(super) struct Trips {
    answered: Times,
    failed: Times,
    late: Times,
}

impl Trips {
    pub(super) fn new() -> Self {
        Self {
            answered: Times::of_store("answered"),
            failed: Times::of_store("failed"),
            late: Times::of_store("late"),
        }
    }

    pub(super) async fn time<T, E>(
        &self,
        trip: impl Future<Output = Result<Result<T, E>, Elapsed>>,
    ) -> Result<Result<T, E>, Elapsed> {
        let since = Stopwatch::start();
        let ended = trip.await;
        let times = match &ended {
            Ok(Ok(_)) => &self.answered,
            Ok(Err(_)) => &self.failed,
            Err(_) => &self.late,
        };
        times.record(&since);
        ended
    }
}
