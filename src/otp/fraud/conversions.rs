use super::Converted;
use crate::{
    otp::{Otp, number},
    rejection::Rejection,
};

impl Otp {
    /// How the messages to each country stand to which any was sent in 24 hours, or answered in 14 days: what the rules go by,
    /// for an operator to look at. Empty where no rule about traffic is on.
    ///
    /// # Errors
    ///
    /// `store-unavailable`.
    pub async fn conversions(&self) -> Result<Vec<Converted>, Rejection> {
        let Some(traffic) = self.0.store.traffic() else { return Ok(Vec::new()) };
        let mut told = traffic.conversions(number::countries().collect()).await?;
        told.retain(|country| !country.is_idle());
        Ok(told)
    }
}
