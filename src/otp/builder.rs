use super::{
    ClaimsFor, CodeSender, Courier, LoginStore, OptOuts, Otp, Secrets, Settings, SharedLoginStore,
    Subjects, TestNumbers, Texts,
    courier::{self, OnStart},
    ends::Ends,
    fraud::{self, Challenger},
    holders::Holders,
    ledger::Ledger,
    login::Inner,
    number,
    receipts::{Answers, Tracker},
    windows::Windows,
};
use crate::{
    audit::Sink,
    clock::Clock,
    error::ConfigError,
    jwt::{Dpop, Verifier},
    limit::Headers,
    phone::Phone,
    profile::Profile,
    records::{MemoryRecords, Records},
    token::Issuer,
};
use std::{fmt, num::NonZeroU16, sync::Arc};

/// What an [`Otp`] is made of. See [`Otp::builder`].
#[must_use]
pub struct OtpBuilder {
    settings: Settings,
    secrets: Secrets,
    texts: Texts,
    records: Option<Arc<dyn Records>>,
    subjects: Option<Arc<dyn Subjects>>,
    claims: Option<Arc<dyn ClaimsFor>>,
    withheld: Option<Withheld>,
    opt_outs: Option<Arc<dyn OptOuts>>,
    believes_opt_outs: bool,
    test_numbers: TestNumbers,
    dpop: Option<Dpop>,
    challenger: Option<Arc<dyn Challenger>>,
    sink: Option<Arc<dyn Sink>>,
    waiting: NonZeroU16,
}

pub(super) type Withheld = Arc<dyn Fn(&Phone) -> bool + Send + Sync>;

impl OtpBuilder {
    pub(super) fn new(settings: Settings, secrets: Secrets, texts: Texts) -> Self {
        Self {
            settings,
            secrets,
            texts,
            records: None,
            subjects: None,
            claims: None,
            withheld: None,
            opt_outs: None,
            believes_opt_outs: false,
            test_numbers: TestNumbers::new(),
            dpop: None,
            challenger: None,
            sink: None,
            waiting: courier::WAITING,
        }
    }

    /// Where subjects and devices are kept. Without it they end with the process.
    pub fn records(mut self, records: impl Records + 'static) -> Self {
        self.records = Some(Arc::new(records));
        self
    }

    /// Who knows whose phone it is, instead of the records, which keep the devices of these subjects all the same.
    pub fn subjects(mut self, subjects: impl Subjects + 'static) -> Self {
        self.subjects = Some(Arc::new(subjects));
        self
    }

    /// What access tokens say besides whom they are about.
    pub fn claims(mut self, claims: impl ClaimsFor + 'static) -> Self {
        self.claims = Some(Arc::new(claims));
        self
    }

    /// Numbers to which nothing is sent, such as those that opted out or that fraud rules suppress. Who asks for
    /// a code gets the answer that everybody gets.
    pub fn withhold(mut self, from: impl Fn(&Phone) -> bool + Send + Sync + 'static) -> Self {
        self.withheld = Some(Arc::new(from));
        self
    }

    /// Who keeps which owners want no messages, if not the [records](Self::records): they get none, and who asks for a code gets the answer that everybody gets.
    /// [`Otp::heed`] tells it what they want.
    pub fn opt_outs(mut self, opt_outs: impl OptOuts + 'static) -> Self {
        self.opt_outs = Some(Arc::new(opt_outs));
        self
    }

    /// Keeps it like a STOP, too, where a provider says that the owner of a number [wants no messages](super::sender::SendError::OptedOut), so
    /// that it is not asked again. Only for who hears START as well, by [`Otp::heed`]: it is the way back.
    pub const fn believe_opt_outs(mut self) -> Self {
        self.believes_opt_outs = true;
        self
    }

    /// Numbers with a fixed code and no message.
    pub fn test_numbers(mut self, numbers: TestNumbers) -> Self {
        self.test_numbers = numbers;
        self
    }

    /// Sessions and tokens that are bound to a key of their client; see [the module docs](super#bound-to-a-key). The URL of
    /// the rules is where clients see the login; its own store remembers the proofs.
    pub fn dpop(mut self, rules: Dpop) -> Self {
        self.dpop = Some(rules);
        self
    }

    /// Who tells people from programs, where a rule against fraud has the mode `challenge`.
    pub fn challenger(mut self, challenger: impl Challenger + 'static) -> Self {
        self.challenger = Some(Arc::new(challenger));
        self
    }

