use crate::{eventual::Eventual, key::Key, store::StoreError};
use std::{fmt, time::Duration};

/// Keeps notes about messages for a day.
///
/// Contract: `note` is one atomic step for its key: a note is kept if there is none of the key or its rank is higher, and then for
/// [`LASTING`](Note::LASTING) from now; else nothing changes. Both calls tell what stood before. Notes may be lost: what
/// becomes of a message is then not told, and nothing else.
pub trait Notes: fmt::Debug + Send + Sync {
    /// Keeps a note, unless one of the same or a higher rank is there.
    fn note(&self, key: Key, note: Note) -> Eventual<Result<Noted, StoreError>>;

    /// The note of a key.
    fn noted(&self, key: Key) -> Eventual<Result<Option<Note>, StoreError>>;
}

/// A note about a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// Of two notes the one with the higher rank stays.
    pub rank: u16,
    /// What it says: up to [`LONGEST`](Self::LONGEST) ASCII characters, none of them a secret.
    pub text: Box<str>,
}

/// What became of a note.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Noted {
    /// Whether it was kept.
    pub kept: bool,
    /// What stood there before.
    pub before: Option<Note>,
}

impl Note {
    /// How long one is kept.
    pub const LASTING: Duration = Duration::from_secs(86_400);
    /// The length of the longest text.
    pub const LONGEST: usize = 256;
}
