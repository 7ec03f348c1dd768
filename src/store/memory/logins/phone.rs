use super::{
    super::{blocks::End, table::Mortal},
    arrivals::{longest, standing},
    challenge::Challenge,
    lane::{Lane, Who},
};
use crate::{
    key::Key,
    otp::{ChallengeId, Rules, Sent, Window},
    store::Standing,
};

/// All that is kept for a phone.
///
/// Most phones are remembered for months for the sake of one device, so all that passes within a day is in a
/// box of its own, which goes when it is empty.
#[derive(Debug, Default)]
pub(super) struct Phone {
    /// Those that logged in, the last one last.
    devices: Vec<Device>,
    busy: Option<Box<Busy>>,
}

/// What the strangers used up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spent {
    Sends,
    Guesses,
}

#[derive(Debug)]
struct Device {
    key: Key,
    until: u64,
}

#[derive(Debug, Default)]
struct Busy {
    /// The oldest first.
    live: Vec<Challenge>,
    /// The oldest first.
    messages: Vec<Message>,
    /// How long messages count for a day, and how long in the short windows.
    keep: u64,
    short: u64,
    lanes: Vec<Lane>,
    /// The block that the strangers started last.
    noted: Option<(End, Spent)>,
}

#[derive(Debug)]
struct Message {
    at: u64,
    device: Key,
    sent: Sent,
}

/// How many devices are remembered.
const DEVICES: usize = 5;

impl Phone {
    /// Whether devices, and messages that count for nothing but the day, are all that is kept: it can give way to a
    /// phone that waits for a code.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        self.busy.as_ref().is_none_or(|busy| busy.lasts(busy.short) <= now)
    }

    /// Whether the device has logged in.
    pub(super) fn remembers(&self, device: Key, now: u64) -> bool {
        self.devices.iter().any(|known| known.key == device && known.until > now)
    }

    /// Whose call it is. Who has no guess left is a stranger, and guesses on at the strangers' cost.
    pub(super) fn who(&self, device: Key, guesses: [Window; 2], now: u64) -> Who {
        let bound = Who::Bound(device);
        if self.remembers(device, now) && self.spent(bound, guesses, now) == 0 {
            bound
        } else {
            Who::Stranger
        }
    }

    /// Microseconds until the lane has a guess again; zero if it has one.
    pub(super) fn spent(&self, who: Who, guesses: [Window; 2], now: u64) -> u64 {
        self.lane(who).map_or(0, |lane| lane.spent(guesses, now))
    }

    /// Microseconds until the next message of the lane may leave; zero if it may.
    pub(super) fn cooling(&self, who: Who, now: u64) -> u64 {
        self.lane(who).map_or(0, |lane| lane.cooling(now))
    }

    /// Microseconds until a message to the phone may leave; zero if it may. Counts those of a device, or of all.
    pub(super) fn full(&self, device: Option<Key>, windows: [Window; 2], now: u64) -> u64 {
        windows.map(|window| self.sent(device, window, now).wait).into_iter().max().unwrap_or(0)
    }

    /// How a window stands that counts the messages of a device, or of all.
    pub(super) fn sent(&self, device: Option<Key>, window: Window, now: u64) -> Standing {
        let messages = self.busy.as_deref().map_or(&[][..], |busy| &busy.messages);
        let counted =
            messages.iter().filter(|message| device.is_none_or(|key| key == message.device));
        standing(window, counted.map(|message| message.at), now)
    }

    /// How many messages of a challenge are kept.
    pub(super) fn sent_of(&self, id: ChallengeId) -> u8 {
        let messages = self.busy.as_deref().map_or(&[][..], |busy| &busy.messages);
        let own = messages.iter().filter(|message| message.sent.challenge == id);
        own.count().try_into().unwrap_or(u8::MAX)
    }

    /// What led to the block that ends then, if it was the strangers.
    pub(super) fn noted(&self, end: End) -> Option<Spent> {
        let (noted, spent) = self.busy.as_ref()?.noted?;
        (noted == end).then_some(spent)
    }

    pub(super) fn note(&mut self, end: End, spent: Spent) {
        self.busy().noted = Some((end, spent));
    }

    /// The challenge, while it is live.
    pub(super) fn live(&mut self, id: ChallengeId, now: u64) -> Option<&mut Challenge> {
        let live = &mut self.busy.as_mut()?.live;
        live.iter_mut().find(|challenge| challenge.id == id && challenge.end > now)
    }

    /// Microseconds until there is a place for a challenge of a stranger's device besides those of others; zero if
    /// there is one.
    pub(super) fn crowded(&self, device: Key, rules: &Rules, now: u64) -> u64 {
        let guesses = rules.guess_windows();
        let live = self.busy.as_deref().map_or(&[][..], |busy| &busy.live);
        let others = live.iter().filter(|other| {
            let is_stranger = || self.who(other.device, guesses, now) == Who::Stranger;
            other.end > now && other.device != device && is_stranger()
        });
        let mut ends: Vec<_> = others.map(|other| other.end).collect();
        ends.sort_unstable();
        // There may be more than there are places: those of devices that were the owner's when they asked.
        let over = ends.len().checked_sub(rules.live.max(1).into());
        over.and_then(|at| ends.get(at)).map_or(0, |end| end - now)
    }

    /// Adds a challenge in place of the device's own.
    pub(super) fn add(&mut self, challenge: Challenge, now: u64) {
        self.shed(now);
        let live = &mut self.busy().live;
        live.retain(|other| other.device != challenge.device);
        push(live, challenge);
    }

    /// Takes a challenge out.
    pub(super) fn take(&mut self, id: ChallengeId) -> Option<Challenge> {
        let live = &mut self.busy.as_mut()?.live;
        let at = live.iter().position(|challenge| challenge.id == id)?;
        Some(live.remove(at))
    }

    /// Counts a message, which begins a cooldown until `until`.
    pub(super) fn count(
        &mut self,
        sent: Sent,
        device: Key,
        who: Who,
        until: u64,
        rules: &Rules,
        now: u64,
    ) {
        self.shed(now);
        let [short, day] = rules.phone_windows();
        let (busy, windows) = (self.busy(), [short, day, rules.device]);
        (busy.short, busy.keep) = (longest(&[rules.phone, rules.device]), longest(&windows));
        push(&mut busy.messages, Message { at: now, device, sent });
        busy.lane_mut(who).cool(until, sent);
    }

    /// Forgets a message and the cooldown that it began; the code that it replaced is good again.
    pub(super) fn give_back(&mut self, sent: Sent, now: u64) {
        let Some(busy) = &mut self.busy else { return };
        if let Some(at) = busy.messages.iter().position(|message| message.sent == sent) {
            busy.messages.remove(at);
            busy.lanes.iter_mut().for_each(|lane| lane.give_back(sent));
            busy.live.iter_mut().for_each(|live| live.give_back(sent, now));
        }
    }

    /// Counts a wrong code.
    pub(super) fn wrong(&mut self, who: Who, guesses: [Window; 2], now: u64) {
        self.busy().lane_mut(who).wrong(guesses, now);
    }

    /// Forgets a wrong code of this moment, which was none.
    pub(super) fn forgive(&mut self, who: Who, at: u64) {
        let lanes = self.busy.iter_mut().flat_map(|busy| &mut busy.lanes);
        lanes.filter(|lane| lane.of == who).for_each(|lane| lane.forgive_one(at));
    }

    /// A device has logged in: its wrong codes are forgiven, and it is remembered until `until`.
    pub(super) fn remember(&mut self, device: Key, who: Who, until: u64, now: u64) {
        self.shed(now);
        for lane in self.busy.iter_mut().flat_map(|busy| &mut busy.lanes) {
            if lane.of == who || lane.of == Who::Bound(device) {
                lane.forgive();
            }
        }
        self.devices.retain(|known| known.key != device);
        if self.devices.len() >= DEVICES {
            let gone = Who::Bound(self.devices.remove(0).key);
            self.busy.iter_mut().for_each(|busy| busy.lanes.retain(|lane| lane.of != gone));
        }
        push(&mut self.devices, Device { key: device, until });
    }

    /// Forgets that a device, or any, has logged in.
    pub(super) fn forget(&mut self, device: Option<Key>) {
        self.devices.retain(|known| device.is_some_and(|device| known.key != device));
    }

    fn lane(&self, who: Who) -> Option<&Lane> {
        self.busy.as_ref()?.lanes.iter().find(|lane| lane.of == who)
    }

    fn busy(&mut self) -> &mut Busy {
        self.busy.get_or_insert_default()
    }
}

