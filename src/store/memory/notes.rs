use super::{Inner, Memory};
use crate::{
    clock::micros,
    eventual::Eventual,
    key::Key,
    otp::receipts::{Note, Noted, Notes},
    store::StoreError,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

/// Notes about messages. When there is no room the oldest goes.
#[derive(Debug)]
pub(super) struct Board {
    most: usize,
    pinned: Mutex<Pinned>,
}

#[derive(Debug, Default)]
struct Pinned {
    /// With the moment of its end, in ticks.
    notes: HashMap<Key, (Note, u64)>,
    /// In the order of their ends; one that was replaced is there twice.
    ends: VecDeque<(u64, Key)>,
}

impl Board {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), pinned: Mutex::default() }
    }

    fn note(&self, key: Key, note: Note, now: u64) -> Noted {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        pinned.sweep(now, self.most);
        let before = pinned.notes.get(&key).map(|(note, _)| note.clone());
        let kept = before.as_ref().is_none_or(|before| before.rank < note.rank);
        if kept {
            let end = now + micros(Note::LASTING);
            pinned.notes.insert(key, (note, end));
            pinned.ends.push_back((end, key));
        }
        Noted { kept, before }
    }

    fn noted(&self, key: Key, now: u64) -> Option<Note> {
        let pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        let (note, end) = pinned.notes.get(&key)?;
        (now < *end).then(|| note.clone())
    }
}

impl Pinned {
    /// Takes down what has ended, and what is oldest until there is room for one more.
    fn sweep(&mut self, now: u64, most: usize) {
        while let Some(&(end, key)) = self.ends.front() {
            if end > now && self.notes.len() < most && self.ends.len() < 2 * most {
                break;
            }
            self.ends.pop_front();
            if self.notes.get(&key).is_some_and(|(_, last)| *last == end) {
                self.notes.remove(&key);
            }
        }
    }
}

impl Notes for Memory {
    fn note(&self, key: Key, note: Note) -> Eventual<Result<Noted, StoreError>> {
        let Inner { board, .. } = &*self.0;
        Eventual::Ready(Ok(board.note(key, note, self.0.now())))
    }

    fn noted(&self, key: Key) -> Eventual<Result<Option<Note>, StoreError>> {
        let Inner { board, .. } = &*self.0;
        Eventual::Ready(Ok(board.noted(key, self.0.now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyKind;

    #[test]
    fn there_is_never_more_than_there_is_room_for() {
        let board = Board::new(10);
        let key = |number: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            Key::tag(KeyKind::Own, bytes)
        };
        for number in 0..1_000 {
            for rank in 1..=2 {
                board.note(key(number), Note { rank, text: "a".into() }, u64::from(number));
            }
            let pinned = board.pinned.lock().unwrap();
            assert!(pinned.notes.len() <= 10 && pinned.ends.len() <= 20, "{number}");
        }
        assert!(board.noted(key(0), 1_000).is_none() && board.noted(key(999), 1_000).is_some());
    }
}
