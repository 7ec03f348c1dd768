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

    /// Adds rows, all or none, in their order. When this is ready they last. Rows that are there already, of an attempt that seemed
    /// to fail, are not added again. Where the chain does not end with the row before the first of them it is a
    /// [`LedgerError::moved`], after which the writer asks [`open`](Self::open) where the chain stands, and goes on from there.
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
pub struct LedgerError {
    text: String,
    is_moved: bool,
}

impl LedgerError {
    /// An error that says `message`.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { text: message.to_string(), is_moved: false }
    }

    /// The chain does not end where the writer left it: what keeps it went back in time, or somebody else wrote.
    pub fn moved() -> Self {
        Self { is_moved: true, ..Self::new("it does not end where it was left") }
    }

    pub(super) const fn is_moved(&self) -> bool {
        self.is_moved
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit log: {}", self.text)
    }
}

impl error::Error for LedgerError {}
