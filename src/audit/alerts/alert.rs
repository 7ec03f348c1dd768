use crate::{
    audit::{Act, FraudRule, ProviderChange, Step},
    error::ConfigError,
    limit::Name,
    rejection::Reason,
};
use std::{ops::RangeInclusive, str::FromStr, time::Duration};

/// When to raise an alarm: so much of what, within how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub(super) name: Name,
    pub(super) on: Condition,
    pub(super) count: u32,
    pub(super) within: Duration,
    /// Of codes that were sent, where too few were used.
    pub(super) below: f64,
}

/// What an [`Alert`] counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// A wrong code.
    CodeWrong,
    /// An attempt at a code from another device than the one that asked for it.
    DeviceMismatch,
    /// A login from a device that the phone is not known to have used.
    DeviceNew,
    /// A device that joins a user who was there before.
    DeviceJoined,
    /// A code that did not leave, or may not have.
    CodeNotSent,
    /// A code that was sent, and of which its provider says that it did not arrive.
    CodeUndelivered,
    /// A notice to the number before that did not leave, or may not have.
    NoticeNotSent,
    /// A user who has another number.
    PhoneChanged,
    /// A message that did not leave, as its provider refuses us and no other took it.
    SenderRefused,
    /// A provider that is left alone for a while, as it fails or refuses us.
    ProviderPaused,
    /// A provider that refuses us, whether another one sends instead or none.
    ProviderRefused,
    /// A provider whose messages do not arrive in a country.
    ProviderDemoted,
    /// The budget of a provider for a day that is nearly spent.
    BudgetLow,
    /// The budget of a provider for a day that is spent: nothing more is sent by it.
    BudgetSpent,
    /// Too few of the codes that were sent are used: they are bought, not read.
    Conversion,
    /// A refresh token that was used twice.
    RefreshReused,
    /// A refusal by a limit, a cooldown included.
    LimitHit,
    /// A block that started.
    Blocked,
    /// A request that was refused for its token.
    BadToken,
    /// A message of an address that asks for codes to more countries than the rule
    /// [`Countries`](crate::audit::FraudRule::Countries) lets it.
    ManyCountries,
    /// The store or a server of it stopped answering, or lost what it kept.
    StoreLost,
    /// The audit log loses events, or it or the copy of its checkpoints cannot be written.
    LogLost,
}

const COUNTS: RangeInclusive<u32> = 1..=10_000;
const WINDOWS: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

impl Alert {
    /// An alert for `count` of `on` within a time.
    ///
    /// # Errors
    ///
    /// When the name is none, the count is not 1 to 10,000, the time is not 10 s to 24 h, or `on` is
    /// [`Conversion`](Condition::Conversion), which needs a share: see [`conversion`](Self::conversion).
    pub fn new(
        name: &str,
        on: Condition,
        count: u32,
        within: Duration,
    ) -> Result<Self, ConfigError> {
        if on == Condition::Conversion {
            return Err(ConfigError::new(
                "`conversion` needs the share that is too small: `below`",
            ));
        }
        Self::build(name, on, count, within, 0.0)
    }

    /// An alert for less than the share `below` of at least `sent` codes having been used, in a time.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new) but the last, and when `below` is not more than 0 and at most 1.
    pub fn conversion(
        name: &str,
        sent: u32,
        below: f64,
        within: Duration,
    ) -> Result<Self, ConfigError> {
        if !(below > 0.0 && below <= 1.0) {
            return Err(ConfigError::new("below: more than 0, and 1 at most"));
        }
        Self::build(name, Condition::Conversion, sent, within, below)
    }

    /// Its name.
    pub const fn name(&self) -> Name {
        self.name
    }

    /// What it counts.
    pub const fn on(&self) -> Condition {
        self.on
    }

    /// How many it takes.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Within how long.
    pub const fn within(&self) -> Duration {
        self.within
    }

    /// The share that is too small, of a [`conversion`](Self::conversion).
    pub fn below(&self) -> Option<f64> {
        (self.on == Condition::Conversion).then_some(self.below)
    }

    fn build(
        name: &str,
        on: Condition,
        count: u32,
        within: Duration,
        below: f64,
    ) -> Result<Self, ConfigError> {
        if !COUNTS.contains(&count) {
            return Err(ConfigError::new("count: 1 to 10000"));
        }
        if !WINDOWS.contains(&within) {
            return Err(ConfigError::new("within: 10s to 24h"));
        }
        Ok(Self { name: Name::new(name)?, on, count, within, below })
    }

    /// One for each condition but devices that are new or join, providers that are left alone and budgets that are nearly spent, with
    /// thresholds for a service of some thousand logins a day.
    pub fn defaults() -> Vec<Self> {
        use Condition::*;
        let rule = |name: &'static str, on, count, within| Self {
            name: name.into(),
            on,
            count,
            within,
            below: if on == Conversion { 0.3 } else { 0.0 },
        };
        vec![
            rule("wrong-codes", CodeWrong, 100, 10 * MINUTE),
            rule("device-mismatches", DeviceMismatch, 20, 10 * MINUTE),
            rule("codes-not-sent", CodeNotSent, 20, 10 * MINUTE),
            rule("codes-undelivered", CodeUndelivered, 50, 60 * MINUTE),
            rule("notices-not-sent", NoticeNotSent, 5, 60 * MINUTE),
            rule("phone-changes", PhoneChanged, 50, 60 * MINUTE),
            rule("sender-refused", SenderRefused, 1, 10 * MINUTE),
            rule("provider-refused", ProviderRefused, 1, 10 * MINUTE),
            rule("provider-demoted", ProviderDemoted, 1, 60 * MINUTE),
            rule("provider-budget-spent", BudgetSpent, 1, 10 * MINUTE),
            rule("few-codes-used", Conversion, 50, 60 * MINUTE),
            rule("refresh-reuse", RefreshReused, 5, 60 * MINUTE),
            rule("limit-hits", LimitHit, 1_000, 10 * MINUTE),
            rule("blocks", Blocked, 20, 10 * MINUTE),
            rule("bad-tokens", BadToken, 500, 10 * MINUTE),
            rule("many-countries", ManyCountries, 1, 60 * MINUTE),
            rule("store-lost", StoreLost, 1, 10 * MINUTE),
            rule("audit-log-lost", LogLost, 1, 10 * MINUTE),
        ]
    }
}

