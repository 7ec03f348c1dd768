use crate::{limit::Name, phone::Phone};

/// What is known of a message that a provider took.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Taken {
    /// What the provider calls the message, if it will say what becomes of it.
    pub id: Option<MessageId>,
    /// Which provider of a [`Route`](super::Route) took it.
    pub via: Option<Name>,
    /// By which name the provider wants to hear of it when the code is answered.
    pub awaits: Option<Box<str>>,
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

/// That the code of a message was right, for a provider that does not check it itself.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Answered {
    /// Which provider of a [`Route`](super::Route) took the message.
    pub via: Option<Name>,
    /// What that wanted to [hear](Taken::awaiting) of.
    pub id: Box<str>,
}

impl Taken {
    /// A message of which nothing more will be heard.
    pub fn new() -> Self {
        Self::default()
    }

    /// A message that `provider` calls `id`. An id of none or more than 128 bytes is none.
    #[must_use]
    pub fn named(mut self, provider: &'static str, id: &str) -> Self {
        self.id = is_id(id).then(|| MessageId { provider, id: id.into() });
        self
    }

    /// A message whose provider wants to [hear](super::CodeSender::answered) by this name that its code was answered. One of none or more
    /// than 128 bytes, or not in ASCII, is none.
    #[must_use]
    pub fn awaiting(mut self, id: &str) -> Self {
        self.awaits = (is_id(id) && id.is_ascii()).then(|| id.into());
        self
    }
}

const LONGEST_ID: usize = 128;

fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len())
}
