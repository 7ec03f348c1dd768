use super::json::{self, Names, Object, Passed, Strict, Text};
use crate::{
    clock::UnixTime,
    identity::{Registered, TokenFault},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use smallvec::SmallVec;
use std::fmt;

/// The claims of a token as they are written, borrowed. Nothing of them is checked.
#[derive(Default)]
pub(super) struct Payload<'a> {
    pub(super) issuer: Option<Text<'a>>,
    subject: Option<Text<'a>>,
    session: Option<Text<'a>>,
    token_id: Option<Text<'a>>,
    audience: Option<Texts<'a>>,
    pub(super) expires_at: Option<Seconds>,
    pub(super) not_before: Option<Seconds>,
    pub(super) issued_at: Option<Seconds>,
    scopes: SmallVec<[Texts<'a>; 1]>,
    confirmation: Confirmation<'a>,
    names: Names<'a>,
}

impl<'a> Payload<'a> {
    /// Reads the JSON text of a payload.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, TokenFault> {
        json::object(json).ok_or(TokenFault::ClaimsInvalid)
    }

    /// Whether there is a claim of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|have| **have == *name)
    }

    /// The values of `aud`; none if it is missing.
    pub(super) fn audience(&self) -> impl Iterator<Item = &str> {
        self.audience.iter().flat_map(|audience| &audience.0).map(|text| &**text)
    }

    /// The registered claims, owned.
    pub(super) fn registered(&self, expires_at: Seconds) -> Registered {
        let owned = |text: &Option<Text<'_>>| text.as_deref().map(str::to_owned);
        let mut scopes: Vec<String> = Vec::new();
        for scope in self.scopes.iter().flat_map(|texts| &texts.0).flat_map(|text| text.split(' '))
        {
            if !scope.is_empty() && !scopes.iter().any(|have| have == scope) {
                scopes.push(scope.to_owned());
            }
        }
        Registered {
            issuer: owned(&self.issuer).unwrap_or_default(),
            subject: owned(&self.subject),
            session: owned(&self.session),
            token_id: owned(&self.token_id),
            audience: self.audience().map(str::to_owned).collect(),
            expires_at: expires_at.into(),
            not_before: self.not_before.map(UnixTime::from),
            issued_at: self.issued_at.map(UnixTime::from),
            scopes,
            key_thumbprint: owned(&self.confirmation.thumbprint),
            certificate_thumbprint: owned(&self.confirmation.certificate),
        }
    }
}

impl<'de> Object<'de> for Payload<'de> {
    const MOST: usize = 128;

    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "iss" => self.issuer = Some(map.next_value()?),
            "sub" => self.subject = Some(map.next_value()?),
            "sid" => self.session = Some(map.next_value()?),
            "jti" => self.token_id = Some(map.next_value()?),
            "aud" => self.audience = Some(map.next_value()?),
            "exp" => self.expires_at = Some(map.next_value()?),
            "nbf" => self.not_before = Some(map.next_value()?),
            "iat" => self.issued_at = Some(map.next_value()?),
            "scope" => self.scopes.push(Texts([map.next_value()?].into_iter().collect())),
            "scp" | "scopes" => self.scopes.push(map.next_value()?),
            "cnf" => self.confirmation = map.next_value::<Strict<_>>()?.0,
            _ => {
                map.next_value::<Passed>()?;
            }
        }
        Ok(())
    }

    fn named(&mut self, names: Names<'de>) {
        self.names = names;
    }
}

/// The key that whoever sends the token must have (RFC 7800 section 3.1).
#[derive(Default)]
struct Confirmation<'a> {
    thumbprint: Option<Text<'a>>,
    certificate: Option<Text<'a>>,
}

impl<'de> Object<'de> for Confirmation<'de> {
    const MOST: usize = 16;

    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "jkt" => self.thumbprint = Some(map.next_value()?),
            "x5t#S256" => self.certificate = Some(map.next_value()?),
            _ => {
                map.next_value::<Passed>()?;
            }
        }
        Ok(())
    }
}

/// A `NumericDate` (RFC 7519 section 2) in whole seconds. Fractions, negative numbers and numbers past
/// 2^53, which other readers would round, are refused.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Seconds(pub(super) u64);

impl From<Seconds> for UnixTime {
    fn from(Seconds(seconds): Seconds) -> Self {
        Self::from_secs(seconds)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl Visitor<'_> for Whole {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("whole seconds")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Seconds, E> {
                if seconds <= 1 << 53 { Ok(Seconds(seconds)) } else { Err(E::custom("too late")) }
            }
        }

        deserializer.deserialize_u64(Whole)
    }
}

/// A string, or an array of strings.
#[derive(Debug, Default)]
struct Texts<'a>(SmallVec<[Text<'a>; 1]>);

