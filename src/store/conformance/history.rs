use crate::{
    block::Ladder,
    clock::UnixTime,
    key::Key,
    limit::{Name, Quota},
    store::{Absent, Adjustment, Asks, Block, Strike, Take},
};
use std::{net::IpAddr, time::Duration};

/// One step of a history.
#[derive(Clone, Debug)]
pub enum Step {
    /// Time passes.
    Wait(Duration),
    /// A request is decided.
    Admit(Box<Asks>),
    /// A limit is charged or refunded.
    Adjust(Take, Adjustment),
    /// A block is set.
    Block(Key, Block),
    /// A block is lifted.
    Unblock(Key),
    /// The blocks are listed.
    List,
}

/// A random history: few keys and small quotas, so that limits refuse, blocks start and ladders are
/// climbed often. The same seed gives the same history.
pub fn history(seed: u64, steps: usize) -> Vec<Step> {
    let mut dice = Dice(seed);
    (0..steps).map(|_| step(&mut dice)).collect()
}

fn step(dice: &mut Dice) -> Step {
    match dice.below(20) {
        0..=4 => Step::Wait(Duration::from_micros(match dice.below(4) {
            0 => dice.below(1_000),
            1 => dice.below(1_000_000),
            2 => dice.below(60_000_000),
            _ => dice.below(4_000_000_000),
        })),
        5..=15 => Step::Admit(Box::new(asks(dice))),
        16 => Step::Adjust(
            take(dice),
            match dice.below(2) {
                0 => Adjustment::Charge(dice.below(8) as u32),
                _ => Adjustment::Refund(dice.below(8) as u32),
            },
        ),
        17 => Step::Block(key(dice), block(dice)),
        18 => Step::Unblock(key(dice)),
        _ => Step::List,
    }
}

fn asks(dice: &mut Dice) -> Asks {
    if dice.below(4) == 0 {
        // Stores may decide the simplest question in a way of its own.
        return Asks::new().take(Take { ladder: None, ..take(dice) });
    }
    let mut asks = Asks::new();
    for _ in 0..dice.below(3) {
        let issued_at = (dice.below(2) == 0).then(|| moment(dice));
        asks.absent.push(Absent { key: key(dice), issued_at });
    }
    for _ in 0..dice.below(4) {
        asks.takes.push(take(dice));
    }
    if dice.below(4) == 0 {
        let strike =
            Strike { key: key(dice), cause: Name::from("bad-token"), ladder: ladder(dice) };
        asks.strikes.push(strike);
    }
    asks
}

fn take(dice: &mut Dice) -> Take {
    const LIMITS: [(&str, u32, u64); 3] = [("fast", 5, 1), ("slow", 3, 60), ("odd", 7, 10)];
    let (name, count, seconds) = LIMITS[dice.below(3) as usize];
    let quota = match Quota::new(count, Duration::from_secs(seconds)) {
        Ok(quota) => quota,
        Err(error) => panic!("{error}"),
    };
    Take {
        key: key(dice),
        limit: Name::from(name),
        quota,
        cost: [1, 1, 1, 1, 0, 2, 3, 9][dice.below(8) as usize],
        shadow: dice.below(8) == 0,
        ladder: (dice.below(2) == 0).then(|| ladder(dice)),
        outage: None,
    }
}

fn ladder(dice: &mut Dice) -> Ladder {
    Ladder::after([1, 2, 3][dice.below(3) as usize])
}

fn block(dice: &mut Dice) -> Block {
    let block = match dice.below(4) {
        0 => Block::forever(),
        _ => Block::lasting(Duration::from_secs(dice.below(2_000))),
    };
    if dice.below(3) == 0 { block.issued_until(moment(dice)) } else { block }
}

fn moment(dice: &mut Dice) -> UnixTime {
    UnixTime::from_secs(1_700_000_000 + dice.below(4))
}

fn key(dice: &mut Dice) -> Key {
    Key::ip(IpAddr::from([192, 0, 2, dice.below(3) as u8]))
}

/// SplitMix64, as published by Steele, Lea and Flood (OOPSLA 2014): good enough to vary tests.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
