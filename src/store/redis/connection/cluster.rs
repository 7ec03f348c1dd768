//! Who has which slots, and the way to them.
//!
//! The cluster client of the `redis` crate repeats up to 16 times and finds its slots again while all callers wait. Here a
//! server that is gone costs nobody but those who ask for its slots, and these no more than their deadline.

use super::{
    errand::{Errand, errand},
    late::Late,
    line::Line,
    master::Master,
    script::Call,
    target::Target,
};
use crate::clock::{Clock, SystemClock, micros};
use arc_swap::ArcSwap;
use redis::{ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub(super) struct Cluster(Arc<Shape>);

struct Shape {
    target: Arc<Target>,
    clock: Arc<dyn Clock>,
    map: ArcSwap<Map>,
    finding: Mutex<Option<Errand<()>>>,
    /// When the slots were last looked for, in microseconds of the clock's ticks.
    found_at: AtomicU64,
}

#[derive(Default)]
struct Map {
    masters: Vec<Arc<Master>>,
    /// First and last slot, and the index of their master.
    ranges: Vec<(u16, u16, usize)>,
}

/// One server may be asked for so long who has which slots.
const PATIENCE: Duration = Duration::from_millis(250);
/// Between two searches for the slots of servers that do not answer.
const PAUSE: Duration = Duration::from_millis(250);

/// First and last slot, their master, its replicas.
type Range = Vec<Value>;

impl Cluster {
    pub(super) fn new(target: &Arc<Target>) -> Self {
        Self(Arc::new(Shape {
            target: Arc::clone(target),
            clock: Arc::new(SystemClock::new()),
            map: ArcSwap::default(),
            finding: Mutex::new(None),
            found_at: AtomicU64::new(0),
        }))
    }

    pub(super) async fn run<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
        late: &Late,
    ) -> RedisResult<T> {
        // A script without keys is at home everywhere.
        let slot = call.slot().unwrap_or_default();
        let master = self.master(slot).await?;
        let answer = master.run(call, late).await;
        let Err(error) = &answer else { return answer };
        let Some((address, _)) = error.redirect_node() else { return answer };
        // Nothing has run yet. The map is of yesterday only if the slot is at its new home for good.
        let is_moved = error.kind() == ErrorKind::Server(ServerErrorKind::Moved);
        if is_moved {
            self.find().await?;
        }
        let next = self.at(address, &master)?;
        if is_moved {
            next.run(call, late).await
        } else {
            next.attend(next.line.asking(call, late), late).await
        }
    }

    /// Runs a script, unless the server of its slot is one that does not answer: who needs its keys looks for it.
    pub(super) async fn run_if_there<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
        late: &Late,
    ) -> RedisResult<T> {
        let known = self.0.map.load().of(call.slot().unwrap_or_default());
        if known.is_some_and(|master| master.is_suspect()) {
            return Err(gone());
        }
        self.run(call, late).await
    }

    /// All servers that have slots.
    pub(super) async fn masters(&self) -> RedisResult<Vec<Arc<Master>>> {
        let known = self.0.map.load_full();
        if known.masters.is_empty() {
            self.find().await?;
        } else if known.masters.iter().any(|master| master.is_suspect()) && self.is_due() {
            // If nobody knows, they may still be those that they were.
            let _ = self.find().await;
        }
        Ok(self.0.map.load().masters.clone())
    }

    /// Whether some servers answer while others do not.
    pub(super) fn is_lost_in_part(&self) -> bool {
        self.0.map.load().masters.iter().any(|master| !master.breaker.is_open())
    }

    /// The servers that do not answer, as `host:port`.
    pub(super) fn lost(&self) -> Vec<Arc<str>> {
        let map = self.0.map.load();
        let lost = map.masters.iter().filter(|master| master.breaker.is_open());
        lost.map(|master| Arc::clone(&master.name)).collect()
    }

    async fn master(&self, slot: u16) -> RedisResult<Arc<Master>> {
        let known = self.0.map.load().of(slot);
        let is_good = |master: &Arc<Master>| !master.is_suspect();
        if let Some(master) = known.clone().filter(is_good) {
            return Ok(master);
        }
        if known.is_none() || self.is_due() {
            // If nobody knows, it may still be the one that it was.
            let found = self.find().await;
            if known.is_none() {
                found?;
            }
        }
        let down = (ErrorKind::ClusterConnectionNotFound, "no server has the slot");
        let master = self.0.map.load().of(slot).ok_or_else(|| RedisError::from(down))?;
        if is_good(&master) || master.breaker.passes() { Ok(master) } else { Err(gone()) }
    }

    /// Whether slots were not found anew for a while.
    fn is_due(&self) -> bool {
        let found_at = self.0.found_at.load(Ordering::Relaxed);
        self.0.now().saturating_sub(found_at) > micros(PAUSE)
    }

    fn at(&self, address: &str, teller: &Master) -> RedisResult<Arc<Master>> {
        let (host, port) = address.rsplit_once(':').unwrap_or_default();
        let host = if host.is_empty() { &*teller.host } else { host };
        let masters = &self.0.map.load().masters;
        let found = masters.iter().find(|one| one.host == host && one.port.to_string() == port);
        let down = (ErrorKind::ClusterConnectionNotFound, "the slot is at a server that has none");
        found.cloned().ok_or_else(|| down.into())
    }

    /// Finds the slots anew: one caller for all.
    async fn find(&self) -> RedisResult<()> {
        let lock = || self.0.finding.lock().unwrap_or_else(PoisonError::into_inner);
        let search = || errand(Arc::clone(&self.0).search());
        let finding = lock().get_or_insert_with(search).clone();
        let found = finding.clone().await;
        lock().take_if(|current| current.ptr_eq(&finding));
        found
    }
}

