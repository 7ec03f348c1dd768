//! What a server runs, told by itself.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and may panic")]

use crate::redis::RedisServer;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Listens to all commands from its making on.
pub(crate) struct Monitor {
    lines: BufReader<TcpStream>,
    /// Each file with a script or a part of one, by its name.
    files: Vec<(String, String)>,
    /// By the hash, once the server was given it.
    scripts: BTreeMap<String, Arc<Script>>,
    counts: BTreeMap<String, u64>,
}

/// A script of the store.
#[derive(Debug)]
pub(crate) struct Script {
    /// That of the file with which it ends.
    pub(crate) name: String,
    /// The names of all files that it is made of.
    pub(crate) files: Vec<String>,
}

/// A command that somebody sent, and what it made the server do.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) words: Vec<String>,
    /// What it runs, if it runs a script.
    pub(crate) script: Option<Arc<Script>>,
    /// The keys that the script was given.
    pub(crate) keys: Vec<String>,
    /// The commands that the script gave.
    pub(crate) commands: Vec<Vec<String>>,
}

/// The last command of the test itself.
const END: [&str; 2] = ["ECHO", "that is all"];
const COUNTS: [&str; 2] = ["INFO", "commandstats"];
const READS: [&str; 10] =
    ["info", "time", "get", "mget", "hget", "hgetall", "hmget", "lrange", "zrange", "pttl"];
const WITHOUT_KEYS: [&str; 2] = ["info", "time"];
const WITH_MANY_KEYS: [&str; 2] = ["del", "mget"];
const WITH_ONE_KEY: [&str; 16] = [
    "get", "set", "pttl", "pexpire", "hget", "hmget", "hgetall", "hset", "hdel", "lrange", "rpush",
    "ltrim", "lrem", "zrange", "zadd", "zrem",
];

impl Monitor {
    pub(crate) fn new(server: &RedisServer) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        let mut answer = String::new();
        lines.read_line(&mut answer).unwrap();
        assert_eq!(answer, "+OK\r\n");
        let counts = counts(&server.command(&COUNTS));
        let mut this = Self { lines, files: files(), scripts: BTreeMap::new(), counts };
        // What the server counts when it has told it.
        *this.counts.entry("info".into()).or_default() += 1;
        assert_eq!(this.line().0, COUNTS);
        this
    }

    /// All that was sent since the last time, also by the test itself. What the server counted and told nobody of comes last.
    pub(crate) fn sent(&mut self, server: &RedisServer) -> Vec<Sent> {
        // Both in one go, so that nothing comes between them.
        let now = counts(&server.send(&[&END, &COUNTS]));
        let before = std::mem::replace(&mut self.counts, now);
        let (mut all, mut told) = (Vec::<Sent>::new(), before);
        loop {
            let (words, by_script) = self.line();
            *told.entry(full_name(&words)).or_default() += 1;
            if by_script {
                all.last_mut().unwrap().commands.push(words);
            } else if words == END {
                break;
            } else {
                let sent = self.read(words);
                all.push(sent);
            }
        }
        for (name, calls) in &self.counts {
            let untold = calls - told.get(name).copied().unwrap_or_default();
            let sent = || Sent {
                words: vec![name.clone()],
                script: None,
                keys: Vec::new(),
                commands: Vec::new(),
            };
            all.extend((0..untold).map(|_| sent()));
        }
        // It comes after what it tells.
        *self.counts.entry("info".into()).or_default() += 1;
        assert_eq!(self.line().0, COUNTS);
        all
    }

    /// The scripts that were run since the last time.
    pub(crate) fn runs(&mut self, server: &RedisServer) -> Vec<Sent> {
        self.sent(server).into_iter().filter(|sent| sent.script.is_some()).collect()
    }

    fn read(&mut self, words: Vec<String>) -> Sent {
        let (mut script, mut keys) = (None, Vec::new());
        match (name(&words).as_str(), &words[1..]) {
            ("script", [load, text]) if load.eq_ignore_ascii_case("load") => {
                self.learn(text);
            }
            ("evalsha", [hash, count, rest @ ..]) => {
                let unknown = || Arc::new(Script { name: hash.clone(), files: Vec::new() });
                script = Some(self.scripts.get(hash).cloned().unwrap_or_else(unknown));
                keys = rest[..count.parse().unwrap()].to_vec();
            }
            ("eval", [text, count, rest @ ..]) => {
                script = Some(self.learn(text));
                keys = rest[..count.parse().unwrap()].to_vec();
            }
            _ => {}
        }
        Sent { words, script, keys, commands: Vec::new() }
    }

    fn learn(&mut self, text: &str) -> Arc<Script> {
        let parts = self.files.iter().filter(|(_, part)| text.contains(part.as_str()));
        let ends = self.files.iter().filter(|(_, part)| text.ends_with(part.as_str()));
        let [(name, _)] = ends.collect::<Vec<_>>()[..] else { panic!("of which file is {text}") };
        let files = parts.map(|(name, _)| name.clone()).collect();
        let script = Arc::new(Script { name: name.clone(), files });
        let hash = ::redis::Script::new(text).get_hash().to_owned();
        self.scripts.insert(hash, Arc::clone(&script));
        script
    }

    /// The words of the next line, and whether a script said them.
    fn line(&mut self) -> (Vec<String>, bool) {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0);
        let by_script = line.split_once(']').unwrap().0.ends_with(" lua");
        (words(&line), by_script)
    }
}

