//! A whole site while its Redis fails, under 200 requests at once: a login and a refresh are 503 and cost nobody what they have, who was
//! logged out stays out, open routes serve, limits go on here, and it is all as before once the fault is over.
#![cfg(all(feature = "full", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/crowd.rs"]
mod crowd;
#[path = "support/login.rs"]
mod login;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/redis.rs"]
mod redis;
#[path = "support/redis_groups.rs"]
mod redis_groups;
#[path = "support/site.rs"]
mod site;
#[path = "support/told.rs"]
mod told;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use login::{Ask, ISSUER};
use recorded::on_threads;
use redis::RedisServer;
use redis_groups::{Cluster, Sentinels, eventually};
use site::{Caller, Counts, Known, QUOTA, SHARE, Site, To, Waiting};
use std::time::Duration;

/// A fault of a single server.
struct Fault {
    name: &'static str,
    begin: fn(&mut RedisServer),
    end: fn(&mut RedisServer),
    /// Whether codes and sessions are there when it is over.
    keeps: bool,
}

const FAULTS: [Fault; 4] = [
    Fault {
        name: "frozen",
        begin: |server| server.freeze(),
        end: |server| server.thaw(),
        keeps: true,
    },
    Fault {
        name: "slow",
        begin: |server| drop(server.command(&["CLIENT", "PAUSE", "600000", "WRITE"])),
        end: |server| drop(server.command(&["CLIENT", "UNPAUSE"])),
        keeps: true,
    },
    Fault {
        name: "full",
        begin: |server| drop(server.command(&["CONFIG", "SET", "maxmemory", "1"])),
        end: |server| drop(server.command(&["CONFIG", "SET", "maxmemory", "0"])),
        keeps: true,
    },
    Fault { name: "killed", begin: RedisServer::kill, end: RedisServer::restart, keeps: false },
];

/// Who was there before a fault.
struct People {
    waiting: Vec<Waiting>,
    known: Vec<Known>,
    gone: Known,
    /// Asks for nothing meanwhile.
    spare: Waiting,
}

