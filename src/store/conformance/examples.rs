use super::{Make, answer, clock};
use crate::{
    block::Ladder,
    clock::UnixTime,
    key::Key,
    limit::{Limit, Name},
    store::{Absent, Adjustment, Answer, Asks, Block, Outcome, SharedStore, Strike},
};
use std::time::Duration;

pub(super) async fn check(make: Make<'_>) {
    a_burst_passes_and_comes_back_cell_by_cell(make).await;
    several_limits_are_taken_all_or_none(make).await;
    costs_are_paid_and_looking_is_free(make).await;
    a_shadow_reports_and_never_refuses(make).await;
    limits_are_charged_into_debt_and_refunded_to_full(make).await;
    blocks_come_first_and_are_listed_and_lifted(make).await;
    a_block_since_a_moment_spares_later_tokens(make).await;
    refusals_strike_once_in_each_period_and_climb_the_ladder(make).await;
    strikes_outside_the_window_do_not_count(make).await;
    a_revocation_and_a_block_leave_each_other_alone(make).await;
    nobody_climbs_while_blocked_or_beyond_the_cap(make).await;
}

fn key(last: u8) -> Key {
    Key::ip([192, 0, 2, last].into())
}

const SECOND: Duration = Duration::from_secs(1);

async fn admit(store: &SharedStore, asks: Asks) -> Answer {
    answer(store.admit(asks)).await
}

async fn a_burst_passes_and_comes_back_cell_by_cell(make: Make<'_>) {
    let clock = clock();
    let store = make(&clock);
    let limit = Limit::per_second(2).burst(3).named("burst");
    let ask = || Asks::new().take(limit.take(key(1), 1));
    for left in [2, 1, 0] {
        let answer = admit(&store, ask()).await;
        assert_eq!((answer.outcome, answer.standings[0].remaining), (Outcome::Admitted, left));
    }
    let half = Duration::from_millis(500);
    assert_eq!(admit(&store, ask()).await.outcome, Outcome::Refused { by: 0, wait: half });
    let other = Asks::new().take(limit.take(key(2), 1));
    assert_eq!(admit(&store, other).await.outcome, Outcome::Admitted, "keys are apart");
    clock.advance(half - Duration::from_micros(1));
    let wait = Duration::from_micros(1);
    assert_eq!(admit(&store, ask()).await.outcome, Outcome::Refused { by: 0, wait });
    clock.advance(wait);
    assert_eq!(admit(&store, ask()).await.outcome, Outcome::Admitted, "exactly when promised");
    clock.advance(SECOND * 10);
    assert_eq!(admit(&store, ask()).await.standings[0].remaining, 2, "never above the burst");
}

async fn several_limits_are_taken_all_or_none(make: Make<'_>) {
    let store = make(&clock());
    let (wide, narrow) =
        (Limit::per_minute(10).named("wide"), Limit::per_minute(1).named("narrow"));
    let ask = || Asks::new().take(wide.take(key(1), 1)).take(narrow.take(key(1), 1));
    assert_eq!(admit(&store, ask()).await.outcome, Outcome::Admitted);
    for _ in 0..20 {
        let answer = admit(&store, ask()).await;
        assert!(matches!(answer.outcome, Outcome::Refused { by: 1, .. }));
        assert_eq!(answer.standings[0].remaining, 9, "a refusal takes nothing");
    }
}

async fn costs_are_paid_and_looking_is_free(make: Make<'_>) {
    let store = make(&clock());
    let limit = Limit::per_minute(10).named("cost");
    let ask = |cost| Asks::new().take(limit.take(key(1), cost));
    assert_eq!(admit(&store, ask(7)).await.standings[0].remaining, 3);
    for _ in 0..20 {
        let answer = admit(&store, ask(0)).await;
        assert_eq!((answer.outcome, answer.standings[0].remaining), (Outcome::Admitted, 3));
    }
    assert!(matches!(admit(&store, ask(4)).await.outcome, Outcome::Refused { .. }));
    assert!(matches!(admit(&store, ask(u32::MAX)).await.outcome, Outcome::Refused { .. }));
    assert_eq!(admit(&store, ask(3)).await.standings[0].remaining, 0);
    // More microseconds than any number holds.
    let rare = Limit::per_day(1).burst(3_000).named("rare");
    let all = Asks::new().take(rare.take(key(1), u32::MAX));
    assert!(matches!(admit(&store, all).await.outcome, Outcome::Refused { .. }));
    let answer = admit(&store, Asks::new().take(rare.take(key(1), 3_000))).await;
    assert_eq!((answer.outcome, answer.standings[0].remaining), (Outcome::Admitted, 0));
}

