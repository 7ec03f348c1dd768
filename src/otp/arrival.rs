use super::Dispatched;
use crate::{
    key::Key,
    store::{Standing, Started},
};
use smallvec::SmallVec;

/// Where a call comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// The address of the client. It is counted, whoever it is.
    pub client: Key,
    /// Whether the client may be struck and blocked: not if it is one of our own proxies or allowed always.
    pub may_be_struck: bool,
    /// Address, phone and user agent together.
    pub fingerprint: Key,
}

/// What a store says to [`arrive`](super::Challenges::arrive).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrived {
    /// Why the request is refused whatever else is said of it; `None` if it was counted.
    pub refused: Option<Dispatched>,
    /// How the window of the client stands now; `None` if it was not looked at.
    pub client: Option<Standing>,
    /// Blocks that this call started.
    pub started: SmallVec<[Started; 1]>,
}
