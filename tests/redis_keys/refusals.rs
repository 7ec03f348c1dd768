//! What is lifted, and what a refusal writes.

use super::{DAY, Place, Scene};
use crate::redis_monitor::Sent;
use portcullis::{
    Key, Limit, Store,
    block::Ladder,
    store::{Asks, Block, Near, Outcome, Resilient},
};
use std::time::Duration;

#[tokio::test]
async fn a_block_that_was_lifted_is_over_within_a_second_on_another_instance() {
    for place in [Place::single(), Place::cluster()] {
        let scene = Scene::at(place);
        let other = Near::new(Resilient::new(scene.place.open()));
        let key = Key::ip([203, 0, 113, 7].into());
        other.block(key, Block::forever()).await.unwrap();
        let outcome = async || scene.store.admit(Asks::new().absent(key)).await.unwrap().outcome;
        assert!(matches!(outcome().await, Outcome::Blocked { .. }));
        assert!(other.unblock(key).await.unwrap());
        scene.clock.advance(Duration::from_millis(999));
        assert!(matches!(outcome().await, Outcome::Blocked { .. }), "remembered");
        scene.clock.advance(Duration::from_millis(1));
        assert_eq!(outcome().await, Outcome::Admitted);
    }
}

#[tokio::test]
async fn a_refusal_writes_a_strike_and_nothing_else() {
    for place in [Place::single(), Place::cluster()] {
        let scene = Scene::at(place);
        let key = Key::ip([203, 0, 113, 7].into());
        let limits = [
            Limit::per_hour(1).named("struck").block_after(Ladder::after(2)),
            Limit::per_hour(9).named("roomy"),
            Limit::per_hour(1).named("shadow").shadow(),
        ];
        let ask =
            || limits.iter().fold(Asks::new().absent(key), |asks, l| asks.take(l.take(key, 1)));
        let writes = async |asks: Asks| {
            let outcome = scene.far.admit(asks).await.unwrap().outcome;
            let sent = scene.place.sent();
            let written = sent.iter().flat_map(Sent::writes).collect::<Vec<_>>();
            (outcome, written)
        };
        assert_eq!(writes(ask()).await.1.len(), 3, "three limits");
        let (outcome, written) = writes(ask()).await;
        assert!(matches!(outcome, Outcome::Refused { by: 0, .. }), "{outcome:?}");
        let [open, close] = if scene.place.is_cluster() { ["{", "}"] } else { [""; 2] };
        let strikes = format!("strikes:{open}{key}{close}");
        assert_eq!(written, [format!("HSET {strikes}"), format!("PEXPIRE {strikes}")]);
        let (outcome, written) = writes(ask()).await;
        assert!(matches!(outcome, Outcome::Refused { .. }) && written.is_empty(), "{written:?}");
        scene.far.block(key, Block::lasting(DAY)).await.unwrap();
        scene.place.sent();
        let (outcome, written) = writes(ask()).await;
        assert!(matches!(outcome, Outcome::Blocked { .. }) && written.is_empty(), "{written:?}");
    }
}
