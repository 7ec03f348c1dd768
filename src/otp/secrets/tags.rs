//! What a store tags with that has no pepper of its own.

use super::Secrets;
use crate::key::Pepper;
use zeroize::Zeroizing;

impl Secrets {
    /// A pepper made from these. `None` if they die with the process, or the library fails.
    pub(crate) fn tags(&self) -> Option<Pepper> {
        if self.are_made_up() {
            return None;
        }
        let mac = Zeroizing::new(self.records.mac(&[b"tags"])?);
        Pepper::new(&*mac).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_last_as_long_as_the_secrets_they_are_made_from() {
        let refresh = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
        let tags = |pepper: &[u8]| Secrets::new(pepper, refresh).unwrap().tags();
        let pepper = tags(b"mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a");
        assert!(pepper.is_some() && pepper == tags(b"mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a"));
        assert!(pepper != tags(b"aZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2m"));
        assert!(Secrets::random().unwrap().tags().is_none());
    }
}
