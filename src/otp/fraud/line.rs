use crate::error::ConfigError;
use std::str::FromStr;

/// What a number is for, by the numbering plan of its country.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LineType {
    /// A fixed line.
    FixedLine,
    /// A mobile phone.
    Mobile,
    /// One of these two: some plans do not tell them apart.
    FixedLineOrMobile,
    /// Free for who calls.
    TollFree,
    /// Dear for who calls or writes, and paid out to whoever rents it: what fraud is after. `+979` is all of this kind.
    PremiumRate,
    /// Paid by both sides.
    SharedCost,
    /// A phone on the Internet.
    Voip,
    /// A number that follows a person.
    Personal,
    /// A pager.
    Pager,
    /// A company's number for all its places (universal access number).
    Uan,
    /// A mailbox.
    Voicemail,
    /// A satellite or a network of no country: `+870`, `+881`, `+882`, `+883`.
    Satellite,
    /// The plan does not say.
    Unknown,
}

impl LineType {
    /// One of each.
    pub const ALL: [Self; 13] = [
        Self::FixedLine,
        Self::Mobile,
        Self::FixedLineOrMobile,
        Self::TollFree,
        Self::PremiumRate,
        Self::SharedCost,
        Self::Voip,
        Self::Personal,
        Self::Pager,
        Self::Uan,
        Self::Voicemail,
        Self::Satellite,
        Self::Unknown,
    ];

    /// What nobody reads a code on, and what is dear.
    pub(crate) const DENIED: [Self; 7] = [
        Self::PremiumRate,
        Self::SharedCost,
        Self::TollFree,
        Self::Pager,
        Self::Uan,
        Self::Voicemail,
        Self::Satellite,
    ];

    /// The name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FixedLine => "fixed-line",
            Self::Mobile => "mobile",
            Self::FixedLineOrMobile => "fixed-line-or-mobile",
            Self::TollFree => "toll-free",
            Self::PremiumRate => "premium-rate",
            Self::SharedCost => "shared-cost",
            Self::Voip => "voip",
            Self::Personal => "personal",
            Self::Pager => "pager",
            Self::Uan => "uan",
            Self::Voicemail => "voicemail",
            Self::Satellite => "satellite",
            Self::Unknown => "unknown",
        }
    }
}

impl FromStr for LineType {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let known = Self::ALL.into_iter().find(|line| line.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            let text = text.escape_default();
            ConfigError::new(format!("`{text}` is no type of number; one of {names}"))
        })
    }
}
