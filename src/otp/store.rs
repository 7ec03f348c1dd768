use super::Challenges;
use crate::{store::Store, token::Sessions};
use std::sync::Arc;

/// A store that keeps all that a login needs. Every store that keeps the three contracts is one.
pub trait LoginStore: Store + Challenges + Sessions {}

impl<S: Store + Challenges + Sessions> LoginStore for S {}

/// A login store as it is shared.
pub type SharedLoginStore = Arc<dyn LoginStore>;
