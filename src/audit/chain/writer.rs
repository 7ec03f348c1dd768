use super::{
    Checkpoint, Hash, Ledger, LedgerError, Owner, Person, Row, row::Members, seal::Personal,
    sink::Overflow, when,
};
use crate::{
    audit::{self, Act, Event, Sink},
    clock::{Clock, UnixTime},
    eventual::BoxFuture,
    key::Key,
    rejection::Reason,
    token::KeyFile,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};
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
    pub(super) truncates: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) alarm: Option<Arc<dyn Sink>>,
}

/// What happened, and when.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) at: UnixTime,
    pub(super) event: Event,
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
}

/// As many rows are made to last together.
const BATCH: usize = 512;
/// A checkpoint is signed after so many rows, or so long after the last one.
const ROWS: u64 = 1_000;
const TIME: Duration = Duration::from_secs(60);
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
        let torn = (opened.torn > 0).then_some(opened.torn);
        self.note(&mut head, "log-opened", torn).await;
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
        let mut members = members(&head.chain, head.seq + 1, head.hash, self.clock.wall());
        (members.event, members.lost) = (event.into(), lost);
        let row = Row::write(&members, head.hash);
        self.append(head, row.into_iter().collect()).await;
    }

    async fn write(&self, head: &mut Head, drafts: &[Draft]) {
        let owned: Vec<_> = drafts.iter().map(|draft| self.personal(&draft.event)).collect();
        let mut owners: Vec<Owner> = owned.iter().filter_map(|(owner, _)| *owner).collect();
        owners.sort_unstable_by_key(|owner| owner.0);
        owners.dedup();
        let now = self.clock.wall();
        let persons = self.insist(|ledger| ledger.persons(owners.clone(), now)).await;
        let persons: HashMap<Owner, Person> = owners.iter().copied().zip(persons).collect();
        let mut rows = Vec::with_capacity(drafts.len());
        let (mut seq, mut hash) = (head.seq, head.hash);
        for (draft, (owner, personal)) in drafts.iter().zip(&owned) {
            let mut members = members(&head.chain, seq + 1, hash, draft.at);
            members.event = draft.event.act.name().into();
            describe(&draft.event, &mut members);
            if let Some(person) = owner.and_then(|owner| persons.get(&owner)) {
                members.person = Some(URL_SAFE_NO_PAD.encode(person.id).into());
                members.sealed = personal.seal(person, &head.chain, seq + 1).map(Into::into);
            }
            if let Some(row) = Row::write(&members, hash) {
                (seq, hash) = (row.seq(), row.hash());
                rows.push(row);
            }
        }
        self.append(head, rows).await;
        if head.seq - head.signed >= ROWS {
            self.sign(head).await;
        }
    }

    async fn append(&self, head: &mut Head, rows: Vec<Row>) {
        let rows: Arc<[Row]> = rows.into();
        self.insist(|ledger| ledger.append(Arc::clone(&rows))).await;
        if let Some(last) = rows.last() {
            (head.seq, head.hash) = (last.seq(), last.hash());
        }
    }

    /// Signs where the chain stands, if there are rows that no checkpoint is about. What fails is tried again at the next time.
    async fn sign(&self, head: &mut Head) {
        let Some(keys) = self.signing.as_ref().filter(|_| head.seq > head.signed) else { return };
        let checkpoint = Checkpoint {
            chain: head.chain.clone(),
            seq: head.seq,
            hash: head.hash,
            time: self.clock.wall(),
        };
        let kept = match checkpoint.sign(keys) {
            Some(statement) => self.ledger.checkpoint(statement.into()).await.is_ok(),
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

    /// What of an event leads to somebody, and who that is.
    fn personal(&self, event: &Event) -> (Option<Owner>, Personal) {
        let client = event.client.map(|client| match self.truncates {
            true => network(client),
            false => client,
        });
        let key = match &event.act {
            Act::Blocked { key, .. } | Act::Login { key, .. } | Act::Unblocked(key) => Some(*key),
            // A budget is nobody's.
            Act::Fraud { key, .. } if *key != Key::EVERYONE => Some(*key),
            _ => None,
        };
        let owner = event.subject.or(key).or(client.map(Key::ip));
        let personal = Personal {
            key: key.map(|key| key.to_string()),
            subject: event.subject.map(|subject| subject.to_string()),
            client: client.map(|client| client.to_string()),
        };
        (owner.map(Owner::from), personal)
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
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

/// A row that says no more than where it stands.
fn members(chain: &str, seq: u64, prev: Hash, at: UnixTime) -> Members<'_> {
    Members {
        chain: chain.into(),
        seq,
        time: when::format(at).into(),
        prev: prev.to_string().into(),
        ..Members::default()
    }
}

/// What of an event is about nobody.
fn describe(event: &Event, members: &mut Members<'_>) {
    let refusal = |reason: &Reason| (Some(reason.slug().into()), reason.cause().map(Into::into));
    match &event.act {
        Act::Refused(reason) => {
            members.status = Some(reason.status().as_u16());
            (members.reason, members.cause) = refusal(reason);
        }
        Act::BadToken(reason) => (members.reason, members.cause) = refusal(reason),
        Act::WouldRefuse(limit) => members.cause = Some(limit.as_str().into()),
        Act::Blocked { lasting, cause, .. } => {
            members.seconds = lasting.map(|time| time.as_secs());
            members.cause = cause.map(|cause| cause.as_str().into());
        }
        Act::Login { attempt, .. } => members.attempt = *attempt,
        Act::Fraud { rule, verdict, .. } => {
            members.reason = Some(verdict.name().into());
            members.cause = Some(rule.name().into());
        }
        Act::LogCaughtUp { lost } => members.lost = Some(*lost),
        _ => {}
    }
    if event.layer.is_some() {
        members.caller = Some(event.caller.name().into());
        members.layer = event.layer.map(Into::into);
    }
}

/// The first 24 bits of an address, or 48 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & !0 << 8).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !0 << 80).into(),
    }
}
