//! What is to be done to answers, as the layer's methods say.

use super::{
    policy::Policy,
    presets::{self, Row},
};
use http::{HeaderName, HeaderValue, header};

#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) fields: Vec<Field>,
    pub(super) documents: Option<Policy>,
    pub(super) elsewhere: Option<Policy>,
    pub(super) report_only: Option<Policy>,
    pub(super) overriding: bool,
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
    }

    /// The policies of documents, by name, where there is any for that name.
    pub(super) fn policies(&self) -> impl Iterator<Item = (HeaderName, Option<&Policy>)> {
        let enforced = self.documents.is_some() || self.elsewhere.is_some();
        let enforced =
            enforced.then_some((header::CONTENT_SECURITY_POLICY, self.documents.as_ref()));
        let reported = self.report_only.as_ref();
        let reported =
            reported.map(|policy| (header::CONTENT_SECURITY_POLICY_REPORT_ONLY, Some(policy)));
        enforced.into_iter().chain(reported)
    }
}

/// The value of a typed header, which is visible ASCII and so always one.
pub(super) fn value(text: String) -> Option<HeaderValue> {
    match presets::TEXTS.iter().find(|known| **known == text) {
        Some(known) => Some(HeaderValue::from_static(known)),
        None => HeaderValue::try_from(text).ok(),
    }
}
