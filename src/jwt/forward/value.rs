//! How a claim is written as a header.

use http::HeaderValue;
use serde_json::Value;
use std::borrow::Cow;

/// Servers inside have bounds for headers; a claim that takes more is not cut off, but left out.
const MAX_LENGTH: usize = 4 << 10;

/// The header of a claim, if it has one.
pub(super) fn header_value(claim: &Value) -> Option<HeaderValue> {
    let mut text = Vec::new();
    match claim {
        Value::Array(items) => {
            for item in items {
                let start = text.len();
                if start > 0 {
                    text.push(b',');
                }
                let item = scalar(item)?;
                encode(&item, &mut text);
                // Nothing between two commas would say nothing.
                if item.is_empty() {
                    text.truncate(start);
                }
            }
        }
        claim => encode(&scalar(claim)?, &mut text),
    }
    if text.is_empty() || text.len() > MAX_LENGTH {
        return None;
    }
    HeaderValue::try_from(text).ok()
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Percent-encodes (RFC 3986 section 2.1) what is no visible ASCII, and what the encoding and lists need.
fn encode(text: &str, into: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b",%".contains(&byte) {
            into.push(byte);
        } else {
            into.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_can_be_undone_and_brings_no_other_header() {
        for (claim, want) in [
            (json!("auth0|17"), "auth0|17"),
            (json!("a\"b;c=d"), "a\"b;c=d"),
            (json!("a, b"), "a%2C%20b"),
            (json!("100%"), "100%25"),
            (json!("%2C"), "%252C"),
            (json!("Zoë"), "Zo%C3%AB"),
            (json!(" padded "), "%20padded%20"),
            (json!("a\r\nx-role: admin"), "a%0D%0Ax-role:%20admin"),
            (json!("\u{0}\u{7f}"), "%00%7F"),
            (json!(7), "7"),
            (json!(-1.5), "-1.5"),
            (json!(true), "true"),
            (json!(["a", "b,c", 7, false]), "a,b%2Cc,7,false"),
            (json!(["", "a", "", "b", ""]), "a,b"),
        ] {
            assert_eq!(header_value(&claim).unwrap(), want, "{claim}");
        }
        for none in [
            json!(null),
            json!({}),
            json!(""),
            json!([]),
            json!([""]),
            json!(["a", ["b"]]),
            json!(["a", null]),
        ] {
            assert_eq!(header_value(&none), None, "{none}");
        }
        assert!(header_value(&json!("a".repeat(4096))).is_some());
        assert_eq!(header_value(&json!("a".repeat(4097))), None);
        assert_eq!(header_value(&json!(" ".repeat(1366))), None, "as it is written");
    }
}
