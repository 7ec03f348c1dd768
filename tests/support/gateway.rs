//! Starts the program and talks to it over bare sockets: no client makes a request nicer than it is.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "shared by tests")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::Value;
use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

/// Far longer than the program takes to say something; what hangs must fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, in an environment that has nothing in it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear().stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// What the program says before it ends.
pub(crate) fn run(args: &[&str]) -> Output {
    program().args(args).stderr(Stdio::piped()).output().unwrap()
}

/// Tries until there is an answer, for ten seconds at most.
pub(crate) fn poll<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = attempt() {
            return found;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: not within ten seconds");
}

/// Asks a child to end, by its own number.
pub(crate) fn terminate(child: &Child) {
    let number = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &number]).status().unwrap().success());
}

/// The header (0) or the claims (1) of a token.
pub(crate) fn token_part(token: &str, index: usize) -> Value {
    let part = BASE64.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

/// Posts JSON from a device.
pub(crate) fn post(to: SocketAddr, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let json = [("content-type", "application/json"), ("x-device-id", "a-device-of-the-owner")];
    let headers = [&json, headers].concat();
    send(to, format!("POST {path}").as_bytes(), &headers, &body.to_string())
}

/// Asks another listener than that of a server.
pub(crate) fn ask(to: SocketAddr, method: &str, path: &str) -> Answer {
    send(to, format!("{method} {path}").as_bytes(), &[], "")
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Sends method and path, headers and a body as they are written.
fn send(to: SocketAddr, start: &[u8], headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = [start, b" HTTP/1.1\r\nhost: a.example\r\n"].concat();
    for (name, value) in headers {
        request.extend(format!("{name}: {value}\r\n").as_bytes());
    }
    if !body.is_empty() {
        request.extend(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    request.extend([b"connection: close\r\n\r\n", body.as_bytes()].concat());
    let mut stream = connect(to);
    stream.write_all(&request).unwrap();
    Answer::read(&mut stream)
}

// === Server ===

/// A running gateway, killed when it goes out of scope.
pub(crate) struct Server {
    child: Child,
    /// Locked, as tests ask from several threads.
    lines: Mutex<Receiver<String>>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Without a configuration, on a free port.
    pub(crate) fn demo() -> Self {
        Self::start(program().args(["--listen", "127.0.0.1:0"]))
    }

    /// With `config`, which needs no file beside it, on a free port.
    pub(crate) fn with(config: &str) -> Self {
        let folder = Folder::new();
        folder.write("gateway.toml", config);
        folder.serve("gateway.toml", &[])
    }

    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        // A thread, as a pipe cannot be read with a time limit. It ends with the child's output.
        thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let line = lines.recv_timeout(PATIENCE).unwrap_or_default();
        let address = line.strip_prefix("listening on http://").and_then(|at| at.parse().ok());
        let address = address.unwrap_or_else(|| panic!("it did not start: {line}"));
        Self { address, child, lines: Mutex::new(lines) }
    }

    /// What a demo prints up to the last line to try.
    pub(crate) fn banner(&mut self) -> String {
        let mut banner = String::new();
        while !banner.lines().last().is_some_and(|line| line.starts_with("for ")) {
            banner += &self.line();
            banner.push('\n');
        }
        banner
    }

    /// The next line it prints.
    pub(crate) fn line(&mut self) -> String {
        self.lines
            .get_mut()
            .unwrap()
            .recv_timeout(PATIENCE)
            .expect("the program prints another line")
    }

    /// Where it tells operators of itself, which is the next line it prints.
    pub(crate) fn admin(&mut self) -> SocketAddr {
        let line = self.line();
        let address = line.strip_prefix("metrics on http://").expect(&line);
        address.strip_suffix("/metrics").unwrap().parse().unwrap()
    }

    /// The code in the next message that a demo prints.
    pub(crate) fn code(&mut self) -> String {
        loop {
            let line = self.line();
            if let Some(message) = line.strip_prefix("SMS to ") {
                let mut words = message.split(|c: char| !c.is_ascii_alphanumeric());
                let is_code =
                    |word: &&str| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit());
                return words.find(is_code).expect("a code in the message").to_owned();
            }
        }
    }

    /// The token that a demo prints.
    pub(crate) fn token(&mut self) -> String {
        let banner = self.banner();
        let token = banner.lines().find_map(|line| line.strip_prefix("TOKEN="));
        token.expect("a line with a token").to_owned()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// Sends `method`, `path` and `headers` as they are written.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask_bytes(method, path.as_bytes(), headers)
    }

    pub(crate) fn ask_bytes(&self, method: &str, path: &[u8], headers: &[(&str, &str)]) -> Answer {
        send(self.address, &[method.as_bytes(), b" ", path].concat(), headers, "")
    }

    /// Posts JSON from a device.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        post(self.address, path, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub(crate) fn get_as(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, &[("authorization", &format!("Bearer {token}"))])
    }

    /// What the process has handed to file systems, by the kernel's account; pipes and sockets are none.
    pub(crate) fn bytes_written_to_disk(&self) -> u64 {
        let account = fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        let bytes = account.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        bytes.unwrap().parse().unwrap()
    }

    /// Asks politely to end, by the child's own number.
    pub(crate) fn terminate(&self) {
        terminate(&self.child);
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        poll("the end of the process", || self.child.try_wait().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === Answer ===

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// Reads until the connection is closed.
    pub(crate) fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Self::parse(&String::from_utf8(bytes).unwrap())
    }

    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self { status, headers: lines.map(pair).collect(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(own, _)| own == name);
        let first = named.next().map(|(_, value)| value.as_str());
        assert!(named.next().is_none(), "{name} is there twice");
        first
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The slug of a refusal, which must be a problem document of the same status.
    pub(crate) fn slug(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        problem["slug"].as_str().unwrap().to_owned()
    }

    /// Asserts the headers that the demo puts on every answer over http.
    #[track_caller]
    pub(crate) fn assert_secure(&self) {
        for (name, value) in [
            (
                "content-security-policy",
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("x-permitted-cross-domain-policies", "none"),
        ] {
            assert_eq!(self.header(name), Some(value), "{name} in {self:?}");
        }
        assert!(self.header("cache-control").is_some(), "{self:?}");
        for absent in ["strict-transport-security", "server", "x-powered-by"] {
            assert_eq!(self.header(absent), None, "{absent} in {self:?}");
        }
    }
}

// === Folder ===

/// A folder of its own for each test, removed with everything in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("portcullis-test-{}-{count}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file that nobody else can read.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), content).unwrap();
        self.allow(name, 0o600);
    }

    /// Has the program make a set of keys.
    pub(crate) fn generate(&self, name: &str) {
        let made = run(&["keys", "generate", "--out", &self.file(name)]);
        assert!(made.status.success(), "{made:?}");
    }

    /// Sets who may read a file.
    pub(crate) fn allow(&self, name: &str, mode: u32) {
        #[cfg(unix)]
        fs::set_permissions(self.0.join(name), std::os::unix::fs::PermissionsExt::from_mode(mode))
            .unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Serves the configuration `name` on a free port, with `variables` in the environment.
    pub(crate) fn serve(&self, name: &str, variables: &[(&str, &str)]) -> Server {
        let mut command = program();
        command.args(["--config", &self.file(name), "--listen", "127.0.0.1:0"]);
        Server::start(command.envs(variables.iter().copied()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
