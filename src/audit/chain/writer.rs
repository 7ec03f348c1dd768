use super::{
    Checkpoint, Hash, Ledger, LedgerError, Owner, Person, Row,
    copy::Copies,
    entry::{Draft, Entry, personal},
    overflow::Overflow,
};
use crate::{
    audit::{self, Act, Event, Sink},
    clock::Clock,
    eventual::BoxFuture,
    token::KeyFile,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{collections::HashMap, fmt, path::Path, sync::Arc, time::Duration};
use tokio::{
    select,
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};

/// What writes the rows of a [`Chain`](super::Chain): one for each chain.
#[must_use = "nothing is written unless it runs"]
pub struct Writer {
    pub(super) inbox: mpsc::Receiver<Draft>,
    pub(super) overflow: Arc<Overflow>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) signing: Option<KeyFile>,
    pub(super) copy: Option<Arc<Path>>,
    pub(super) truncates: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) alarm: Option<Arc<dyn Sink>>,
}

/// Where the chain stands.
struct Head {
    chain: String,
    seq: u64,
    hash: Hash,
    /// The last row that a checkpoint is about.
    signed: u64,
    /// Whether the log has said that it loses events.
    overflows: bool,
    copies: Option<Copies>,
}

/// As many rows are made to last together.
const BATCH: usize = 512;
/// A checkpoint is signed after so many rows, or so long after the last one.
pub(super) const ROWS: u64 = 1_000;
pub(super) const TIME: Duration = Duration::from_secs(60);
/// Between two attempts to write.
const PAUSE: Duration = Duration::from_secs(1);

impl Writer {
    /// Writes until all ends of the log are gone and everything that waits is written.
    ///
    /// While the ledger fails, it tries again each second and loses nothing of what it has; what comes meanwhile waits in the queue,
    /// and is counted where there is no room.
    pub async fn run(mut self) {
        let opened = self.insist(|ledger| ledger.open()).await;
        let mut head = Head::after(opened.last.as_ref());
        let copy = self.copy.clone();
        head.copies = copy.map(|path| Copies::start(path, self.alarm.clone()));
        let torn = (opened.torn > 0).then_some(opened.torn);
        self.note(&mut head, "log-opened", torn).await;
        // At once, so that no log has a second row without a checkpoint, however often its process dies.
        self.sign(&mut head).await;
        let mut due = interval(TIME);
        due.reset();
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut drafts = Vec::with_capacity(BATCH);
        loop {
            select! {
                count = self.inbox.recv_many(&mut drafts, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.write(&mut head, &drafts).await;
                    drafts.clear();
                    self.tell_overflow(&mut head).await;
                }
                _ = due.tick() => self.sign(&mut head).await,
            }
        }
        self.tell_overflow(&mut head).await;
        self.note(&mut head, "log-closed", None).await;
        self.sign(&mut head).await;
        if let Some(copies) = head.copies {
            copies.end().await;
        }
    }

    /// Says in the log itself that events are lost, and once it has caught up, how many were.
    async fn tell_overflow(&mut self, head: &mut Head) {
        let Some(since) = self.overflow.since() else { return };
        if !head.overflows {
            head.overflows = true;
            self.write(head, &[Draft { at: since, event: Event::new(Act::LogOverflowed) }]).await;
        }
        if self.inbox.is_empty() {
            head.overflows = false;
            let event = Event::new(Act::LogCaughtUp { lost: self.overflow.take() });
            audit::record(self.alarm.as_deref(), event.clone());
            self.write(head, &[Draft { at: self.clock.wall(), event }]).await;
        }
    }

    /// A row about the log itself.
    async fn note(&self, head: &mut Head, event: &'static str, lost: Option<u64>) {
        let at = self.clock.wall();
        self.add(head, &[Entry::Note { at, event, lost }], &HashMap::new()).await;
    }

    async fn write(&self, head: &mut Head, drafts: &[Draft]) {
        let personal = |draft: &Draft| personal(&draft.event, self.truncates);
        let owned: Vec<_> = drafts.iter().map(personal).collect();
        let mut owners: Vec<Owner> = owned.iter().filter_map(|(owner, _)| *owner).collect();
        owners.sort_unstable_by_key(|owner| owner.0);
        owners.dedup();
        let now = self.clock.wall();
        let persons = self.insist(|ledger| ledger.persons(owners.clone(), now)).await;
        let persons: HashMap<Owner, Person> = owners.iter().copied().zip(persons).collect();
        let entries = drafts.iter().zip(&owned);
        let entries: Vec<_> = entries
            .map(|(draft, (owner, personal))| Entry::Draft { draft, owner: *owner, personal })
            .collect();
        self.add(head, &entries, &persons).await;
        if head.seq - head.signed >= ROWS {
            self.sign(head).await;
        }
    }

