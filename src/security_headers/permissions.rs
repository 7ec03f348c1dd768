use super::{presets, source::Source};
use crate::error::ConfigError;
use std::{borrow::Cow, fmt};

/// `Permissions-Policy`: which browser features the page and its frames may use.
///
/// Features keep the order in which they were first named.
///
/// ```
/// use portcullis::security_headers::{Allow, PermissionsPolicy};
///
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// let policy = PermissionsPolicy::owasp()
///     .feature("camera", Allow::Own)?
///     .feature("geolocation", Allow::Origins(vec!["https://maps.example".into()]))?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PermissionsPolicy {
    features: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

/// Who may use a feature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Allow {
    /// Nobody.
    Nobody,
    /// The page's own origin.
    Own,
    /// Everybody.
    Everyone,
    /// The page's own origin and these, such as `https://maps.example` or `https://*.example`.
    Origins(Vec<String>),
}

impl PermissionsPolicy {
    /// The list that the OWASP Secure Headers Project proposes: 29 features, of which none but
    /// synchronous requests of the own origin is allowed.
    #[must_use]
    pub fn owasp() -> Self {
        Self {
            features: presets::FEATURES
                .split(' ')
                .map(|name| {
                    let own = name == "sync-xhr";
                    (Cow::Borrowed(name), Cow::Borrowed(if own { "(self)" } else { "()" }))
                })
                .collect(),
        }
    }

    /// Reads the value of the header: `camera=(), fullscreen=(self "https://video.example")`.
    ///
    /// # Errors
    ///
    /// When it is empty, names a feature twice, or is not of that form; the older form of
    /// `Feature-Policy` is not.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut policy = Self { features: Vec::new() };
        for member in text.split(',').map(|member| member.trim_matches(' ')) {
            let (name, list) =
                member.split_once('=').ok_or_else(|| bad(member, "is not `feature=(..)`"))?;
            if policy.features.iter().any(|(known, _)| known == name) {
                return Err(bad(name, "is there twice"));
            }
            let allow = parse_list(list).ok_or_else(|| bad(name, "has a list of unknown form"))?;
            policy = policy.feature(name, allow)?;
        }
        Ok(policy)
    }

    /// Says who may use a feature.
    ///
    /// # Errors
    ///
    /// When `name` is not of lower-case letters, digits and dashes, or an origin is not one.
    pub fn feature(mut self, name: &str, allow: Allow) -> Result<Self, ConfigError> {
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(letter)
        {
            return Err(bad(name, "is not the name of a feature"));
        }
        let list = match allow {
            Allow::Nobody => Cow::Borrowed("()"),
            Allow::Own => Cow::Borrowed("(self)"),
            Allow::Everyone => Cow::Borrowed("*"),
            Allow::Origins(origins) => {
                let mut list = String::from("(self");
                for origin in origins {
                    if !is_origin(&origin) {
                        return Err(bad(
                            &origin,
                            "is not an origin such as `https://maps.example`",
                        ));
                    }
                    list.push_str(&format!(" \"{origin}\""));
                }
                list.push(')');
                Cow::Owned(list)
            }
        };
        match self.features.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = list,
            None => self.features.push((Cow::Owned(name.to_owned()), list)),
        }
        Ok(self)
    }
}

/// The value of the header.
impl fmt::Display for PermissionsPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, list)) in self.features.iter().enumerate() {
            write!(f, "{}{name}={list}", if at > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

fn bad(text: &str, why: &str) -> ConfigError {
    ConfigError::new(format!("permissions policy: `{}` {why}", text.escape_default()))
}

fn parse_list(list: &str) -> Option<Allow> {
    match list {
        "()" => return Some(Allow::Nobody),
        "(self)" | "self" => return Some(Allow::Own),
        "*" | "(*)" => return Some(Allow::Everyone),
        _ => {}
    }
    let mut items = list.strip_prefix('(')?.strip_suffix(')')?.split(' ').filter(|i| !i.is_empty());
    // A list without `self` would have to be kept apart for a use that nobody has.
    items.next().filter(|first| *first == "self")?;
    let origin = |item: &str| Some(item.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    Some(Allow::Origins(items.map(origin).collect::<Option<_>>()?))
}

fn is_origin(origin: &str) -> bool {
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some_and(|host| !host.contains('/')) && Source::host(origin).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proposed_list_has_29_features_and_reads_its_own_text() {
        let policy = PermissionsPolicy::owasp();
        assert_eq!(policy.features.len(), 29);
        assert_eq!(PermissionsPolicy::parse(&policy.to_string()).unwrap(), policy);
    }

    #[test]
    fn lists_are_written_as_structured_fields() {
        let text = "camera=(), midi=(self), usb=*, hid=(self \"https://a.example:8443\")";
        let policy = PermissionsPolicy::parse(text).unwrap();
        assert_eq!(policy.to_string(), text);
        let changed = policy.feature("camera", Allow::Everyone).unwrap().to_string();
        assert!(changed.starts_with("camera=*, midi=(self)"), "{changed}");
    }

    #[test]
    fn what_is_not_a_policy_is_refused() {
        for bad in [
            "",
            "camera",
            "camera 'none'",
            "camera=none",
            "Camera=()",
            "camera=(),camera=()",
            "camera=(self https://a.example)",
            "camera=(self \"a.example\")",
            "camera=()\r\nx: y",
            "camera=(self \"https://a.example/\")",
            "camera=(self \"https://a.example\" \"\")",
        ] {
            assert!(PermissionsPolicy::parse(bad).is_err(), "{bad:?}");
        }
    }
}
