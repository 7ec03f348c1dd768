use super::Country;
use crate::{audit::FraudRule, eventual::BoxFuture};
use std::{fmt, net::IpAddr};

/// Tells people from programs where a rule has the mode [`Challenge`](super::Mode::Challenge): a CAPTCHA, for example.
///
/// A client that is asked for a response gets 403 `challenge-required`. It shows its user the challenge and asks again with the response in the
/// header `X-Challenge-Response`.
///
/// Contract: it is asked only if there is a response, of at most 4,096 bytes of visible ASCII, which nobody has looked at yet.
/// It must take a response once only, give up by itself within seconds, and answer `false` in doubt.
pub trait Challenger: fmt::Debug + Send + Sync {
    /// Whether the response is a good one.
    fn passes(&self, suspect: Suspect) -> BoxFuture<'static, bool>;
}

/// Who is asked to respond.
#[derive(Clone)]
#[non_exhaustive]
pub struct Suspect {
    /// What came in the header.
    pub response: Box<str>,
    /// What was found first.
    pub rule: FraudRule,
    /// Where the code is to go.
    pub country: Country,
    /// The address that asks.
    pub client: IpAddr,
}

/// The response is not shown: until it was taken it is as good as a password.
impl fmt::Debug for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suspect")
            .field("rule", &self.rule)
            .field("country", &self.country)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
