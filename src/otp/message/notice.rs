/// What the owner of a number is told without being asked for a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// A user has another number now. It goes to the one before.
    PhoneChanged,
}

impl Notice {
    /// The name in templates and hooks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PhoneChanged => "phone_changed",
        }
    }
}
