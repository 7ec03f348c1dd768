//! The walk with every rule, inside of the security headers.

#[cfg(feature = "jwt")]
use crate::{
    admit::Arrival,
    audit::Act,
    gate::Outcome,
    identity::Identity,
    jwt::{ForwardClaims, Found, JwtLayer, ResourceMetadata, replayed},
    rejection::{Reason, Rejection},
    store::Take,
};
use crate::{
    admit::{Admitted, Walk},
    eventual::Eventual,
    gate::{Door, Gate, Verdict},
    guarded::Guarded,
};
use http::request::Parts;
use std::sync::Arc;

/// A clone is a reference count.
#[derive(Clone, Debug)]
pub(super) struct Guard(pub(super) Arc<Rules>);

#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) walk: Walk,
    #[cfg(feature = "jwt")]
    pub(super) tokens: Option<JwtLayer>,
    #[cfg(feature = "jwt")]
    pub(super) resource: Option<ResourceMetadata>,
    #[cfg(feature = "jwt")]
    pub(super) forward: Option<ForwardClaims>,
}

impl Rules {
    pub(super) fn new(walk: Walk) -> Self {
        Self {
            walk,
            #[cfg(feature = "jwt")]
            tokens: None,
            #[cfg(feature = "jwt")]
            resource: None,
            #[cfg(feature = "jwt")]
            forward: None,
        }
    }

    /// Makes the challenges those of the metadata, or of the layer for tokens, in whichever order they came.
    #[cfg(feature = "jwt")]
    pub(super) fn settle(&mut self) {
        let of_tokens = self.tokens.as_ref().map(|tokens| tokens.challenges.clone());
        let challenges = of_tokens.unwrap_or_default();
        self.walk.judge.challenges = match &self.resource {
            Some(metadata) => challenges.with_metadata(metadata.url().parameter()),
            None => challenges,
        };
    }

    #[cfg(not(feature = "jwt"))]
    pub(super) fn settle(&mut self) {}
}

impl Gate for Guard {
    type Pass = Admitted;

    fn enter(&self, mut request: Parts) -> Eventual<Verdict<Admitted>> {
        let walk = &self.0.walk;
        let arrival = match walk.arrive(&mut request) {
            Ok(arrival) => arrival,
            Err(reason) => return Eventual::Ready(Verdict::refuse(request, reason)),
        };
        if let Some(blocked) = walk.near(&arrival) {
            return Eventual::Ready(Verdict::refuse(request, blocked));
        }
        #[cfg(feature = "jwt")]
        {
            let resource = self.0.resource.as_ref();
            if let Some(answer) = resource.and_then(|resource| resource.answer(&request)) {
                return Eventual::Ready(match answer {
                    Ok(response) => Verdict::answer(request, response),
                    Err(rejection) => Verdict::refuse(request, rejection),
                });
            }
            walk.judge.challenges.join(&mut request);
            // First of all, so that nothing of what follows can go by them.
            if let Some(forward) = &self.0.forward {
                forward.clear(&mut request.headers);
            }
            if let Some(tokens) = &self.0.tokens {
                tokens.settle(&mut request);
                return match tokens.identify(&request) {
                    Eventual::Ready(found) => self.decide(tokens, request, arrival, found),
                    Eventual::Pending(found) => {
                        let (guard, tokens) = (self.clone(), tokens.clone());
                        Eventual::later(async move {
                            let found = found.await;
                            guard.decide(&tokens, request, arrival, found).await
                        })
                    }
                };
            }
        }
        let identity = Guarded::of(&mut request).identity.clone();
        #[cfg(feature = "jwt")]
        self.forward(&identity, &mut request);
        walk.ask(request, arrival, &identity)
    }

    fn door(&self) -> &Door {
        &self.0.walk.judge.door
    }
}

#[cfg(feature = "jwt")]
impl Guard {
    /// Asks the store about all that is known, and only then judges the token.
    fn decide(
        &self,
        tokens: &JwtLayer,
        request: Parts,
        arrival: Arrival,
        mut found: Result<Found, Reason>,
    ) -> Eventual<Verdict<Admitted>> {
        let nonce = found.as_mut().ok().and_then(|found| found.nonce.take());
        let decided = self.judge(tokens, request, arrival, found);
        let Some(nonce) = nonce else { return decided };
        decided.map(move |Verdict { parts, mut outcome }| {
            match &mut outcome {
                Outcome::Admit(pass) => pass.nonce = Some(nonce),
                Outcome::Refuse(rejection) => nonce.write(rejection.headers_mut()),
                Outcome::Answer(response) => nonce.write(response.headers_mut()),
            }
            Verdict { parts, outcome }
        })
    }

    fn judge(
        &self,
        tokens: &JwtLayer,
        mut request: Parts,
        arrival: Arrival,
        found: Result<Found, Reason>,
    ) -> Eventual<Verdict<Admitted>> {
        let refusal = tokens.mode.refuses(&found);
        let Found { identity, proof, .. } = found.unwrap_or_default();
        Guarded::of(&mut request).identity = identity.clone();
        self.forward(&identity, &mut request);
        // Given on as it comes: a verdict is large, and to hold it would be to copy it.
        let guard = match (refusal, &identity) {
            (None, Identity::Anonymous | Identity::Known(_)) => {
                if let Some(proof) = proof {
                    return self.once(tokens, request, arrival, &identity, proof);
                }
                return self.0.walk.ask(request, arrival, &identity);
            }
            _ => self.clone(),
        };
        let verdict = self.0.walk.ask(request, arrival, &identity);
        verdict.map(move |Verdict { parts, outcome }| match (outcome, refusal, identity) {
            (Outcome::Admit(pass), Some(reason), _) => {
                let mut rejection = Rejection::from(reason);
                pass.write(rejection.headers_mut());
                Verdict::refuse(parts, rejection)
            }
            (Outcome::Admit(pass), None, Identity::Invalid(fault)) => {
                guard.door().record(&parts, Act::BadToken(fault.into()));
                Verdict::admit(parts, pass)
            }
            (outcome, ..) => Verdict { parts, outcome },
        })
    }

    /// Asks the store about the proof besides. One that was used before is a bad token, and counts as one: the limits,
    /// which nothing was taken from, are asked again.
    fn once(
        &self,
        tokens: &JwtLayer,
        request: Parts,
        arrival: Arrival,
        identity: &Identity,
        proof: Take,
    ) -> Eventual<Verdict<Admitted>> {
        let (guard, tokens) = (self.clone(), tokens.clone());
        let asked = self.0.walk.ask_once(request, arrival, identity, proof);
        asked.then(move |asked| match asked {
            Ok(verdict) => Eventual::Ready(verdict),
            Err(mut request) => {
                // Who replays a proof is nobody, to the service inside as well.
                if let Some(forward) = &guard.0.forward {
                    forward.clear(&mut request.headers);
                }
                guard.decide(&tokens, request, arrival, Ok(replayed().into()))
            }
        })
    }

    fn forward(&self, identity: &Identity, request: &mut Parts) {
        if let (Some(forward), Some(claims)) = (&self.0.forward, identity.claims()) {
            forward.write(claims, &mut request.headers);
        }
    }
}
