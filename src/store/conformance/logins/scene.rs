use super::{super::answer, Make};
use crate::{
    clock::ManualClock,
    key::{Key, KeyKind, Pepper},
    otp::{
        Arrival, Attempt, ChallengeId, CodeMac, Conclusion, Dispatch, Dispatched, Guess, Issue,
        Resend, Rules, Sealed, Sent, Settings, SharedLoginStore, Verdict, Verified,
        sender::Checked,
    },
    profile::Profile,
};
use std::{net::Ipv4Addr, time::Duration};

/// A store, its clock, and the rules of the profile `standard`.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The store.
    pub store: SharedLoginStore,
    /// Its clock.
    pub clock: ManualClock,
    /// What holds.
    pub rules: Rules,
}

/// Who calls: one address, one phone, one device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The address.
    pub client: Key,
    /// Whether the address may be struck and blocked.
    pub may_be_struck: bool,
    /// Address and phone.
    pub fingerprint: Key,
    /// The phone.
    pub phone: Key,
    /// The device.
    pub device: Key,
}

impl Caller {
    /// The caller at an address, for a phone, from a device.
    pub fn new(address: u32, phone: u32, device: u32) -> Self {
        let client = Key::ip(Ipv4Addr::from(0x0a00_0000 + address).into());
        let (address, number) = (address.to_be_bytes(), phone.to_be_bytes());
        Self {
            client,
            may_be_struck: true,
            fingerprint: tag(KeyKind::Fingerprint, &[&address, &number]),
            phone: tag(KeyKind::Phone, &[&number]),
            device: tag(KeyKind::Device, &[&device.to_be_bytes()]),
        }
    }

    /// Where the calls come from.
    pub fn arrival(&self) -> Arrival {
        let Self { client, may_be_struck, fingerprint, .. } = *self;
        Arrival { client, may_be_struck, fingerprint }
    }
}

impl Scene {
    /// The scene of an empty store.
    pub fn new(make: Make<'_>) -> Self {
        let clock = super::super::clock();
        let rules = Settings::new(Profile::Standard).rules();
        Self { store: make(&clock), clock, rules }
    }

    /// Lets time pass.
    pub fn wait(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// A challenge to start; what is sealed is its name.
    pub fn to_issue(&self, caller: &Caller, challenge: u32, code: u8) -> Issue {
        Issue {
            arrival: caller.arrival(),
            phone: caller.phone,
            challenge: id(challenge),
            device: caller.device,
            code: Some(CodeMac::from_bytes([code; 32])),
            sealed: Sealed::from_bytes(&challenge.to_be_bytes()),
            rules: self.rules,
        }
    }

    /// A challenge to start whose code somebody else holds.
    pub fn to_hold(&self, caller: &Caller, challenge: u32) -> Issue {
        Issue { code: None, ..self.to_issue(caller, challenge, 0) }
    }

    /// A new code to put into a challenge.
    pub fn to_resend(&self, caller: &Caller, challenge: u32, code: u8) -> Resend {
        Resend {
            arrival: caller.arrival(),
            phone: caller.phone,
            challenge: id(challenge),
            device: caller.device,
            code: CodeMac::from_bytes([code; 32]),
            rules: self.rules,
        }
    }

    /// An attempt to make.
    pub fn to_verify(&self, caller: &Caller, challenge: u32, code: u8) -> Attempt {
        Attempt {
            arrival: caller.arrival(),
            phone: caller.phone,
            challenge: id(challenge),
            device: caller.device,
            code: CodeMac::from_bytes([code; 32]),
            rules: self.rules,
        }
    }

    /// The end of an attempt at a code that somebody else holds.
    pub fn to_conclude(
        &self,
        caller: &Caller,
        challenge: u32,
        attempt: u8,
        guess: Guess,
        said: Option<Checked>,
    ) -> Conclusion {
        let Attempt { arrival, phone, challenge, device, rules, .. } =
            self.to_verify(caller, challenge, 0);
        Conclusion { arrival, phone, challenge, device, attempt, guess, said, rules }
    }

    /// Starts a challenge.
    pub async fn issue(&self, caller: &Caller, challenge: u32, code: u8) -> Dispatch {
        answer(self.store.issue(self.to_issue(caller, challenge, code))).await
    }

    /// Sends a new code.
    pub async fn resend(&self, caller: &Caller, challenge: u32, code: u8) -> Dispatch {
        answer(self.store.resend(self.to_resend(caller, challenge, code))).await
    }

    /// Makes an attempt.
    pub async fn verify(&self, caller: &Caller, challenge: u32, code: u8) -> Verified {
        answer(self.store.verify(self.to_verify(caller, challenge, code))).await
    }

    /// Ends an attempt at a code that somebody else holds.
    pub async fn conclude(
        &self,
        caller: &Caller,
        challenge: u32,
        attempt: u8,
        guess: Guess,
        said: Option<Checked>,
    ) -> Verified {
        let conclusion = self.to_conclude(caller, challenge, attempt, guess, said);
        answer(self.store.conclude(conclusion)).await
    }

    /// Takes a message back.
    pub async fn give_back(&self, caller: &Caller, challenge: u32, number: u8) {
        let sent = Sent { phone: caller.phone, challenge: id(challenge), number };
        answer(self.store.give_back(sent)).await;
    }

    /// Starts a challenge that must be allowed.
    ///
    /// # Panics
    ///
    /// When it is not.
    pub async fn allowed(&self, caller: &Caller, challenge: u32, code: u8) -> Dispatch {
        let dispatch = self.issue(caller, challenge, code).await;
        assert!(matches!(dispatch.outcome, Dispatched::Allowed { number: 0, .. }), "{dispatch:?}");
        dispatch
    }

    /// Logs in, and lets the messages of it pass.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub async fn bind(&self, caller: &Caller, challenge: u32) {
        self.allowed(caller, challenge, 1).await;
        let verified = self.verify(caller, challenge, 1).await;
        assert!(matches!(verified.outcome, Verdict::Right { .. }), "{verified:?}");
        self.wait(self.rules.phone.within);
    }

    /// Has the phone blocked by messages for two devices of strangers, from an address for each; uses three challenges
    /// from `first`.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub async fn flood(&self, phone: u32, first: u32) -> Duration {
        for number in 0..3 {
            self.allowed(&Self::stranger(phone, first, number), first + number, 1).await;
            self.wait(self.rules.cooldown);
        }
        let blocked = self.issue(&Self::stranger(phone, first, 3), first + 3, 1).await;
        let [started] = blocked.started[..] else { panic!("{blocked:?}") };
        let remaining = Some(started.lasting);
        assert_eq!(blocked.outcome, Dispatched::Blocked { key: started.key, remaining });
        started.lasting
    }

    /// One of two devices: a third would find no place.
    fn stranger(phone: u32, first: u32, number: u32) -> Caller {
        Caller {
            device: Caller::new(0, phone, first + number % 2).device,
            ..Caller::new(first + number, phone, 0)
        }
    }
}

/// The name of a challenge.
pub(super) fn id(challenge: u32) -> ChallengeId {
    let mut id = [7; 16];
    id[..4].copy_from_slice(&challenge.to_be_bytes());
    ChallengeId(id)
}

fn tag(kind: KeyKind, parts: &[&[u8]]) -> Key {
    match Pepper::new(b"the pepper of the scene") {
        Ok(pepper) => pepper.tag(kind, parts),
        Err(error) => panic!("{error}"),
    }
}
