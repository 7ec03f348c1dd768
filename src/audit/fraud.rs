/// What is wrong with a request for a code, as an [`Event`](super::Event) tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FraudRule {
    /// No code goes to this country.
    Region,
    /// No code goes to numbers of this type.
    LineType,
}

impl FraudRule {
    /// One of each.
    pub const ALL: [Self; 2] = [Self::Region, Self::LineType];

    /// The stable name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::LineType => "line-type",
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FraudVerdict {
    /// Nothing but this event.
    Observed,
    /// No message, and an answer like any other.
    Silenced,
    /// A refusal.
    Denied,
}

impl FraudVerdict {
    /// The stable name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Silenced => "silenced",
            Self::Denied => "denied",
        }
    }
}
