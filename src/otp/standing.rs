//! Whether somebody may log in, and a session go on: one question to the store, in which a proof is used as well.

use super::{Subject, bound, login::Inner, refusal};
use crate::{
    jwt::Proven,
    rejection::Rejection,
    store::{Absent, Asks, Blocked, Outcome},
    token::Session,
};

impl Inner {
    /// Refuses a session whose key is not shown; and one that was revoked or blocked by other means, or whose subject or all
    /// of the issuer was.
    pub(super) async fn refuse_ended(
        &self,
        session: &Session,
        key: Option<&Proven>,
    ) -> Result<(), Rejection> {
        bound::check(session, key)?;
        let issued_at = Some(session.opened_at);
        let of_all = self.store.pepper().issuer(self.issuer.name());
        let keys = [self.session_key(session.id), self.subject_key(&session.subject), of_all];
        let mut asks = with_proof(key);
        asks.absent.extend(keys.map(|key| Absent { key, issued_at }));
        match self.store.admit(asks).await?.outcome {
            Outcome::Blocked { key, remaining, since } => {
                Err(Blocked { key, remaining, since }.into())
            }
            Outcome::Refused { .. } => Err(bound::replayed()),
            Outcome::Admitted => Ok(()),
        }
    }

    /// Who is blocked does not log in. Tokens that were revoked up to now are no block.
    pub(super) async fn refuse_blocked(
        &self,
        subject: &Subject,
        key: Option<&Proven>,
    ) -> Result<(), Rejection> {
        let issued_at = Some(self.issuer.time().wall());
        let mut asks = with_proof(key);
        asks.absent.push(Absent { key: self.subject_key(subject.as_str()), issued_at });
        match self.store.admit(asks).await?.outcome {
            Outcome::Admitted => Ok(()),
            Outcome::Refused { .. } => Err(bound::replayed()),
            Outcome::Blocked { since: None, remaining, .. } => Err(refusal::blocked(remaining)),
            // Nothing was taken then.
            Outcome::Blocked { .. } => match self.store.admit(with_proof(key)).await?.outcome {
                Outcome::Admitted => Ok(()),
                Outcome::Blocked { .. } | Outcome::Refused { .. } => Err(bound::replayed()),
            },
        }
    }
}

/// The question whether a proof is used for the first time.
fn with_proof(key: Option<&Proven>) -> Asks {
    let mut asks = Asks::new();
    asks.takes.extend(key.map(|proven| proven.once));
    asks
}
