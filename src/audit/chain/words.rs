//! What checkpoints say.

use super::{Broken, Checkpoint, Fault, Place};
use crate::jwt::Keys;

/// Checkpoints, those for earlier rows first.
#[derive(Default)]
pub(super) struct Words {
    all: Vec<Checkpoint>,
    broken: Option<Broken>,
}

impl Words {
    pub(super) fn read(&mut self, statements: Vec<(Place, String)>, keys: &[Keys]) {
        let is_signed = |text: &str| keys.iter().any(|keys| Checkpoint::is_signed(text, keys));
        for (place, text) in statements {
            let fault = match Checkpoint::parse(&text) {
                None => Fault::NoCheckpoint,
                Some(word) if keys.is_empty() || is_signed(&text) => {
                    self.all.push(word);
                    continue;
                }
                Some(_) => match Checkpoint::stranger(&text, keys) {
                    Some(kid) => Fault::UnknownKey { kid },
                    None => Fault::Signature,
                },
            };
            self.broken.get_or_insert(Broken { log: None, place: Some(place), fault });
        }
        self.all.sort_by_key(|word| word.seq);
    }

    /// Whether there is one of a chain.
    pub(super) fn know(&self, chain: Option<&str>) -> bool {
        self.all.iter().any(|word| Some(&*word.chain) == chain)
    }

    /// Takes those of one chain.
    pub(super) fn of_chain(&mut self, chain: Option<&str>) -> Self {
        let (all, others) = self.all.drain(..).partition(|word| Some(&*word.chain) == chain);
        self.all = others;
        Self { all, broken: None }
    }

    /// Those for one row.
    pub(super) fn of(&self, seq: u64) -> impl Iterator<Item = &Checkpoint> {
        let from = self.all.partition_point(|word| word.seq < seq);
        self.all[from..].iter().take_while(move |word| word.seq == seq)
    }

    /// What is wrong with the checkpoints, where the rows up to `last` are good.
    pub(super) fn first_fault(self, last: u64) -> Result<(), Broken> {
        match (self.all.last().filter(|word| word.seq > last), self.broken) {
            (Some(word), _) => {
                let fault = Fault::CutOff { signed: word.seq };
                Err(Broken { log: None, place: None, fault })
            }
            (None, Some(broken)) => Err(broken),
            (None, None) => Ok(()),
        }
    }
}
