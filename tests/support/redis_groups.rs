//! Groups of private Redis servers: a master with replica and three sentinels, and a cluster of three masters.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each test file uses its part; waits are bounded by the machine's clock"
)]

use crate::redis::RedisServer;
use portcullis::Key;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// A master and a replica, which takes over soon after three sentinels have lost sight of the master.
pub(crate) struct Sentinels {
    pub(crate) master: RedisServer,
    pub(crate) replica: RedisServer,
    sentinels: Vec<RedisServer>,
}

/// Three masters that share the slots evenly, and answer for theirs while another is gone.
pub(crate) struct Cluster {
    pub(crate) masters: Vec<RedisServer>,
}

const PATIENCE: Duration = Duration::from_secs(60);

/// More arguments for a server with this folder.
pub(crate) type More<'a> = &'a dyn Fn(&Path) -> Vec<String>;

impl Sentinels {
    pub(crate) fn start() -> Self {
        Self::start_with(&|_| Vec::new(), "")
    }

    /// One whose sentinels look for another master late enough for two crowds that a frozen one keeps waiting.
    pub(crate) fn patient() -> Self {
        Self::start_with(&|_| Vec::new(), "sentinel down-after-milliseconds main 2500")
    }

    /// With more arguments for all, and more rules for the sentinels.
    pub(crate) fn start_with(more: More<'_>, rules: &str) -> Self {
        let master = RedisServer::start_with(|folder, _| more(folder));
        let of = master.outward().to_string();
        let replica = RedisServer::start_with(|folder, _| {
            [vec!["--replicaof".into(), "127.0.0.1".into(), of.clone()], more(folder)].concat()
        });
        eventually("the replica is in step", || {
            replica.command(&["INFO", "replication"]).contains("master_link_status:up")
        });
        let rules = format!(
            "sentinel monitor main 127.0.0.1 {of} 2\nsentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 3000\nsentinel parallel-syncs main 1\n{rules}\n"
        );
        let sentinel = |_| {
            RedisServer::start_with(|folder, _| {
                let file = folder.join("sentinel.conf");
                std::fs::write(&file, &rules).unwrap();
                [vec![file.display().to_string(), "--sentinel".into()], more(folder)].concat()
            })
        };
        let this = Self { master, replica, sentinels: (0..3).map(sentinel).collect() };
        eventually("the sentinels know each other", || {
            this.sentinels.iter().all(|one| {
                let told = one.command(&["SENTINEL", "MASTER", "main"]);
                told.contains("num-other-sentinels\r\n$1\r\n2\r\n")
                    && told.contains("num-slaves\r\n$1\r\n1\r\n")
            })
        });
        this
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+sentinel://{}/main", self.hosts())
    }

    /// All sentinels.
    pub(crate) fn hosts(&self) -> String {
        let host = |one: &RedisServer| format!("127.0.0.1:{}", one.outward());
        self.sentinels.iter().map(host).collect::<Vec<_>>().join(",")
    }

    pub(crate) fn sentinel(&mut self, index: usize) -> &mut RedisServer {
        &mut self.sentinels[index]
    }
}

impl Cluster {
    pub(crate) fn start() -> Self {
        Self::start_with(&|_| Vec::new())
    }