async fn a_shadow_reports_and_never_refuses(make: Make<'_>) {
    let store = make(&clock());
    let limit = Limit::per_minute(1).named("shadow").shadow().block_after(Ladder::after(1));
    let ask = || Asks::new().take(limit.take(key(1), 1));
    assert_eq!(admit(&store, ask()).await.standings[0].wait, 0);
    for _ in 0..5 {
        let answer = admit(&store, ask()).await;
        assert_eq!(answer.outcome, Outcome::Admitted);
        assert!(answer.standings[0].wait > 0 && answer.started.is_empty());
    }
}

async fn limits_are_charged_into_debt_and_refunded_to_full(make: Make<'_>) {
    let store = make(&clock());
    let limit = Limit::per_second(5).named("adjust");
    let take = limit.take(key(1), 1);
    assert_eq!(answer(store.adjust(take, Adjustment::Charge(2))).await.remaining, 3);
    let debt = answer(store.adjust(take, Adjustment::Charge(1_000_000))).await;
    assert_eq!((debt.remaining, debt.full_in), (0, 2_000_000), "at most one burst below empty");
    let full = answer(store.adjust(take, Adjustment::Refund(1_000_000))).await;
    assert_eq!((full.remaining, full.full_in), (5, 0), "at most full");
}

async fn blocks_come_first_and_are_listed_and_lifted(make: Make<'_>) {
    let clock = clock();
    let store = make(&clock);
    let limit = Limit::per_minute(2).named("behind-a-block");
    let ask = || Asks::new().absent(key(1)).take(limit.take(key(1), 1));
    answer(store.block(key(1), Block::lasting(SECOND))).await;
    let blocked = admit(&store, ask()).await;
    let remaining = Some(SECOND);
    assert_eq!(blocked.outcome, Outcome::Blocked { key: key(1), remaining, since: None });
    assert!(blocked.standings.is_empty());
    let near = store.near(key(1)).map(|near| (near.key, near.remaining, near.since));
    assert!(near.is_none() || near == Some((key(1), remaining, None)), "known, or not known");
    assert_eq!(answer(store.blocks(10)).await.len(), 1);
    assert_eq!(answer(store.blocks(0)).await.len(), 0);
    clock.advance(SECOND);
    assert_eq!(admit(&store, ask()).await.standings[0].remaining, 1, "nothing was taken before");
    answer(store.block(key(1), Block::forever())).await;
    clock.advance(SECOND * 1_000_000);
    assert!(matches!(admit(&store, ask()).await.outcome, Outcome::Blocked { remaining: None, .. }));
    assert!(answer(store.unblock(key(1))).await && !answer(store.unblock(key(1))).await);
    assert!(store.near(key(1)).is_none(), "lifted here, so known to be lifted here");
    assert_eq!(admit(&store, ask()).await.outcome, Outcome::Admitted);
}

async fn a_block_since_a_moment_spares_later_tokens(make: Make<'_>) {
    let store = make(&clock());
    let moment = UnixTime::from_secs(1_000);
    answer(store.block(key(1), Block::forever().issued_until(moment))).await;
    assert!(store.near(key(1)).is_none(), "whom it is for is told by the token");
    let ask = |issued_at: Option<u64>| {
        let mut asks = Asks::new();
        let issued_at = issued_at.map(UnixTime::from_secs);
        asks.absent.push(Absent { key: key(1), issued_at });
        asks
    };
    for (issued_at, passes) in
        [(Some(999), false), (Some(1_000), false), (Some(1_001), true), (None, false)]
    {
        let admitted = admit(&store, ask(issued_at)).await.outcome == Outcome::Admitted;
        assert_eq!(admitted, passes, "{issued_at:?}");
    }
}

