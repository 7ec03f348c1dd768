//! A form as it is signed.

use percent_encoding::percent_decode;

/// The fields of a form, sorted by name and then by value, equal ones once, each name followed by its value.
///
/// Order is that of bytes, which for UTF-8 is that of code points. `None` for what is not written as Twilio writes forms:
/// a field without `=`, half an escape. Other parsers may each make something else of it.
pub(super) fn signed(body: &[u8]) -> Option<Vec<u8>> {
    if body.is_empty() {
        return Some(Vec::new());
    }
    let fields = body.split(|&byte| byte == b'&').map(|field| {
        let equals = field.iter().position(|&byte| byte == b'=')?;
        Some((decoded(&field[..equals])?, decoded(&field[equals + 1..])?))
    });
    let mut fields: Vec<_> = fields.collect::<Option<_>>()?;
    fields.sort_unstable();
    fields.dedup();
    Some(fields.into_iter().flat_map(|(name, value)| name.into_iter().chain(value)).collect())
}

fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let is_whole = |(at, _)| {
        let digits: Option<&[u8]> = text.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let mut escapes = text.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    let spaced: Vec<_> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    escapes.all(is_whole).then(|| percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::signed;

    #[test]
    fn fields_are_sorted_and_equal_ones_count_once() {
        for (body, want) in [
            ("", Some("")),
            ("b=2&a=1", Some("a1b2")),
            ("a=2&a=1&a=2", Some("a1a2")),
            ("a=&b=", Some("ab")),
            ("a=x+y%20z%2B&a=b=c", Some("ab=cax y z+")),
            ("%61=%C3%B1", Some("añ")),
            ("AB=2&A=3", Some("A3AB2")),
            ("a", None),
            ("&", None),
            ("a=1&", None),
            ("&a=1", None),
            ("a=%", None),
            ("a=%2", None),
            ("a=%2x", None),
            ("a=%+2", None),
            ("%zz=1", None),
        ] {
            assert_eq!(signed(body.as_bytes()).as_deref(), want.map(str::as_bytes), "{body}");
        }
        assert_eq!(signed(b"a=%FF").unwrap(), b"a\xff", "bytes are signed, not characters");
    }
}