impl Shape {
    async fn search(self: Arc<Self>) -> RedisResult<()> {
        self.found_at.store(self.now(), Ordering::Relaxed);
        let map = self.map.load_full();
        let mut slots = cmd("CLUSTER");
        slots.arg("SLOTS");
        let (good, bad): (Vec<_>, Vec<_>) = map.masters.iter().partition(|one| !one.is_suspect());
        for master in good {
            let late = Late::default();
            let asked = late.timeout(PATIENCE, master.line.query(&slots, &late));
            if let Some(Ok(told)) = asked.await {
                self.learn(&map, &master.host, told);
                return Ok(());
            }
        }
        let mut last = gone();
        let bad = bad.iter().map(|one| (&one.host, one.port));
        for (host, port) in self.target.hosts.iter().map(|(host, port)| (host, *port)).chain(bad) {
            let line = Line::to(self.target.client(host, port));
            let late = Late::default();
            match late.timeout(PATIENCE, line.query(&slots, &late)).await {
                Some(Ok(told)) => {
                    self.learn(&map, host, told);
                    return Ok(());
                }
                Some(Err(error)) => last = error,
                None => {}
            }
        }
        Err(last)
    }

    /// Takes over who has which slots; connections that are there stay.
    fn learn(&self, old: &Map, teller: &str, told: Vec<Range>) {
        let mut map = Map::default();
        for range in told {
            let Some((first, last, (host, port))) = read(&range) else { continue };
            let host = if host.is_empty() { teller } else { &*host };
            let is_it = |one: &Arc<Master>| one.host == host && one.port == port;
            let index = match map.masters.iter().position(is_it) {
                Some(index) => index,
                None => {
                    let master = match old.masters.iter().find(|one| is_it(one)) {
                        Some(known) => Arc::clone(known),
                        None => {
                            let line = Line::to(self.target.client(host, port));
                            Arc::new(Master::new(host, port, line, &self.clock))
                        }
                    };
                    map.masters.push(master);
                    map.masters.len() - 1
                }
            };
            map.ranges.push((first, last, index));
        }
        self.map.store(Arc::new(map));
    }

    fn now(&self) -> u64 {
        micros(self.clock.ticks())
    }
}

impl Map {
    fn of(&self, slot: u16) -> Option<Arc<Master>> {
        let range = self.ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot))?;
        self.masters.get(range.2).cloned()
    }
}

fn read(range: &[Value]) -> Option<(u16, u16, (String, u16))> {
    let [first, last, master, ..] = range else { return None };
    let slot = |value| u16::from_redis_value_ref(value).ok();
    Some((slot(first)?, slot(last)?, address(master)?))
}

/// Host and port of a server, as `CLUSTER SLOTS` tells them.
fn address(server: &Value) -> Option<(String, u16)> {
    let Value::Array(parts) = server else { return None };
    let host = match parts.first()? {
        // The server that was asked does not know its own.
        Value::Nil => String::new(),
        host => String::from_redis_value_ref(host).ok().filter(|host| host != "?")?,
    };
    Some((host, u16::from_redis_value_ref(parts.get(1)?).ok()?))
}

fn gone() -> RedisError {
    io::Error::new(io::ErrorKind::NotConnected, "a server of the cluster has stopped answering")
        .into()
}
