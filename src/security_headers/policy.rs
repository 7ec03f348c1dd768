//! A policy made ready for answers: text once, or pieces between which a nonce goes.

use super::{csp::Csp, directive, directive::Directive, plan, source::Source};
use http::HeaderValue;

/// A compiled [`Csp`].
#[derive(Clone, Debug)]
pub(super) struct Policy {
    encrypted: Text,
    plain: Text,
    has_nonce: bool,
    by_scheme: bool,
}

#[derive(Clone, Debug)]
struct Text {
    /// The policy without nonce sources; nothing if no directive is left.
    bare: Option<HeaderValue>,
    /// What stands between the nonces.
    pieces: Box<[Box<str>]>,
}

impl Policy {
    pub(super) fn new(csp: &Csp) -> Self {
        let directives = csp.directives();
        Self {
            encrypted: Text::new(directives.iter().collect()),
            plain: Text::new(
                directives.iter().filter(|known| known.name != directive::UPGRADE).collect(),
            ),
            has_nonce: directives.iter().any(Directive::has_nonce),
            by_scheme: directives.iter().any(|known| known.name == directive::UPGRADE),
        }
    }

    pub(super) fn has_nonce(&self) -> bool {
        self.has_nonce
    }

    /// Whether it differs between http and https.
    pub(super) fn by_scheme(&self) -> bool {
        self.by_scheme
    }

    /// The policy of an answer in which no nonce was used.
    pub(super) fn bare(&self, encrypted: bool) -> Option<HeaderValue> {
        self.text(encrypted).bare.clone()
    }

    /// The policy that allows `nonce`: one allocation.
    pub(super) fn with_nonce(&self, encrypted: bool, nonce: &str) -> Option<HeaderValue> {
        let pieces = &self.text(encrypted).pieces;
        let between = NONCE.len() + nonce.len() + 1;
        let length: usize = pieces.iter().map(|piece| piece.len() + between).sum();
        // Exact, as a spare byte would cost a second allocation when the text becomes a value.
        let length = length.saturating_sub(between);
        let mut text = String::with_capacity(length);
        for (at, piece) in pieces.iter().enumerate() {
            if at > 0 {
                text.push_str(NONCE);
                text.push_str(nonce);
                text.push('\'');
            }
            text.push_str(piece);
        }
        plan::value(text)
    }

    fn text(&self, encrypted: bool) -> &Text {
        if encrypted { &self.encrypted } else { &self.plain }
    }
}

const NONCE: &str = "'nonce-";

impl Text {
    fn new(directives: Vec<&Directive>) -> Self {
        let bare = directives.iter().map(|directive| directive.bare().to_string());
        let bare = bare.collect::<Vec<_>>().join("; ");
        let mut pieces = vec![String::new()];
        for (at, directive) in directives.into_iter().enumerate() {
            push(&mut pieces, if at > 0 { "; " } else { "" });
            push(&mut pieces, &directive.name);
            for word in directive.words() {
                push(&mut pieces, " ");
                if *word == Source::NONCE {
                    pieces.push(String::new());
                } else {
                    push(&mut pieces, &word.to_string());
                }
            }
        }
        Self {
            bare: Some(bare).filter(|text| !text.is_empty()).and_then(plan::value),
            pieces: pieces.into_iter().map(String::into_boxed_str).collect(),
        }
    }
}

fn push(pieces: &mut [String], text: &str) {
    if let Some(last) = pieces.last_mut() {
        last.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_goes_to_every_place_and_the_rest_stays() {
        let policy = Policy::new(&Csp::strict());
        assert_eq!(
            policy.with_nonce(true, "0a1b").unwrap(),
            "default-src 'none'; script-src 'nonce-0a1b' 'strict-dynamic'; \
             style-src 'self' 'nonce-0a1b'; img-src 'self' data:; font-src 'self'; \
             connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
             upgrade-insecure-requests"
        );
        assert_eq!(
            policy.bare(false).unwrap(),
            "default-src 'none'; script-src 'none'; style-src 'self'; img-src 'self' data:; \
             font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'"
        );
    }

    #[test]
    fn a_policy_that_only_upgrades_says_nothing_over_http() {
        let policy = Policy::new(&Csp::parse("upgrade-insecure-requests").unwrap());
        assert_eq!(policy.bare(true).unwrap(), "upgrade-insecure-requests");
        assert_eq!(policy.bare(false), None);
    }
}
