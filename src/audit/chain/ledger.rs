use super::Row;
use crate::{clock::UnixTime, eventual::BoxFuture, key::Key};
use openssl::sha::sha256;
use std::{error, fmt, sync::Arc};
use zeroize::Zeroizing;

/// Where the rows of one chain go: files in a [`Folder`](super::Folder), or what you make of it.
///
/// Contract: one writer at a time, which is up to the ledger to see to. [`open`](Self::open) is asked first; then for each batch
/// [`persons`](Self::persons) and [`append`](Self::append). Nothing of it is on the path of a request, so all of it may take its
/// time. After an error the same is asked again.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Where the chain stands.
    fn open(&self) -> BoxFuture<'_, Result<Opened, LedgerError>>;

    /// The keys that seal what comes next of each owner, made where there is none, or none any more. They must last before this
    /// is ready: a row whose key is lost is as good as erased. A key that was erased must not come back.
    fn persons(
        &self,
        owners: Vec<Owner>,
        now: UnixTime,
    ) -> BoxFuture<'_, Result<Vec<Person>, LedgerError>>;

    /// Adds rows, all or none, in their order. When this is ready they last.
    fn append(&self, rows: Arc<[Row]>) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Keeps a checkpoint, a compact JWS.
    fn checkpoint(&self, statement: Arc<str>) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// At most `most` rows after the one numbered `after`, in their order.
    fn read(&self, after: u64, most: usize) -> BoxFuture<'_, Result<Vec<Row>, LedgerError>>;
}

/// Where a chain stands.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// The last row, if there is one.
    pub last: Option<Row>,
    /// How many bytes of rows that were not whole were set aside: a process died while it wrote.
    pub torn: u64,
}

/// Whom a key is for: a digest of the tag, so that the table of keys names nobody.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Owner(pub [u8; 16]);

impl Owner {
    /// The owner that `tag` names, as it is in logs and exports: `phone:9f86..`, `203.0.113.7`.
    pub fn of_tag(tag: &str) -> Self {
        let digest = sha256(format!("portcullis audit owner 1 {tag}").as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self(half)
    }
}

impl From<Key> for Owner {
    fn from(key: Key) -> Self {
        Self::of_tag(&key.to_string())
    }
}

/// A key and the random name under which rows know it.
#[derive(Clone)]
pub struct Person {
    /// The name, which says nothing once the key is gone.
    pub id: [u8; 16],
    /// The key, of AES-256-GCM.
    pub key: Zeroizing<[u8; 32]>,
}

impl Person {
    /// A new one.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn random() -> Result<Self, LedgerError> {
        let (mut id, mut key) = ([0; 16], Zeroizing::new([0; 32]));
        for bytes in [&mut id[..], &mut key[..]] {
            getrandom::fill(bytes).map_err(|_| LedgerError::new("no random bytes"))?;
        }
        Ok(Self { id, key })
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(..)")
    }
}

/// Rows cannot be kept or read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LedgerError(String);

impl LedgerError {
    /// An error that says `message`.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit log: {}", self.0)
    }
}

impl error::Error for LedgerError {}