    /// With more arguments for all.
    pub(crate) fn start_with(more: More<'_>) -> Self {
        let masters: Vec<_> = (0..3).map(|_| Self::server(more)).collect();
        for (index, one) in masters.iter().enumerate() {
            let (first, last) = Self::slots(index);
            let range = [first.to_string(), last.to_string()];
            assert_eq!(one.command(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]), "+OK\r\n");
            let epoch = (index + 1).to_string();
            one.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
            one.command(&["CLUSTER", "MEET", "127.0.0.1", &masters[0].outward().to_string()]);
        }
        let this = Self { masters };
        this.is_whole();
        this
    }

    /// A replica of the first master, in step with it and known to all.
    pub(crate) fn replica(&self) -> RedisServer {
        let replica = Self::server(&|_| Vec::new());
        let id = self.masters[0].command(&["CLUSTER", "MYID"]);
        let id = id.lines().nth(1).unwrap();
        replica.command(&["CLUSTER", "MEET", "127.0.0.1", &self.masters[0].outward().to_string()]);
        eventually("it may replicate", || {
            replica.command(&["CLUSTER", "REPLICATE", id]) == "+OK\r\n"
        });
        eventually("the replica is in step", || {
            replica.command(&["INFO", "replication"]).contains("master_link_status:up")
        });
        eventually("all know the replica", || {
            self.masters.iter().all(|one| one.command(&["CLUSTER", "NODES"]).contains("slave"))
        });
        replica
    }

    fn server(more: More<'_>) -> RedisServer {
        RedisServer::start_with(|folder, _| {
            ["--cluster-enabled", "yes", "--cluster-node-timeout", "500"]
                .into_iter()
                .chain(["--cluster-require-full-coverage", "no"])
                .map(str::to_owned)
                .chain(more(folder))
                .collect()
        })
    }

    /// Waits until each server knows that all slots are served.
    pub(crate) fn is_whole(&self) {
        eventually("the cluster is whole", || {
            self.masters.iter().all(|one| {
                let told = one.command(&["CLUSTER", "INFO"]);
                told.contains("cluster_state:ok")
                    && told.contains("cluster_slots_ok:16384")
                    && told.contains("cluster_known_nodes:3")
            })
        });
    }

    /// First and last slot of a master.
    fn slots(index: usize) -> (usize, usize) {
        (index * 16_384 / 3, (index + 1) * 16_384 / 3 - 1)
    }

    /// Which master has a key.
    pub(crate) fn owner(&self, key: &str) -> usize {
        let told = self.masters[0].command(&["CLUSTER", "KEYSLOT", key]);
        let slot: usize = told.trim().trim_start_matches(':').parse().unwrap();
        (0..3).find(|index| slot <= Self::slots(*index).1).unwrap()
    }

    /// Begins to move the slot of a key to another master. Answers the slot, and the other's id.
    pub(crate) fn begin_move(&self, key: &str, to: &RedisServer) -> (String, String) {
        let from = &self.masters[self.owner(key)];
        let slot = from.command(&["CLUSTER", "KEYSLOT", key]);
        let slot = slot.trim().trim_start_matches(':').to_owned();
        let id = |server: &RedisServer| {
            server.command(&["CLUSTER", "MYID"]).lines().nth(1).unwrap().to_owned()
        };
        let set = |server: &RedisServer, how: &str, other: &str| {
            assert_eq!(server.command(&["CLUSTER", "SETSLOT", &slot, how, other]), "+OK\r\n");
        };
        set(to, "IMPORTING", &id(from));
        set(from, "MIGRATING", &id(to));
        (slot, id(to))
    }

    /// Which master has what is asked about somebody.
    pub(crate) fn owner_of(&self, key: Key) -> usize {
        // What is a key's own stands in braces.
        let key = key.to_string();
        self.owner(&format!("{{{}}}", key.rsplit(':').next().unwrap()))
    }

    /// The first of these keys that each master has. To be asked while the first one answers.
    pub(crate) fn one_of_each(&self, keys: impl IntoIterator<Item = Key>) -> [Key; 3] {
        let mut found = [None; 3];
        for key in keys {
            found[self.owner_of(key)].get_or_insert(key);
            if let [Some(a), Some(b), Some(c)] = found {
                return [a, b, c];
            }
        }
        panic!("too few keys");
    }

    pub(crate) fn url(&self) -> String {
        // One is enough to find the others.
        format!("redis+cluster://127.0.0.1:{}", self.masters[2].outward())
    }

    pub(crate) fn flush(&self) {
        self.masters.iter().for_each(|one| assert_eq!(one.command(&["FLUSHALL"]), "+OK\r\n"));
    }
}

/// Waits for what other processes do.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
