use super::{
    super::{answer, history::Dice},
    Caller, Make, Scene,
    model::Model,
    scene::id,
};
use crate::{
    key::Key,
    otp::{Dispatched, Guess, Sent, Verdict, Window, sender::Checked},
    store::Block,
};
use std::time::Duration;

/// Plays a random history of codes to a store and to the model, and compares every answer. The same seed gives the same
/// history: few phones, devices and addresses, and small windows, so that all that can be refused is.
///
/// # Panics
///
/// When they differ, or the store does not answer.
pub async fn replay(make: Make<'_>, seed: u64, steps: usize) {
    let mut play = Play::new(make, seed);
    for at in 0..steps {
        let step = play.step().await;
        if let Err(difference) = step.1 {
            panic!("seed {seed}, step {at}, {}: {difference}", step.0);
        }
    }
}

struct Play {
    scene: Scene,
    model: Model,
    dice: Dice,
    /// The challenges that were allowed, and who asked for them.
    asked: Vec<(u32, Caller)>,
    /// Attempts at codes that somebody else holds, and who made them.
    held: Vec<(u32, Caller, u8, Guess)>,
    names: u32,
}

impl Play {
    fn new(make: Make<'_>, seed: u64) -> Self {
        let mut scene = Scene::new(make);
        let (mut dice, rules) = (Dice(seed), &mut scene.rules);
        let minutes =
            |count, minutes: u64| Window { count, within: Duration::from_secs(60 * minutes) };
        if dice.below(2) == 0 {
            (rules.client, rules.fingerprint) = (minutes(100, 10), minutes(60, 10));
            (rules.phone, rules.device) = (minutes(5, 10), minutes(3, 20));
        }
        if dice.below(2) == 0 {
            (rules.guesses, rules.cooldown) = (minutes(5, 15), Duration::from_secs(10));
            rules.device_memory = Duration::from_secs(7_200);
        }
        if dice.below(2) == 0 {
            (rules.guesses_per_day, rules.phone_per_day) = (12, 6);
            rules.live = 1 + dice.below(3) as u8;
        }
        Self { scene, model: Model::default(), dice, asked: Vec::new(), held: Vec::new(), names: 0 }
    }

    async fn step(&mut self) -> (String, Result<(), String>) {
        match self.dice.below(43) {
            0..=7 => {
                let time = self.time();
                self.scene.wait(time);
                self.model.wait(time);
                (format!("wait {time:?}"), Ok(()))
            }
            8..=17 => {
                let caller = self.caller();
                self.names += 1;
                let (number, code) = (self.names, self.code());
                let issue = match self.dice.below(3) {
                    0 => self.scene.to_hold(&caller, number),
                    _ => self.scene.to_issue(&caller, number, code),
                };
                let told = answer(self.scene.store.issue(issue.clone())).await;
                if matches!(told.outcome, Dispatched::Allowed { .. }) {
                    self.asked.push((number, caller));
                }
                (format!("{issue:?}"), self.model.issue(&issue, &told))
            }
            18..=23 => {
                let ((number, caller), code) = (self.answering(), self.code());
                let mut resend = self.scene.to_resend(&caller, number, code);
                if self.dice.below(8) == 0 {
                    resend.rules.longest /= 8;
                }
                let told = answer(self.scene.store.resend(resend)).await;
                (format!("{resend:?}"), self.model.resend(&resend, &told))
            }
            24..=34 => {
                let ((number, caller), code) = (self.answering(), self.code());
                let attempt = self.scene.to_verify(&caller, number, code);
                let told = answer(self.scene.store.verify(attempt)).await;
                if let Verdict::Held { attempt, guess, .. } = told.outcome {
                    self.held.push((number, caller, attempt, guess));
                }
                (format!("{attempt:?}"), self.model.verify(&attempt, &told))
            }
            35..=37 if !self.held.is_empty() => {
                // Any of those that go on, however long ago they began; some end twice.
                let at = self.dice.below(self.held.len() as u64) as usize;
                let (number, caller, attempt, guess) = self.held[at];
                if self.dice.below(8) > 0 {
                    self.held.remove(at);
                }
                let said = [None, Some(Checked::Right), Some(Checked::Wrong), Some(Checked::Wrong)]
                    [self.dice.below(4) as usize];
                let conclusion = self.scene.to_conclude(&caller, number, attempt, guess, said);
                let told = answer(self.scene.store.conclude(conclusion)).await;
                (format!("{conclusion:?}"), self.model.conclude(&conclusion, &told))
            }
            35 | 38 => {
                let (number, caller) = self.answering();
                let sent = Sent {
                    phone: caller.phone,
                    challenge: id(number),
                    number: self.dice.below(2) as u8,
                };
                answer(self.scene.store.give_back(sent)).await;
                self.model.give_back(sent);
                (format!("give back {sent:?}"), Ok(()))
            }
            36 | 39 => {
                let (key, seconds) = (self.key(), self.dice.below(1_000));
                let block = Block::lasting(Duration::from_secs(seconds));
                answer(self.scene.store.block(key, block)).await;
                self.model.blocks.block(key, block);
                (format!("block {key}"), Ok(()))
            }
            _ => {
                let key = self.key();
                let told = answer(self.scene.store.unblock(key)).await;
                (format!("unblock {key}"), self.model.blocks.unblock(key, told))
            }
        }
    }

    /// A recent challenge and who asked for it, or now and then another device.
    fn answering(&mut self) -> (u32, Caller) {
        let other = self.caller();
        let back = self.dice.below(3) as usize;
        let Some(&(number, asked)) = self.asked.iter().rev().nth(back) else { return (0, other) };
        match self.dice.below(8) {
            0 => (number, Caller { device: other.device, ..asked }),
            _ => (number, Caller { client: other.client, fingerprint: other.fingerprint, ..asked }),
        }
    }

    fn caller(&mut self) -> Caller {
        let [address, phone, device] = [40, 2, 7].map(|bound| self.dice.below(bound) as u32);
        // Low devices come more often, so that some are bound and seen again.
        let caller = Caller::new(address, phone, device.min(self.dice.below(7) as u32));
        Caller { may_be_struck: address > 1, ..caller }
    }

    /// A code, the same as another in one of four cases.
    fn code(&mut self) -> u8 {
        1 + self.dice.below(4) as u8
    }

    fn key(&mut self) -> Key {
        let caller = self.caller();
        match self.dice.below(6) {
            0 => caller.fingerprint,
            1 => caller.client,
            _ => caller.phone,
        }
    }

    fn time(&mut self) -> Duration {
        let bound = [4, 4, 6, 14][self.dice.below(4) as usize];
        let seconds = [0, 1, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 40_000, 86_400]
            [self.dice.below(bound) as usize];
        // On the moment, just before or just after.
        Duration::from_micros((seconds * 1_000_000 + self.dice.below(3)).saturating_sub(1))
    }
}
