//! Memory and a real Redis server are asked the same random questions about codes and sessions, and must say the same.
#![cfg(all(feature = "otp", feature = "redis", feature = "test-util"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should panic; waits are bounded by the machine's clock"
)]

#[path = "support/redis.rs"]
mod redis;

use portcullis::{
    Eventual, Key, Memory, Pepper,
    block::Ladder,
    clock::ManualClock,
    jwt::KeyThumbprint,
    otp::{Dispatched, Guess, Sent, SharedLoginStore, Verdict, Verified, Window, sender::Checked},
    store::{Block, Redis, StoreError, conformance::logins::Caller, conformance::logins::Scene},
    token::{Opening, Rotation, SessionId},
};
use redis::RedisServer;
use std::{collections::BTreeMap, fmt::Debug, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);
const STEPS: u32 = 600;

#[tokio::test]
async fn memory_and_redis_answer_the_same_histories_of_codes_the_same() {
    let server = RedisServer::start();
    let mut seen = BTreeMap::new();
    for seed in 0..40 {
        let mut pair = Pair::new(&server, seed);
        for step in 0..STEPS {
            pair.at = (seed, step);
            let told = pair.code().await;
            *seen.entry(told).or_insert(0_u32) += 1;
        }
    }
    // Whatever can be answered was: a history that is refused at once compares nothing.
    for outcome in [
        "Allowed",
        "Blocked",
        "Limited",
        "Cooldown",
        "NotLive",
        "ResendsSpent",
        "Right",
        "Wrong",
        "OtherDevice",
        "blocked",
        "not live",
        "held",
        "concluded Right",
        "concluded Wrong",
        "concluded NotLive",
    ] {
        assert!(seen.get(outcome).is_some_and(|count| *count >= 20), "{outcome}: {seen:?}");
    }
}

#[tokio::test]
async fn memory_and_redis_answer_the_same_histories_of_sessions_the_same() {
    let server = RedisServer::start();
    for seed in 0..40 {
        let mut pair = Pair::new(&server, seed);
        for step in 0..STEPS {
            pair.at = (seed, step);
            pair.session().await;
        }
    }
}

/// Both stores under one clock.
struct Pair {
    memory: Scene,
    redis: SharedLoginStore,
    dice: u64,
    asked: Vec<(u32, Caller)>,
    /// Attempts that are held, and where each store counts them, whose clocks begin at moments of their own.
    held: Vec<(u32, Caller, u8, [Guess; 2])>,
    last: u32,
    generations: BTreeMap<u32, u32>,
    at: (u64, u32),
}

impl Pair {
    fn new(server: &RedisServer, seed: u64) -> Self {
        server.command(&["FLUSHALL"]);
        let mut memory = Scene::new(&|clock| Memory::new().clock(clock.clone()).into());
        let redis = on(server, &memory.clock);
        let mut pair = Self {
            memory: memory.clone(),
            redis,
            dice: seed,
            asked: Vec::new(),
            held: Vec::new(),
            last: 0,
            generations: BTreeMap::new(),
            at: (seed, 0),
        };
        // Blocks of one length: longer ones are drawn at random by each store for itself.
        let flat = |strikes: u8, block: Duration| {
            Ladder::try_new(strikes, 10 * MINUTE, block, block).unwrap()
        };
        let rules = &mut memory.rules;
        rules.sends_block = flat(1, 15 * MINUTE);
        rules.guesses_block = flat(1, 20 * MINUTE);
        rules.phone_per_day = 10 + pair.below(20) as u8;
        rules.guesses_per_day = 10 + pair.below(20) as u8;
        rules.refusals = flat(5, 20 * MINUTE);
        rules.wrong_codes = flat(8, 7 * MINUTE);
        let window = |count: u64, minutes| Window { count: count as u8, within: MINUTE * minutes };
        rules.live = 1 + pair.below(3) as u8;
        rules.resends = pair.below(4) as u8;
        rules.client = window(3 + pair.below(60), 10);
        rules.fingerprint = window(3 + pair.below(20), 7);
        rules.phone = window(2 + pair.below(8), 10);
        rules.device = window(1 + pair.below(5), 12);
        rules.guesses = window(5 + pair.below(5), 30);
        rules.cooldown = Duration::from_secs(5 + pair.below(20));
        rules.device_memory = MINUTE * [30, 600][pair.below(2) as usize];
        pair.memory = memory;
        pair
    }

