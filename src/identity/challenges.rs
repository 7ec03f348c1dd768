use super::{
    TokenFault,
    challenge::{PLAIN, Proofs, Written},
    dpop,
};
use crate::{
    guarded::Guarded,
    rejection::{Reason, Rejection},
};
use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE, request::Parts};
use std::{mem, sync::Arc};

/// What a layer says to whom it refuses, besides what all say. It goes along with the request, so that refusals further
/// inside say it too, and the [`Door`](crate::gate::Door) writes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Challenges {
    /// `scope="..."`, what a token must have.
    scope: Option<HeaderValue>,
    /// With the metadata of the resource.
    own: Option<Arc<Written>>,
    proofs: Option<Proving>,
}

/// Whether a layer that takes tokens takes proofs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Proving {
    Never,
    IfBound,
    Always,
}

impl Challenges {
    /// Names what a token must have; `scope` is the parameter of RFC 6750 section 3.
    pub(crate) fn with_scope(scope: HeaderValue) -> Self {
        Self { scope: Some(scope), ..Self::default() }
    }

    /// Says whether proofs are taken, whatever was said outside.
    pub(crate) fn with_proofs(self, proofs: Proving) -> Self {
        Self { proofs: Some(proofs), ..self }
    }

    /// Names the metadata of the resource in each; `metadata` is the parameter of RFC 9728 section 5.1.
    pub(crate) fn with_metadata(self, metadata: &HeaderValue) -> Self {
        Self { own: Some(Arc::new(Written::with(metadata))), ..self }
    }

    /// Says this of the request from here on, and what was said of it outside where this says nothing.
    pub(crate) fn join(&self, request: &mut Parts) {
        let Self { scope, own, proofs } = self;
        if scope.is_none() && own.is_none() && proofs.is_none() {
            return;
        }
        let said = &mut Guarded::of(request).challenges;
        let outside = mem::take(said);
        *said = Self {
            scope: scope.clone().or(outside.scope),
            own: own.clone().or(outside.own),
            proofs: proofs.or(outside.proofs),
        };
    }

    /// Makes the challenge of a refusal this one's, unless somebody wrote one of his own. Nothing is formatted, but where
    /// a scope is missing.
    pub(crate) fn settle(&self, rejection: &mut Rejection, asked: &HeaderMap) {
        let Some(plain) = PLAIN.of(rejection.reason()) else { return };
        let mut told = rejection.headers().get_all(WWW_AUTHENTICATE).iter();
        if told.next() != Some(plain) || told.next().is_some() {
            return;
        }
        let reason = rejection.reason();
        let written = self.own.as_deref().unwrap_or(&PLAIN);
        let (challenge, offer) = self.choose(written, reason, asked);
        let Some(challenge) = challenge else { return };
        let challenge = match &self.scope {
            Some(scope) if reason == Reason::ScopeMissing => with(challenge, scope),
            _ => challenge.clone(),
        };
        let headers = rejection.headers_mut();
        headers.insert(WWW_AUTHENTICATE, challenge);
        if let Some(offer) = offer {
            headers.append(WWW_AUTHENTICATE, offer.clone());
        }
    }

    /// The challenge, and what is said of proofs after it: those for proofs alone where nothing else is taken or the client
    /// already uses them, else after that for bearer tokens (RFC 9449 section 7.2).
    fn choose<'a>(
        &self,
        written: &'a Written,
        reason: Reason,
        asked: &HeaderMap,
    ) -> (Option<&'a HeaderValue>, Option<&'a HeaderValue>) {
        let bearer = written.of(reason);
        let proofs = &written.proofs;
        let challenge = match reason {
            Reason::TokenMissing => &proofs.offer,
            Reason::TokenInvalid(TokenFault::Proof(_)) => return (bearer, None),
            Reason::TokenInvalid(_) => &proofs.invalid,
            Reason::TokenAmbiguous => &proofs.ambiguous,
            Reason::ScopeMissing | Reason::ClaimMissing => &proofs.insufficient,
            _ => return (bearer, None),
        };
        match self.proofs {
            None | Some(Proving::Never) => (bearer, None),
            Some(Proving::IfBound) if !dpop::is_used(asked) => (bearer, Some(&proofs.offer)),
            Some(Proving::IfBound | Proving::Always) => (Some(challenge), None),
        }
    }
}