impl Condition {
    /// One of each.
    pub const ALL: [Self; 22] = [
        Self::CodeWrong,
        Self::DeviceMismatch,
        Self::DeviceNew,
        Self::DeviceJoined,
        Self::CodeNotSent,
        Self::CodeUndelivered,
        Self::NoticeNotSent,
        Self::PhoneChanged,
        Self::SenderRefused,
        Self::ProviderPaused,
        Self::ProviderRefused,
        Self::ProviderDemoted,
        Self::BudgetLow,
        Self::BudgetSpent,
        Self::Conversion,
        Self::RefreshReused,
        Self::LimitHit,
        Self::Blocked,
        Self::BadToken,
        Self::ManyCountries,
        Self::StoreLost,
        Self::LogLost,
    ];

    /// The name in a configuration and in what is posted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodeWrong => "code-wrong",
            Self::DeviceMismatch => "device-mismatch",
            Self::DeviceNew => "device-new",
            Self::DeviceJoined => "device-joined",
            Self::CodeNotSent => "code-not-sent",
            Self::CodeUndelivered => "code-undelivered",
            Self::NoticeNotSent => "notice-not-sent",
            Self::PhoneChanged => "phone-changed",
            Self::SenderRefused => "sender-refused",
            Self::ProviderPaused => "provider-paused",
            Self::ProviderRefused => "provider-refused",
            Self::ProviderDemoted => "provider-demoted",
            Self::BudgetLow => "provider-budget-low",
            Self::BudgetSpent => "provider-budget-spent",
            Self::Conversion => "conversion",
            Self::RefreshReused => "refresh-reused",
            Self::LimitHit => "limit-hit",
            Self::Blocked => "blocked",
            Self::BadToken => "bad-token",
            Self::ManyCountries => "many-countries",
            Self::StoreLost => "store-lost",
            Self::LogLost => "audit-log-lost",
        }
    }

    /// Whether it counts `act`.
    pub(super) fn minds(self, act: &Act) -> bool {
        let refused =
            |minded: fn(Reason) -> bool| matches!(act, Act::Refused(reason) if minded(*reason));
        let changed = |minded: ProviderChange| matches!(act, Act::Provider { change, .. } if *change == minded);
        match self {
            Self::CodeWrong => is_step(act, Step::CodeWrong),
            Self::DeviceMismatch => is_step(act, Step::DeviceMismatch),
            Self::DeviceNew => is_step(act, Step::DeviceNew),
            Self::DeviceJoined => is_step(act, Step::DeviceJoined),
            Self::CodeNotSent => is_step(act, Step::CodeNotSent),
            Self::CodeUndelivered => is_step(act, Step::CodeUndelivered),
            Self::NoticeNotSent => is_step(act, Step::NoticeNotSent),
            Self::PhoneChanged => is_step(act, Step::PhoneChanged),
            Self::SenderRefused => is_step(act, Step::SenderRefused),
            Self::ProviderPaused => {
                changed(ProviderChange::Paused) || changed(ProviderChange::Refused)
            }
            Self::ProviderRefused => changed(ProviderChange::Refused),
            Self::ProviderDemoted => changed(ProviderChange::Demoted),
            Self::BudgetLow => changed(ProviderChange::BudgetLow),
            Self::BudgetSpent => changed(ProviderChange::BudgetSpent),
            Self::Conversion => is_step(act, Step::CodeSent) || is_step(act, Step::CodeRight),
            Self::RefreshReused => is_step(act, Step::RefreshReused),
            Self::LimitHit => refused(|reason| {
                matches!(reason, Reason::RateLimited | Reason::Cooldown | Reason::ResendsSpent)
            }),
            Self::Blocked => matches!(act, Act::Blocked { .. }),
            Self::BadToken => refused(|reason| matches!(reason, Reason::TokenInvalid(_))),
            Self::ManyCountries => {
                matches!(act, Act::Fraud { rule: FraudRule::Countries, .. })
            }
            Self::StoreLost => matches!(
                act,
                Act::StoreLost(_) | Act::StorePartLost(_) | Act::StoreEmptied | Act::StoreRestarted
            ),
            Self::LogLost => matches!(act, Act::LogOverflowed | Act::LogLost | Act::CopyLost),
        }
    }
}

impl FromStr for Condition {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|on| on.name() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.into_iter().map(Self::name).collect();
            let (text, known) = (text.escape_default(), known.join(", "));
            ConfigError::new(format!("on: there is no `{text}`; there are: {known}"))
        })
    }
}

pub(super) fn is_step(act: &Act, wanted: Step) -> bool {
    matches!(act, Act::Login { step, .. } if *step == wanted)
}
