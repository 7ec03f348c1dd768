use super::{Area, Money, traffic::Budget};
use crate::{error::ConfigError, otp::number::Number};

/// What messages may cost in a day of UTC, over all instances that share a store.
///
/// A message that would cost more than is left is refused with 503 `sms-budget`, whoever asks. That and the threshold are each
/// told once in a day, as an event `sms-fraud` with the rule `budget`. A message that [costs
/// nothing](crate::otp::sender::SendError::costs_nothing) is paid back. One whose weighing the store answered with an error stays counted,
/// though it does not leave: whether it was counted nobody knows, and what was never spent must not be paid back.
///
/// ```
/// use portcullis::{Profile, otp::{Settings, fraud::Spending}};
///
/// let spending = Spending::new("250".parse()?, "0.05".parse()?)?.price("IN", "0.004".parse()?)?;
/// let settings = Settings::new(Profile::Standard).spending(spending);
/// # let _ = settings;
/// # Ok::<_, portcullis::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Spending {
    cap: Money,
    warn_at: Money,
    price: Money,
    /// Regions before calling codes.
    prices: Vec<(Area, Money)>,
}

impl Spending {
    /// At most `cap` in a day, with `price` for each message; the threshold is four fifths of the cap.
    ///
    /// # Errors
    ///
    /// When the price is zero or more than the cap: no message could leave, or any number.
    pub fn new(cap: Money, price: Money) -> Result<Self, ConfigError> {
        priced(price, cap)?;
        let warn_at = Money::from_micros(cap.micros() / 5 * 4)?;
        Ok(Self { cap, warn_at, price, prices: Vec::new() })
    }

    /// What a message costs somewhere, as [`Area`] has it; a region counts before its calling code.
    ///
    /// # Errors
    ///
    /// When there is no such area, it has a price already, or the price is zero or more than the cap.
    pub fn price(mut self, area: &str, price: Money) -> Result<Self, ConfigError> {
        let place: Area = area.parse()?;
        if self.prices.iter().any(|(known, _)| *known == place) {
            return Err(ConfigError::new(format!("`{area}` has two prices")));
        }
        priced(price, self.cap).map_err(|error| error.within(area))?;
        self.prices.push((place, price));
        self.prices.sort_by_key(|(area, _)| matches!(area, Area::CallingCode(_)));
        Ok(self)
    }

    /// Where a warning is told, once in a day.
    ///
    /// # Errors
    ///
    /// When it is zero or more than the cap.
    pub fn warn_at(mut self, spent: Money) -> Result<Self, ConfigError> {
        if spent == Money::default() || spent > self.cap {
            let cap = self.cap;
            return Err(ConfigError::new(format!("warn_at: more than 0, up to the cap, {cap}")));
        }
        self.warn_at = spent;
        Ok(self)
    }

    /// What a message to a number costs, in millionths.
    pub(super) fn price_of(&self, number: &Number) -> u64 {
        let own = self.prices.iter().find(|(area, _)| area.has(number));
        own.map_or(self.price, |(_, price)| *price).micros()
    }

    pub(super) fn budget(&self) -> Budget {
        Budget { warn_at: self.warn_at.micros(), cap: self.cap.micros() }
    }
}

fn priced(price: Money, cap: Money) -> Result<(), ConfigError> {
    if price == Money::default() || price > cap {
        return Err(ConfigError::new(format!("price: more than 0, up to the cap, {cap}")));
    }
    Ok(())
}
