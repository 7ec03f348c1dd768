//! Rate limits.
mod name;
pub use name::Name;

/// What the limits said about a request.
#[derive(Clone, Debug)]
pub struct Decision;
