//! What is done to an answer: worked out when the layer is made, shared by all requests.

use super::{
    nonce::CspNonce,
    plan::{Place, Plan},
    policy::Policy,
};
use crate::gate::Pass;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, response::Parts};
use std::{mem, sync::Arc};

/// A [`Plan`], made ready for answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Finish {
    plan: Plan,
    /// Our headers, by [`kind`] of answer. To clone a map costs less than half of filling one.
    ours: [HeaderMap; 4],
    /// What does not leave the inner service, sorted by name: what is stripped, and when overriding all
    /// that is ours to say.
    kept_back: Vec<HeaderName>,
    /// Whether the type of answers is stripped.
    untyped: bool,
    pub(super) has_nonce: bool,
    /// Whether http and https differ.
    pub(super) by_scheme: bool,
}

/// Room for headers of the inner service.
const ROOM: usize = 8;

/// A map takes 24,576 names.
const MOST_NAMES: usize = 24_000;

impl Finish {
    pub(super) fn new(plan: Plan) -> Self {
        let ours = [(false, false), (false, true), (true, false), (true, true)]
            .map(|(document, encrypted)| ours(&plan, document, encrypted));
        let mut kept_back = plan.strip.clone();
        if plan.overriding {
            kept_back.extend(plan.fields.iter().map(|field| field.name.clone()));
            kept_back.extend(plan.policies().map(|(name, _)| name));
        }
        kept_back.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        kept_back.dedup();
        let policies = [&plan.documents, &plan.elsewhere, &plan.report_only];
        let by_scheme = plan.fields.iter().any(|field| field.place == Place::Encrypted)
            || policies.into_iter().flatten().any(Policy::by_scheme);
        let has_nonce = plan.policies().filter_map(|(_, policy)| policy).any(Policy::has_nonce);
        Self {
            ours,
            kept_back,
            untyped: plan.strip.contains(&header::CONTENT_TYPE),
            has_nonce,
            by_scheme,
            plan,
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    fn apply(&self, answer: &mut Parts, encrypted: bool, nonce: Option<&str>) {
        if answer.headers.keys_len() > MOST_NAMES {
            // Ours do not fit; such an answer goes out as it is.
            return;
        }
        let document = self.untyped || is_document(&answer.headers);
        let ours = self.ours[kind(document, encrypted)].clone();
        let mut theirs = mem::replace(&mut answer.headers, ours);
        take_off(&mut theirs, &self.kept_back);
        let mut nonced = false;
        if document && self.has_nonce {
            // The page that a 304 speaks of has the nonce of its own time, and its policy with it.
            let stale = answer.status == StatusCode::NOT_MODIFIED;
            for (name, policy) in self.plan.policies() {
                let Some(policy) = policy.filter(|policy| policy.has_nonce()) else { continue };
                if stale {
                    answer.headers.remove(name);
                } else if let (Some(nonce), false) = (nonce, theirs.contains_key(&name)) {
                    nonced = true;
                    match policy.with_nonce(encrypted, nonce) {
                        Some(value) => answer.headers.insert(name, value),
                        None => answer.headers.remove(name),
                    };
                }
            }
        }
        // Where both speak of a header theirs is the last word, unless it was taken off.
        answer.headers.extend(theirs);
        if nonced {
            // Stored, the page would meet a policy with another nonce.
            let no_store = || HeaderValue::from_static("no-store");
            answer.headers.entry(header::CACHE_CONTROL).or_insert_with(no_store);
        }
    }
}

/// What [`SecurityHeadersLayer`](super::SecurityHeadersLayer) carries to the way out.
#[derive(Debug)]
pub struct HeadersPass {
    pub(super) finish: Arc<Finish>,
    pub(super) encrypted: bool,
    pub(super) nonce: Option<CspNonce>,
}

impl Pass for HeadersPass {
    fn leave(self, answer: &mut Parts) {
        let nonce = self.nonce.as_ref().and_then(CspNonce::used);
        self.finish.apply(answer, self.encrypted, nonce);
    }
}

const fn kind(document: bool, encrypted: bool) -> usize {
    (document as usize) << 1 | encrypted as usize
}

/// Our headers on one kind of answer, the policies without nonces.
fn ours(plan: &Plan, document: bool, encrypted: bool) -> HeaderMap {
    let fields = plan.fields.iter().filter(|field| match field.place {
        Place::Everywhere => true,
        Place::Documents => document,
        Place::Encrypted => encrypted,
    });
    let policies = [
        (header::CONTENT_SECURITY_POLICY, if document { &plan.documents } else { &plan.elsewhere }),
        (
            header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
            if document { &plan.report_only } else { &None },
        ),
    ]
    .into_iter()
    .filter_map(|(name, policy)| Some((name, policy.as_ref()?.bare(encrypted)?)));
    let all: Vec<_> =
        policies.chain(fields.map(|field| (field.name.clone(), field.value.clone()))).collect();
    let mut ours = HeaderMap::with_capacity(all.len() + ROOM);
    for (name, value) in all {
        ours.insert(name, value);
    }
    ours
}

/// Takes names off, walking the shorter of the two lists.
fn take_off(headers: &mut HeaderMap, names: &[HeaderName]) {
    if names.len() <= headers.keys_len() {
        for name in names {
            headers.remove(name);
        }
        return;
    }
    let listed =
        |name: &HeaderName| names.binary_search_by(|known| known.as_str().cmp(name.as_str())).ok();
    while let Some(at) = headers.keys().find_map(listed) {
        headers.remove(&names[at]);
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
            plan.strip([header::VIA, header::SERVER]);
            plan.strip([header::SERVER]);
            plan.strip((0..extra).map(|at| HeaderName::try_from(format!("x-{at}")).unwrap()));
            let names = Finish::new(plan).kept_back;
            let mut headers = HeaderMap::new();
            for name in [header::SERVER, header::SERVER, header::AGE, header::VIA] {
                headers.append(name, HeaderValue::from_static("1"));
            }
            take_off(&mut headers, &names);
            assert_eq!(headers.keys().collect::<Vec<_>>(), [&header::AGE]);
        }
    }
}
