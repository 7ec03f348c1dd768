//! The second place of checkpoints: another machine, a file that can only be added to. Whatever becomes of it costs the log nothing.

use crate::audit::{self, Act, Event, Sink};
use std::{
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    mem,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::{JoinHandle, spawn_blocking},
    time::{sleep, timeout},
};

/// Where the writer of a log puts its checkpoints. It never waits for them.
pub(super) struct Copies {
    queue: mpsc::Sender<Arc<str>>,
    /// The last one, where there was no room: it speaks for those before it.
    left: Option<Arc<str>>,
    copying: JoinHandle<()>,
}

/// What writes them, one after the other.
struct Copier {
    path: Arc<Path>,
    inbox: mpsc::Receiver<Arc<str>>,
    alarm: Option<Arc<dyn Sink>>,
    has_failed: bool,
}

/// The end of a line that a process or a disk left torn, and nobody can take back. No checkpoint has the sign.
pub(super) const TORN: &str = "~";

/// Checkpoints that can wait.
const ROOM: usize = 64;
/// For one of them.
const LIMIT: Duration = Duration::from_secs(3);
/// For all that wait when the log is closed.
const LAST: Duration = Duration::from_secs(4);
/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

impl Copies {
    pub(super) fn start(path: Arc<Path>, alarm: Option<Arc<dyn Sink>>) -> Self {
        let (queue, inbox) = mpsc::channel(ROOM);
        let copier = Copier { path, inbox, alarm, has_failed: false };
        Self { queue, left: None, copying: tokio::spawn(copier.run()) }
    }

    pub(super) fn put(&mut self, statement: Arc<str>) {
        self.left = match self.queue.try_send(statement) {
            Ok(()) => None,
            Err(TrySendError::Full(statement) | TrySendError::Closed(statement)) => Some(statement),
        };
    }

    /// Puts what found no room before.
    pub(super) fn put_left(&mut self) {
        if let Some(statement) = self.left.take() {
            self.put(statement);
        }
    }

    /// Waits for what waits, but for no place that hangs.
    pub(super) async fn end(mut self) {
        self.put_left();
        drop(self.queue);
        if timeout(LAST, &mut self.copying).await.is_err() {
            self.copying.abort();
        }
    }
}

impl Copier {
    async fn run(mut self) {
        while let Some(statement) = self.inbox.recv().await {
            while !self.is_copied(&statement).await {
                if self.inbox.is_closed() {
                    return;
                }
                sleep(PAUSE).await;
            }
        }
    }

    async fn is_copied(&mut self, statement: &Arc<str>) -> bool {
        let (path, text) = (Arc::clone(&self.path), Arc::clone(statement));
        let mut adding = spawn_blocking(move || add(&path, &text));
        let added = match timeout(LIMIT, &mut adding).await {
            Ok(added) => added,
            Err(_) => {
                self.fail("it hangs");
                // Nothing is begun beside it: one thread waits for it, and no more.
                adding.await
            }
        };
        match added {
            Ok(Ok(())) => {
                if mem::take(&mut self.has_failed) {
                    audit::record(self.alarm.as_deref(), Event::new(Act::CopyBack));
                }
                return true;
            }
            Ok(Err(error)) => self.fail(error),
            Err(error) => self.fail(error),
        }
        false
    }

    /// Tells the first failure.
    fn fail(&mut self, _error: impl Display) {
        if !mem::replace(&mut self.has_failed, true) {
            #[cfg(feature = "tracing")]
            tracing::error!(
                "audit log: the copy of the checkpoints: {}: {_error}",
                self.path.display()
            );
            audit::record(self.alarm.as_deref(), Event::new(Act::CopyLost));
        }
    }
}

/// Adds a line that lasts, and changes nothing of what is there.
fn add(path: &Path, line: &str) -> io::Result<()> {
    let is_file = fs::metadata(path).map_or(true, |found| found.is_file());
    let is_torn = is_file && is_torn(path).unwrap_or_default();
    let before = if is_torn { format!("{TORN}\n") } else { String::new() };
    let mut file = options().open(path)?;
    file.write_all(format!("{before}{line}\n").as_bytes())?;
    // A pipe has nothing to make last.
    if is_file { file.sync_data() } else { Ok(()) }
}

/// Whether the last line has no end; not, where it may not be read.
fn is_torn(path: &Path) -> io::Result<bool> {
    let (mut file, mut byte) = (File::open(path)?, [0]);
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0] != b'\n')
}

/// Of a file that its file system may let nobody write over.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
