use crate::error::ConfigError;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Which claim is meant: a member of the payload by its name, or one inside of others by a JSON Pointer
/// (RFC 6901), which begins with `/`.
///
/// Names may hold dots and slashes, `https://app.example/roles` for one, so neither divides a name. One that
/// itself begins with `/` is written as a pointer, `/~1name`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ClaimPath(Arc<[String]>);

impl ClaimPath {
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.is_empty() {
            return Err(ConfigError::new("the name of the claim is empty"));
        }
        let Some(pointer) = text.strip_prefix('/') else {
            return Ok(Self([text.to_owned()].into()));
        };
        let segments: Option<Arc<[String]>> = pointer.split('/').map(unescape).collect();
        segments.map(Self).ok_or_else(|| {
            let text = text.escape_default();
            ConfigError::new(format!(
                "`{text}` is not a JSON Pointer: `~` stands before 0 or 1 there"
            ))
        })
    }

    /// The claim among the members of a payload.
    pub(crate) fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, segment| match value {
            Value::Object(members) => members.get(segment),
            Value::Array(items) => items.get(index(segment)?),
            _ => None,
        })
    }
}

/// RFC 6901 section 4: `~1` is a slash, and then `~0` is a tilde.
fn unescape(segment: &str) -> Option<String> {
    let mut tildes = segment.split('~').skip(1);
    tildes
        .all(|after| after.starts_with(['0', '1']))
        .then(|| segment.replace("~1", "/").replace("~0", "~"))
}

/// RFC 6901 section 4: digits without leading zeros.
fn index(segment: &str) -> Option<usize> {
    let leading_zero = segment.len() > 1 && segment.starts_with('0');
    let digits = segment.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !leading_zero).then(|| segment.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_names_one_claim() {
        let claims = json!({
            "roles": "flat", "realm.access": "dotted", "https://app.example/roles": "url", "/slash": "slash",
            "realm": { "access": ["first", "second"], "a/b": 1, "m~n": 2, "": 3, "~1": 4 },
        });
        let claims = claims.as_object().unwrap();
        let find = |path: &str| ClaimPath::parse(path).unwrap().find(claims).cloned();
        for (path, want) in [
            ("roles", json!("flat")),
            ("/roles", json!("flat")),
            ("realm.access", json!("dotted")),
            ("https://app.example/roles", json!("url")),
            ("/https:~1~1app.example~1roles", json!("url")),
            ("/~1slash", json!("slash")),
            ("/realm/access", json!(["first", "second"])),
            ("/realm/access/1", json!("second")),
            ("/realm/a~1b", json!(1)),
            ("/realm/m~0n", json!(2)),
            ("/realm/", json!(3)),
            ("/realm/~01", json!(4)),
        ] {
            assert_eq!(find(path), Some(want), "{path}");
        }
        for path in [
            "realm/access",
            "realm",
            "/realm/access/2",
            "/realm/access/01",
            "/realm/access/+1",
            "/realm/access/-",
            "/realm/access/",
            "/roles/0",
            "/",
            "/none",
            "/realm/access/99999999999999999999999",
        ] {
            assert_eq!(find(path).filter(|found| !found.is_object()), None, "{path}");
        }
        for bad in ["", "/a~", "/a~2", "/~", "/a~/b"] {
            assert!(ClaimPath::parse(bad).is_err(), "{bad}");
        }
    }
}
