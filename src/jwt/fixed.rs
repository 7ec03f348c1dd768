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

impl KeySource for Fixed {
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Eventual<Found> {
        Eventual::Ready(choose(&self.0, kid, algorithm))
    }

    fn epoch(&self) -> u64 {
        0
    }

    fn algorithms(&self) -> Algorithms {
        self.0.iter().map(|key| key.algorithm).collect()
    }

    fn is_ready(&self) -> bool {
        true
    }
}

/// The keys of a list that may have signed a token, as [`KeySource::find`] says.
pub(super) fn choose(keys: &[Arc<VerifyingKey>], kid: Option<&str>, algorithm: Algorithm) -> Found {
    let named = |key: &&Arc<VerifyingKey>| kid.is_some() && key.kid.as_deref() == kid;
    if keys.iter().any(|key| named(&key)) {
        let found = keys.iter().filter(named).filter(|key| key.algorithm == algorithm);
        return some_of(found).ok_or(TokenFault::WrongAlgorithm);
    }
    // A key without a name fits every name; a token without a name may be of any key.
    let nameless = |key: &&Arc<VerifyingKey>| kid.is_none() || key.kid.is_none();
    let found = keys.iter().filter(nameless).filter(|key| key.algorithm == algorithm);
    some_of(found).ok_or(TokenFault::UnknownKey)
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

    #[test]
    fn a_key_is_found_for_its_own_algorithm_only() {
        let secret = b"q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iOoXyWeRt6UkZbNvMCjQhSgFlD-_A0b";
        let key = |algorithm| Arc::new(VerifyingKey::of_secret(secret, None, algorithm).unwrap());
        let keys = [Algorithm::HS256, Algorithm::HS512, Algorithm::HS256].map(key);
        let keys = Keys::from_source(Fixed(keys.into()));
        for kid in [None, Some("any")] {
            assert_eq!(found(&keys, kid, Algorithm::HS256), Ok(2));
            assert_eq!(found(&keys, kid, Algorithm::HS512), Ok(1));
            assert_eq!(found(&keys, kid, Algorithm::HS384), Err(TokenFault::UnknownKey));
        }
    }
}
