//! Private redis-server processes on free loopback ports, ended with the value.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each test file uses its part; waits are bounded by the machine's clock"
)]

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// A server of this test alone. It keeps nothing on disk, and ends with the value.
pub(crate) struct RedisServer {
    child: Child,
    folder: PathBuf,
    port: u16,
    more: Vec<String>,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::start_with(|_, _| Vec::new())
    }

    /// With more arguments, which may depend on its folder and port.
    pub(crate) fn start_with(more: impl Fn(&Path, u16) -> Vec<String>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("portcullis-redis-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        // Another process may take a port that was free: then the next one.
        for _ in 0..20 {
            let port = free_port();
            let more = more(&folder, port);
            let child = Self::spawn(&folder, port, &more);
            let mut server = Self { child, folder: folder.clone(), port, more };
            if server.comes_up() {
                return server;
            }
            std::mem::forget(std::mem::take(&mut server.folder));
        }
        panic!("no redis-server came up; is it installed?");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where others than the test ask: encrypted, if it was started so.
    pub(crate) fn outward(&self) -> u16 {
        self.argument("--tls-port").map_or(self.port, |port| port.parse().unwrap())
    }

    fn argument(&self, name: &str) -> Option<&str> {
        let at = self.more.iter().position(|word| word == name)?;
        self.more.get(at + 1).map(|word| &**word)
    }

    /// Sends one command and reads what there is of the answer.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        self.try_command(words).unwrap()
    }

    fn try_command(&self, words: &[&str]) -> io::Result<String> {
        let Some(password) = self.argument("--requirepass") else { return self.try_send(&[words]) };
        let answer = self.try_send(&[&["AUTH", password], words])?;
        Ok(answer.strip_prefix("+OK\r\n").unwrap_or(&answer).to_owned())
    }

    /// The same as a user who needs no password.
    pub(crate) fn command_as(&self, user: &str, words: &[&str]) -> String {
        self.send(&[&["AUTH", user, "any"], words])
    }

    /// Sends several commands in one go and reads what there is of the answers.
    pub(crate) fn send(&self, commands: &[&[&str]]) -> String {
        self.try_send(commands).unwrap()
    }

    /// Fails where nobody listens.
    fn try_send(&self, commands: &[&[&str]]) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut text = String::new();
        for words in commands {
            text += &format!("*{}\r\n", words.len());
            for word in *words {
                text += &format!("${}\r\n{word}\r\n", word.len());
            }
        }
        let mut answer = String::new();
        // It answers and then closes, too; sentinels know no QUIT.
        let asked = stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.shutdown(Shutdown::Write))
            .and_then(|()| stream.read_to_string(&mut answer));
        // A server that becomes a replica hangs up on everybody: who waits for that asks again.
        let hung_up = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::NotConnected];
        if let Err(error) = asked {
            assert!(hung_up.contains(&error.kind()), "{error}");
        }
        Ok(answer)
    }

    /// Ends the server at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on its port, empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = Self::spawn(&self.folder, self.port, &self.more);
        assert!(self.comes_up());
    }

    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
        // It may still answer until the system has seen to it, and says so.
        let state = format!("/proc/{}/stat", self.child.id());
        let runs = || std::fs::read_to_string(&state).is_ok_and(|stat| !stat.contains(") T "));
        let start = Instant::now();
        while runs() {
            assert!(start.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    fn spawn(folder: &Path, port: u16, more: &[String]) -> Child {
        Command::new("redis-server")
            // A file that it may write to comes first.
            .args(more.iter().filter(|more| more.ends_with(".conf")))
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--daemonize", "no", "--dir"])
            .arg(folder)
            .args(more.iter().filter(|more| !more.ends_with(".conf")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("redis-server: {error}; install the package redis-server")
            })
    }

    /// Whether the server answers; false if it ended, as it does when its port is taken.
    fn comes_up(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            // Whoever looks for a free port listens on it for a moment.
            let ping = self.try_command(&["PING"]);
            if ping.is_ok_and(|answer| answer.starts_with("+PONG")) && self.is_own() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("redis-server does not answer");
    }

    /// Whether who answers is this process, and not another one that was quicker to take the port.
    fn is_own(&self) -> bool {
        let told = self.try_command(&["INFO", "server"]).unwrap_or_default();
        let id = told.lines().find_map(|line| line.strip_prefix("process_id:"));
        id.is_none_or(|id| id == self.child.id().to_string())
    }
}

/// A port that nobody listened on just now; cluster buses add 10000 to it.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if let Some(bus) = port.checked_add(10_000)
            && TcpListener::bind(("127.0.0.1", bus)).is_ok()
        {
            return port;
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.thaw_if_there();
        self.kill();
        if !self.folder.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

impl RedisServer {
    fn thaw_if_there(&self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-CONT", &id]).stderr(Stdio::null()).status();
    }
}
