//! Two gates in one service, where the first one's pass decorates the second one's refusal; and perhaps
//! a gate.

use super::{Door, Gate, Outcome, Pass, Verdict};
use crate::eventual::Eventual;
use http::{Response, request};

impl<A, B> Gate for (A, B)
where
    A: Gate,
    B: Gate + Clone + Send + Sync + 'static,
{
    type Pass = (A::Pass, B::Pass);

    fn enter(&self, request: request::Parts) -> Eventual<Verdict<Self::Pass>> {
        match self.0.enter(request) {
            Eventual::Ready(Verdict { parts, outcome }) => match outcome {
                Outcome::Admit(first) => enter_second(&self.1, parts, first),
                Outcome::Refuse(rejection) => Eventual::Ready(Verdict::refuse(parts, rejection)),
                Outcome::Answer(response) => Eventual::Ready(Verdict::answer(parts, response)),
            },
            Eventual::Pending(verdict) => {
                let second = self.1.clone();
                Eventual::later(async move {
                    let Verdict { parts, outcome } = verdict.await;
                    match outcome {
                        Outcome::Admit(first) => enter_second(&second, parts, first).await,
                        Outcome::Refuse(rejection) => Verdict::refuse(parts, rejection),
                        Outcome::Answer(response) => Verdict::answer(parts, response),
                    }
                })
            }
        }
    }

    fn door(&self) -> &Door {
        self.0.door()
    }
}

/// A gate that may not be there: then everybody passes.
impl<G> Gate for Option<G>
where
    G: Gate,
{
    type Pass = Option<G::Pass>;

    fn enter(&self, request: request::Parts) -> Eventual<Verdict<Self::Pass>> {
        let Some(gate) = self else {
            return Eventual::Ready(Verdict::admit(request, None));
        };
        gate.enter(request).map(|Verdict { parts, outcome }| match outcome {
            Outcome::Admit(pass) => Verdict::admit(parts, Some(pass)),
            Outcome::Refuse(rejection) => Verdict::refuse(parts, rejection),
            Outcome::Answer(response) => Verdict::answer(parts, response),
        })
    }

    fn door(&self) -> &Door {
        self.as_ref().map_or(&Door::DEFAULT, Gate::door)
    }
}

/// Goes on to the second gate with the pass of the first.
pub(crate) fn enter_second<A, B>(
    second: &B,
    parts: request::Parts,
    first: A,
) -> Eventual<Verdict<(A, B::Pass)>>
where
    A: Pass,
    B: Gate + Clone + Send + Sync + 'static,
{
    match second.enter(parts) {
        Eventual::Ready(verdict) => Eventual::Ready(join(second, first, verdict)),
        Eventual::Pending(verdict) => {
            let second = second.clone();
            Eventual::later(async move { join(&second, first, verdict.await) })
        }
    }
}

/// Writes the second gate's refusal while the first one's pass can still decorate it.
fn join<A, B>(second: &B, first: A, verdict: Verdict<B::Pass>) -> Verdict<(A, B::Pass)>
where
    A: Pass,
    B: Gate,
{
    let Verdict { parts, outcome } = verdict;
    let response = match outcome {
        Outcome::Admit(pass) => return Verdict::admit(parts, (first, pass)),
        Outcome::Refuse(rejection) => second.door().refuse(&parts, rejection),
        Outcome::Answer(response) => response,
    };
    let (mut head, body) = response.into_parts();
    first.leave(&mut head);
    Verdict::answer(parts, Response::from_parts(head, body))
}
