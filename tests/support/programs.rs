//! Starts an example as a program and does what its own lines to paste say.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Once,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

/// Far longer than anything here takes; what hangs must fail.
const PATIENCE: Duration = Duration::from_secs(60);
const WRITTEN: &str = "http://127.0.0.1:3000";

/// A running example. It ends with this value, whatever the test comes to.
pub(crate) struct Example {
    name: &'static str,
    child: Child,
    lines: Receiver<String>,
    pub(crate) address: SocketAddr,
}

impl Example {
    pub(crate) fn start(name: &'static str) -> Self {
        let mut child = Command::new(program(name))
            .env("PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        // A thread, as a pipe cannot be read with a time limit. It ends with the child's output.
        thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut example = Self { name, child, lines, address: SocketAddr::from(([0; 4], 0)) };
        let line = example.line();
        example.address = line.strip_prefix("listening on http://").unwrap().parse().unwrap();
        example
    }

    /// The next line it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Does what the example's own lines say, and checks what they promise.
    pub(crate) fn follow(&self) -> Vec<Answer> {
        let mut variables = HashMap::new();
        let mut answers = Vec::new();
        for line in script(self.name) {
            if let Some((name, value)) = assignment(&line) {
                let command = value.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
                let value = match command {
                    Some(command) => self.output(&words(command, &variables).0),
                    None => words(value, &variables).0.concat(),
                };
                variables.insert(name.to_owned(), value);
            } else {
                let (words, promise) = words(&line, &variables);
                let got = self.curl(&words);
                check(&line, &promise, &got);
                answers.extend(got);
            }
        }
        assert!(!answers.is_empty(), "{} says nothing to ask", self.name);
        answers
    }

    /// What a command prints: the body of an answer, or after `cut` the part of it between two quotes.
    fn output(&self, words: &[String]) -> String {
        let mut commands = words.split(|word| word == "|");
        let body = self.curl(commands.next().unwrap())[0].body.clone();
        match commands.next() {
            None => body,
            Some([cut, by, field]) => {
                assert_eq!((cut.as_str(), by.as_str()), ("cut", "-d\""));
                let field: usize = field.strip_prefix("-f").unwrap().parse().unwrap();
                body.split('"').nth(field - 1).unwrap_or_else(|| panic!("{body}")).to_owned()
            }
            Some(other) => panic!("{other:?}"),
        }
    }

    /// The part of curl that the examples use. `[1-3]` in the address is three requests.
    fn curl(&self, words: &[String]) -> Vec<Answer> {
        assert_eq!(words[0], "curl");
        let (mut method, mut head, mut body, mut target) =
            ("GET", String::new(), "", String::new());
        let mut words = words[1..].iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "-i" | "-s" => {}
                "-X" => method = words.next().unwrap(),
                "-H" => head += &format!("{}\r\n", words.next().unwrap()),
                "--json" | "-d" => {
                    let kind = if word == "-d" { "x-www-form-urlencoded" } else { "json" };
                    (method, body) = ("POST", words.next().unwrap());
                    head += &format!("content-type: application/{kind}\r\n");
                    head += &format!("content-length: {}\r\n", body.len());
                }
                url => target = url.strip_prefix(WRITTEN).unwrap().to_owned(),
            }
        }
        if !head.contains("host:") {
            head += &format!("host: {}\r\n", self.address);
        }
        let times = match target.contains('[') {
            true => between(&target, "[1-", "]").parse().unwrap(),
            false => 1,
        };
        let head = format!("{method} {target} HTTP/1.1\r\n{head}connection: close");
        (0..times).map(|_| self.ask(&format!("{head}\r\n\r\n{body}"))).collect()
    }

    fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn retry_after(&self) -> u64 {
        self.header("retry-after").unwrap().parse().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        format!("{}\r\n{}", self.head, self.body)
    }
}

/// A promise: the status of each answer, then what the last one has in it, between commas.
fn check(line: &str, promise: &str, answers: &[Answer]) {
    let (statuses, parts) = promise.split_once(", ").unwrap_or((promise, ""));
    let got: Vec<_> = answers.iter().map(|answer| answer.status.to_string()).collect();
    assert_eq!(got.join(" "), statuses, "{line}\n{answers:?}");
    let text = answers.last().unwrap().text();
    for part in parts.split(", ") {
        assert!(text.contains(part), "{line}\nno `{part}` in\n{text}");
    }
}

/// The lines to paste of an example.
pub(crate) fn script(name: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("examples/{name}.rs")).unwrap();
    let lines = between(&text, "//! ```sh\n", "//! ```").lines();
    lines.map(|line| line.strip_prefix("//! ").unwrap().to_owned()).collect()
}

/// The name and value of a line that sets a variable.
fn assignment(line: &str) -> Option<(&str, &str)> {
    line.split_once('=').filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// The words of a line of shell, without its variables and quotes, and the comment at its end.
pub(crate) fn words(line: &str, variables: &HashMap<String, String>) -> (Vec<String>, String) {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('#', None) if word.is_none() => {
                return (words, chars.collect::<String>().trim().to_owned());
            }
            (' ', None) => words.extend(word.take()),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (_, Some(open)) if c == open => quote = None,
            ('$', None | Some('"')) => {
                let braced = chars.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(c) = chars.next_if(char::is_ascii_uppercase) {
                    name.push(c);
                }
                assert_eq!(braced, chars.next_if_eq(&'}').is_some(), "{line}");
                *word.get_or_insert_default() += variables.get(&name).map_or("", String::as_str);
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    (words, String::new())
}

pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}

/// The built example. `cargo test` builds all of them; one who asks for this test alone gets it built now.
pub(crate) fn program(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let tests = env::current_exe().unwrap();
    let profile = tests.ancestors().nth(2).unwrap();
    let program = profile.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    if !program.exists() {
        BUILT.call_once(|| {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args([
                "build",
                "--quiet",
                "--examples",
                "--features",
                "full,test-util",
                "--target-dir",
            ]);
            cargo.arg(profile.parent().unwrap());
            if !cfg!(debug_assertions) {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success());
        });
    }
    program
}
