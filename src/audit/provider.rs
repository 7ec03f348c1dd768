/// What changed about a provider of messages, as an [`Event`](super::Event) tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProviderChange {
    /// It is left alone for a while: it failed several times in a row, or asked for a pause.
    Paused,
    /// It refuses us, as credentials or settings are wrong, and is left alone.
    Refused,
    /// It took a message again, and is asked as before.
    Resumed,
    /// Its messages do not arrive in a country: the others are asked first there for a while.
    Demoted,
    /// Its budget of the day is nearly spent. Told once in a day.
    BudgetLow,
    /// Its budget of the day is spent: nothing more is sent by it before midnight in UTC. Told once in a day.
    BudgetSpent,
}

impl ProviderChange {
    /// One of each.
    pub const ALL: [Self; 6] = [
        Self::Paused,
        Self::Refused,
        Self::Resumed,
        Self::Demoted,
        Self::BudgetLow,
        Self::BudgetSpent,
    ];

    /// The stable name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paused => "provider-paused",
            Self::Refused => "provider-refused",
            Self::Resumed => "provider-resumed",
            Self::Demoted => "provider-demoted",
            Self::BudgetLow => "provider-budget-low",
            Self::BudgetSpent => "provider-budget-spent",
        }
    }
}