impl Mortal for Phone {
    fn dies_at(&self) -> u64 {
        let devices = self.devices.iter().map(|device| device.until);
        devices.chain(self.busy.iter().map(|busy| busy.dies_at())).max().unwrap_or(0)
    }

    fn shed(&mut self, now: u64) {
        self.devices.retain(|device| device.until > now);
        if let Some(busy) = &mut self.busy {
            busy.shed(now);
        }
        self.busy.take_if(|busy| busy.dies_at() <= now);
    }
}

impl Busy {
    fn lane_mut(&mut self, who: Who) -> &mut Lane {
        let at = self.lanes.iter().position(|lane| lane.of == who).unwrap_or_else(|| {
            push(&mut self.lanes, Lane::new(who));
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    /// When all of it is past, if messages count for `keep`.
    fn lasts(&self, keep: u64) -> u64 {
        let live = self.live.iter().map(|challenge| challenge.end);
        let sent = self.messages.last().map(|message| message.at.saturating_add(keep));
        let lanes = self.lanes.iter().map(Mortal::dies_at);
        let noted = self.noted.map(|(end, _)| end.moment());
        live.chain(sent).chain(lanes).chain(noted).max().unwrap_or(0)
    }
}

impl Mortal for Busy {
    fn dies_at(&self) -> u64 {
        self.lasts(self.keep)
    }

    fn shed(&mut self, now: u64) {
        self.live.retain(|challenge| challenge.end > now);
        let keep = self.keep;
        self.messages.retain(|message| message.at.saturating_add(keep) > now);
        self.lanes.retain_mut(|lane| {
            lane.shed(now);
            lane.dies_at() > now
        });
        self.noted.take_if(|(end, _)| end.moment() <= now);
    }
}

/// Most of these lists hold one, and would make room for four.
fn push<T>(list: &mut Vec<T>, value: T) {
    list.reserve_exact(1);
    list.push(value);
}
