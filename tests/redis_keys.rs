//! One script for each request, and no key on the server that the table of keys does not tell of.
#![cfg(all(feature = "otp", feature = "redis", feature = "test-util"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/login.rs"]
mod login;
#[path = "support/redis.rs"]
mod redis;
#[path = "support/redis_monitor.rs"]
mod redis_monitor;

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
    store::{Asks, Block, KeyFamily, Lifetime, Near, Outcome, Redis, Resilient, conformance},
};
use redis::RedisServer;
use redis_monitor::Monitor;
use std::{collections::BTreeSet, convert::Infallible, sync::Arc, time::Duration};
use tower::{Layer, Service};

const PEER: &str = "203.0.113.7";
const DAY: Duration = Duration::from_secs(86_400);

/// A login and a guard over one store.
struct Scene {
    server: RedisServer,
    login: Login,
    /// Of the breaker and of what is remembered near.
    clock: ManualClock,
    far: Redis,
    store: Near<Resilient<Redis>>,
}

impl Scene {
    fn new() -> Self {
        let server = RedisServer::start();
        let far = Redis::new(&server.url(), pepper()).unwrap().deadline(Duration::from_secs(30));
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        let store =
            Near::new(Resilient::new(far.clone()).clock(clock.clone())).clock(clock.clone());
        let shared = store.clone();
        let login =
            Login::over(Settings::new(Profile::Dev), |builder| builder, |_| Arc::new(shared));
        Self { server, login, clock, far, store }
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

    /// Waits until so many messages have ended since the last time.
    async fn sent(&self, messages: usize) {
        let told = || {
            let events = self.login.told.events();
            events.iter().filter(|event| event.act.name() == "code-sent").count()
        };
        while told() < messages {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.login.told.acts();
    }

    /// How often scripts were run, by the server's own count.
    fn scripts(&self) -> u64 {
        let info = self.server.command(&["INFO", "commandstats"]);
        let line = info.lines().find(|line| line.starts_with("cmdstat_evalsha:"));
        let calls = line.and_then(|line| line.split_once("calls=")).map(|(_, rest)| rest);
        calls.map_or(0, |calls| calls.split(',').next().unwrap().parse().unwrap())
    }
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

#[tokio::test]
async fn a_request_is_one_script_whatever_is_asked_and_a_repeated_refusal_none() {
    let scene = Scene::new();
    let guard = scene.guard();
    let token = scene.login.login().await.str("access_token");
    let ask = async |peer: &str| {
        let request = Ask::get("/").bearer(&token).from(peer).request();
        login::send(guard.clone(), request).await.status.as_u16()
    };
    // The server learns the script, which takes two.
    assert_eq!(ask("198.51.100.1").await, 200);
    let before = scene.scripts();
    for _ in 0..20 {
        assert_eq!(ask(PEER).await, 200);
    }
    assert_eq!(scene.scripts() - before, 20, "block, revocations and two limits");
    assert_eq!(ask(PEER).await, 429);
    assert_eq!(scene.scripts() - before, 21, "the first refusal, and its strike");
    for _ in 0..20 {
        assert_eq!(ask(PEER).await, 429);
    }
    assert_eq!(scene.scripts() - before, 21, "told from memory");
}

#[tokio::test]
async fn a_request_for_a_code_is_one_script_more() {
    let scene = Scene::new();
    // The server learns the scripts.
    scene.login.login().await;
    scene.sent(1).await;
    scene.login.clock.advance(Duration::from_secs(90));
    let before = scene.scripts();
    let asked = scene.login.ask(Ask::code("+919876500001").from("198.51.100.1")).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    scene.sent(1).await;
    let what = "the guard, the phone, that the message is on its way, and what became of it";
    assert_eq!(scene.scripts() - before, 4, "{what}");
    scene.store.block(Key::ip([198, 51, 100, 1].into()), Block::lasting(DAY)).await.unwrap();
    let ask = async || scene.login.ask(Ask::code("+919876500002").from("198.51.100.1")).await;
    ask().await.assert(429, "blocked");
    let before = scene.scripts();
    ask().await.assert(429, "blocked");
    assert_eq!(scene.scripts(), before, "told from memory");
}

#[tokio::test]
async fn rules_about_traffic_are_one_script_more_for_a_message_and_for_an_answer() {
    let scene = Scene::new();
    let (plain, ruled) = (&scene.login, &scene.ruled());
    let away = "198.51.100.2";
    // The server learns the scripts.
    plain.login().await;
    ruled.login_of("+919876500001").await;
    let scripts = async |login: &Login, ask: Ask, status: u16| {
        let before = scene.scripts();
        let answer = login.ask(ask.from(away)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        (scene.scripts() - before, answer)
    };
    let mut told = Vec::new();
    for (login, number) in [(plain, "+919876511111"), (ruled, "+919876722222")] {
        let before = login.sent.settled().await;
        let (request, answer) = scripts(login, Ask::code(number), 202).await;
        let (challenge, code) = (answer.str("challenge_id"), login.sent.code(before).await);
        let again = Ask::code(number).header("user-agent", "another");
        let (cooldown, _) = scripts(login, again, 429).await;
        let (wrong, _) = scripts(login, Ask::verify(&challenge, &login::wrong(&code)), 401).await;
        let (right, _) = scripts(login, Ask::verify(&challenge, &code), 200).await;
        told.push([request, cooldown, wrong, right]);
    }
    let [[request, cooldown, wrong, right], ruled_ones] = told[..] else { panic!("{told:?}") };
    // What the phone refuses is taken back.
    assert_eq!(ruled_ones, [request + 1, cooldown + 2, wrong, right + 1]);
    // What is silenced asks as often as what is sent.
    assert_eq!(scripts(ruled, Ask::code("+4915123456789"), 202).await.0, request + 1);
    assert_eq!(ruled.sent.settled().await, 2);
}

#[tokio::test]
async fn whatever_comes_the_names_of_keys_stay_those_of_the_table() {
    let scene = Scene::new();
    let login = scene.ruled();
    let texts = [
        "",
        "*",
        "{}",
        "{otp}",
        "otp:{traffic}:spent",
        "a b",
        "\0",
        "\r\nSET x y",
        "+919876543210\n",
        "\u{202e}",
        "+4915123456789",
        "+881612345678",
        PEER,
        "2001:db8::1",
        "'; DROP",
        "${x}",
        &"9".repeat(3000),
    ];
    for (at, text) in texts.into_iter().enumerate() {
        let bytes: Vec<_> = text.bytes().filter(|byte| *byte >= b' ').collect();
        let abused = |ask: Ask| {
            let ask = ask.from(&format!("2001:db8:0:{at:x}::1")).also("user-agent", &bytes);
            let ask = ask.also("x-forwarded-for", &bytes).also("forwarded", &bytes);
            let ask = ask.also("accept-language", &bytes).also("x-challenge-response", &bytes);
            ask.also("x-request-id", &bytes).also("cookie", &bytes)
        };
        let good = format!("+91987{at:03}0000");
        let answer = login.ask(abused(Ask::code(&good))).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let challenge = answer.str("challenge_id");
        for ask in [
            Ask::code(text),
            Ask::code(&format!("+91{text}")),
            Ask::resend(text),
            Ask::verify(text, "123456"),
            Ask::verify(&challenge, text),
            Ask::refresh(text),
            Ask::code(&good).without("x-device-id").also("x-device-id", &bytes),
        ] {
            let answer = login.ask(abused(ask)).await;
            assert!(answer.status.is_client_error() || answer.status == 202, "{text:?} {answer:?}");
        }
        for byte in [0x80_u8, 0xff, b'\t', b'"'] {
            let ask = Ask::verify(&challenge, "000000").also("user-agent", &[byte; 200]);
            let answer = login.ask(ask).await;
            assert!(answer.status.is_client_error(), "{answer:?}");
        }
    }
    let found = scene.families();
    assert!(found.len() > 8, "{found:?}");
    assert!(
        scene
            .keys()
            .iter()
            .all(|name| name.len() < 90 && name.bytes().all(|it| it.is_ascii_graphic()))
    );
}

#[tokio::test]
async fn a_block_that_was_lifted_is_over_within_a_second_on_another_instance() {
    let scene = Scene::new();
    let other = Near::new(Resilient::new(scene.far.clone()));
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

#[tokio::test]
async fn a_refusal_writes_a_strike_and_nothing_else() {
    let scene = Scene::new();
    let key = Key::ip([203, 0, 113, 7].into());
    let limits = [
        Limit::per_hour(1).named("struck").block_after(Ladder::after(2)),
        Limit::per_hour(9).named("roomy"),
        Limit::per_hour(1).named("shadow").shadow(),
    ];
    let ask = || limits.iter().fold(Asks::new().absent(key), |asks, l| asks.take(l.take(key, 1)));
    let mut monitor = Monitor::new(&scene.server);
    let mut writes = async |asks: Asks| {
        let outcome = scene.far.admit(asks).await.unwrap().outcome;
        let mut runs = monitor.runs(&scene.server);
        (outcome, runs.pop().unwrap().writes())
    };
    assert_eq!(writes(ask()).await.1.len(), 3, "three limits");
    let (outcome, written) = writes(ask()).await;
    assert!(matches!(outcome, Outcome::Refused { by: 0, .. }), "{outcome:?}");
    let strikes = format!("strikes:{key}");
    assert_eq!(written, [format!("HSET {strikes}"), format!("PEXPIRE {strikes}")]);
    let (outcome, written) = writes(ask()).await;
    assert!(matches!(outcome, Outcome::Refused { .. }) && written.is_empty(), "{written:?}");
    scene.far.block(key, Block::lasting(DAY)).await.unwrap();
    let (outcome, written) = writes(ask()).await;
    assert!(matches!(outcome, Outcome::Blocked { .. }) && written.is_empty(), "{written:?}");
}

#[tokio::test]
async fn scripts_use_no_key_but_those_they_name() {
    let server = RedisServer::start();
    let mut monitor = Monitor::new(&server);
    let store = |clock: &_| {
        server.command(&["FLUSHALL"]);
        let far = Redis::new(&server.url(), pepper()).unwrap().deadline(Duration::from_secs(30));
        far.clock(Clone::clone(clock)).into()
    };
    conformance::check(&store, 4).await;
    let scene = Scene::over(server);
    scene.store.block(Key::EVERYONE, Block::forever()).await.unwrap();
    scene.server.command(&["FLUSHALL"]);
    scene.clock.advance(Duration::from_secs(1));
    scene.store.admit(Asks::new()).await.unwrap();
    let runs = monitor.runs(&scene.server);
    let mut scripts = BTreeSet::new();
    for run in &runs {
        assert!(run.strays().is_empty(), "{:?} of {run:?}", run.strays());
        scripts.insert(&run.script);
    }
    assert_eq!(scripts.len(), 7, "admit, lean, adjust, block, unblock, look, marker");
    assert!(runs.len() > 500, "{}", runs.len());
}

#[tokio::test]
async fn every_key_is_in_the_table_with_its_type_and_its_time_to_live() {
    let scene = Scene::new();
    let guard = scene.guard();
    let token = scene.login.login().await.str("access_token");
    for _ in 0..22 {
        login::send(guard.clone(), Ask::get("/").bearer(&token).request()).await;
    }
    for (at, lasting) in [(1, Some(DAY)), (2, None)] {
        let tag = |kind| pepper().tag(kind, &[&[at]]);
        let address = Key::ip([198, 51, 100, at].into());
        for key in [address, tag(KeyKind::Phone), tag(KeyKind::Subject), tag(KeyKind::Session)] {
            let block = Block { lasting, since: None };
            scene.store.block(key, block).await.unwrap();
            let now = UnixTime::from_secs(1_800_000_000);
            scene.store.block(key, block.issued_until(now)).await.unwrap();
        }
    }

    assert_eq!(scene.ruled().login_of("+919876500001").await.status, 200);
    // A code that nobody has answered.
    scene.login.challenge(Ask::code("+919876500002").from("198.51.100.77")).await;
    let families = Redis::key_families();
    let found = scene.families();
    let told = families.iter().flat_map(|KeyFamily { pattern, lifetime, .. }| match lifetime {
        Lifetime::Ends(_) => vec![(*pattern, true)],
        Lifetime::MayStay(_) => vec![(*pattern, true), (*pattern, false)],
        _ => vec![(*pattern, false)],
    });
    assert_eq!(found, told.collect(), "nothing is told of that is never there");
}

impl Scene {
    fn over(server: RedisServer) -> Self {
        let mut scene = Self::new();
        let far = Redis::new(&server.url(), pepper()).unwrap().deadline(Duration::from_secs(30));
        let clock = scene.clock.clone();
        scene.store = Near::new(Resilient::new(far.clone()).clock(clock.clone())).clock(clock);
        (scene.server, scene.far) = (server, far);
        scene
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

    /// The families of all keys on the server, each with whether one ends. Each key is of one family, of its type and with its
    /// time to live.
    fn families(&self) -> BTreeSet<(&'static str, bool)> {
        let families = Redis::key_families();
        let mut found = BTreeSet::new();
        for name in self.keys() {
            let fitting: Vec<_> = families.iter().filter(|family| fits(family, &name)).collect();
            let [family] = fitting[..] else { panic!("{name} is of {fitting:?}") };
            assert_eq!(self.server.command(&["TYPE", &name]).trim(), format!("+{}", family.kind));
            let left: i64 = self.server.command(&["PTTL", &name])[1..].trim().parse().unwrap();
            match family.lifetime {
                Lifetime::Ends(_) => assert!(left > 0, "{name} stays for ever"),
                Lifetime::MayStay(_) => assert!(left > 0 || left == -1, "{name}"),
                _ => assert_eq!(left, -1, "{name} goes"),
            }
            found.insert((family.pattern, left > 0));
        }
        found
    }

    fn keys(&self) -> Vec<String> {
        let answer = self.server.command(&["KEYS", "*"]);
        let names = answer.lines().filter(|line| !line.starts_with(['*', '$']));
        names.map(str::to_owned).collect()
    }
}

/// Whether a name is of a pattern, in which what varies is between `<` and `>` and holds no brace.
fn fits(family: &KeyFamily, name: &str) -> bool {
    let (start, rest) = family.pattern.split_once('<').unwrap_or((family.pattern, ""));
    let end = rest.rsplit_once('>').map_or("", |(_, end)| end);
    let kind = rest.split_once('>').map_or("", |(kind, _)| kind);
    let varies = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    varies.is_some_and(|varies| match kind {
        // Those of a key begin with its kind.
        "fingerprint" => varies.starts_with("fingerprint:"),
        "" => varies.is_empty(),
        _ => !varies.contains(['{', '}']),
    })
}
