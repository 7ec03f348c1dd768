use crate::meter::{Stopwatch, Times};

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
        trip: impl Future<Output = Option<Result<T, E>>>,
    ) -> Option<Result<T, E>> {
        let since = Stopwatch::start();
        let ended = trip.await;
        let times = match &ended {
            Some(Ok(_)) => &self.answered,
            Some(Err(_)) => &self.failed,
            None => &self.late,
        };
        times.record(&since);
        ended
    }
}
