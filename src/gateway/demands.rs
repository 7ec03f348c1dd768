use crate::{
    eventual::Eventual,
    gate::{Door, Gate, Outcome, Verdict},
    jwt::{RequireClaim, RequireScope},
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
        Self::new(None, Vec::new())
    }

    pub(super) fn new(scopes: Option<RequireScope>, claims: Vec<RequireClaim>) -> Self {
        Self { scopes, claims, door: Door::of("require") }
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
