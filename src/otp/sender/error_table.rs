use super::SendError;
use std::sync::Arc;

/// What the errors of a provider mean. It is data, as providers change their numbers and their texts.
#[derive(Clone, Debug)]
pub(super) struct ErrorTable {
    known: &'static [(&'static str, SendError)],
    own: Arc<Vec<(Box<str>, SendError)>>,
}

impl ErrorTable {
    pub(super) fn new(known: &'static [(&'static str, SendError)]) -> Self {
        Self { known, own: Arc::default() }
    }

    /// Says what an error means, whatever is known of it.
    pub(super) fn set(&mut self, error: &str, meaning: SendError) {
        Arc::make_mut(&mut self.own).push((error.into(), meaning));
    }

    /// What an error means; a text counts in upper and lower case. What was said last holds.
    pub(super) fn meaning(&self, error: &str) -> Option<SendError> {
        let own = self.own.iter().rev().map(|(text, meaning)| (&**text, *meaning));
        let known = self.known.iter().copied();
        own.chain(known).find(|(text, _)| text.eq_ignore_ascii_case(error)).map(|(_, it)| it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_last_holds() {
        let mut table = ErrorTable::new(&[("IPBlocked", SendError::Misconfigured)]);
        let unchanged = table.clone();
        assert_eq!(table.meaning("ipblocked"), Some(SendError::Misconfigured));
        assert_eq!(table.meaning("30450"), None);
        table.set("30450", SendError::Unknown);
        table.set("30450", SendError::Blocked);
        table.set("IPBLOCKED", SendError::NotSent);
        assert_eq!(table.meaning("30450"), Some(SendError::Blocked));
        assert_eq!(table.meaning("IPBlocked"), Some(SendError::NotSent));
        assert_eq!(unchanged.meaning("IPBlocked"), Some(SendError::Misconfigured));
    }
}
