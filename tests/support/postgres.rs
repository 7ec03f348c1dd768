//! Private PostgreSQL servers on free loopback ports, ended with the value.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each test file uses its part; waits are bounded by the machine's clock"
)]

use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// A server of this test alone, with its data in a folder of its own.
pub(crate) struct PostgresServer {
    child: Child,
    folder: PathBuf,
    port: u16,
    more: Vec<String>,
}

const PATIENCE: Duration = Duration::from_secs(60);
/// Whom the server takes for its owner, without a password.
const USER: &str = "portcullis";

impl PostgresServer {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// With more settings, like `ssl=on`, which may need files in its folder.
    pub(crate) fn start_with(more: impl Fn(&Path) -> Vec<String>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("portcullis-postgres-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let more = more(&folder);
        give_away(&folder);
        let data = folder.join("data");
        let mut initdb = unprivileged("initdb");
        initdb.args([
            "--no-sync",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--username",
            USER,
        ]);
        let made = initdb.arg("--pgdata").arg(&data).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // Another process may take a port that was free: then the next one.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let child = spawn(&folder, port, &more);
            let mut server = Self { child, folder: folder.clone(), port, more: more.clone() };
            if server.comes_up() {
                return server;
            }
            server.folder = PathBuf::new();
        }
        panic!("no postgres came up");
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database.
    pub(crate) fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(name)
    }

    /// Says what a statement answers.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> String {
        let output =
            self.client("psql", &["-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement, database]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// All of a database, as a backup has it.
    pub(crate) fn dump(&self, database: &str) -> String {
        let output = self.client("pg_dump", &["--inserts", database]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn client(&self, name: &str, args: &[&str]) -> Output {
        let port = self.port.to_string();
        let mut client = Command::new(program(name));
        client
            .env_clear()
            .args(["-h", "127.0.0.1", "-p", &port, "-U", USER])
            .args(args)
            .output()
            .unwrap()
    }

    /// Ends the server at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on its port, with its data.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let start = Instant::now();
        // Processes that have not yet seen that the first one is gone hold the data for a moment.
        while start.elapsed() < PATIENCE {
            self.child = spawn(&self.folder, self.port, &self.more);
            if self.comes_up() {
                return;
            }
        }
        panic!("postgres does not start again");
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the server answers; false if it ended, as it does when its port is taken.
    fn comes_up(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && self.client("psql", &["-qAtX", "-c", "SELECT 1", "postgres"]).status.success()
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("postgres does not answer");
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // Not SIGKILL: it takes its own processes and shared memory along.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &id]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
        if !self.folder.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn spawn(folder: &Path, port: u16, more: &[String]) -> Child {
    let mut postgres = unprivileged("postgres");
    postgres.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB"]
    {
        postgres.args(["-c", setting]);
    }
    for setting in more {
        postgres.args(["-c", setting]);
    }
    postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A program of the server: it does not run as root. What `setpriv` starts has its process id.
fn unprivileged(name: &str) -> Command {
    if !is_root() {
        return Command::new(program(name));
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
        .arg(program(name));
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    id(&["-u"]) == "0"
}

/// Makes a folder and what is in it the server's.
pub(crate) fn give_away(folder: &Path) {
    if is_root() {
        let owner = format!("{}:{}", id(&["-u", "postgres"]), id(&["-g", "postgres"]));
        assert!(Command::new("chown").args(["-R", &owner]).arg(folder).status().unwrap().success());
    }
}

fn id(args: &[&str]) -> String {
    let output = Command::new("id").args(args).output().unwrap();
    assert!(output.status.success(), "no user postgres; install the package postgresql");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Debian keeps them apart by version.
fn program(name: &str) -> PathBuf {
    let mut folders: Vec<_> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<_> =
            versions.map(|version| version.unwrap().path().join("bin")).collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    // What PATH has may be a wrapper for the machine's own server.
    let found =
        folders.into_iter().rev().map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no {name}; install the package postgresql"))
}
