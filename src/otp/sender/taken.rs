use crate::{limit::Name, phone::Phone};

/// What is known of a message that a provider took.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Taken {
    /// What the provider calls the message, if it will say what becomes of it.
    pub id: Option<MessageId>,
    /// Which provider of a [`Route`](super::Route) took it.
    pub via: Option<Name>,
}

/// What a provider calls a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageId {
    /// Who calls it so: `twilio`, `msg91`, or a name of yours.
    pub provider: &'static str,
    /// The id, as the provider writes it.
    pub id: Box<str>,
}

/// What a provider said about a message after it took it, for those who choose among providers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reported {
    /// Which provider of a [`Route`](super::Route) took it.
    pub via: Name,
    /// Whose phone.
    pub to: Phone,
    /// Whether it arrived.
    pub arrived: bool,
}

impl Taken {
    /// A message of which nothing more will be heard.
    pub fn new() -> Self {
        Self::default()
    }

    /// A message that `provider` calls `id`. An id of none or more than 128 bytes is none.
    #[must_use]
    pub fn named(mut self, provider: &'static str, id: &str) -> Self {
        let is_id = (1..=LONGEST_ID).contains(&id.len());
        self.id = is_id.then(|| MessageId { provider, id: id.into() });
        self
    }
}

const LONGEST_ID: usize = 128;
