use crate::{
    eventual::Eventual,
    gate::{Door, Gate, Outcome, Verdict},
    jwt::{RequireClaim, RequireScope, ResourceMetadata},
};
use http::request::Parts;

/// What a route demands of a good token.
#[derive(Clone, Debug)]
pub(super) struct Demands {
    scopes: Option<RequireScope>,
    claims: Vec<RequireClaim>,
    door: Door,
}

impl Demands {
    /// None, for whoever is not asked for a token.
    pub(super) fn none() -> Self {
        Self::new(None, Vec::new(), None)
    }

    pub(super) fn new(
        scopes: Option<RequireScope>,
        claims: Vec<RequireClaim>,
        resource: Option<&ResourceMetadata>,
    ) -> Self {
        let door = Door::of("require");
        let Some(resource) = resource else { return Self { scopes, claims, door } };
        Self {
            scopes: scopes.map(|scopes| scopes.resource_metadata(resource)),
            claims: claims.into_iter().map(|claim| claim.resource_metadata(resource)).collect(),
            door,
        }
    }
}

impl Gate for Demands {
    type Pass = ();

    /// One after the other, until the first that refuses. None of them waits.
    fn enter(&self, request: Parts) -> Eventual<Verdict<()>> {
        let mut verdict = match &self.scopes {
            Some(scopes) => scopes.enter(request),
            None => Eventual::Ready(Verdict::admit(request, ())),
        };
        for claim in &self.claims {
            verdict = match verdict {
                Eventual::Ready(Verdict { parts, outcome: Outcome::Admit(()) }) => {
                    claim.enter(parts)
                }
                settled => return settled,
            };
        }
        verdict
    }

    fn door(&self) -> &Door {
        &self.door
    }
}
