use crate::cpu;
use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A redis-server of this run alone, which ends with the value.
pub struct RedisServer {
    /// Where it listens, on loopback.
    pub port: u16,
    child: Child,
}

impl RedisServer {
    /// Starts one that keeps nothing on disk.
    ///
    /// # Panics
    ///
    /// When there is no redis-server, or it does not come up in ten seconds.
    pub fn start() -> Self {
        let port = free_port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--daemonize", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server; install the package redis-server");
        let server = Self { port, child };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "redis-server does not come up");
            thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// The CPU time of all its threads.
    ///
    /// # Panics
    ///
    /// When this is no Linux.
    pub fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("a Linux");
        tasks.map(|task| cpu::running(&task.expect("a thread").path().join("schedstat"))).sum()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
