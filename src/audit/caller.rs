/// Whose request an [`Event`](super::Event) is about, without saying who.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caller {
    /// No token.
    Anonymous,
    /// A good token.
    Known,
    /// A token that was not accepted.
    Invalid,
}

impl Caller {
    /// The name for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Known => "known",
            Self::Invalid => "invalid",
        }
    }
}
