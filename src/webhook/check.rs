use super::{claimed::Claimed, form, layer::Settings};
use crate::{
    eventual::Eventual,
    gate::{Door, Gate, Verdict},
    rejection::Reason,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header, request};
use openssl::{memcmp, sha::sha256};
use std::sync::Arc;

/// The gate of one request, when its body is there or why it is not.
#[derive(Clone)]
pub(super) struct Check {
    pub(super) arrived: Result<(Claimed, Bytes), Reason>,
    pub(super) settings: Arc<Settings>,
}

impl Gate for Check {
    type Pass = ();

    fn enter(&self, request: request::Parts) -> Eventual<Verdict<()>> {
        let refused = match &self.arrived {
            Ok((claimed, body)) if self.is_signed(&request, claimed, body) => None,
            Ok(_) => Some(Reason::SignatureInvalid),
            Err(reason) => Some(*reason),
        };
        Eventual::Ready(match refused {
            None => Verdict::admit(request, ()),
            Some(reason) => Verdict::refuse(request, reason),
        })
    }

    fn door(&self) -> &Door {
        &self.settings.door
    }
}

impl Check {
    fn is_signed(&self, head: &request::Parts, claimed: &Claimed, body: &[u8]) -> bool {
        let Settings { url, keys, .. } = &*self.settings;
        let query = head.uri.query().unwrap_or_default();
        signed_fields(&head.headers, query, body).is_some_and(|fields| {
            url.spellings(&head.uri).iter().any(|url| keys.signed(claimed, url, &fields))
        })
    }
}

/// What is signed after the URL; `None` for a body that nothing binds to the signature.
///
/// The type decides, so that a form cannot be passed off as something else, nor something else as a form.
fn signed_fields(headers: &HeaderMap, query: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter().map(HeaderValue::as_bytes);
    match (types.next(), types.next()) {
        (Some(kind), None) if is_form(kind) => form::signed(body),
        (_, None) => {
            let hashes = || query.split('&').filter_map(|pair| pair.strip_prefix("bodySHA256="));
            let good = match (hashes().next(), hashes().count()) {
                (Some(hash), 1) => is_hash_of(hash, body),
                (None, _) => body.is_empty(),
                _ => false,
            };
            good.then(Vec::new)
        }
        _ => None,
    }
}

fn is_form(content_type: &[u8]) -> bool {
    let kind = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// Whether it is the SHA-256 in 64 small hexadecimal digits.
fn is_hash_of(written: &str, body: &[u8]) -> bool {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| DIGITS[usize::from(half & 15)];
    let own: Vec<_> =
        sha256(body).into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte)]).collect();
    // `memcmp::eq` wants equal lengths.
    own.len() == written.len() && memcmp::eq(&own, written.as_bytes())
}
