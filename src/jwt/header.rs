use super::{
    Algorithm,
    json::{self, Object, Passed, Text},
};
use crate::identity::TokenFault;
use serde::de::MapAccess;

/// What a token's header says, as far as it is listened to.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub(super) algorithm: Algorithm,
    /// `typ` without `application/`; any letter case.
    typ: Option<Text<'a>>,
    kid: Option<Text<'a>>,
}

impl<'a> Header<'a> {
    /// Reads the JSON text of a header.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, TokenFault> {
        let members: Members<'_> = json::object(json).ok_or(TokenFault::HeaderInvalid)?;
        if members.critical {
            return Err(TokenFault::CriticalHeader);
        }
        if members.embedded {
            return Err(TokenFault::EmbeddedKey);
        }
        let alg = members.alg.ok_or(TokenFault::HeaderInvalid)?;
        if members.unsupported || members.kid.as_ref().is_some_and(|kid| !is_kid(kid)) {
            return Err(TokenFault::HeaderInvalid);
        }
        let algorithm = Algorithm::named(&alg).ok_or(TokenFault::WrongAlgorithm)?;
        Ok(Self { algorithm, typ: members.typ, kid: members.kid })
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether `typ` is `expected`, whose letters are small. A token that says nothing is a `jwt`.
    pub(super) fn is(&self, expected: &str) -> bool {
        self.typ.as_ref().map_or("jwt", |typ| without_prefix(typ)).eq_ignore_ascii_case(expected)
    }
}

/// `typ` may be written as a whole media type (RFC 7515 section 4.1.9).
pub(super) fn without_prefix(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    }
}

pub(super) fn is_kid(kid: &str) -> bool {
    (1..=128).contains(&kid.len()) && kid.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[derive(Default)]
struct Members<'a> {
    alg: Option<Text<'a>>,
    typ: Option<Text<'a>>,
    kid: Option<Text<'a>>,
    critical: bool,
    embedded: bool,
    unsupported: bool,
}

impl<'de> Object<'de> for Members<'de> {
    const MOST: usize = 32;

    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "alg" => self.alg = Some(map.next_value()?),
            "typ" => self.typ = Some(map.next_value()?),
            "kid" => self.kid = Some(map.next_value()?),
            _ => {
                map.next_value::<Passed>()?;
                self.critical |= name == "crit";
                self.embedded |= matches!(name, "jku" | "jwk" | "x5u" | "x5c");
                // Compressed, unencoded and encrypted payloads are not what is checked here.
                self.unsupported |= matches!(name, "zip" | "b64" | "enc");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Option<TokenFault> {
        Header::parse(json.as_bytes()).err()
    }

    #[test]
    fn unknown_members_are_passed_over_and_dangerous_ones_are_not() {
        assert_eq!(fault(r#"{"alg":"HS256","x5t":"a","cty":{"deep":[1]},"nonce":null}"#), None);
        for critical in [r#"["exp"]"#, "[]", "null", "7", r#"["b64"]"#] {
            let json = format!(r#"{{"alg":"HS256","crit":{critical},"b64":false}}"#);
            assert_eq!(fault(&json), Some(TokenFault::CriticalHeader));
        }
        for name in ["jku", "jwk", "x5u", "x5c"] {
            let json = format!(r#"{{"alg":"HS256","{name}":{{}}}}"#);
            assert_eq!(fault(&json), Some(TokenFault::EmbeddedKey));
        }
        for name in ["zip", "b64", "enc"] {
            let json = format!(r#"{{"alg":"HS256","{name}":"DEF"}}"#);
            assert_eq!(fault(&json), Some(TokenFault::HeaderInvalid));
        }
    }

    #[test]
    fn a_name_counts_once_however_it_is_written() {
        for json in [
            r#"{"alg":"none","alg":"HS256"}"#,
            r#"{"alg":"HS256","\u0061lg":"HS256"}"#,
            r#"{"alg":"HS256","other":1,"o\u0074her":2}"#,
            r#"{"\u0063rit":[],"crit":[],"alg":"HS256"}"#,
        ] {
            assert_eq!(fault(json), Some(TokenFault::HeaderInvalid), "{json}");
        }
        assert_eq!(fault(r#"{"\u0061lg":"HS256"}"#), None, "escaped, but once");
        let many: String = (0..32).map(|n| format!(r#","m{n}":0"#)).collect();
        assert_eq!(fault(&format!(r#"{{"alg":"HS256"{many}}}"#)), Some(TokenFault::HeaderInvalid));
    }

    #[test]
    fn only_an_object_of_the_right_types_is_a_header() {
        for json in [
            "",
            "null",
            "[]",
            "\"a\"",
            "{}",
            "{",
            r#"{"alg":"HS256"}x"#,
            r#"{"alg":"HS256"}{}"#,
            "\u{feff}{}",
            r#"{"alg":null}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":"HS256","kid":7}"#,
            r#"{"alg":"HS256","kid":["a"]}"#,
            r#"{"alg":"HS256","kid":""}"#,
            r#"{"alg":"HS256","kid":"\u0000"}"#,
            r#"{"alg":"HS256","kid":"ключ"}"#,
            r#"{"alg":"HS256","typ":1}"#,
            r#"["HS256","JWT"]"#,
        ] {
            assert_eq!(fault(json), Some(TokenFault::HeaderInvalid), "{json}");
        }
        let kid = |length| format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(length));
        assert_eq!(fault(&kid(128)), None);
        assert_eq!(fault(&kid(129)), Some(TokenFault::HeaderInvalid));
        assert_eq!(
            Header::parse(b"{\"alg\":\"HS256\xff\"}").err(),
            Some(TokenFault::HeaderInvalid)
        );
    }

    #[test]
    fn types_compare_as_media_types() {
        let is = |typ: &str, expected| {
            let json = format!(r#"{{"alg":"HS256"{typ}}}"#);
            Header::parse(json.as_bytes()).is_ok_and(|header| header.is(expected))
        };
        assert!(is(r#","typ":"at+jwt""#, "at+jwt"));
        assert!(is(r#","typ":"AT+JWT""#, "at+jwt"));
        assert!(is(r#","typ":"Application/At+Jwt""#, "at+jwt"));
        assert!(!is(r#","typ":"application/application/at+jwt""#, "at+jwt"));
        assert!(!is(r#","typ":"at+jwt ""#, "at+jwt"));
        assert!(!is(r#","typ":"JWT""#, "at+jwt"));
        assert!(is("", "jwt") && !is("", "at+jwt"));
    }
}
