mod arrivals;
mod breaker;
mod budget;
mod failover;
mod lane;
mod provider;

pub use self::{failover::Failover, provider::Provider};

use crate::{error::ConfigError, phone::Phone, store::SharedStore};

/// Several providers as one sender: in an order, by country, each with a breaker and a budget.
///
/// ```
/// use portcullis::{CodeSender, ConfigError, Memory};
/// use portcullis::otp::sender::{Failover, Provider, Route};
///
/// fn sender(twilio: impl CodeSender + 'static, msg91: impl CodeSender + 'static) -> Result<Failover, ConfigError> {
///     let twilio = Provider::new("twilio", twilio)?.per_day(20_000)?.soft(15_000)?;
///     let msg91 = Provider::new("msg91", msg91)?;
///     Ok(Route::new([twilio, msg91])?.country("+91", &["msg91", "twilio"])?.over(Memory::new()))
/// }
/// ```
///
/// * **Order.** A provider that certainly sent nothing, and not because of the number, or has its country off, is followed by the next one with the same
///   code. At most two are asked about one message. What may have left is never sent again. A notice goes to those alone that
///   [send notices](crate::otp::CodeSender::sends_notices).
/// * **Codes of a provider.** A provider that [makes codes](super#codes-of-a-provider) gets the challenges that begin while it is the first in the order
///   that can be asked. Their messages go to it alone; those with a code of the login's go to all others.
/// * **Breaker.** After five failures in a row, each without a connection or a whole answer, a provider is left alone for 30
///   seconds, after a 429 for as long as it says, and after it refused us for five minutes. Then one message finds out whether it is back; the pause doubles up to five
///   minutes while it is not.
/// * **Receipts.** After three messages in a row that did not arrive in a country, a provider is asked last there for ten minutes, or
///   until one arrives.
/// * **Budget.** A message is counted before it is sent, over all instances that share the store, and given back where it
///   [costs nothing](crate::otp::sender::SendError::costs_nothing). While the store does not answer nothing is sent on a budget.
/// * **Answers.** Where no provider could take a message, and this instance knows it, a request for a code is refused before
///   anything is stored: `sms-budget` for want of money, else `sms-unavailable`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Route {
    providers: Vec<Provider>,
    /// Those with more digits first.
    countries: Vec<Country>,
}

/// Numbers that begin alike.
#[derive(Clone, Debug)]
struct Country {
    /// The plus sign included.
    prefix: Box<str>,
    /// Places among the providers.
    order: Vec<usize>,
}

const MOST_PROVIDERS: usize = 8;
const MOST_COUNTRIES: usize = 512;

impl Route {
    /// Asks these, in this order.
    ///
    /// # Errors
    ///
    /// When there are none or more than 8, or two have one name.
    pub fn new(providers: impl IntoIterator<Item = Provider>) -> Result<Self, ConfigError> {
        let providers: Vec<_> = providers.into_iter().collect();
        if !(1..=MOST_PROVIDERS).contains(&providers.len()) {
            return Err(ConfigError::new(format!("a route has 1 to {MOST_PROVIDERS} providers")));
        }
        let mut names: Vec<_> = providers.iter().map(|provider| provider.name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => Err(ConfigError::new(format!("`{}` is there twice", twice[0]))),
            None => Ok(Self { providers, countries: Vec::new() }),
        }
    }

    /// Asks others, or in another order, for numbers that begin with `prefix`: `+91`, or more digits. Of several
    /// that fit the longest counts.
    ///
    /// # Errors
    ///
    /// When it is not `+` and 1 to 7 digits, was named before, or a name is none of the providers or there twice.
    pub fn country(mut self, prefix: &str, providers: &[&str]) -> Result<Self, ConfigError> {
        let digits = prefix.strip_prefix('+').unwrap_or_default();
        let is_prefix = (1..=7).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_prefix || self.countries.len() == MOST_COUNTRIES {
            return Err(ConfigError::new(
                "a country is `+` and 1 to 7 digits, like +91, and there are 512 at most",
            ));
        }
        if self.countries.iter().any(|country| *country.prefix == *prefix) {
            return Err(ConfigError::new(format!("{prefix} is there twice")));
        }
        let mut order = Vec::new();
        for name in providers {
            let at = self.providers.iter().position(|it| it.name.as_str() == *name);
            match at {
                Some(at) if !order.contains(&at) => order.push(at),
                Some(_) => {
                    return Err(ConfigError::new(format!("{prefix}: `{name}` is there twice")));
                }
                None => {
                    let name = name.escape_default();
                    return Err(ConfigError::new(format!("{prefix}: `{name}` is no provider")));
                }
            }
        }
        if order.is_empty() {
            return Err(ConfigError::new(format!("{prefix}: it needs a provider")));
        }
        self.countries.push(Country { prefix: prefix.into(), order });
        self.countries.sort_by_key(|country| std::cmp::Reverse(country.prefix.len()));
        Ok(self)
    }

    /// Whether one of the providers makes codes of its own.
    #[cfg(feature = "gateway")]
    pub(crate) fn makes_codes(&self) -> bool {
        self.providers.iter().any(|provider| !provider.sender.checkers().is_empty())
    }

    /// The sender, whose budgets are counted in `store`.
    pub fn over(self, store: impl Into<SharedStore>) -> Failover {
        Failover::new(self, store.into())
    }
}

impl Country {
    fn has(&self, to: &Phone) -> bool {
        to.as_e164().starts_with(&*self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otp::sender::LogSender;
    use std::time::Duration;

    fn provider(name: &str) -> Provider {
        Provider::new(name, LogSender::stdout()).unwrap()
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let told = |error: ConfigError, told: &str| {
            let error = error.to_string();
            assert!(error.contains(told), "{error}");
        };
        told(Route::new([]).unwrap_err(), "1 to 8 providers");
        told(Route::new((0..9).map(|at| provider(&at.to_string()))).unwrap_err(), "1 to 8");
        told(
            Route::new([provider("a"), provider("b"), provider("a")]).unwrap_err(),
            "`a` is there",
        );
        let route = || Route::new([provider("a"), provider("b")]).unwrap();
        for bad in ["", "+", "91", "+0", "+12345678", "+9a", "+ 9", "++9"] {
            told(route().country(bad, &["a"]).unwrap_err(), "a country is");
        }
        told(route().country("+91", &[]).unwrap_err(), "+91: it needs a provider");
        told(route().country("+91", &["c\n"]).unwrap_err(), "+91: `c\\n` is no provider");
        told(route().country("+91", &["a", "a"]).unwrap_err(), "+91: `a` is there twice");
        let twice = route().country("+91", &["a"]).unwrap().country("+91", &["b"]);
        told(twice.unwrap_err(), "+91 is there twice");
        told(Provider::new("a b", LogSender::stdout()).unwrap_err(), "limit name");
        told(provider("a").per_day(0).unwrap_err(), "messages in a day: 1 to");
        told(provider("a").soft(1).unwrap_err(), "add per_day");
        told(provider("a").per_day(9).unwrap().soft(9).unwrap_err(), "1 to 8, not 9");
        told(provider("a").per_minute(0).unwrap_err(), "at least one");
        told(provider("a").breaker(0, Duration::from_secs(1)).unwrap_err(), "1 to 100 failures");
        told(provider("a").breaker(1, Duration::ZERO).unwrap_err(), "1s to 5m");
    }
}
