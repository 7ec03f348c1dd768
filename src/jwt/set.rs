//! A JWK set (RFC 7517 section 5), read key by key: one that cannot be used does not spoil the others.

use super::{jwk::Jwk, keys::VerifyingKey};
use crate::error::ConfigError;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// What a set holds.
pub(super) struct KeySet {
    /// The keys that can verify; never none.
    pub(super) keys: Box<[Arc<VerifyingKey>]>,
    /// What is wrong with others, but for those that are not for signatures.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code, reason = "told by who fetches sets"))]
    pub(super) skipped: Vec<ConfigError>,
}

/// The member of a set of ours with the public halves of keys that sign nothing any more.
pub(crate) const RETIRED: &str = "retired";
/// A look-up compares names one by one.
const MOST_PUBLISHED: usize = 100;

/// A set from the configuration: what is private in it is dropped.
pub(super) fn own(json: &str) -> Result<KeySet, ConfigError> {
    read(&members(json)?, VerifyingKey::of_jwk)
}

/// A set that everybody can read.
pub(super) fn published(json: &str) -> Result<KeySet, ConfigError> {
    let members = members(json)?;
    if members.len() > MOST_PUBLISHED {
        return Err(ConfigError::new(format!("more than {MOST_PUBLISHED} keys")));
    }
    read(&members, |jwk| jwk.publishable().and_then(|()| VerifyingKey::of_jwk(jwk)))
}

/// What a set has and had: the keys that are [retired](RETIRED), too.
pub(super) fn ever(json: &str) -> Result<KeySet, ConfigError> {
    #[derive(Deserialize)]
    struct Old<'a> {
        #[serde(borrow, default)]
        retired: Vec<&'a RawValue>,
    }
    let mut all = members(json)?;
    let old: Old<'_> = serde_json::from_str(json)
        .map_err(|_| ConfigError::new(format!("`{RETIRED}` of the JWK set is no list of keys")))?;
    all.extend(old.retired);
    read(&all, VerifyingKey::of_jwk)
}

/// The text of each member, so that a second member of a name is seen when it is read.
fn members(json: &str) -> Result<Vec<&RawValue>, ConfigError> {
    #[derive(Deserialize)]
    struct Set<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }
    let set: Set<'_> =
        serde_json::from_str(json).map_err(|_| ConfigError::new("the text is not a JWK set"))?;
    Ok(set.keys)
}

fn read(
    members: &[&RawValue],
    usable: impl Fn(Jwk) -> Result<VerifyingKey, ConfigError>,
) -> Result<KeySet, ConfigError> {
    let (mut keys, mut skipped) = (Vec::with_capacity(members.len()), Vec::new());
    let mut other_use = None;
    for (number, member) in members.iter().enumerate() {
        let place = format!("key {}", number + 1);
        match Jwk::parse(member.get()) {
            Ok(jwk) if jwk.is_for_other_use() => other_use = usable(jwk).err(),
            jwk => match jwk.and_then(&usable) {
                Ok(key) => keys.push(Arc::new(key)),
                Err(error) => skipped.push(error.within(place)),
            },
        }
    }
    if keys.is_empty() {
        let last = skipped.pop().or(other_use);
        let last = last.unwrap_or_else(|| ConfigError::new("the set is empty"));
        return Err(last.within("no key can be used"));
    }
    Ok(KeySet { keys: keys.into(), skipped })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn set(keys: &str) -> String {
        format!(r#"{{"keys":[{keys}]}}"#)
    }

    #[test]
    fn a_bad_key_is_passed_over_but_one_must_be_good() {
        let odd = r#"{"kty":"oct","k":"AAAA"}, {"kty":"PQ"}, 7, {"kty":"RSA","n":"AQ","e":"AQ"}"#;
        for read in [own, published] {
            let found = read(&set(&format!(r#"{odd}, {{{ED},"kid":"a"}}"#)))
                .unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((found.keys.len(), found.skipped.len()), (1, 4));
            for bad in [set(odd), set(""), "{}".into(), "".into(), "[]".into(), "<html>".into()] {
                assert!(read(&bad).is_err(), "{bad}");
            }
        }
        let secret =
            r#"{"kty":"oct","alg":"HS256","k":"VjByOXhUejNKbUIybktjNUxkWThzSGYxR2FQdUU0aU8"}"#;
        for read in [own, published] {
            let error = read(&set(secret)).err().unwrap().to_string();
            assert!(error.starts_with("no key can be used: key 1: "), "{error}");
            assert!(!error.contains("VjByOX"), "{error}");
        }
    }

    #[test]
    fn keys_for_other_uses_are_no_fault() {
        let found = published(&set(&format!(r#"{{{ED}}}, {{{ED},"use":"enc"}}"#))).ok().unwrap();
        assert_eq!((found.keys.len(), found.skipped.len()), (1, 0));
        let error = published(&set(&format!(r#"{{{ED},"use":"enc"}}"#))).err().unwrap();
        assert!(error.to_string().contains("`use`"), "{error}");
    }

    #[test]
    fn nothing_that_can_sign_is_taken_from_a_set_that_is_published() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            let key = format!(r#"{{{ED},"{private}":"AAAA"}}"#);
            assert!(own(&set(&key)).is_ok(), "{private}");
            let error = published(&set(&key)).err().unwrap().to_string();
            assert!(error.contains("can sign"), "{error}");
        }
    }

    #[test]
    fn of_two_members_with_one_name_none_counts() {
        for twice in [
            format!(r#"{{{ED},"crv":"Ed25519"}}"#),
            format!(r#"{{{ED},"kid":"a","kid":"b"}}"#),
            format!(r#"{{{ED},"k\u0069d":"a","kid":"b"}}"#),
        ] {
            assert!(published(&set(&twice)).is_err(), "{twice}");
        }
        assert!(published(&format!(r#"{{"keys":[{{{ED}}}],"keys":[]}}"#)).is_err());
    }

    #[test]
    fn there_are_not_too_many_keys() {
        let many = |count: usize| set(&vec![format!("{{{ED}}}"); count].join(","));
        assert!(published(&many(MOST_PUBLISHED)).is_ok());
        assert!(published(&many(MOST_PUBLISHED + 1)).is_err());
    }
}
