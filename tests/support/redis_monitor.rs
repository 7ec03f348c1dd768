//! What a server runs, told by itself.

use crate::redis::RedisServer;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

/// Listens to all commands from its making on.
pub(crate) struct Monitor {
    lines: BufReader<TcpStream>,
}

/// A script that was run: the keys it was given, and the commands it gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) script: String,
    pub(crate) keys: Vec<String>,
    pub(crate) commands: Vec<Vec<String>>,
}

const READS: [&str; 10] =
    ["info", "time", "get", "mget", "hget", "hgetall", "hmget", "lrange", "zrange", "pttl"];

impl Monitor {
    pub(crate) fn new(server: &RedisServer) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        let mut answer = String::new();
        lines.read_line(&mut answer).unwrap();
        assert_eq!(answer, "+OK\r\n");
        Self { lines }
    }

    /// The scripts that were run since the last time.
    pub(crate) fn runs(&mut self, server: &RedisServer) -> Vec<Run> {
        server.command(&["ECHO", "that is all"]);
        let mut runs: Vec<Run> = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0);
            let words = words(&line);
            let by_script = line.contains(" lua] ");
            match (words[0].to_lowercase().as_str(), by_script) {
                ("echo", false) if words[1] == "that is all" => return runs,
                ("evalsha", false) => {
                    let count: usize = words[2].parse().unwrap();
                    let (script, keys) = (words[1].clone(), words[3..3 + count].to_vec());
                    runs.push(Run { script, keys, commands: Vec::new() });
                }
                (_, true) => runs.last_mut().unwrap().commands.push(words),
                _ => {}
            }
        }
    }
}

impl Run {
    /// The commands that may change something, and the keys they are about.
    pub(crate) fn writes(&self) -> Vec<String> {
        let writes = self.commands.iter().filter(|words| !READS.contains(&name(words).as_str()));
        writes.map(|words| words[..2].join(" ")).collect()
    }

    /// The names that were used and not given.
    pub(crate) fn strays(&self) -> Vec<&String> {
        let named = self
            .commands
            .iter()
            .filter(|words| !["time", "info"].contains(&name(words).as_str()))
            .flat_map(|words| {
                let many = ["del", "mget"].contains(&name(words).as_str());
                words.iter().skip(1).take(if many { usize::MAX } else { 1 })
            });
        named.filter(|name| !self.keys.contains(name)).collect()
    }
}

fn name(words: &[String]) -> String {
    words[0].to_lowercase()
}

/// The words of a line, each between quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (&mut word, letter) {
            (None, '"') => word = Some(String::new()),
            (None, _) => {}
            (Some(_), '"') => words.extend(word.take()),
            (Some(text), '\\') => text.extend(letters.next()),
            (Some(text), letter) => text.push(letter),
        }
    }
    if words.is_empty() { vec![String::new()] } else { words }
}
