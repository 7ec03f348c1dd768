use super::{
    Attempt, Caller, Challenge, ClaimsFor, Code, CodeSender, Login, OptOuts, OtpBuilder, Proof,
    Purpose, Secrets, Settings, SharedLoginStore, Subject, Subjects, TestNumbers, Texts, Verdict,
    bound,
    builder::Withheld,
    courier::Desk,
    fraud::{Challenger, Limits},
    holders::{Counted, Holders},
    ledger::Ledger,
    receipts::{Answers, Tracker},
    record::Record,
    refusal,
    windows::Windows,
};
use crate::{
    audit::{self, Act, Event, Sink, Step},
    client::Client,
    jwt::{Dpop, DpopProof, Verifier},
    key::Key,
    phone::Phone,
    records::Unopened,
    rejection::{Reason, Rejection},
    store::Started,
    token::{Issuer, Session},
};
use std::{fmt, sync::Arc};

/// The login: codes that are sent and verified, sessions that begin and end. Cheap to clone.
///
/// It knows nothing of HTTP; [`OtpService`](super::OtpService) is its face there. What it refuses it refuses with a
/// [`Rejection`], so a server of your own can answer as that service does.
#[derive(Clone)]
pub struct Otp(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: SharedLoginStore,
    pub(super) issuer: Issuer,
    pub(super) verifier: Verifier,
    pub(super) settings: Settings,
    pub(super) secrets: Secrets,
    pub(super) texts: Texts,
    pub(super) ledger: Ledger,
    pub(super) subjects: Arc<dyn Subjects>,
    pub(super) claims: Option<Arc<dyn ClaimsFor>>,
    pub(super) withheld: Option<Withheld>,
    pub(super) opt_outs: Arc<dyn OptOuts>,
    pub(super) test_numbers: TestNumbers,
    pub(super) dpop: Option<Dpop>,
    pub(super) sink: Option<Arc<dyn Sink>>,
    pub(super) sender: Arc<dyn CodeSender>,
    pub(super) tracker: Arc<Tracker>,
    /// `None` where no provider wants to hear of answers.
    pub(super) answers: Option<Answers>,
    pub(super) desk: Desk,
    pub(super) holders: Holders,
    pub(super) windows: Windows,
    /// What the store decides about fraud; `None` if nothing.
    pub(super) limits: Option<Limits>,
    pub(super) challenger: Option<Arc<dyn Challenger>>,
}

impl Otp {
    /// What it is made of, but for store, issuer and sender.
    pub fn builder(settings: Settings, secrets: Secrets, texts: Texts) -> OtpBuilder {
        OtpBuilder::new(settings, secrets, texts)
    }

    /// Opens the [records](crate::records), which migrates them: for the start of a program, before it serves. Without it
    /// the first call that needs them does.
    ///
    /// # Errors
    ///
    /// When they do not answer now, which may pass, or cannot be used until somebody looks.
    pub async fn open_records(&self) -> Result<(), Unopened> {
        self.0.ledger.open().await
    }

    /// Whether the [records](crate::records) answer now, without which nobody can log in: for readiness probes.
    pub async fn records_answer(&self) -> bool {
        self.0.ledger.ready().await.is_ok()
    }

    /// Whose number it is, if it is anybody's.
    ///
    /// # Errors
    ///
    /// `store-unavailable`.
    pub async fn subject(&self, phone: &Phone) -> Result<Option<Subject>, Rejection> {
        Ok(self.0.subjects.find(phone).await?)
    }

    /// Whether messages can leave now, as far as this instance knows: not while each provider is left alone. For readiness probes.
    pub fn messages_leave(&self) -> bool {
        !self.0.sender.is_paused()
    }

    /// Sends a code to a phone, or does as if: the answer does not tell whether the number is known, or whether
    /// anything was sent.
    ///
    /// # Errors
    ///
    /// `phone-invalid`, `region-not-supported`, `challenge-required`, `blocked`, `rate-limited`, `cooldown`, `sms-budget`,
    /// `sms-unavailable`, `store-unavailable`.
    pub async fn request(
        &self,
        caller: &Caller,
        phone: &Phone,
        purpose: Purpose,
    ) -> Result<Challenge, Rejection> {
        self.0.issue(caller, phone, purpose, None).await
    }

    /// Sends another code for a challenge; the one before is void unless the new one certainly does not leave, and attempts stay counted.
    ///
    /// # Errors
    ///
    /// `otp-invalid` if there is no such live challenge of this device, `otp-exhausted` if it was sent as often as
    /// it may be, and those of [`request`](Self::request).
    pub async fn resend(&self, caller: &Caller, challenge: &str) -> Result<Challenge, Rejection> {
        self.0.resend(caller, challenge).await
    }

    /// Logs in with a code: finds or creates the subject, begins a session, issues tokens.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check); `blocked` or `denied` if the subject is. While the records are away nothing is
    /// counted. When they, the subjects or the store fail after the code was right, the code is used up all the same.
    pub async fn verify(
        &self,
        caller: &Caller,
        challenge: &str,
        code: &str,
    ) -> Result<Login, Rejection> {
        self.verify_with(caller, challenge, code, None).await
    }

