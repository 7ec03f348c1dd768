//! A log of events that tells whether somebody changed it.
//!
//! A [`Chain`] is a [`Sink`](super::Sink): each event is one row, and each row holds the hash of the one before it. It never makes a
//! request wait, and it never loses an event without saying so.
//!
//! ```no_run
//! use portcullis::{Otp, audit::chain::{Chain, Folder}, token::KeyFile};
//!
//! # fn run(builder: portcullis::otp::OtpBuilder) -> Result<(), portcullis::ConfigError> {
//! let keys = KeyFile::open("audit.jwks")?; // portcullis keys generate --out audit.jwks
//! let chain = Chain::to(Folder::open("audit")?).sign(&keys)?;
//! let (chain, writer) = chain.copy_checkpoints("/mnt/elsewhere/checkpoints.jws").build();
//! tokio::spawn(writer.run());
//! let builder = builder.audit(chain);
//! # Ok(()) }
//! ```
//!
//! With the feature `records` the same log can be in tables of SQLite or PostgreSQL, `Tables`: the database refuses to change and to delete
//! rows, and several instances have a chain each in one database.
//!
//! # Rows
//!
//! A row is one line of JSON: `chain`, `seq`, `time` (UTC, RFC 3339 with microseconds), `event`; where it has them `status`,
//! `reason`, `cause`, `attempt`, `seconds`, `lost`, `caller`, `layer`, `provider`; then `person` and `sealed`, see below; `prev` and `hash`. The hash is
//! SHA-256 over the hash before, as 32 bytes, and the line without `,"hash":".."`, byte by byte.
//!
//! The log speaks of itself in rows, too: `log-opened` (with the bytes of a torn row as `lost`), `log-closed`,
//! `log-overflowed` when it first loses an event, and `log-caught-up` with the number of those that it lost.
//!
//! # What it proves
//!
//! [`Archive::verify`] finds a changed byte, a missing, moved or added row, and names the first line that is wrong. Whoever can write the files,
//! or owns the tables, could make a whole new chain; so at the beginning, every 1,000 rows or 60 seconds, and at the end, a [`Checkpoint`] is
//! signed. Rows for which one speaks cannot be changed without the key, nor cut off as long as one checkpoint after the cut is left: have them
//! written to a second place that the service cannot change afterwards.
//!
//! * A log without checkpoints is [`Unsigned`], and so is its end from 2,000 rows or two minutes on: whoever verifies with keys is told. Only
//!   a log of one row is as good as new; one that was cut down to its first row looks the same, but for the copy of the checkpoints.
//! * Rows since the last checkpoint, a minute's at most, can be cut off unseen by who can write the files or owns the tables. So can a whole
//!   log of tables that several instances share, but for the copies of its checkpoints.
//! * Who has the signing key and the files can make anything. Who has the service itself can make it say anything from then on.
//! * Old files can be taken away whole, the oldest first, with their keys. The chain then begins with the first one that is left, for
//!   which a checkpoint must speak; [`Report::first`] tells.
//! * Keys that sign may change: what a [`KeyFile`](crate::token::KeyFile) read last counts. To verify takes all that ever signed, of which the
//!   file keeps the public halves; where one is not given, its checkpoints are no forgeries, but [a fault](Fault::UnknownKey) that names it.
//! * A process that is killed loses the events of its queue, and at most one row in the middle, which is set aside and told; tables
//!   have a batch whole or not at all.
//!
//! # Persons
//!
//! What leads to a person, which is the address of a client, the tags of phones, sessions and subjects, and the ids of requests, is sealed (AES-256-GCM) with a
//! key for that person in that file, or on that day in tables: the subject where it is known, else the phone, else the address. The row names the
//! key by a random word. [`Archive::erase`] overwrites or deletes the keys of one tag; its rows stay, verify, and are about nobody.
//!
//! * Whoever has the folder or the tables has rows and keys: they are for their owner alone, and worth encrypting as a disk.
//! * Rows about a phone before a login do not know the subject. To forget somebody, erase the tags of both subject and phone, and the
//!   addresses if they count as hers.
//! * Copies are out of reach: backups, replicas, the dead rows of PostgreSQL until it vacuums, its log of writes, snapshots, file systems
//!   that do not overwrite in place, blocks that a disk has set aside. Let them expire.
//! * A running writer forgets an erased key when it next meets its owner, or with the next file.
//! * Other logs, such as that of `tracing`, are none of this.

mod archive;
mod checkpoint;
mod copy;
mod entry;
mod export;
mod fault;
mod folder;
mod ledger;
mod overflow;
mod owned;
mod place;
mod row;
mod seal;
mod sink;
#[cfg(feature = "records")]
mod tables;
mod unsigned;
mod verify;
mod when;
mod words;
mod writer;

pub use archive::Archive;
pub use checkpoint::Checkpoint;
pub use export::Filter;
pub use fault::{Broken, Fault};
pub use folder::Folder;
pub use ledger::{Ledger, LedgerError, Opened, Owner, Person};
#[cfg(feature = "gateway")]
pub(crate) use owned::TAKEN;
pub use place::Place;
pub use row::{Hash, Row, RowFault};
pub use sink::{Chain, ChainBuilder};
#[cfg(feature = "records")]
#[cfg_attr(docsrs, doc(cfg(feature = "records")))]
pub use tables::Tables;
pub use unsigned::Unsigned;
pub use verify::{Report, VerifyError};
pub use when::parse_time;
pub use writer::Writer;
