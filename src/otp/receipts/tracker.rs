use super::{MessageState, Note, Noted, Report};
use crate::{
    clock::{Clock, UnixTime},
    key::{Hex, Key, KeyKind},
    limit::Name,
    otp::{
        ChallengeId, Sent, SharedLoginStore,
        sender::{SendError, Taken},
    },
    store::StoreError,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Writes down what becomes of messages, and reads it.
pub(in crate::otp) struct Tracker {
    store: SharedLoginStore,
    clock: Arc<dyn Clock>,
    /// Whether everybody may sign up, so that the truth about a number tells nothing about who has it.
    tells_all: bool,
    until_taken: Samples,
    until_arrived: Samples,
}

/// A message to carry: which one, for which device, and since when.
#[derive(Clone, Copy, Debug)]
pub(in crate::otp) struct Errand {
    pub(in crate::otp) sent: Sent,
    pub(in crate::otp) device: Key,
    pub(in crate::otp) posted_at: UnixTime,
}

/// How long it took lately, for those that only seem to take as long.
#[derive(Default)]
struct Samples(Mutex<VecDeque<Duration>>);

/// What a note about a challenge says of its last message.
struct Fate {
    what: What,
    device: Key,
    /// Before, it seems to be on its way.
    from: UnixTime,
    /// When it seems to arrive; 0 for never.
    arrives: UnixTime,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    /// On its way to the provider.
    Queued,
    Sent,
    Arrived,
    /// Nothing left, whoever's number it was.
    Failed,
    /// It did not arrive at this number.
    Lost,
}

/// What a note about a provider's message says.
struct Named {
    errand: Errand,
    via: Option<Name>,
}

const SAMPLES: usize = 32;
/// How long a message seems to take while none has been taken yet.
const USUAL: Duration = Duration::from_millis(500);
/// Of notes about what a provider calls a message: what was reported before it was known whose it is.
const EARLY: u16 = 1;
const KNOWN: u16 = 2;

impl Tracker {
    pub(in crate::otp) fn new(
        store: SharedLoginStore,
        clock: Arc<dyn Clock>,
        tells_all: bool,
    ) -> Self {
        let (until_taken, until_arrived) = (Samples::default(), Samples::default());
        Self { store, clock, tells_all, until_taken, until_arrived }
    }

    /// Writes down that a message is on its way, one that is feigned like any other: from now on its device alone is told of it,
    /// whether the provider has answered or not. Says how much longer it takes, if it takes as long as one of the last.
    pub(in crate::otp) async fn began(&self, errand: &Errand) -> Duration {
        let _ = self.write(errand, What::Queued, UnixTime::default(), UnixTime::default()).await;
        self.taken(errand).since(self.clock.wall())
    }

    /// Writes down how a message ended at its provider, and says whether it has been reported on already, and how. A store that
    /// does not answer knows less, and that is all.
    pub(in crate::otp) async fn ended(
        &self,
        errand: &Errand,
        outcome: &Result<Taken, SendError>,
    ) -> Option<bool> {
        let now = self.clock.wall();
        self.until_taken.push(now.since(errand.posted_at));
        let what = match outcome {
            Ok(_) | Err(SendError::Unknown) => What::Sent,
            Err(error) if error.is_given_back() => What::Failed,
            Err(_) => What::Lost,
        };
        let _ = self.write(errand, what, now, UnixTime::default()).await;
        let Ok(Taken { id: Some(id), via, .. }) = outcome else { return None };
        let named = Named { errand: Errand { posted_at: now, ..*errand }, via: *via };
        let note = Note { rank: KNOWN, text: named.text() };
        let noted = self.store.note(self.of_message(id.provider, &id.id), note).await.ok()?;
        let arrived = &*noted.before.filter(|before| before.rank == EARLY)?.text == "+";
        self.settle(&named.errand, arrived).await.ok()?.then_some(arrived)
    }

    /// Does as if a message had ended as the last ones did: it is taken as late as they were, or has failed now.
    pub(in crate::otp) async fn feigned(&self, errand: &Errand, failed: bool) {
        let (what, from) = match failed {
            true => (What::Failed, self.clock.wall()),
            false => (What::Sent, self.taken(errand)),
        };
        let arrives = self.until_arrived.draw().filter(|_| self.tells_all);
        let arrives = arrives.map_or(UnixTime::default(), |time| from.plus(time));
        let _ = self.write(errand, what, from, arrives).await;
    }

    /// Takes note of a report. Says which message it is about and who took it, if that is known and the report is new.
    pub(in crate::otp) async fn reported(
        &self,
        report: &Report<'_>,
    ) -> Result<Option<(Sent, Option<Name>)>, StoreError> {
        let text = if report.arrived { "+" } else { "-" };
        let early = Note { rank: EARLY, text: text.into() };
        let key = self.of_message(report.provider, report.id);
        let Noted { before, .. } = self.store.note(key, early).await?;
        let Some(Named { errand, via }) = before.and_then(|note| Named::parse(&note)) else {
            return Ok(None);
        };
        let is_new = self.settle(&errand, report.arrived).await?;
        Ok(is_new.then_some((errand.sent, via)))
    }

    /// The state of the last message of a challenge, for the device that asked for it. `None` for another device.
    pub(in crate::otp) async fn state(
        &self,
        phone: Key,
        challenge: ChallengeId,
        device: Key,
    ) -> Result<Option<MessageState>, StoreError> {
        let noted = self.store.noted(self.of_challenge(phone, challenge)).await?;
        let Some(fate) = noted.and_then(|note| Fate::parse(&note.text)) else {
            return Ok(Some(MessageState::Queued));
        };
        let now = self.clock.wall();
        Ok((fate.device == device).then(|| match fate.what {
            What::Queued => MessageState::Queued,
            _ if now < fate.from => MessageState::Queued,
            What::Failed => MessageState::Failed,
            _ if !self.tells_all => MessageState::Sent,
            What::Arrived => MessageState::Delivered,
            What::Lost => MessageState::Failed,
            What::Sent if fate.arrives != UnixTime::default() && fate.arrives <= now => {
                MessageState::Delivered
            }
            What::Sent => MessageState::Sent,
        }))
    }

    /// When a provider answers, if it takes as long as for one of the last.
    fn taken(&self, errand: &Errand) -> UnixTime {
        errand.posted_at.plus(self.until_taken.draw().unwrap_or(USUAL))
    }

    /// Writes down whether a message arrived, and says whether that is new.
    async fn settle(&self, errand: &Errand, arrived: bool) -> Result<bool, StoreError> {
        let what = if arrived { What::Arrived } else { What::Lost };
        let is_new = self.write(errand, what, UnixTime::default(), UnixTime::default()).await?;
        if is_new && arrived {
            self.until_arrived.push(self.clock.wall().since(errand.posted_at));
        }
        Ok(is_new)
    }

    async fn write(
        &self,
        errand: &Errand,
        what: What,
        from: UnixTime,
        arrives: UnixTime,
    ) -> Result<bool, StoreError> {
        let Sent { phone, challenge, number } = errand.sent;
        // What is final stays, and another message begins anew.
        let stage = match what {
            What::Queued => 0,
            What::Sent => 1,
            What::Arrived | What::Failed | What::Lost => 2,
        };
        let rank = 3 * u16::from(number) + stage;
        let text = Fate { what, device: errand.device, from, arrives }.text();
        let key = self.of_challenge(phone, challenge);
        Ok(self.store.note(key, Note { rank, text }).await?.kept)
    }

    fn of_challenge(&self, phone: Key, challenge: ChallengeId) -> Key {
        let parts: [&[u8]; 3] = [b"sms challenge", phone.bytes(), &challenge.0];
        self.store.pepper().tag(KeyKind::Own, &parts)
    }

    fn of_message(&self, provider: &str, id: &str) -> Key {
        let parts: [&[u8]; 3] = [b"sms message", provider.as_bytes(), id.as_bytes()];
        self.store.pepper().tag(KeyKind::Own, &parts)
    }
}

impl Samples {
    fn push(&self, time: Duration) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(time);
    }

    /// One of them.
    fn draw(&self) -> Option<Duration> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = getrandom::u32().ok()? as usize % samples.len().max(1);
        samples.get(at).copied()
    }
}

