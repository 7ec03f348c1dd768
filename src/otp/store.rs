use super::{Challenges, receipts::Notes};
use crate::{store::Store, token::Sessions};
use std::sync::Arc;

/// A store that keeps all that a login needs. Every store that keeps the four contracts is one.
pub trait LoginStore: Store + Challenges + Notes + Sessions {}

impl<S: Store + Challenges + Notes + Sessions> LoginStore for S {}

/// A login store as it is shared.
pub type SharedLoginStore = Arc<dyn LoginStore>;
