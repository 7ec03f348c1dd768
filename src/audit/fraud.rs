/// What is wrong with a request for a code, as an [`Event`](super::Event) tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FraudRule {
    /// No code goes to this country.
    Region,
    /// No code goes to numbers of this type.
    LineType,
    /// Too many messages to a country that nobody answers.
    Country,
    /// Too many messages to the numbers of a prefix that nobody answers.
    Prefix,
    /// Too many messages for a client that nobody answers.
    Client,
    /// A client that asks for too many countries.
    Countries,
    /// Numbers near each other, one after another.
    Sequence,
    /// What messages may cost in a day. `Observed` is the threshold of a warning.
    Budget,
}

impl FraudRule {
    /// One of each.
    pub const ALL: [Self; 8] = [
        Self::Region,
        Self::LineType,
        Self::Country,
        Self::Prefix,
        Self::Client,
        Self::Countries,
        Self::Sequence,
        Self::Budget,
    ];

    /// The stable name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::LineType => "line-type",
            Self::Country => "country",
            Self::Prefix => "prefix",
            Self::Client => "client",
            Self::Countries => "countries",
            Self::Sequence => "sequence",
            Self::Budget => "budget",
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FraudVerdict {
    /// Nothing but this event.
    Observed,
    /// A refusal, until the client responds to a challenge.
    Challenged,
    /// The client has responded to the challenge, and the message was sent.
    Passed,
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
            Self::Challenged => "challenged",
            Self::Passed => "passed",
            Self::Silenced => "silenced",
            Self::Denied => "denied",
        }
    }
}