    /// One step about codes. Says what became of it.
    async fn code(&mut self) -> String {
        match self.below(43) {
            0..=6 => {
                self.wait();
                "wait".into()
            }
            7..=17 => {
                let caller = self.caller();
                self.last += 1;
                let (number, code) = (self.last, self.guess());
                let issue = match self.below(3) {
                    0 => self.memory.to_hold(&caller, number),
                    _ => self.memory.to_issue(&caller, number, code),
                };
                let ask = |store: &SharedLoginStore| store.issue(issue.clone());
                let told = self.same("issue", ask).await.outcome;
                if matches!(told, Dispatched::Allowed { .. }) {
                    self.asked.push((number, caller));
                }
                name(&told)
            }
            18..=22 => {
                let ((number, caller), code) = (self.answering(), self.guess());
                let ask = |store: &SharedLoginStore| {
                    store.resend(self.memory.to_resend(&caller, number, code))
                };
                name(&self.same("resend", ask).await.outcome)
            }
            23..=34 => {
                let ((number, caller), code) = (self.answering(), self.guess());
                let attempt = self.memory.to_verify(&caller, number, code);
                let ask = |store: &SharedLoginStore| store.verify(attempt);
                let memory = leveled(ask(&self.memory.store).await.unwrap());
                let redis = leveled(ask(&self.redis).await.unwrap());
                assert_eq!(memory.0, redis.0, "seed and step {:?}: verify", self.at);
                match redis.0.outcome {
                    Verdict::Held { attempt, .. } => {
                        let guesses = [memory.1.unwrap(), redis.1.unwrap()];
                        self.held.push((number, caller, attempt, guesses));
                        "held".into()
                    }
                    Verdict::Blocked { .. } => "blocked".into(),
                    Verdict::NotLive => "not live".into(),
                    told => name(&told),
                }
            }
            40..=42 => {
                let Some((number, caller, attempt, guesses)) = self.held.pop() else {
                    return "nothing is held".into();
                };
                let said = [None, Some(Checked::Right), Some(Checked::Wrong)];
                let said = said[self.below(3) as usize];
                let [memory, redis] = guesses
                    .map(|guess| self.memory.to_conclude(&caller, number, attempt, guess, said));
                let memory = self.memory.store.conclude(memory).await.unwrap();
                let redis = self.redis.conclude(redis).await.unwrap();
                assert_eq!(memory, redis, "seed and step {:?}: conclude", self.at);
                format!("concluded {}", name(&redis.outcome))
            }
            35 => {
                let (number, caller) = self.answering();
                let challenge = self.memory.to_verify(&caller, number, 0).challenge;
                let sent = Sent { phone: caller.phone, challenge, number: self.below(2) as u8 };
                self.same("give back", |store| store.give_back(sent)).await;
                "give back".into()
            }
            36 => {
                let (key, block) =
                    (self.key(), Block::lasting(Duration::from_secs(self.below(600))));
                self.same("block", |store| store.block(key, block)).await;
                "block".into()
            }
            _ => {
                let key = self.key();
                self.same("unblock", |store| store.unblock(key)).await;
                "unblock".into()
            }
        }
    }