impl Written {
    fn with(metadata: &HeaderValue) -> Self {
        let write = |plain| with(plain, metadata);
        Self {
            missing: write(&PLAIN.missing),
            invalid: write(&PLAIN.invalid),
            ambiguous: write(&PLAIN.ambiguous),
            insufficient: write(&PLAIN.insufficient),
            stale: write(&PLAIN.stale),
            proofs: Proofs {
                offer: write(&PLAIN.proofs.offer),
                bad: write(&PLAIN.proofs.bad),
                nonce: write(&PLAIN.proofs.nonce),
                invalid: write(&PLAIN.proofs.invalid),
                ambiguous: write(&PLAIN.proofs.ambiguous),
                insufficient: write(&PLAIN.proofs.insufficient),
            },
        }
    }
}

/// A challenge with one more parameter.
fn with(challenge: &HeaderValue, parameter: &HeaderValue) -> HeaderValue {
    let text = challenge.as_bytes();
    let comma: &[u8] = if text.contains(&b' ') { b", " } else { b" " };
    // What is put together of header values is one.
    HeaderValue::try_from([text, comma, parameter.as_bytes()].concat())
        .unwrap_or_else(|_| challenge.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::challenge::reject;

    const METADATA: HeaderValue = HeaderValue::from_static("resource_metadata=\"https://x/\"");
    const EXPIRED: Reason = Reason::TokenInvalid(TokenFault::Expired);

    fn told(challenges: &Challenges, reason: Reason) -> Vec<String> {
        let mut rejection = reject(reason);
        challenges.settle(&mut rejection, &HeaderMap::new());
        let told = rejection.headers().get_all(WWW_AUTHENTICATE).iter();
        told.map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn parameters_stand_where_they_belong() {
        let scoped = Challenges::with_scope(HeaderValue::from_static("scope=\"a b\""));
        assert_eq!(told(&scoped, Reason::TokenMissing), ["Bearer"]);
        let insufficient = "Bearer error=\"insufficient_scope\", scope=\"a b\"";
        assert_eq!(told(&scoped, Reason::ScopeMissing), [insufficient]);
        assert_eq!(told(&scoped, Reason::ClaimMissing), ["Bearer error=\"insufficient_scope\""]);
        // Told twice, the last one counts.
        let other = HeaderValue::from_static("resource_metadata=\"https://other/\"");
        let both = scoped.with_metadata(&other).with_metadata(&METADATA);
        for (reason, want) in [
            (Reason::TokenMissing, "Bearer resource_metadata=\"https://x/\""),
            (EXPIRED, "Bearer error=\"invalid_token\", resource_metadata=\"https://x/\""),
            (
                Reason::TokenAmbiguous,
                "Bearer error=\"invalid_request\", resource_metadata=\"https://x/\"",
            ),
            (
                Reason::ScopeMissing,
                "Bearer error=\"insufficient_scope\", resource_metadata=\"https://x/\", scope=\"a b\"",
            ),
        ] {
            assert_eq!(told(&both, reason), [want]);
        }
        assert_eq!(told(&both, Reason::RateLimited), [""; 0]);
    }

    #[test]
    fn what_is_said_inside_counts_before_what_is_said_outside() {
        let (mut request, ()) = http::Request::new(()).into_parts();
        Challenges::default().join(&mut request);
        assert!(request.extensions.get::<Guarded>().is_none(), "nothing to say");
        let said = |request: &Parts| {
            told(&request.extensions.get::<Guarded>().unwrap().challenges, Reason::TokenMissing)
        };
        let outside = Challenges::default().with_metadata(&METADATA).with_proofs(Proving::Always);
        outside.join(&mut request);
        let [proofs] = &*said(&request) else { panic!("one challenge") };
        assert!(
            proofs.starts_with("DPoP algs=") && proofs.ends_with("=\"https://x/\""),
            "{proofs}"
        );
        let inside = Challenges::default().with_proofs(Proving::Never);
        inside.join(&mut request);
        assert_eq!(said(&request), ["Bearer resource_metadata=\"https://x/\""]);
    }

    #[test]
    fn a_challenge_of_ones_own_stays() {
        let challenges = Challenges::default().with_metadata(&METADATA);
        for own in [&["Basic"][..], &["Bearer", "Basic"], &[]] {
            let mut rejection = Rejection::new(Reason::TokenMissing);
            for line in own {
                rejection.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(line));
            }
            challenges.settle(&mut rejection, &HeaderMap::new());
            let told = rejection.headers().get_all(WWW_AUTHENTICATE).iter();
            assert!(told.eq(own.iter().copied()), "{own:?}");
        }
    }
}