impl Sent {
    /// The command, or of a script how it was run and its name.
    pub(crate) fn told(&self) -> String {
        let script = self.script.as_ref().map(|script| format!(" {}", script.name));
        full_name(&self.words) + &script.unwrap_or_default()
    }

    /// The commands that a user needs for it, as rights name them.
    pub(crate) fn rights(&self) -> impl Iterator<Item = String> {
        [&self.words].into_iter().chain(&self.commands).map(|words| full_name(words))
    }

    /// The commands that may change something, and the keys they are about.
    pub(crate) fn writes(&self) -> Vec<String> {
        let writes = self.commands.iter().filter(|words| !READS.contains(&name(words).as_str()));
        writes.map(|words| words[..2].join(" ")).collect()
    }

    /// The names that were used and not given.
    pub(crate) fn strays(&self) -> Vec<&String> {
        let named = self.commands.iter().flat_map(|words| {
            let is = |these: &[&str]| these.contains(&name(words).as_str());
            let keys = match words {
                _ if is(&WITHOUT_KEYS) => 0,
                _ if is(&WITH_ONE_KEY) => 1,
                _ if is(&WITH_MANY_KEYS) => usize::MAX,
                words => panic!("which keys has {words:?}"),
            };
            words.iter().skip(1).take(keys)
        });
        named.filter(|name| !self.keys.contains(name)).collect()
    }

    /// What decides in a cluster where its keys are, of which there should be one: what is between braces, or the whole name.
    pub(crate) fn tags(&self) -> BTreeSet<&str> {
        self.keys.iter().map(|key| tag(key).unwrap_or(key)).collect()
    }
}

/// All files with scripts or parts of them, by their names without the ending.
pub(crate) fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/redis");
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (inner, flat): (Vec<PathBuf>, Vec<PathBuf>) = paths.partition(|path| path.is_dir());
        folders.extend(inner);
        for path in flat.iter().filter(|path| path.extension().is_some_and(|it| it == "lua")) {
            let name = path.strip_prefix(&root).unwrap().with_extension("");
            found.push((name.to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()));
        }
    }
    for (name, text) in &found {
        // Or who runs one would seem to run the other.
        let within = found.iter().filter(|(_, other)| other.contains(text.as_str())).count();
        assert_eq!(within, 1, "the text of {name} is a part of another's");
    }
    found
}

fn tag(key: &str) -> Option<&str> {
    Some(key.split_once('{')?.1.split_once('}')?.0)
}

fn name(words: &[String]) -> String {
    words[0].to_lowercase()
}

/// As statistics name it: with what it does, where it does several things.
fn full_name(words: &[String]) -> String {
    const SEVERAL: [&str; 7] =
        ["acl", "client", "cluster", "command", "config", "memory", "script"];
    let name = name(words);
    if SEVERAL.contains(&name.as_str()) {
        format!("{name}|{}", words[1].to_lowercase())
    } else {
        name
    }
}

/// How often each command was run, by scripts as well.
fn counts(told: &str) -> BTreeMap<String, u64> {
    let calls = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    };
    told.lines().filter_map(calls).collect()
}

/// The words of a line, each between quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<Vec<u8>>);
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        match (&mut word, byte) {
            (None, b'"') => word = Some(Vec::new()),
            (None, _) => {}
            (Some(_), b'"') => {
                let word = word.take().unwrap_or_default();
                words.push(String::from_utf8_lossy(&word).into_owned());
            }
            (Some(text), b'\\') => text.push(match bytes.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'a' => 7,
                b'b' => 8,
                b'x' => {
                    let mut digit = || char::from(bytes.next().unwrap()).to_digit(16).unwrap();
                    (digit() * 16 + digit()) as u8
                }
                itself => itself,
            }),
            (Some(text), byte) => text.push(byte),
        }
    }
    if words.is_empty() { vec![String::new()] } else { words }
}