    /// One step about sessions.
    async fn session(&mut self) {
        const SUBJECTS: [&str; 3] = ["a", "b", "ü 'c'"];
        let subject = SUBJECTS[self.below(3) as usize];
        let number = self.last.saturating_sub(self.below(8) as u32);
        let id = id(number);
        match self.below(20) {
            0..=3 => self.wait(),
            4..=7 => {
                self.last += u32::from(self.below(12) > 0);
                let idle = MINUTE * (1 + self.below(120) as u32);
                let opening = Opening {
                    id: self::id(self.last),
                    // An id that comes again is the same user's.
                    subject: SUBJECTS[self.last as usize % 3].into(),
                    device: Caller::new(1, 1, self.below(5) as u32).device,
                    bound_to: (self.below(2) == 0).then(|| KeyThumbprint::from_bytes([7; 32])),
                    idle,
                    longest: MINUTE * (1 + self.below(300) as u32),
                    most: self.below(5) as u8,
                };
                self.generations.insert(self.last, 0);
                let ask = |store: &SharedLoginStore| {
                    // What the store says of an error is its own.
                    store.open(opening.clone()).map(|told| Ok(told.ok()))
                };
                self.same("open", ask).await;
            }
            8..=14 => {
                let newest = self.generations.get(&number).copied().unwrap_or(0);
                let back = [0, 0, 0, 0, 1, 1, 2][self.below(7) as usize];
                let ahead = 2 * u32::from(self.below(30) == 0);
                let generation = (newest + ahead).saturating_sub(back);
                let (idle, grace) =
                    (MINUTE * (1 + self.below(90) as u32), MINUTE * self.below(2) as u32);
                let rotation = Rotation { id, generation, idle, grace };
                let told = self.same("rotate", |store| store.rotate(rotation)).await;
                if let portcullis::token::Rotated::Next(session) = told {
                    self.generations.insert(number, session.generation);
                }
            }
            15 => drop(self.same("end", |store| store.end(id)).await),
            16 => drop(self.same("end all", |store| store.end_all(subject)).await),
            17 => drop(self.same("session", |store| store.session(id)).await),
            _ => drop(self.same("sessions", |store| store.sessions(subject)).await),
        }
    }

    /// Asks both.
    async fn same<T: Debug + PartialEq + 'static>(
        &self,
        what: &str,
        ask: impl Fn(&SharedLoginStore) -> Eventual<Result<T, StoreError>>,
    ) -> T {
        let (memory, redis) = (ask(&self.memory.store).await, ask(&self.redis).await);
        assert_eq!(memory, redis, "seed and step {:?}: {what}", self.at);
        redis.unwrap()
    }

    fn wait(&mut self) {
        let bound = [4, 6, 10][self.below(3) as usize];
        let seconds =
            [0, 1, 5, 20, 60, 120, 300, 420, 900, 1_800][self.below(bound) as usize] * 1_000_000;
        // On the moment, just before or just after.
        let time = (seconds + self.below(3)).saturating_sub(1);
        self.memory.wait(Duration::from_micros(time));
    }

    /// A recent challenge and who asked for it, or now and then another device.
    fn answering(&mut self) -> (u32, Caller) {
        let other = self.caller();
        let back = self.below(4) as usize;
        let Some(&(number, asked)) = self.asked.iter().rev().nth(back) else { return (0, other) };
        match self.below(10) {
            0 => (number, Caller { device: other.device, ..asked }),
            _ => (number, Caller { client: other.client, fingerprint: other.fingerprint, ..asked }),
        }
    }

    /// One of many addresses, two phones and eight devices, so that more than five are bound.
    fn caller(&mut self) -> Caller {
        let [address, phone, device] = [60, 2, 8].map(|bound| self.below(bound) as u32);
        let caller = Caller::new(address / 2, phone, device);
        Caller { may_be_struck: address > 0, ..caller }
    }

    /// Mostly the right one.
    fn guess(&mut self) -> u8 {
        1 + u8::from(self.below(6) == 0)
    }

    fn key(&mut self) -> Key {
        let caller = self.caller();
        match self.below(4) {
            0 => caller.fingerprint,
            1 => caller.client,
            _ => caller.phone,
        }
    }

    /// SplitMix64.
    fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn on(server: &RedisServer, clock: &ManualClock) -> SharedLoginStore {
    let store = Redis::new(&server.url(), Pepper::new(&[7; 32]).unwrap()).unwrap();
    store.deadline(Duration::from_secs(30)).clock(clock.clone()).into()
}

fn id(number: u32) -> SessionId {
    let mut bytes = [0x5a; 16];
    // Later ids are not later in their alphabet.
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    SessionId::from_bytes(bytes)
}

/// The name of a variant.
/// What was told, without the moment of a guess, and that apart.
fn leveled(mut told: Verified) -> (Verified, Option<Guess>) {
    let Verdict::Held { guess, .. } = &mut told.outcome else { return (told, None) };
    let at = *guess;
    guess.at = 0;
    (told, Some(at))
}

fn name(told: &impl Debug) -> String {
    let text = format!("{told:?}");
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}
