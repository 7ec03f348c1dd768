//! From the answer of the store to the verdict.

use crate::{
    audit::Act,
    gate::{Door, Pass, Verdict},
    guarded::Guarded,
    identity::{TokenFault, challenge},
    key::KeyKind,
    limit::{Decision, Encoded, Encoder},
    meter::Count,
    rejection::{Reason, Rejection},
    store::{Answer, Blocked, Outcome, SharedStore, Standing, StoreError, Take},
};
#[cfg(feature = "jwt")]
use crate::{identity::Challenges, jwt::NextNonce};
use http::{HeaderMap, request, response};
use smallvec::SmallVec;

/// What is needed once the store has answered. A clone is reference counts only.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) door: Door,
    #[cfg(feature = "jwt")]
    pub(crate) challenges: Challenges,
    pub(super) store: SharedStore,
    pub(super) encoder: Encoder,
    admitted: Count,
}

impl Judge {
    pub(super) fn new(store: SharedStore, layer: &'static str) -> Self {
        let door = Door::of(layer);
        Self {
            admitted: door.admitted(),
            door,
            #[cfg(feature = "jwt")]
            challenges: Challenges::default(),
            store,
            encoder: Encoder::default(),
        }
    }

    /// Names the layer in audit events and metrics.
    pub(crate) fn name(&mut self, layer: &'static str) {
        self.door = self.door.clone().named(layer);
        self.admitted = self.door.admitted();
    }

    pub(super) fn judge(
        &self,
        mut request: request::Parts,
        takes: SmallVec<[Take; 2]>,
        answer: Result<Answer, StoreError>,
    ) -> Verdict<Admitted> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Verdict::refuse(request, error),
        };
        for started in &answer.started {
            self.door.record(&request, Act::from(started));
        }
        let standings = answer.standings;
        let encoded = self.encoder.encode(&takes, &standings);
        match answer.outcome {
            Outcome::Admitted => {
                self.report_shadows(&request, &takes, &standings);
                if !takes.is_empty() {
                    let guarded = Guarded::of(&mut request);
                    let outer = guarded.decision.take();
                    let decision = Decision::new(self.store.clone(), takes, standings);
                    guarded.decision = Some(decision.inside(outer));
                }
                self.admit(request, encoded)
            }
            Outcome::Refused { wait, .. } => {
                let mut rejection = Rejection::new(Reason::RateLimited).retry_after(wait);
                for (take, _) in exceeded(&takes, &standings).filter(|(take, _)| !take.shadow) {
                    rejection = rejection.violates(take.limit);
                }
                encoded.write(rejection.headers_mut());
                Verdict::refuse(request, rejection)
            }
            Outcome::Blocked { key, remaining, since } => {
                let mut rejection = Rejection::from(Blocked { key, remaining, since });
                encoded.write(rejection.headers_mut());
                Verdict::refuse(request, rejection)
            }
        }
    }

    pub(super) fn admit(&self, request: request::Parts, says: Encoded) -> Verdict<Admitted> {
        let admitted = Admitted {
            says,
            count: self.admitted.clone(),
            #[cfg(feature = "jwt")]
            nonce: None,
        };
        Verdict::admit(request, admitted)
    }

    fn report_shadows(&self, request: &request::Parts, takes: &[Take], standings: &[Standing]) {
        for (take, _) in exceeded(takes, standings).filter(|(take, _)| take.shadow) {
            self.door.record(request, Act::WouldRefuse(take.limit));
        }
    }
}

/// The pass of limits and blocks: tells on the way out how the client stands.
#[derive(Debug, Default)]
pub struct Admitted {
    says: Encoded,
    count: Count,
    /// For the proofs of the client.
    #[cfg(feature = "jwt")]
    pub(crate) nonce: Option<NextNonce>,
}

impl Admitted {
    /// The headers alone, for a request that is refused all the same.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        self.says.write(headers);
        #[cfg(feature = "jwt")]
        if let Some(nonce) = self.nonce {
            nonce.write(headers);
        }
    }
}

impl Pass for Admitted {
    fn leave(self, answer: &mut response::Parts) {
        self.count.one();
        self.write(&mut answer.headers);
    }
}

/// The refusal that a block leads to, for handlers that ask a [`Blocklist`](crate::Blocklist) by themselves.
///
/// A blocked session, token or issuer, and a block on what was issued until a moment, are revoked tokens: a new
/// login helps. A block without an end is a denial.
impl From<Blocked> for Rejection {
    fn from(Blocked { key, remaining, since }: Blocked) -> Self {
        match remaining {
            _ if since.is_some() || is_of_token(key.kind()) => {
                challenge::reject(Reason::TokenInvalid(TokenFault::Revoked))
            }
            Some(remaining) => Self::new(Reason::Blocked).retry_after(remaining),
            None => Self::new(Reason::Denied),
        }
    }
}

const fn is_of_token(kind: KeyKind) -> bool {
    matches!(kind, KeyKind::Session | KeyKind::Token | KeyKind::Issuer)
}

/// 503, to be tried again after a second. The error's text is for logs and is not told.
impl From<StoreError> for Rejection {
    fn from(_: StoreError) -> Self {
        challenge::reject(Reason::StoreUnavailable)
    }
}

fn exceeded<'a>(
    takes: &'a [Take],
    standings: &'a [Standing],
) -> impl Iterator<Item = (&'a Take, &'a Standing)> {
    takes.iter().zip(standings).filter(|(_, stands)| stands.wait > 0)
}