async fn refusals_strike_once_in_each_period_and_climb_the_ladder(make: Make<'_>) {
    let clock = clock();
    let store = make(&clock);
    let limit = Limit::per_second(1).named("struck").block_after(Ladder::after(3));
    let ask = || Asks::new().absent(key(1)).take(limit.take(key(1), 1));
    let mut lasted = Vec::new();
    for _ in 0..2 {
        let block = 'block: loop {
            assert_eq!(admit(&store, ask()).await.outcome, Outcome::Admitted);
            for _ in 0..10 {
                if let Some(started) = admit(&store, ask()).await.started.first() {
                    break 'block *started;
                }
            }
            clock.advance(SECOND);
        };
        assert!(matches!(admit(&store, ask()).await.outcome, Outcome::Blocked { .. }));
        clock.advance(block.lasting);
        lasted.push(block.lasting.as_secs());
    }
    assert_eq!(lasted[0], 900);
    assert!((1_800..=1_980).contains(&lasted[1]), "{lasted:?}");
}

async fn strikes_outside_the_window_do_not_count(make: Make<'_>) {
    let clock = clock();
    let store = make(&clock);
    let ladder = Ladder::after(2);
    let strike = || Strike { key: key(1), cause: Name::from("wrong-code"), ladder };
    let ask = || Asks::new().strike(strike());
    assert!(admit(&store, ask()).await.started.is_empty());
    clock.advance(ladder.within());
    assert!(admit(&store, ask()).await.started.is_empty(), "the first one is too long ago");
    clock.advance(ladder.within() - SECOND);
    assert_eq!(admit(&store, ask()).await.started.len(), 1);
}

async fn a_revocation_and_a_block_leave_each_other_alone(make: Make<'_>) {
    let clock = clock();
    let store = make(&clock);
    let (moment, ladder) = (UnixTime::from_secs(1_000), Ladder::after(1));
    answer(store.block(key(1), Block::forever().issued_until(moment))).await;
    let strike = Asks::new().strike(Strike { key: key(1), cause: "spam".into(), ladder });
    assert_eq!(admit(&store, strike).await.started.len(), 1);
    let ask = |seconds| {
        let mut asks = Asks::new();
        let issued_at = Some(UnixTime::from_secs(seconds));
        asks.absent.push(Absent { key: key(1), issued_at });
        asks
    };
    let newer = admit(&store, ask(1_001)).await.outcome;
    assert!(
        matches!(newer, Outcome::Blocked { since: None, .. }),
        "the block holds for all: {newer:?}"
    );
    assert_eq!(answer(store.blocks(9)).await.len(), 2);
    clock.advance(ladder.first());
    assert_eq!(admit(&store, ask(1_001)).await.outcome, Outcome::Admitted);
    let older = admit(&store, ask(999)).await.outcome;
    assert!(matches!(older, Outcome::Blocked { since: Some(_), .. }), "still revoked: {older:?}");
}

async fn nobody_climbs_while_blocked_or_beyond_the_cap(make: Make<'_>) {
    let clock = clock();
    let store = make(&clock);
    let ladder = Ladder::after(1);
    let strike = || Asks::new().strike(Strike { key: key(1), cause: "spam".into(), ladder });
    for _ in 0..20 {
        let first = admit(&store, strike()).await.started;
        let block = *first.first().unwrap_or_else(|| panic!("no block started"));
        for _ in 0..20 {
            assert!(admit(&store, strike()).await.started.is_empty(), "blocked already");
        }
        clock.advance(block.lasting);
    }
    // Eight rungs lead to the cap; as many clean stretches of two days lead down.
    clock.advance(SECOND * 86_400 * 2 * 8);
    assert_eq!(admit(&store, strike()).await.started[0].lasting, ladder.first());
}
