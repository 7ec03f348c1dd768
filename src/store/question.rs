//! What several trips to a store have in common: they are one question, whose deadline begins with the first of them.
//!
//! That is known to the task that asks and not handed from call to call, as a question may go through a
//! [`Resilient`](super::Resilient) store that knows no deadline to the one behind, which makes the trips.

use crate::eventual::Eventual;
use std::{cell::Cell, time::Duration};
use tokio::time::Instant;

tokio::task_local! {
    /// When the first trip of the question began, once there was one. `None` where each trip is a question of its own.
    static QUESTION: Option<Cell<Option<Instant>>>;
}

/// How long a trip may take.
pub(super) struct Rest {
    pub(super) until: Instant,
    /// The trips before it have left it less than half of the deadline.
    pub(super) is_short: bool,
}

/// Trips that are one question, or a part of the one that is asked already.
pub(super) async fn one<T>(trips: impl Future<Output = T>) -> T {
    if QUESTION.try_with(Option::is_some).unwrap_or(false) {
        return trips.await;
    }
    QUESTION.scope(Some(Cell::default()), trips).await
}

/// Trips that are a question each.
pub(super) async fn each<T>(trips: impl Future<Output = T>) -> T {
    QUESTION.scope(None, trips).await
}

/// Goes on with another value: if either has to be waited for, all of it is [`one`] question.
pub(super) fn then<T: 'static, U: Send + 'static>(
    first: Eventual<T>,
    next: impl FnOnce(T) -> Eventual<U> + Send + 'static,
) -> Eventual<U> {
    match first {
        Eventual::Ready(value) => next(value),
        Eventual::Pending(first) => Eventual::later(one(async move { next(first.await).await })),
    }
}

/// What is left of `deadline` for a trip that begins now; `None` if nothing is.
#[allow(clippy::disallowed_methods, reason = "it is compared with what tokio's timers go by")]
pub(super) fn rest(deadline: Duration) -> Option<Rest> {
    let now = Instant::now();
    let began = |question: &Option<Cell<Option<Instant>>>| {
        let first = question.as_ref()?;
        let began = first.get().unwrap_or(now);
        first.set(Some(began));
        Some(began)
    };
    let until = QUESTION.try_with(began).ok().flatten().unwrap_or(now) + deadline;
    (until > now).then(|| Rest { until, is_short: until - now < deadline / 2 })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the paused time of tokio is the clock")]
mod tests {
    use super::*;
    use crate::{
        clock::{ManualClock, UnixTime},
        key::Key,
        store::{
            Asks, Block, Outcome, Resilient, Store,
            far::{DEADLINE, Far},
        },
    };
    use tokio::time::sleep;

    /// One that is so far away.
    fn scene(far: u64) -> (Far, Resilient<Far>, ManualClock) {
        let (far, clock) = (Far::away(far), ManualClock::at(UnixTime::default()));
        let store = Resilient::new(far.clone()).clock(clock.clone());
        (far, store, clock)
    }

    async fn ask(store: &Resilient<Far>) -> (bool, u128) {
        let start = Instant::now();
        let outcome = store.admit(Asks::new()).await.unwrap().outcome;
        (outcome != Outcome::Admitted, start.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_two_trips_takes_one_deadline_and_what_had_no_time_is_no_silence() {
        let (_, store, clock) = scene(15);
        for _ in 0..9 {
            // A look at the marker comes first.
            assert_eq!(ask(&store).await, (false, 25));
            assert_eq!(ask(&store).await, (true, 15));
            clock.advance(Duration::from_secs(1));
            assert!(!store.is_lost());
        }
        let (_, store, _) = scene(12);
        assert_eq!(ask(&store).await, (true, 24));
    }

    #[tokio::test(start_paused = true)]
    async fn what_contradicts_the_answer_is_looked_at_within_the_same_deadline() {
        let (_, store, _) = scene(15);
        let key = Key::ip([192, 0, 2, 1].into());
        assert_eq!(ask(&store).await, (false, 25));
        store.block(key, Block::forever()).await.unwrap();
        let start = Instant::now();
        let outcome = store.admit(Asks::new().absent(key)).await.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Blocked { .. }), "as it is known here: {outcome:?}");
        assert_eq!(start.elapsed().as_millis(), 25);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_for_which_a_deadline_is_too_short_for_all_that_is_due_comes_back_all_the_same()
    {
        let (far, store, clock) = scene(26);
        for _ in 0..3 {
            assert_eq!(ask(&store).await, (false, 25));
        }
        assert!(store.is_lost());
        assert_eq!(ask(&store).await, (false, 0));
        far.is_away(15);
        clock.advance(Duration::from_secs(1));
        assert_eq!(ask(&store).await, (false, 25), "it has looked at the marker");
        assert!(store.is_lost());
        assert_eq!(ask(&store).await, (false, 25), "so the next one has the time to write");
        assert!(!store.is_lost());
        assert_eq!(ask(&store).await, (true, 15));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_begins_with_its_first_trip_and_a_part_of_it_is_no_other() {
        let left = || rest(DEADLINE).map(|rest| (rest.until - Instant::now()).as_millis());
        let trip = async || {
            let left = left();
            sleep(Duration::from_millis(10)).await;
            left
        };
        let trips = async {
            sleep(DEADLINE).await;
            let first = [trip().await, one(trip()).await];
            let alone = each(async { [trip().await, trip().await] }).await;
            (first, alone, left())
        };
        assert_eq!(one(trips).await, ([Some(25), Some(15)], [Some(25); 2], None));
        assert_eq!([trip().await, trip().await], [Some(25); 2]);
    }
}
