use super::{
    Algorithm,
    algorithm::Algorithms,
    keys::{Found, KeySource, MAX_CANDIDATES, VerifyingKey},
};
use crate::{eventual::Eventual, identity::TokenFault};
use smallvec::SmallVec;
use std::sync::Arc;

/// Keys that never change.
pub(super) struct Fixed(pub(super) Box<[Arc<VerifyingKey>]>);

impl Fixed {
    fn choose(&self, kid: Option<&str>, algorithm: Algorithm) -> Found {
        let named = |key: &&Arc<VerifyingKey>| kid.is_some() && key.kid.as_deref() == kid;
        if self.0.iter().any(|key| named(&key)) {
            let found = self.0.iter().filter(named).filter(|key| key.algorithm == algorithm);
            return some_of(found).ok_or(TokenFault::WrongAlgorithm);
        }
        // A key without a name fits every name; a token without a name may be of any key.
        let nameless = |key: &&Arc<VerifyingKey>| kid.is_none() || key.kid.is_none();
        let found = self.0.iter().filter(nameless).filter(|key| key.algorithm == algorithm);
        some_of(found).ok_or(TokenFault::UnknownKey)
    }
}

impl KeySource for Fixed {
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Eventual<Found> {
        Eventual::Ready(self.choose(kid, algorithm))
    }

    fn epoch(&self) -> u64 {
        0
    }

    fn algorithms(&self) -> Algorithms {
        self.0.iter().map(|key| key.algorithm).collect()
    }
}

fn some_of<'a>(
    keys: impl Iterator<Item = &'a Arc<VerifyingKey>>,
) -> Option<SmallVec<[Arc<VerifyingKey>; MAX_CANDIDATES]>> {
    let found: SmallVec<[_; MAX_CANDIDATES]> = keys.take(MAX_CANDIDATES).cloned().collect();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::Keys;

    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn found(keys: &Keys, kid: Option<&str>, algorithm: Algorithm) -> Result<usize, TokenFault> {
        match keys.find(kid, algorithm) {
            Eventual::Ready(found) => found.map(|keys| keys.len()),
            Eventual::Pending(_) => panic!("fixed keys are there"),
        }
    }

    #[test]
    fn names_choose_keys_and_nameless_tokens_try_four() {
        let named =
            (0..6).map(|n| format!(r#"{{{ED},"kid":"{n}"}}"#)).collect::<Vec<_>>().join(",");
        let keys = Keys::jwks(&format!(r#"{{"keys":[{named}]}}"#)).unwrap();
        assert_eq!(found(&keys, Some("3"), Algorithm::EdDSA), Ok(1));
        assert_eq!(found(&keys, None, Algorithm::EdDSA), Ok(4));
        assert_eq!(found(&keys, Some("6"), Algorithm::EdDSA), Err(TokenFault::UnknownKey));
        assert_eq!(found(&keys, Some("3"), Algorithm::ES256), Err(TokenFault::WrongAlgorithm));
        let nameless = Keys::jwk(&format!("{{{ED}}}")).unwrap();
        assert_eq!(found(&nameless, Some("any"), Algorithm::EdDSA), Ok(1));
    }
}