    /// Adds a row for each entry. Where the ledger is not where it was left, such as a database that went back in time, the chain
    /// goes on from there, and says that it was opened anew.
    async fn add(&self, head: &mut Head, entries: &[Entry<'_>], persons: &HashMap<Owner, Person>) {
        let mut anew = None;
        loop {
            let mut rows: Vec<Row> = Vec::with_capacity(entries.len() + 1);
            for entry in anew.iter().chain(entries) {
                let (seq, hash) = rows.last().map_or((head.seq, head.hash), Row::place);
                rows.extend(entry.row(&head.chain, seq + 1, hash, persons));
            }
            let rows: Arc<[Row]> = rows.into();
            if self.insist(|ledger| appended(ledger, Arc::clone(&rows))).await {
                (head.seq, head.hash) = rows.last().map_or((head.seq, head.hash), Row::place);
                return;
            }
            audit::record(self.alarm.as_deref(), Event::new(Act::LogLost));
            let opened = self.insist(|ledger| ledger.open()).await;
            let (overflows, copies) = (head.overflows, head.copies.take());
            *head = Head { overflows, copies, ..Head::after(opened.last.as_ref()) };
            anew = Some(Entry::Note { at: self.clock.wall(), event: "log-opened", lost: None });
        }
    }

    /// Signs where the chain stands, if there are rows that no checkpoint is about. What fails is tried again at the next time.
    async fn sign(&self, head: &mut Head) {
        head.copies.iter_mut().for_each(Copies::put_left);
        let Some(keys) = self.signing.as_ref().filter(|_| head.seq > head.signed) else { return };
        let checkpoint = Checkpoint {
            chain: head.chain.clone(),
            seq: head.seq,
            hash: head.hash,
            time: self.clock.wall(),
        };
        let kept = match checkpoint.sign(keys).map(Arc::<str>::from) {
            Some(statement) => {
                head.copies.iter_mut().for_each(|copies| copies.put(Arc::clone(&statement)));
                self.ledger.checkpoint(statement).await.is_ok()
            }
            None => false,
        };
        if kept {
            head.signed = head.seq;
        } else {
            audit::record(self.alarm.as_deref(), Event::new(Act::LogLost));
        }
    }

    /// Asks the ledger until it does as it is asked. The first failure and the end of it are told.
    async fn insist<'a, T>(
        &'a self,
        ask: impl Fn(&'a dyn Ledger) -> BoxFuture<'a, Result<T, LedgerError>>,
    ) -> T {
        let mut failed = false;
        loop {
            match ask(&*self.ledger).await {
                Ok(done) => {
                    if failed {
                        audit::record(self.alarm.as_deref(), Event::new(Act::LogBack));
                    }
                    return done;
                }
                Err(_) if failed => {}
                Err(_error) => {
                    failed = true;
                    #[cfg(feature = "tracing")]
                    tracing::error!("{_error}");
                    audit::record(self.alarm.as_deref(), Event::new(Act::LogLost));
                }
            }
            sleep(PAUSE).await;
        }
    }
}

impl Head {
    fn after(last: Option<&Row>) -> Self {
        let chain = last.and_then(Row::members).map(|members| members.chain.into_owned());
        let drawn = || {
            let mut id = [0; 16];
            // Without random bytes no token is signed either; the name need not be a secret.
            let _ = getrandom::fill(&mut id);
            URL_SAFE_NO_PAD.encode(id)
        };
        Self {
            chain: chain.unwrap_or_else(drawn),
            seq: last.map_or(0, Row::seq),
            hash: last.map(Row::hash).unwrap_or_default(),
            signed: last.map_or(0, Row::seq),
            overflows: false,
            copies: None,
        }
    }
}

/// Whether the rows are there; not, if the chain does not end where they go on.
fn appended(ledger: &dyn Ledger, rows: Arc<[Row]>) -> BoxFuture<'_, Result<bool, LedgerError>> {
    Box::pin(async move {
        match ledger.append(rows).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_moved() => Ok(false),
            Err(error) => Err(error),
        }
    })
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}
