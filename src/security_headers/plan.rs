//! What is done to an answer: worked out when the layer is made, shared by all requests.

use super::{
    nonce::CspNonce,
    policy::Policy,
    presets::{self, Row},
};
use crate::gate::Pass;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{self, Entry},
    response::Parts,
};
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) fields: Vec<Field>,
    pub(super) documents: Option<Policy>,
    pub(super) elsewhere: Option<Policy>,
    pub(super) report_only: Option<Policy>,
    pub(super) overriding: bool,
    /// Sorted by name.
    pub(super) strip: Vec<HeaderName>,
}

/// A header with a value that never changes.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    pub(super) place: Place,
}

/// Which answers a header belongs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Everywhere,
    /// Answers that a browser shows as a page.
    Documents,
    /// Answers over https.
    Encrypted,
}

impl Place {
    /// Where a header belongs of which no preset says it.
    fn of(name: &HeaderName) -> Self {
        match name.as_str() {
            "strict-transport-security" => Self::Encrypted,
            "cross-origin-embedder-policy"
            | "cross-origin-embedder-policy-report-only"
            | "cross-origin-opener-policy"
            | "cross-origin-opener-policy-report-only"
            | "document-isolation-policy"
            | "document-policy"
            | "integrity-policy"
            | "integrity-policy-report-only"
            | "origin-agent-cluster"
            | "permissions-policy"
            | "permissions-policy-report-only"
            | "reporting-endpoints"
            | "x-dns-prefetch-control" => Self::Documents,
            _ => Self::Everywhere,
        }
    }
}

impl Plan {
    pub(super) fn rows(mut self, rows: impl IntoIterator<Item = Row>) -> Self {
        self.fields.extend(rows.into_iter().map(|(name, text, place)| Field {
            name,
            value: HeaderValue::from_static(text),
            place,
        }));
        self
    }

    pub(super) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        match self.fields.iter_mut().find(|field| field.name == name) {
            Some(field) => field.value = value,
            None => {
                let place = Place::of(&name);
                self.fields.push(Field { name, value, place });
            }
        }
    }

    pub(super) fn unset(&mut self, name: &HeaderName) {
        self.fields.retain(|field| field.name != *name);
        if *name == header::CONTENT_SECURITY_POLICY {
            (self.documents, self.elsewhere) = (None, None);
        } else if *name == header::CONTENT_SECURITY_POLICY_REPORT_ONLY {
            self.report_only = None;
        }
    }

    pub(super) fn strip(&mut self, names: impl IntoIterator<Item = HeaderName>) {
        self.strip.extend(names);
        self.strip.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        self.strip.dedup();
    }

    /// Whether any policy for documents has a nonce.
    pub(super) fn has_nonce(&self) -> bool {
        [&self.documents, &self.report_only].into_iter().flatten().any(Policy::has_nonce)
    }

    /// Whether http and https differ.
    pub(super) fn by_scheme(&self) -> bool {
        self.fields.iter().any(|field| field.place == Place::Encrypted)
            || [&self.documents, &self.elsewhere, &self.report_only]
                .into_iter()
                .flatten()
                .any(Policy::by_scheme)
    }

    fn apply(&self, answer: &mut Parts, encrypted: bool, nonce: Option<&str>) {
        let headers = &mut answer.headers;
        self.take_off(headers);
        let document = is_document(headers);
        // More than 32,768 headers do not fit; such an answer goes out as it is.
        let _ = headers.try_reserve(self.fields.len() + 3);
        // The page that a 304 speaks of has the nonce of its own time, and its policy with it.
        let stale = answer.status == StatusCode::NOT_MODIFIED;
        let nonced = [
            (header::CONTENT_SECURITY_POLICY, &self.documents, &self.elsewhere),
            (header::CONTENT_SECURITY_POLICY_REPORT_ONLY, &self.report_only, &None),
        ]
        .into_iter()
        .fold(false, |nonced, (name, on_documents, elsewhere)| {
            if on_documents.is_none() && elsewhere.is_none() {
                return nonced;
            }
            let policy = if document { on_documents } else { elsewhere };
            let policy = policy.as_ref().filter(|policy| !(stale && policy.has_nonce()));
            let nonce = nonce.filter(|_| document);
            self.set_policy(headers, name, policy, encrypted, nonce) || nonced
        });
        for field in &self.fields {
            let applies = match field.place {
                Place::Everywhere => true,
                Place::Documents => document,
                Place::Encrypted => encrypted,
            };
            if self.overriding {
                // Whatever the inner service says about a header of ours, it is not the last word.
                if applies {
                    let _ = headers.try_insert(field.name.clone(), field.value.clone());
                } else {
                    headers.remove(&field.name);
                }
            } else if applies {
                set_absent(headers, &field.name, || field.value.clone());
            }
        }
        if nonced {
            // Stored, the page would meet a policy with another nonce.
            set_absent(headers, &header::CACHE_CONTROL, || HeaderValue::from_static("no-store"));
        }
    }

    /// Sets a policy, or drops it if there is none for this answer; tells whether it has a nonce.
    fn set_policy(
        &self,
        headers: &mut HeaderMap,
        name: HeaderName,
        policy: Option<&Policy>,
        encrypted: bool,
        nonce: Option<&str>,
    ) -> bool {
        if !self.overriding && headers.contains_key(&name) {
            return false;
        }
        let nonce = nonce.filter(|_| policy.is_some_and(Policy::has_nonce));
        let value = policy.and_then(|policy| match nonce {
            Some(nonce) => policy.with_nonce(encrypted, nonce),
            None => policy.bare(encrypted),
        });
        match value {
            Some(value) => drop(headers.try_insert(name, value)),
            None => drop(headers.remove(name)),
        }
        nonce.is_some()
    }

    /// Takes off what is to be stripped, walking the shorter list of the two.
    fn take_off(&self, headers: &mut HeaderMap) {
        if self.strip.len() <= headers.keys_len() {
            for name in &self.strip {
                headers.remove(name);
            }
            return;
        }
        let listed = |name: &HeaderName| {
            self.strip.binary_search_by(|known| known.as_str().cmp(name.as_str())).ok()
        };
        while let Some(at) = headers.keys().find_map(listed) {
            headers.remove(&self.strip[at]);
        }
    }
}