impl People {
    async fn of(site: &Site) -> Self {
        let (mut waiting, mut known) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            waiting.push(site.waiting().await);
        }
        for _ in 0..10 {
            known.push(site.known().await);
        }
        Self { waiting, known, gone: site.gone().await, spare: site.waiting().await }
    }

    /// 200 requests, of which some are of people that nobody knows yet.
    fn all(&self, site: &Site) -> Vec<(To, Ask)> {
        let refreshing = self.known.iter().cycle().take(30);
        let limited = [(); 3].map(|()| site.caller());
        let limited = limited.iter().cycle().take(60);
        let parts: [Vec<(To, Ask)>; 7] = [
            (0..40).map(|_| (To::Request, site.caller().requests())).collect(),
            self.waiting.iter().map(|waiting| (To::Verify, waiting.verifies())).collect(),
            refreshing.map(|known| (To::Refresh, known.refreshes())).collect(),
            (0..30).map(|_| (To::Open, site.caller().opens())).collect(),
            limited.map(|caller| (To::Limited, caller.opens())).collect(),
            self.known.iter().map(|known| (To::Api, known.calls())).collect(),
            vec![(To::Api, self.gone.calls()); 10],
        ];
        interleaved(&parts)
    }

    /// Whoever got no answer has what they had.
    async fn go_on(&self, site: &Site) {
        let answer = site.ask(To::Verify, self.spare.verifies()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for known in &self.known {
            let answer = site.ask(To::Refresh, known.refreshes()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

/// One of each in turn, so that none has the first word.
fn interleaved<const N: usize>(parts: &[Vec<(To, Ask)>; N]) -> Vec<(To, Ask)> {
    let longest = parts.iter().map(Vec::len).max().unwrap_or_default();
    let row = |at: usize| parts.iter().filter_map(move |part| part.get(at).cloned());
    (0..longest).flat_map(row).collect()
}

/// What comes of 200 requests while nobody answers.
fn alone() -> Counts {
    let (admitted, refused) = (3 * SHARE as usize, 3 * (QUOTA - SHARE) as usize);
    Counts::from([
        ((To::Request, 503), 40),
        ((To::Verify, 503), 20),
        ((To::Refresh, 503), 30),
        ((To::Open, 200), 30),
        ((To::Limited, 200), admitted),
        ((To::Limited, 429), refused),
        ((To::Api, 200), 10),
        ((To::Api, 401), 10),
    ])
}

/// A login from its beginning to its end, and a limit that is the servers'.
async fn serves(site: &Site) {
    let known = site.known().await;
    assert_eq!(site.ask(To::Refresh, known.refreshes()).await.status, 200);
    assert_eq!(site.ask(To::Api, known.calls()).await.status, 200);
    let caller = site.caller();
    for status in [200; QUOTA as usize].into_iter().chain([429]) {
        assert_eq!(site.ask(To::Limited, caller.opens()).await.status, status);
    }
}

#[test]
fn one_server() {
    on_threads(|recorded| async {
        let mut server = RedisServer::start();
        server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        let site = Site::at(&server.url()).await;
        for fault in FAULTS {
            let people = People::of(&site).await;
            recorded.moved();
            let before = site.instance.told.names().len();
            (fault.begin)(&mut server);
            for _ in 0..2 {
                assert_eq!(site.crowd(people.all(&site)).await, alone(), "{}", fault.name);
            }
            assert_eq!(site.instance.told.names()[before..], ["store-lost"], "{}", fault.name);
            (fault.end)(&mut server);
            site.instance.comes_back().await;
            serves(&site).await;
            if fault.keeps {
                people.go_on(&site).await;
            }
            assert_eq!(site.ask(To::Api, people.gone.calls()).await.status, 401);
            let moved = recorded.moved();
            for change in ["lost", "returned"] {
                assert_eq!(moved[&format!("store_changes_total{{change={change}}}")], 1);
            }
        }
    });
}

#[test]
fn a_master_that_is_replaced() {
    on_threads(|recorded| async {
        let mut group = Sentinels::patient();
        let site = Site::at(&group.url()).await;
        let people = People::of(&site).await;
        let size = |server: &RedisServer| server.command(&["DBSIZE"]);
        eventually("it is replicated", || size(&group.master) == size(&group.replica));
        recorded.moved();
        group.master.kill();
        for _ in 0..2 {
            assert_eq!(site.crowd(people.all(&site)).await, alone());
        }
        assert!(group.replica.command(&["ROLE"]).contains("slave"), "nobody has taken over yet");
        while site.instance.store.store().is_lost() {
            site.instance.clock.advance(Duration::from_secs(1));
            let counts = site.crowd(people.all(&site)).await;
            assert!(counts == alone() || !site.instance.store.store().is_lost(), "{counts:?}");
            // The sentinels need the machine, too.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        serves(&site).await;
        people.go_on(&site).await;
        assert_eq!(site.ask(To::Api, people.gone.calls()).await.status, 401);
        let told = site.instance.told.names();
        assert_eq!(told, ["store-lost", "store-restarted", "store-back"]);
        let moved = recorded.moved();
        for change in ["lost", "returned"] {
            assert_eq!(moved[&format!("store_changes_total{{change={change}}}")], 1);
        }
    });
}

/// Who was there before one of three masters went away, by whether that concerns them.
struct Apart {
    /// Whose codes, addresses and all else are elsewhere.
    elsewhere: Vec<Waiting>,
    /// Whose codes are there.
    there: Vec<Waiting>,
    known_elsewhere: Vec<Known>,
    known_there: Vec<Known>,
    /// Whose end is noted there.
    gone: Known,
    /// Whose phones are there, and who has not asked for anything.
    new: Vec<Caller>,
    /// One for each master that counts addresses, that one first.
    limited: [Caller; 3],
}

impl Apart {
    async fn of(site: &Site, cluster: &Cluster, lost: usize) -> Self {
        let is_there = |key| cluster.owner_of(key) == lost;
        // But limits, which end while people come.
        let size = || {
            let names = cluster.masters[lost].command(&["KEYS", "*"]);
            names.lines().filter(|line| !line.starts_with(['*', '$', 'l'])).count()
        };
        let phone = |caller: Caller| site.blocks().phone(&caller.phone());
        let (mut elsewhere, mut there) = (Vec::new(), Vec::new());
        while elsewhere.len() < 37 || there.len() < 8 {
            let before = size();
            let waiting = site.waiting().await;
            if is_there(phone(waiting.caller)) {
                there.push(waiting);
            } else if size() == before {
                elsewhere.push(waiting);
            }
        }
        let (mut known_elsewhere, mut known_there) = (Vec::new(), Vec::new());
        while known_elsewhere.len() < 5 || known_there.len() < 5 {
            let known = site.known().await;
            let id: String = BASE64.decode(&known.session).unwrap().iter().map(hex).collect();
            let its = [&mut known_elsewhere, &mut known_there];
            its[usize::from(cluster.owner(&format!("rt:{id}")) == lost)].push(known);
        }
        let gone = loop {
            let gone = site.gone().await;
            if is_there(site.blocks().session(ISSUER, &gone.session)) {
                break gone;
            }
        };
        let new = std::iter::repeat_with(|| site.caller());
        let new = new.filter(|caller| is_there(phone(*caller))).take(35).collect();
        let limited = [0, 1, 2].map(|master| {
            let mut callers = std::iter::repeat_with(|| site.caller());
            let master = (lost + master) % 3;
            callers.find(|caller| cluster.owner_of(caller.address()) == master).unwrap()
        });
        Self { elsewhere, there, known_elsewhere, known_there, gone, new, limited }
    }

    fn all(&self, site: &Site) -> Vec<(To, Ask)> {
        let (asking, answering) = self.elsewhere[..37].split_at(5);
        let asking = asking.iter().map(|waiting| waiting.caller).chain(self.new.iter().copied());
        let answering = answering.iter().chain(&self.there[..8]);
        let known = || self.known_elsewhere[..5].iter().chain(&self.known_there[..5]);
        let limited = self.limited.iter().cycle().take(60);
        interleaved(&[
            asking.map(|caller| (To::Request, caller.requests())).collect(),
            answering.map(|waiting| (To::Verify, waiting.verifies())).collect(),
            known().cycle().take(30).map(|known| (To::Refresh, known.refreshes())).collect(),
            (0..10).map(|_| (To::Open, site.caller().opens())).collect(),
            limited.map(|caller| (To::Limited, caller.opens())).collect(),
            known().map(|known| (To::Api, known.calls())).collect(),
            vec![(To::Api, self.gone.calls()); 10],
        ])
    }
}

fn hex(byte: &u8) -> String {
    format!("{byte:02x}")
}

#[test]
fn one_of_three_masters_that_is_away() {
    on_threads(|recorded| async {
        let mut cluster = Cluster::start();
        let site = Site::at(&cluster.url()).await;
        for (lost, fault) in [&FAULTS[0], &FAULTS[3]].into_iter().enumerate() {
            let people = Apart::of(&site, &cluster, lost).await;
            recorded.moved();
            let before = site.instance.told.names().len();
            (fault.begin)(&mut cluster.masters[lost]);
            let mut counts = site.crowd(people.all(&site)).await;
            assert_eq!(site.instance.told.names()[before..], ["store-part-lost"]);
            // A session opens where its name says, which is drawn: there, too; but not each of them.
            let opened = counts.remove(&(To::Verify, 200)).unwrap_or_default();
            let refused = counts.remove(&(To::Verify, 503)).unwrap_or_default();
            assert!(opened > 0 && refused >= 8 && opened + refused == 40, "{opened} {refused}");
            let (share, quota) = (SHARE as usize, QUOTA as usize);
            let expected = [
                ((To::Request, 429), 5),
                ((To::Request, 503), 35),
                ((To::Refresh, 200), 15),
                ((To::Refresh, 503), 15),
                ((To::Open, 200), 10),
                ((To::Limited, 200), share + 2 * quota),
                ((To::Limited, 429), quota - share),
                ((To::Api, 200), 10),
                ((To::Api, 401), 10),
            ];
            assert_eq!(counts, Counts::from(expected), "{}", fault.name);
            (fault.end)(&mut cluster.masters[lost]);
            cluster.is_whole();
            let back: &[&str] = &["store-part-back", "store-emptied"];
            let back = if fault.keeps { &back[..1] } else { back };
            let there = site.blocks().session(ISSUER, &people.gone.session);
            site.instance.is_told(there, before + 1, back).await;
            serves(&site).await;
            for known in people.known_there.iter().filter(|_| fault.keeps) {
                assert_eq!(site.ask(To::Refresh, known.refreshes()).await.status, 200);
            }
            assert_eq!(site.ask(To::Api, people.gone.calls()).await.status, 401);
            let moved = recorded.moved();
            for change in ["part-lost", "part-returned"] {
                assert_eq!(moved[&format!("store_changes_total{{change={change}}}")], 1);
            }
        }
    });
}