    /// Who is told of steps, refusals and blocks.
    pub fn audit(mut self, sink: impl Sink + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// How many messages can wait for the sender, 4,096 by default. When all places are taken, requests are
    /// refused with 503 before anything is stored.
    pub fn queue(mut self, messages: NonZeroU16) -> Self {
        self.waiting = messages;
        self
    }

    /// Puts it together. The [`Courier`] sends the messages: spawn its [`run`](Courier::run).
    ///
    /// # Errors
    ///
    /// When the profile is not `dev` and the sender reveals codes, the secrets were made up, or a test number has no end
    /// within 366 days; when it is `banking` and no countries are [allowed](crate::otp::fraud::Destinations::allow); when a
    /// rule has the mode `challenge` and there is no challenger, or one that stops messages is to ask a store that counts no
    /// [traffic](crate::otp::fraud::Traffic); when a [provider makes codes](super::sender#codes-of-a-provider) in the profile `banking`, or there
    /// are more than five attempts at one; when a test number cannot be assigned; and when test numbers or settings
    /// contradict each other.
    pub fn build(
        self,
        store: impl LoginStore + 'static,
        issuer: Issuer,
        sender: impl CodeSender + 'static,
    ) -> Result<(Otp, Courier), ConfigError> {
        self.build_shared(Arc::new(store), issuer, Arc::new(sender))
    }

    /// Like [`build`](Self::build) with a store and a sender that are shared already.
    ///
    /// # Errors
    ///
    /// Those of `build`.
    pub fn build_shared(
        self,
        store: SharedLoginStore,
        issuer: Issuer,
        sender: Arc<dyn CodeSender>,
    ) -> Result<(Otp, Courier), ConfigError> {
        let Self { settings, secrets, .. } = &self;
        settings.check()?;
        settings.check_fraud()?;
        settings.check_challenger(self.challenger.is_some())?;
        let limits = fraud::limits(&settings.traffic, settings.spending.as_ref(), &*store)?;
        let profile = settings.profile();
        if profile != Profile::Dev {
            let name = profile.name();
            if secrets.are_made_up() {
                return Err(ConfigError::new(format!(
                    "profile \"{name}\" does not make up secrets: name a pepper and a refresh secret"
                )));
            }
            if sender.reveals_codes() {
                return Err(ConfigError::new(format!(
                    "profile \"{name}\" does not take a sender that shows codes to others"
                )));
            }
        }
        let holders = Holders::new(sender.checkers());
        if !holders.is_empty() {
            settings.check_holders()?;
        }
        self.test_numbers.check(profile, settings.digits, issuer.time().wall())?;
        let windows = Windows::new(&settings.rules, Headers::default());
        number::warm_up();
        let verifier = Verifier::new([issuer.trusted()])?.clock(Arc::clone(issuer.time()));
        let time = Arc::clone(issuer.time());
        let tracker = Tracker::new(store.clone(), Arc::clone(&time), !settings.known_only);
        let tracker = Arc::new(tracker);
        let answers = Answers::new(store.clone());
        let note = precede(Arc::clone(&tracker));
        let records = self.records.unwrap_or_else(|| Arc::new(MemoryRecords::new()));
        let ledger = Ledger::new(records, self.secrets.clone(), Arc::clone(&time));
        let opt_outs = self.opt_outs.unwrap_or_else(|| Arc::new(ledger.clone()));
        let ends = Ends {
            tracker: Arc::clone(&tracker),
            answers: answers.clone(),
            sender: Arc::clone(&sender),
            opt_outs: self.believes_opt_outs.then(|| Arc::clone(&opt_outs)),
            sink: self.sink.clone(),
        };
        let answers = sender.hears_answers().then_some(answers);
        let (desk, courier) = courier::queue(
            self.waiting,
            Arc::clone(&sender),
            store.clone(),
            time,
            note,
            ends.follow(),
        );
        let subjects = self.subjects.unwrap_or_else(|| Arc::new(ledger.clone()));
        let dpop = self.dpop.map(|rules| rules.over(store.clone()));
        let otp = Otp(Arc::new(Inner {
            store,
            issuer,
            verifier,
            settings: self.settings,
            secrets: self.secrets,
            texts: self.texts,
            ledger,
            subjects,
            claims: self.claims,
            withheld: self.withheld,
            opt_outs,
            test_numbers: self.test_numbers,
            dpop,
            sink: self.sink,
            sender,
            tracker,
            answers,
            desk,
            holders,
            windows,
            limits,
            challenger: self.challenger,
        }));
        Ok((otp, courier))
    }
}

/// Writes down that messages are on their way.
fn precede(tracker: Arc<Tracker>) -> OnStart {
    Box::new(move |errand| {
        let tracker = Arc::clone(&tracker);
        Box::pin(async move { tracker.began(&errand).await })
    })
}

impl fmt::Debug for OtpBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtpBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
