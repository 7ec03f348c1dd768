//! Statements of ours that are signed and are no tokens (RFC 7515), told from them by their `typ`.

use super::{Keys, SigningKey, compact::Compact, header::Header};
use crate::{eventual::Eventual, identity::TokenFault};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// Signs `payload` as a compact JWS. `None` if the library failed.
pub(crate) fn sign(key: &SigningKey, typ: &str, payload: &[u8]) -> Option<String> {
    let mut header = Map::new();
    header.insert("typ".into(), typ.into());
    header.insert("alg".into(), key.algorithm().name().into());
    header.extend(key.kid().map(|kid| ("kid".into(), kid.into())));
    let mut text = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    let signature = key.sign(text.as_bytes())?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Some(text)
}

/// The payload of a statement, whoever signed it; `None` for what is none of this type.
pub(crate) fn payload(typ: &str, text: &str) -> Option<Vec<u8>> {
    let compact = Compact::split(text).ok()?;
    let header = compact.header().ok()?;
    Header::parse(&header).ok().filter(|header| header.is(typ))?;
    compact.payload().ok()
}

/// Whether one of `keys` signed a statement.
pub(crate) fn is_signed(keys: &Keys, text: &str) -> bool {
    let signed = || {
        let compact = Compact::split(text).ok()?;
        let (header, signature) = (compact.header().ok()?, compact.signature().ok()?);
        let header = Header::parse(&header).ok()?;
        // Keys of a file are there at once.
        let Eventual::Ready(Ok(found)) = keys.find(header.kid(), header.algorithm) else {
            return None;
        };
        Some(found.iter().any(|key| key.verify(compact.signed.as_bytes(), &signature)))
    };
    signed().unwrap_or(false)
}

/// The name of the key that signed a statement, if none of `keys` has it.
pub(crate) fn stranger(keys: &[Keys], text: &str) -> Option<String> {
    let header = Compact::split(text).ok()?.header().ok()?;
    let header = Header::parse(&header).ok()?;
    let is_unknown = |keys: &Keys| {
        let found = keys.find(header.kid(), header.algorithm);
        matches!(found, Eventual::Ready(Err(TokenFault::UnknownKey)))
    };
    header.kid().filter(|_| keys.iter().all(is_unknown)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::Algorithm;

    const TYP: &str = "a-statement";

    #[test]
    fn a_statement_is_good_under_its_key_and_type_alone() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let other = SigningKey::generate(Algorithm::ES256).unwrap();
        let keys =
            |key: &SigningKey| Keys::jwk(&Value::Object(key.published().unwrap()).to_string());
        let text = sign(&key, TYP, b"{\"a\":1}").unwrap();
        assert_eq!(payload(TYP, &text).unwrap(), b"{\"a\":1}");
        assert_eq!(payload("at+jwt", &text), None);
        assert!(is_signed(&keys(&key).unwrap(), &text));
        assert!(!is_signed(&keys(&other).unwrap(), &text));
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let forged = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode("{\"a\":2}"));
        assert!(payload(TYP, &forged).is_some() && !is_signed(&keys(&key).unwrap(), &forged));
    }
}
