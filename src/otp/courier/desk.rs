use crate::{
    eventual::BoxFuture,
    otp::{fraud::Bill, receipts::Errand, sender::Message},
};
use std::{fmt, num::NonZeroU16};
use tokio::sync::mpsc;

/// Where the login hands in messages. A clone hands them to the same courier.
#[derive(Clone)]
pub(crate) struct Desk(mpsc::Sender<Job>);

/// Room for one message, kept until it is used or dropped.
pub(crate) struct Place(mpsc::OwnedPermit<Job>);

pub(super) enum Job {
    Deliver(Box<Parcel>),
    /// What a request left undone when it ended early, or a message that nobody asks after.
    Finish(BoxFuture<'static, ()>),
}

pub(super) struct Parcel {
    /// `None` where nothing is to be sent and nobody must find out.
    pub(super) message: Option<Message>,
    pub(super) errand: Errand,
    /// The calling code of the number.
    pub(super) calling_code: u16,
    /// To be told if it did not leave.
    pub(super) bill: Option<Bill>,
}

impl Desk {
    /// A desk with room for `waiting` messages, and where they come out.
    pub(super) fn new(waiting: NonZeroU16) -> (Self, mpsc::Receiver<Job>) {
        let (desk, out) = mpsc::channel(waiting.get().into());
        (Self(desk), out)
    }

    /// Takes a place for one message before anything is stored. `None` if all are taken or the courier is gone.
    pub(crate) fn reserve(&self) -> Option<Place> {
        self.0.clone().try_reserve_owned().ok().map(Place)
    }
}

impl Place {
    /// Hands the message in. `None` does as if: the send ends as the last real one to its country did, after as long a time, and what its client can see of that is the
    /// same.
    pub(crate) fn post(
        self,
        message: Option<Message>,
        errand: Errand,
        calling_code: u16,
        bill: Option<Bill>,
    ) {
        self.0.send(Job::Deliver(Box::new(Parcel { message, errand, calling_code, bill })));
    }

    /// Hands in what is left to do instead of a message.
    pub(crate) fn finish(self, rest: BoxFuture<'static, ()>) {
        self.0.send(Job::Finish(rest));
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("free", &self.0.capacity()).finish()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        clock::UnixTime,
        key::{Key, KeyKind},
        otp::{ChallengeId, Code, Purpose, Sent, sender::Content},
    };
    use std::time::Duration;
    use zeroize::Zeroizing;

    /// A message whose text is its number.
    pub(in super::super) fn parcel(number: u8) -> Parcel {
        let message = Message {
            to: "+919876543210".parse().unwrap(),
            text: Zeroizing::new(number.to_string()),
            content: Content::Code {
                code: Code::parse("123456", 6).unwrap(),
                purpose: Purpose::Login,
            },
            language: "en".into(),
            good_for: Some(Duration::from_secs(300)),
        };
        let phone = Key::tag(KeyKind::Phone, [7; 16]);
        let sent = Sent { phone, challenge: ChallengeId([9; 16]), number };
        let device = Key::tag(KeyKind::Device, [8; 16]);
        let errand = Errand { sent, device, posted_at: UnixTime::default() };
        Parcel { message: Some(message), errand, calling_code: 91, bill: None }
    }

    pub(in super::super) fn post(desk: &Desk, number: u8) -> Option<()> {
        let Parcel { message, errand, calling_code, bill } = parcel(number);
        desk.reserve().map(|place| place.post(message, errand, calling_code, bill))
    }

    #[test]
    fn a_full_desk_and_one_without_a_courier_take_nothing() {
        let (desk, out) = Desk::new(NonZeroU16::new(2).unwrap());
        let place = desk.reserve().unwrap();
        post(&desk, 1).unwrap();
        assert!(desk.reserve().is_none());
        // A place that is not used is free again.
        drop(place);
        post(&desk, 2).unwrap();
        assert!(desk.clone().reserve().is_none());
        drop(out);
        assert!(desk.reserve().is_none());
    }
}