impl Fate {
    fn text(&self) -> Box<str> {
        let what = match self.what {
            What::Queued => "queued",
            What::Sent => "sent",
            What::Arrived => "arrived",
            What::Failed => "failed",
            What::Lost => "lost",
        };
        let (device, from) = (Hex(self.device.bytes()), self.from.as_micros());
        format!("{what} {device} {from} {}", self.arrives.as_micros()).into()
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let what = match words.next()? {
            "queued" => What::Queued,
            "sent" => What::Sent,
            "arrived" => What::Arrived,
            "failed" => What::Failed,
            "lost" => What::Lost,
            _ => return None,
        };
        let device = Key::tag(KeyKind::Device, unhex(words.next()?)?);
        let mut moment = || Some(UnixTime::from_micros(words.next()?.parse().ok()?));
        Some(Self { what, device, from: moment()?, arrives: moment()? })
    }
}

impl Named {
    fn text(&self) -> Box<str> {
        let Errand { sent: Sent { phone, challenge, number }, device, posted_at } = &self.errand;
        let (phone, challenge, device) =
            (Hex(phone.bytes()), Hex(&challenge.0), Hex(device.bytes()));
        let via = self.via.map_or("", Name::as_str);
        format!("{phone} {challenge} {number} {device} {} {via}", posted_at.as_micros()).into()
    }

    fn parse(note: &Note) -> Option<Self> {
        let mut words = note.text.split(' ');
        let phone = Key::tag(KeyKind::Phone, unhex(words.next()?)?);
        let challenge = ChallengeId(unhex(words.next()?)?);
        let sent = Sent { phone, challenge, number: words.next()?.parse().ok()? };
        let device = Key::tag(KeyKind::Device, unhex(words.next()?)?);
        let posted_at = UnixTime::from_micros(words.next()?.parse().ok()?);
        let via = words.next().and_then(|name| Name::new(name).ok());
        Some(Self { errand: Errand { sent, device, posted_at }, via })
    }
}

/// The bytes that `Hex` spells.
fn unhex(text: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(text, 16).ok()?;
    (text.len() == 32).then_some(number.to_be_bytes())
}
