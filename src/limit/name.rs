use crate::error::ConfigError;
use std::{
    collections::HashSet,
    fmt,
    sync::{Mutex, PoisonError},
};

/// The name of a limit: in response headers, problem documents, metrics and store keys.
///
/// 1 to 64 characters out of `a-z A-Z 0-9 - _ .`, so that it never needs escaping anywhere. Names are
/// kept for the life of the process, so one is as cheap to copy as a reference.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(&'static str);

impl Name {
    /// The name of limits that were not given one.
    pub const DEFAULT: Self = Self("default");

    /// The length of the longest name.
    pub(crate) const MOST: usize = 64;

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or has other characters.
    pub fn new(name: &str) -> Result<Self, ConfigError> {
        if !is_name(name) {
            return Err(ConfigError::new(format!(
                "limit name `{}`: 1 to 64 letters, digits, `-`, `_` or `.` are needed",
                name.escape_default()
            )));
        }
        // A configuration that is read again must not leak its names again.
        static KNOWN: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if let Some(name) = known.get(name) {
            return Ok(Self(name));
        }
        let name: &'static str = Box::leak(name.into());
        known.insert(name);
        Ok(Self(name))
    }

    /// The text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// A name written in the program.
///
/// # Panics
///
/// When it is not a name; use [`Name::new`] for one from outside.
impl From<&'static str> for Name {
    #[track_caller]
    fn from(name: &'static str) -> Self {
        assert!(is_name(name), "`{name}` is not a limit name");
        Self(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn is_name(name: &str) -> bool {
    (1..=Name::MOST).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_to_print_anywhere() {
        for bad in ["", "a b", "a\"b", "a/b", "é", "a\r\nb", &"x".repeat(65)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Name::new("per-ip.v1_x").unwrap(), Name::from("per-ip.v1_x"));
    }

    #[test]
    fn the_same_name_is_kept_once() {
        let owned = String::from("kept-once");
        let a = Name::new(&owned).unwrap().as_str();
        let b = Name::new("kept-once").unwrap().as_str();
        assert!(std::ptr::eq(a, b));
    }
}
