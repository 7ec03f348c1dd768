//! Messages over all phones: examples of every finding, and random histories beside a model that adds everything up anew.

use super::{super::answer, Caller, Make, Scene, traffic_model::Model};
use crate::{
    audit::FraudRule,
    clock::Clock,
    otp::fraud::{
        Budget, Conversion, Country, Findings, Limits, Outgoing, Route, Sequence, Settlement,
        Standing, Traffic, Weighed,
    },
};
use std::time::Duration;

pub(super) async fn check(make: Make<'_>) {
    the_21st_message_that_nobody_answers_is_found_and_answers_make_room(make).await;
    a_client_is_found_by_its_messages_and_by_its_countries(make).await;
    numbers_in_a_row_are_found_and_a_number_twice_is_not(make).await;
    a_budget_warns_once_and_refuses_and_takes_back(make).await;
    what_is_stopped_counts_nowhere(make).await;
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Limits that find nothing.
pub(super) fn wide() -> Limits {
    let many = Conversion { per_day: 1_000, per_hour: 1_000, day_percent: 0, hour_percent: 0 };
    Limits {
        country: many,
        prefix: many,
        client_per_day: 1_000,
        client_per_hour: 1_000,
        countries: 50,
        sequence: Sequence { within: 3_600_000_000, reach: 20, all: 50, client: 50 },
        budget: None,
        stops: Findings::NONE,
    }
}

/// The route of a country, a prefix and an address.
pub(super) fn route(country: &str, prefix: u32, address: u32) -> Route {
    let prefix = Caller::new(0, prefix, 0).phone;
    let client = Caller::new(address, 0, 0).client;
    Route { country: Country::from_text(country), prefix, client }
}

/// A message that may leave and costs one unit.
pub(super) fn outgoing(route: Route, suffix: u16, limits: Limits) -> Outgoing {
    Outgoing { route, suffix, price: 1_000_000, is_paid: true, may_leave: true, limits }
}

impl Scene {
    fn traffic(&self) -> &dyn Traffic {
        match self.store.traffic() {
            Some(traffic) => traffic,
            None => panic!("the store counts no traffic"),
        }
    }

    async fn weigh(&self, outgoing: Outgoing) -> Weighed {
        answer(self.traffic().weigh(outgoing)).await
    }

    async fn settle(&self, route: Route, messages: u8, answered: bool, refund: u64) {
        let day = self.clock.wall().as_secs() / DAY.as_secs();
        let settlement = Settlement { route, messages, answered, refund, day };
        answer(self.traffic().settle(settlement)).await;
    }

    async fn found(&self, outgoing: Outgoing) -> Vec<FraudRule> {
        self.weigh(outgoing).await.found.rules().collect()
    }
}

async fn the_21st_message_that_nobody_answers_is_found_and_answers_make_room(make: Make<'_>) {
    let scene = Scene::new(make);
    let country = Conversion { per_day: 20, per_hour: 30, day_percent: 30, hour_percent: 20 };
    let limits = Limits { country, ..wide() };
    let of = |number: u16| outgoing(route("IN", number.into(), number.into()), number, limits);
    for number in 0..20 {
        assert_eq!(scene.found(of(number)).await, []);
    }
    assert_eq!(scene.found(of(20)).await, [FraudRule::Country]);
    // Only the country is meant.
    let elsewhere = Outgoing { route: route("DE", 1, 1), ..of(1) };
    assert_eq!(scene.found(elsewhere).await, []);
    // Of 21 messages two are answered: there is room for one.
    scene.settle(of(1).route, 2, true, 0).await;
    assert_eq!(scene.found(of(21)).await, []);
    assert_eq!(scene.found(of(22)).await, [FraudRule::Country]);
    scene.settle(of(1).route, 21, true, 0).await;
    // 23 were answered, of which 30 % are less than 20; then 100, of which they are more.
    for _ in 0..77 {
        scene.weigh(of(1)).await;
        scene.settle(of(1).route, 1, true, 0).await;
    }
    for number in 0..30 {
        assert_eq!(scene.found(of(number)).await, [], "{number}");
    }
    assert_eq!(scene.found(of(31)).await, [FraudRule::Country]);
    // The best day counts for 14 more, and what was open for one.
    scene.clock.advance(DAY * 13);
    for number in 0..30 {
        assert_eq!(scene.found(of(number)).await, [], "{number}");
    }
    let converted = answer(scene.traffic().conversions(vec![of(1).route.country])).await;
    let told = converted[0];
    assert_eq!((told.open_in_day, told.answered_in_day, told.best_day), (30, 0, 100));
    scene.clock.advance(DAY * 2 + HOUR);
    for number in 0..20 {
        scene.weigh(of(number)).await;
    }
    assert_eq!(scene.found(of(31)).await, [FraudRule::Country]);
}

async fn a_client_is_found_by_its_messages_and_by_its_countries(make: Make<'_>) {
    let scene = Scene::new(make);
    let limits = Limits { client_per_day: 10, client_per_hour: 5, countries: 3, ..wide() };
    let of = |country, address| outgoing(route(country, address, address), 1, limits);
    for _ in 0..5 {
        assert_eq!(scene.found(of("IN", 1)).await, []);
    }
    assert_eq!(scene.found(of("IN", 1)).await, [FraudRule::Client]);
    assert_eq!(scene.found(of("IN", 2)).await, []);
    scene.clock.advance(HOUR + HOUR / 12);
    for _ in 0..4 {
        assert_eq!(scene.found(of("IN", 1)).await, []);
    }
    assert_eq!(scene.found(of("IN", 1)).await, [FraudRule::Client], "the day is full");
    for country in ["DE", "FR", "GB"] {
        scene.weigh(of(country, 3)).await;
    }
    assert_eq!(scene.found(of("DE", 3)).await, []);
    assert_eq!(scene.found(of("US", 3)).await, [FraudRule::Countries]);
    scene.clock.advance(DAY + HOUR);
    assert_eq!(scene.found(of("IT", 3)).await, []);
}

async fn numbers_in_a_row_are_found_and_a_number_twice_is_not(make: Make<'_>) {
    let scene = Scene::new(make);
    let sequence = Sequence { within: 600_000_000, reach: 20, all: 4, client: 2 };
    let limits = Limits { sequence, ..wide() };
    let of = |prefix, address, suffix| outgoing(route("IN", prefix, address), suffix, limits);
    for _ in 0..5 {
        assert_eq!(scene.found(of(1, 1, 5000)).await, []);
    }
    assert_eq!(scene.found(of(1, 1, 5020)).await, []);
    assert_eq!(scene.found(of(1, 1, 5041)).await, [], "21 away from one, 41 from the other");
    assert_eq!(scene.found(of(1, 1, 5021)).await, [FraudRule::Sequence], "1 and 20 away");
    // Others have none near in the same prefix, until there are four of all.
    assert_eq!(scene.found(of(2, 1, 5021)).await, []);
    assert_eq!(scene.found(of(1, 2, 5010)).await, []);
    assert_eq!(scene.found(of(1, 3, 5015)).await, [FraudRule::Sequence], "four of others");
    scene.clock.advance(Duration::from_secs(600));
    assert_eq!(scene.found(of(1, 1, 5022)).await, []);
    // What may not leave anyway is no part of a row.
    for suffix in 7000..7010 {
        let kept = Outgoing { may_leave: false, ..of(3, 4, suffix) };
        assert_eq!(scene.found(kept).await, [], "{suffix}");
    }
    assert_eq!(scene.found(of(3, 4, 7010)).await, []);
}

async fn a_budget_warns_once_and_refuses_and_takes_back(make: Make<'_>) {
    let scene = Scene::new(make);
    let budget = Some(Budget { warn_at: 2_000_000, cap: 3_500_000 });
    let limits = Limits { budget, ..wide() };
    let of = |number: u16| outgoing(route("IN", number.into(), 1), number, limits);
    let refund = of(1).price;
    assert_eq!(scene.weigh(of(1)).await.budget, Standing::Within);
    let feigned = Outgoing { is_paid: false, ..of(2) };
    assert_eq!(scene.weigh(feigned).await.budget, Standing::Within, "costs nothing");
    assert_eq!(scene.weigh(of(3)).await.budget, Standing::Warned);
    scene.settle(of(3).route, 1, false, refund).await;
    assert_eq!(scene.weigh(of(3)).await.budget, Standing::Within, "warned already");
    assert_eq!(scene.weigh(of(4)).await.budget, Standing::Within);
    for first in [true, false] {
        let over = scene.weigh(of(5)).await;
        assert_eq!((over.budget, over.is_counted), (Standing::Over { first }, false));
    }
    let cheap = Outgoing { price: 500_000, ..of(6) };
    assert_eq!(scene.weigh(cheap).await.budget, Standing::Within, "to the last millionth");
    scene.settle(of(4).route, 1, false, refund).await;
    assert!(scene.weigh(of(7)).await.is_counted);
    assert_eq!(scene.weigh(of(8)).await.budget, Standing::Over { first: false });
    let before = scene.weigh(of(8)).await.day;
    scene.clock.advance(DAY);
    for number in [9, 10, 11] {
        let told = scene.weigh(of(number)).await;
        assert_eq!((told.is_counted, told.day), (true, before + 1));
    }
    // What was spent yesterday is no money for today.
    let (route, day) = (of(7).route, before);
    let late = Settlement { route, messages: 1, answered: false, refund, day };
    answer(scene.traffic().settle(late)).await;
    assert_eq!(scene.weigh(of(12)).await.budget, Standing::Over { first: true });
    answer(scene.traffic().settle(Settlement { day: day + 1, ..late })).await;
    assert!(scene.weigh(of(12)).await.is_counted);
    // What cost nothing is paid back and stays open.
    let open = async || {
        let converted = answer(scene.traffic().conversions(vec![route.country])).await;
        converted[0].open_in_day
    };
    let before = open().await;
    scene.settle(route, 0, false, refund).await;
    assert_eq!(open().await, before);
    assert!(scene.weigh(of(12)).await.is_counted);
    assert_eq!(scene.weigh(of(12)).await.budget, Standing::Over { first: false });
}

async fn what_is_stopped_counts_nowhere(make: Make<'_>) {
    let scene = Scene::new(make);
    let stops = Findings::NONE.with(FraudRule::Client, true);
    let limits = Limits { client_per_hour: 1, stops, ..wide() };
    let message = outgoing(route("IN", 1, 1), 1, limits);
    let kept = Outgoing { may_leave: false, ..message };
    assert!(!scene.weigh(kept).await.is_counted);
    assert!(scene.weigh(message).await.is_counted);
    for _ in 0..3 {
        let told = scene.weigh(message).await;
        assert_eq!((told.found, told.is_counted), (stops, false));
    }
    let converted = answer(scene.traffic().conversions(vec![message.route.country])).await;
    assert_eq!((converted[0].open_in_hour, converted[0].open_in_day), (1, 1));
    // One that did not leave was none.
    scene.settle(message.route, 1, false, 0).await;
    assert!(scene.weigh(message).await.is_counted);
    scene.settle(message.route, 0, false, 0).await;
    assert!(!scene.weigh(message).await.is_counted);
}

/// Plays a random history about messages to a store and to a model, and compares every answer.
///
/// # Panics
///
/// When they differ, or the store does not answer.
pub async fn replay_traffic(make: Make<'_>, seed: u64, steps: u32) {
    let scene = Scene::new(make);
    let mut model = Model::new(&scene.clock, seed);
    for step in 0..steps {
        match model.below(20) {
            0..=2 => {
                let spans = [1, 60, 300, 600, 3_600, 7_200, 86_400, 86_400 * 4];
                let span = spans[model.below(spans.len() as u64) as usize];
                scene.clock.advance(Duration::from_secs(model.below(span) + 1));
            }
            3..=14 => {
                let outgoing = model.outgoing();
                let told = scene.weigh(outgoing).await;
                assert_eq!(told, model.weigh(&outgoing), "seed {seed}, step {step}: {outgoing:?}");
            }
            15..=18 => {
                let settlement = model.settlement();
                answer(scene.traffic().settle(settlement)).await;
                model.settle(&settlement);
            }
            _ => {
                let of = ["IN", "DE", "881"].map(Country::from_text);
                let told = answer(scene.traffic().conversions(of.to_vec())).await;
                assert_eq!(told, of.map(|it| model.converted(it)), "seed {seed}, step {step}");
            }
        }
    }
}