    /// Like [`verify`](Self::verify), and binds the session and its tokens to the key of a [proof](Self::proof).
    ///
    /// # Errors
    ///
    /// Those of `verify`, and `dpop-proof-invalid`: before the code is looked at, unless the proof was used before.
    pub async fn verify_with(
        &self,
        caller: &Caller,
        challenge: &str,
        code: &str,
        possession: Option<DpopProof>,
    ) -> Result<Login, Rejection> {
        let key = bound::verified(possession)?;
        // A right code must not be used up for records that are away; what is none of ours asks nobody.
        if self.0.secrets.read_handle(challenge).is_some() {
            self.0.ledger.ready().await?;
        }
        let proof = self.check(caller, challenge, code, Purpose::Login).await?;
        let found = self.0.subjects.find_or_create(&proof.phone).await?;
        if found.is_new {
            let key = self.0.subject_key(found.subject.as_str());
            self.0.tell(Some(caller), Step::SubjectCreated, key, None);
        }
        let bound = self.0.bind(caller, &found.subject, found.is_new).await?;
        let tokens = self.0.begin(caller, &found.subject, key.as_ref()).await?;
        if let Err(refusal) = self.0.refuse_former(&found.subject, &proof.phone).await {
            self.logout(tokens.session).await?;
            return Err(refusal);
        }
        Ok(Login {
            tokens,
            subject: found.subject,
            is_new: found.is_new,
            new_device: proof.new_device,
            device: bound.device.id,
        })
    }

    /// Whether a code is the right one for a challenge, for a purpose of your own.
    ///
    /// **It proves a phone, not whose it is.** To confirm that a user who is logged in still has the phone, compare
    /// [`Proof::phone`] with the user's own: whoever stole a session has a phone, too.
    ///
    /// # Errors
    ///
    /// `body-invalid` if it is not a code at all, which counts for nothing; `otp-invalid` with the attempts that
    /// remain; `device-mismatch`; `blocked`; `store-unavailable`; `sms-unavailable` if the code is for a [provider to
    /// check](super::sender#codes-of-a-provider) and that does not answer, which costs an attempt.
    pub async fn check(
        &self,
        caller: &Caller,
        challenge: &str,
        code: &str,
        purpose: Purpose,
    ) -> Result<Proof, Rejection> {
        let inner = &*self.0;
        let code = Code::parse(code, inner.settings.digits).ok_or(Reason::BodyInvalid)?;
        let handle = inner.secrets.read_handle(challenge).filter(|it| it.purpose == purpose);
        let handle = handle.ok_or_else(refusal::no_such_challenge)?;
        let pepper = inner.store.pepper();
        let device = inner.device(caller)?;
        let attempt = Attempt {
            arrival: caller.arrival(handle.phone, pepper),
            phone: handle.phone,
            challenge: handle.challenge,
            device,
            code: inner.secrets.answer(&handle, device, &code).ok_or(Reason::StoreUnavailable)?,
            rules: inner.settings.rules,
        };
        let mut verified = inner.store.verify(attempt).await?;
        if let Verdict::Held { attempt: number, sealed, guess, .. } = &verified.outcome {
            let counted = Counted { number: *number, sealed, guess: *guess };
            verified = inner.check_elsewhere(caller, &attempt, &code, counted).await?;
        }
        inner.tell_blocks(caller, &verified.started);
        let tell = |step, attempt| inner.tell(Some(caller), step, handle.phone, Some(attempt));
        match verified.outcome {
            Verdict::Right { attempt, sealed, new_device, messages } => {
                let record = Record::open(&inner.secrets, handle.challenge, &sealed)?;
                let client = record.client.unwrap_or_else(|| caller.client.key());
                inner.convert(&record.phone, client, messages).await;
                inner.pass_on(&handle);
                tell(Step::CodeRight, attempt);
                if new_device {
                    tell(Step::DeviceNew, attempt);
                }
                Ok(Proof { phone: record.phone, new_device })
            }
            Verdict::Wrong { attempt, left } => {
                tell(Step::CodeWrong, attempt);
                Err(refusal::code(Reason::CodeInvalid, left))
            }
            Verdict::OtherDevice { attempt, left } => {
                tell(Step::DeviceMismatch, attempt);
                Err(refusal::code(Reason::DeviceMismatch, left))
            }
            // What is held has been concluded.
            Verdict::NotLive | Verdict::Held { .. } => Err(refusal::no_such_challenge()),
            Verdict::Blocked { remaining, .. } => Err(refusal::blocked(remaining)),
        }
    }
}

impl Inner {
    /// The device of a caller, as stores know it.
    pub(super) fn device(&self, caller: &Caller) -> Result<Key, Reason> {
        self.secrets.device_key(&caller.device).ok_or(Reason::StoreUnavailable)
    }

    pub(super) fn tell(&self, caller: Option<&Caller>, step: Step, key: Key, attempt: Option<u8>) {
        self.record(caller, Act::Login { step, key, attempt });
    }

    pub(super) fn tell_blocks(&self, caller: &Caller, started: &[Started]) {
        started.iter().for_each(|started| self.record(Some(caller), started.into()));
    }

    /// What happened to a session, and whose it is; of who asks there is no more than the address.
    pub(super) fn tell_session(&self, client: Option<&Client>, step: Step, session: &Session) {
        let act = Act::Login { step, key: self.session_key(session.id), attempt: None };
        let event = Event::new(act).of(client);
        let subject = self.subject_key(&session.subject);
        audit::record(self.sink.as_deref(), event.subject(Some(subject)));
    }

    pub(super) fn record(&self, caller: Option<&Caller>, act: Act) {
        let client = caller.map(|caller| &caller.client);
        audit::record(self.sink.as_deref(), Event::new(act).of(client));
    }
}

impl fmt::Debug for Otp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otp")
            .field("store", &self.0.store)
            .field("issuer", &self.0.issuer)
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}
