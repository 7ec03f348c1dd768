//! Who the token says is calling.
//!
//! An [`Identity`] is what verification found; [`Claims`] are the checked claims of a good token, and a
//! [`TokenFault`] is what exactly was wrong with a bad one. This module knows no cryptography: limits
//! and blocks go by identities whether or not the feature `jwt` is on.

pub(crate) mod challenge;
#[cfg(feature = "jwt")]
mod challenges;
mod claims;
pub(crate) mod dpop;
mod fault;
mod proof_fault;

pub use claims::{Claims, Registered};
pub use fault::TokenFault;
pub use proof_fault::ProofFault;

#[cfg(feature = "jwt")]
pub(crate) use challenges::{Challenges, Proving};

/// What verification found.
#[derive(Clone, Debug, Default)]
pub enum Identity {
    /// No token.
    #[default]
    Anonymous,
    /// A good token.
    Known(Claims),
    /// A token that is not acceptable.
    Invalid(TokenFault),
}

impl Identity {
    /// The claims of a good token.
    pub const fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Known(claims) => Some(claims),
            Self::Anonymous | Self::Invalid(_) => None,
        }
    }
}
