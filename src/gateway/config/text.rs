//! Errors of the file format in our words.

use crate::error::ConfigError;

/// Says what is wrong, on which line, and which known key may have been meant.
///
/// The text around the error is left out, as it may hold a secret that should not be there.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> ConfigError {
    let message = error.message();
    let told = match unknown_key(message) {
        Some((unknown, Some(nearest))) => {
            format!("unknown key `{unknown}`; did you mean `{nearest}`?")
        }
        Some((unknown, None)) => format!("unknown key `{unknown}`"),
        None => without_value(message),
    };
    let told = told.replace(char::is_control, " ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => {
            ConfigError::new(format!("line {}: {told}", before.matches('\n').count() + 1))
        }
        None => ConfigError::new(told),
    }
}

/// The key that serde does not know, and the nearest of those it names.
fn unknown_key(message: &str) -> Option<(&str, Option<&str>)> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let nearest = names
        .map(|known| (likeness(unknown, known), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known);
    Some((unknown, nearest))
}

/// One slip of the fingers is like enough, however short the name: `opt` for `otp`.
fn likeness(unknown: &str, known: &str) -> f64 {
    let slip = strsim::osa_distance(unknown, known) == 1;
    strsim::jaro_winkler(unknown, known).max(if slip { 0.8 } else { 0.0 })
}

/// A value of the wrong type is what somebody wrote; it may be a secret in the wrong place, and a number
/// as well as a string. A number out of bounds is none: a number was wanted.
fn without_value(message: &str) -> String {
    if message == "invalid type: map, expected a sequence" {
        return "the section needs double brackets, like [[route]]".to_owned();
    }
    let mismatch = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: ").filter(|m| m.starts_with("string")))
        .and_then(|mismatch| mismatch.rsplit_once(", expected "));
    match mismatch {
        Some((found, wanted)) => {
            let kind = found.split(['`', '"']).next().unwrap_or_default().trim_end();
            format!("{wanted} is needed here, not: {kind}")
        }
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::gateway::Config;
    use std::path::Path;

    #[test]
    fn what_was_written_for_a_secret_is_not_repeated() {
        for value in [
            "4815162342",
            "48.15",
            "true",
            "\"hunter2\"",
            "\"a\\\"hunter2\\\"b\"",
            "\"a, expected hunter2\"",
            "[\"hunter2\"]",
            "{ hunter2 = 1 }",
            "hunter2",
            "\"hunter2",
            "2001-01-01",
        ] {
            for key in ["secret", "keys"] {
                let text = format!("[[issuer]]\nissuer = \"a\"\n{key} = {value}\n");
                let error = Config::parse(&text, Path::new(".")).unwrap_err().to_string();
                assert!(error.starts_with("line 3: "), "{error}");
                for part in ["hunter2", "48", "2001", "true"] {
                    assert!(!error.contains(part), "{text}{error}");
                }
            }
        }
    }

    #[test]
    fn a_message_is_one_line_without_control_characters() {
        let error = Config::parse("\"a\\u001b[31m\\nb\" = 1", Path::new(".")).unwrap_err();
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
}