/// An array of more strings is refused.
const MOST_TEXTS: usize = 256;

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Texts<'de>, E> {
                Ok(Texts([Text(text.into())].into_iter().collect()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts<'de>, E> {
                Ok(Texts([Text(text.to_owned().into())].into_iter().collect()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts<'de>, A::Error> {
                let mut texts = SmallVec::new();
                while let Some(text) = seq.next_element()? {
                    if texts.len() == MOST_TEXTS {
                        return Err(A::Error::custom("too many strings"));
                    }
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(json: &str) -> Option<Registered> {
        let payload = Payload::parse(json.as_bytes()).ok()?;
        Some(payload.registered(payload.expires_at.unwrap_or(Seconds(0))))
    }

    #[test]
    fn dates_are_whole_seconds() {
        let date = |text: &str| registered(&format!(r#"{{"exp":{text}}}"#)).map(|r| r.expires_at);
        assert_eq!(date("0"), Some(UnixTime::from_secs(0)));
        assert_eq!(date("1700000000"), Some(UnixTime::from_secs(1_700_000_000)));
        assert_eq!(date("253402300800"), Some(UnixTime::from_secs(253_402_300_800)), "year 10000");
        assert!(date("9007199254740992").is_some());
        for bad in [
            "9007199254740993",
            "9223372036854775808",
            "18446744073709551616",
            "1e300",
            "1e999",
            "1e3",
            "-1",
            "-0",
            "-0.0",
            "1.5",
            "1700000000.0",
            "\"1700000000\"",
            "null",
            "true",
            "[1]",
            "{}",
            "NaN",
        ] {
            for name in ["exp", "nbf", "iat"] {
                assert!(registered(&format!(r#"{{"{name}":{bad}}}"#)).is_none(), "{name}: {bad}");
            }
        }
    }

    #[test]
    fn texts_are_texts() {
        for name in ["iss", "sub", "sid", "jti", "scope"] {
            for bad in ["null", "7", "true", r#"["a"]"#, r#"{"a":"b"}"#] {
                assert!(registered(&format!(r#"{{"{name}":{bad}}}"#)).is_none(), "{name}: {bad}");
            }
        }
        for name in ["aud", "scp", "scopes"] {
            for bad in ["null", "7", r#"[7]"#, r#"["a",7]"#, r#"["a",["b"]]"#, r#"{"a":"b"}"#] {
                assert!(registered(&format!(r#"{{"{name}":{bad}}}"#)).is_none(), "{name}: {bad}");
            }
            let many = |n| format!(r#"{{"{name}":[{}]}}"#, vec!["\"a\""; n].join(","));
            assert!(registered(&many(256)).is_some());
            assert!(registered(&many(257)).is_none());
        }
    }

    #[test]
    fn scopes_of_all_three_names_are_one_set() {
        let read = registered(r#"{"scope":"a b  a","scp":["c","b d"],"scopes":"\u0065"}"#).unwrap();
        assert_eq!(read.scopes, ["a", "b", "c", "d", "e"]);
        assert!(registered("{}").unwrap().scopes.is_empty());
    }

    #[test]
    fn a_confirmation_is_an_object_and_its_thumbprint_a_text() {
        let read = |json: &str| registered(json).map(|registered| registered.key_thumbprint);
        assert_eq!(read(r#"{"cnf":{"jkt":"a","kid":7}}"#), Some(Some("a".into())));
        assert_eq!(read(r#"{"cnf":{}}"#), Some(None));
        for bad in [r#"["a"]"#, "null", "\"a\"", r#"{"jkt":null}"#, r#"{"jkt":["a"]}"#] {
            assert_eq!(read(&format!(r#"{{"cnf":{bad}}}"#)), None, "{bad}");
        }
        assert_eq!(read(r#"{"cnf":{"jkt":"a","\u006akt":"b"}}"#), None, "twice");
    }

    #[test]
    fn no_name_counts_twice() {
        for json in [
            r#"{"exp":1,"exp":2}"#,
            r#"{"exp":1,"\u0065xp":2}"#,
            r#"{"own":1,"own":1}"#,
            r#"{"aud":"a","\u0061ud":"b"}"#,
        ] {
            assert!(registered(json).is_none(), "{json}");
        }
        let own: Vec<_> = (0..129).map(|n| format!(r#""m{n}":0"#)).collect();
        assert!(registered(&format!("{{{}}}", own[..128].join(","))).is_some());
        assert!(registered(&format!("{{{}}}", own.join(","))).is_none());
        let deep = format!(r#"{{"own":{}{}}}"#, "[".repeat(4000), "]".repeat(4000));
        assert!(registered(&deep).is_none(), "no reader of the claims could follow");
    }
}
