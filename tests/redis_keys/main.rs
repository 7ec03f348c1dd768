//! One script for each request, and no key on a server, or on those of a cluster, that the table of keys does not tell of.
#![cfg(all(feature = "otp", feature = "redis", feature = "test-util"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "../support/login.rs"]
mod login;
#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/redis_groups.rs"]
mod redis_groups;
#[path = "../support/redis_monitor.rs"]
mod redis_monitor;
mod refusals;
mod schema;
mod scripts;
mod trips;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use login::{Ask, Login};
use portcullis::{
    Gated, Key, KeyBy, Limit, Pepper, Portcullis, Profile, Store, Verifier,
    block::Ladder,
    clock::{ManualClock, UnixTime},
    key::KeyKind,
    otp::{
        Settings,
        fraud::{Destinations, Findings, Mode, Spending, TrafficRules},
    },
    store::{Block, Near, Redis, Resilient},
};
use redis::RedisServer;
use redis_groups::Cluster;
use redis_monitor::{Monitor, Sent};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::{Layer, Service};

const PEER: &str = "203.0.113.7";
const DAY: Duration = Duration::from_secs(86_400);

/// One server, or the masters of a cluster, and what they were sent.
struct Place {
    url: String,
    servers: Vec<RedisServer>,
    monitors: Mutex<Vec<Monitor>>,
}

impl Place {
    fn single() -> Self {
        let server = RedisServer::start();
        Self::of(server.url(), vec![server])
    }

    fn cluster() -> Self {
        let cluster = Cluster::start();
        Self::of(cluster.url(), cluster.masters)
    }

    fn of(url: String, servers: Vec<RedisServer>) -> Self {
        let monitors = Mutex::new(servers.iter().map(Monitor::new).collect());
        Self { url, servers, monitors }
    }

    fn open(&self) -> Redis {
        Redis::new(&self.url, pepper()).unwrap().deadline(Duration::from_secs(30))
    }

    fn is_cluster(&self) -> bool {
        self.servers.len() > 1
    }

    fn flush(&self) {
        self.servers.iter().for_each(|one| assert_eq!(one.command(&["FLUSHALL"]), "+OK\r\n"));
    }

    /// All commands that any server was sent since the last time.
    fn sent(&self) -> Vec<Sent> {
        let mut monitors = self.monitors.lock().unwrap();
        let heard = self.servers.iter().zip(&mut *monitors);
        heard.flat_map(|(server, monitor)| monitor.sent(server)).collect()
    }

    /// Their names, with those of scripts.
    fn told(&self) -> Vec<String> {
        self.sent().iter().map(Sent::told).collect()
    }
}

/// A login and a guard over one store.
struct Scene {
    place: Place,
    login: Login,
    /// Of the breaker and of what is remembered near.
    clock: ManualClock,
    far: Redis,
    store: Near<Resilient<Redis>>,
}

impl Scene {
    fn new() -> Self {
        Self::at(Place::single())
    }

    fn at(place: Place) -> Self {
        let far = place.open();
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        let store =
            Near::new(Resilient::new(far.clone()).clock(clock.clone())).clock(clock.clone());
        let shared = store.clone();
        let login =
            Login::over(Settings::new(Profile::Dev), |builder| builder, |_| Arc::new(shared));
        Self { place, login, clock, far, store }
    }

    /// All that a request can be asked.
    fn guard(&self) -> Gated<impl Answering + use<>, Arc<Portcullis>> {
        let verifier = Verifier::new([self.login.issuer.trusted()]).unwrap();
        Portcullis::new(self.store.clone())
            .limit(Limit::per_hour(20).named("per-ip").block_after(Ladder::after(3)))
            .limit(Limit::per_hour(40).named("per-user").by(KeyBy::subject()))
            .block_by(KeyBy::subject())
            .jwt(verifier.clock(self.login.clock.clone()))
            .layer(tower::service_fn(answer))
    }

    /// A login over the same store, with all rules about traffic and a budget.
    fn ruled(&self) -> Login {
        let mut rules = TrafficRules::new(Profile::Dev);
        for rule in Findings::RULES {
            rules = rules.mode(rule, Some(Mode::Silent)).unwrap();
        }
        let spending = Spending::new("900".parse().unwrap(), "1".parse().unwrap()).unwrap();
        let germany = Destinations::new(Profile::Dev).deny(["DE"]).unwrap();
        let settings = Settings::new(Profile::Dev).traffic(rules).spending(spending);
        let store = self.store.clone();
        Login::over(settings.destinations(germany), |builder| builder, |_| Arc::new(store))
    }

    /// All that leads to keys: logins, limits, strikes, blocks and revocations with an end and without.
    async fn everything(&self) {
        let guard = self.guard();
        let token = self.login.login().await.str("access_token");
        for _ in 0..22 {
            login::send(guard.clone(), Ask::get("/").bearer(&token).request()).await;
        }
        for (at, lasting) in [(1, Some(DAY)), (2, None)] {
            let tag = |kind| pepper().tag(kind, &[&[at]]);
            let address = Key::ip([198, 51, 100, at].into());
            for key in [address, tag(KeyKind::Phone), tag(KeyKind::Subject), tag(KeyKind::Session)]
            {
                let block = Block { lasting, since: None };
                self.store.block(key, block).await.unwrap();
                let now = UnixTime::from_secs(1_800_000_000);
                self.store.block(key, block.issued_until(now)).await.unwrap();
            }
        }
        assert_eq!(self.ruled().login_of("+919876500001").await.status, 200);
        // A code that nobody has answered.
        self.login.challenge(Ask::code("+919876500002").from("198.51.100.77")).await;
    }
}

/// Waits until so many messages of a login have ended since the last time.
async fn ended(login: &Login, messages: usize) {
    let told = || {
        let events = login.told.events();
        events.iter().filter(|event| event.act.name() == "code-sent").count()
    };
    while told() < messages {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    login.told.acts();
}

trait Answering:
    Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone
{
}

impl<S> Answering for S where
    S: Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone
{
}

async fn answer(_: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::default()))
}

fn pepper() -> Pepper {
    Pepper::new(&[7; 32]).unwrap()
}