/// What [`SecurityHeadersLayer`](super::SecurityHeadersLayer) carries to the way out.
#[derive(Debug)]
pub struct HeadersPass {
    pub(super) plan: Arc<Plan>,
    pub(super) encrypted: bool,
    pub(super) nonce: Option<CspNonce>,
}

impl Pass for HeadersPass {
    fn leave(self, answer: &mut Parts) {
        let nonce = self.nonce.as_ref().and_then(CspNonce::used);
        self.plan.apply(answer, self.encrypted, nonce);
    }
}

/// The value of a typed header, which is visible ASCII and so always one.
pub(super) fn value(text: String) -> Option<HeaderValue> {
    match presets::TEXTS.iter().find(|known| **known == text) {
        Some(known) => Some(HeaderValue::from_static(known)),
        None => HeaderValue::try_from(text).ok(),
    }
}

fn set_absent(headers: &mut HeaderMap, name: &HeaderName, value: impl FnOnce() -> HeaderValue) {
    if let Ok(Entry::Vacant(vacant)) = headers.try_entry(name) {
        let _ = vacant.try_insert(value());
    }
}

/// Whether a browser may show the answer as a page: HTML, anything in XML, or no type at all.
fn is_document(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter().peekable();
    types.peek().is_none() || types.any(is_document_type)
}

fn is_document_type(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    // What is no media type at all is anybody's guess; of several, browsers take the last.
    !value.contains(&b'/') || value.split(|byte| *byte == b',').any(is_markup)
}

fn is_markup(media_type: &[u8]) -> bool {
    let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    [&b"/html"[..], b"/xml", b"+xml"].into_iter().any(|suffix| {
        let at = essence.len().checked_sub(suffix.len());
        at.is_some_and(|at| essence[at..].eq_ignore_ascii_case(suffix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_known_by_their_type() {
        for yes in [
            "text/html",
            "Text/HTML; charset=utf-8",
            "application/xhtml+xml",
            "image/svg+xml",
            "text/xml",
            "application/xml;x",
            "",
            "html",
            " text/html ,x",
            "application/json, text/html",
        ] {
            assert!(is_document_type(&HeaderValue::from_static(yes)), "{yes:?}");
        }
        for no in [
            "application/json",
            "text/plain;a=text/html",
            "image/png",
            "application/grpc",
            "multipart/mixed; boundary=\"a,b\"",
        ] {
            assert!(!is_document_type(&HeaderValue::from_static(no)), "{no:?}");
        }
        assert!(is_document(&HeaderMap::new()));
    }

    #[test]
    fn long_and_short_lists_strip_alike() {
        for extra in [0, 8] {
            let mut plan = Plan::default();
            plan.strip([header::SERVER, header::VIA]);
            plan.strip([header::SERVER]);
            plan.strip((0..extra).map(|at| HeaderName::try_from(format!("x-{at}")).unwrap()));
            let mut headers = HeaderMap::new();
            for name in [header::SERVER, header::SERVER, header::AGE, header::VIA] {
                headers.append(name, HeaderValue::from_static("1"));
            }
            plan.take_off(&mut headers);
            assert_eq!(headers.keys().collect::<Vec<_>>(), [&header::AGE]);
        }
    }
}
