use super::{
    Certificates, Dpop, TokenSource, Verifier,
    bearer::{Scheme, token68},
    dpop::NextNonce,
    resource::own_challenges,
};
use crate::{
    audit::Act,
    eventual::Eventual,
    gate::{Door, Gate, Verdict, impl_layer, own_door},
    guarded::Guarded,
    identity::{Challenges, Claims, Identity, Proving, TokenFault},
    meter,
    rejection::{Reason, Rejection},
    store::Take,
};
use http::request::Parts;

/// Verifies the bearer token of each request. Gate and layer in one; see the [module docs](super).
///
/// Handlers find the result in [`Guarded::identity`].
#[derive(Clone, Debug)]
#[must_use]
pub struct JwtLayer {
    verifier: Verifier,
    source: TokenSource,
    pub(crate) mode: Mode,
    pub(crate) challenges: Challenges,
    dpop: Option<Dpop>,
    certificates: Option<Certificates>,
    door: Door,
}

/// What becomes of requests without a good token. Two tokens at once are refused in every mode.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// They are refused: 401.
    #[default]
    Required,
    /// Those without a token pass as anonymous; those with a bad one are refused, never made anonymous.
    Optional,
    /// They pass, as [`Identity::Anonymous`] or [`Identity::Invalid`], for layers between to count. A
    /// [`RequireAuth`](super::RequireAuth) innermost refuses them.
    PassInvalid,
}

impl Mode {
    /// Why a request with this finding is refused, if it is.
    pub(crate) fn refuses(self, found: &Result<Found, Reason>) -> Option<Reason> {
        match (found.as_ref().map(|found| &found.identity), self) {
            (Err(reason), _) => Some(*reason),
            (Ok(Identity::Known(_)), _)
            | (Ok(Identity::Anonymous), Self::Optional | Self::PassInvalid)
            | (Ok(Identity::Invalid(_)), Self::PassInvalid) => None,
            (Ok(Identity::Anonymous), Self::Required) => Some(Reason::TokenMissing),
            (Ok(Identity::Invalid(fault)), _) => Some((*fault).into()),
        }
    }
}

impl JwtLayer {
    /// Asks `verifier` about the `Authorization` header and requires a good token.
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            source: TokenSource::default(),
            mode: Mode::default(),
            challenges: Challenges::default().with_proofs(Proving::Never),
            dpop: None,
            certificates: None,
            door: Door::of("jwt"),
        }
    }

    /// Sets where the token is.
    pub fn source(mut self, source: TokenSource) -> Self {
        self.source = source;
        self
    }

    /// Sets what becomes of requests without a good token.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Asks senders of tokens that are bound to a key for proofs; see [`dpop`](super::dpop).
    pub fn dpop(mut self, rules: Dpop) -> Self {
        let proofs = if rules.is_required() { Proving::Always } else { Proving::IfBound };
        self.challenges = self.challenges.with_proofs(proofs);
        self.dpop = Some(rules);
        self
    }

    /// Asks senders of tokens that are bound to a certificate for it; see [`certificates`](super::certificates).
    pub fn certificates(mut self, rules: Certificates) -> Self {
        self.certificates = Some(rules);
        self
    }

    own_challenges!(challenges);
    own_door!(door);
}

impl JwtLayer {
    /// Who the token of a request says is calling. Without keys to wait for, it answers at once.
    ///
    /// Fails when there is more than one token, which is for nobody to choose from.
    pub(crate) fn identify(&self, request: &Parts) -> Eventual<Result<Found, Reason>> {
        let schemes = if self.dpop.is_some() { Dpop::SCHEMES } else { &[Scheme::Bearer] };
        let (scheme, token) = match self.source.find_of(schemes, &request.headers) {
            Ok(Some(found)) => found,
            Ok(None) => return Eventual::Ready(Ok(Found::default())),
            Err(reason) => return Eventual::Ready(Err(reason)),
        };
        let verified = self.with_certificate(request, self.verify(token));
        // Whether the token is remembered or not, a proof is always looked into.
        let Some(dpop) = &self.dpop else { return verified.map(|claims| Ok(claims.into())) };
        let evidence = dpop.examine(request, scheme, token, self.verifier.now());
        verified.map(move |claims| {
            let proven = claims.and_then(|claims| Ok((evidence.judge(&claims)?, claims)));
            let nonce = evidence.nonce(proven.as_ref().err().copied());
            Ok(match proven {
                Ok((proof, claims)) => Found { proof, nonce, ..Ok(claims).into() },
                Err(fault) => Found { nonce, ..Err(fault).into() },
            })
        })
    }

    /// Takes the header of a certificate out of a request: what is told there counts or does not, and nobody inside sees it.
    pub(crate) fn settle(&self, request: &mut Parts) {
        if let Some(rules) = &self.certificates {
            rules.settle(request);
        }
    }

    fn with_certificate(
        &self,
        request: &Parts,
        verified: Eventual<Result<Claims, TokenFault>>,
    ) -> Eventual<Result<Claims, TokenFault>> {
        let Some(rules) = self.certificates.clone() else { return verified };
        let shown = rules.shown(request);
        verified.map(move |claims| claims.and_then(|it| rules.judge(&it, shown).map(|()| it)))
    }

    /// Asks the store whether the proof that was found is used for the first time.
    #[cfg(feature = "otp")]
    pub(crate) fn spend(&self, found: Result<Found, Reason>) -> Eventual<Result<Found, Reason>> {
        match &self.dpop {
            Some(dpop) => dpop.spend(found),
            None => Eventual::Ready(found),
        }
    }

    fn verify(&self, token: &[u8]) -> Eventual<Result<Claims, TokenFault>> {
        // A remembered token is not looked into again.
        if let Some(claims) = self.verifier.recall(token) {
            return Eventual::Ready(Ok(claims));
        }
        match token68(token) {
            Ok(token) => self.verifier.verify_anew(token),
            Err(fault) => {
                meter::bad_token(fault);
                Eventual::Ready(Err(fault))
            }
        }
    }

    fn decide(
        &self,
        mut request: Parts,
        found: Result<Found, Reason>,
    ) -> Verdict<Option<NextNonce>> {
        let refusal = self.mode.refuses(&found);
        let Found { identity, nonce, .. } = found.unwrap_or_default();
        let fault = match identity {
            Identity::Invalid(fault) => Some(fault),
            Identity::Anonymous | Identity::Known(_) => None,
        };
        // Before the door sees the request, as it tells the sink what is known of the caller.
        Guarded::of(&mut request).identity = identity;
        self.challenges.join(&mut request);
        if let Some(reason) = refusal {
            let mut rejection = Rejection::from(reason);
            if let Some(nonce) = nonce {
                nonce.write(rejection.headers_mut());
            }
            return Verdict::refuse(request, rejection);
        }
        if let Some(fault) = fault {
            self.door.record(&request, Act::BadToken(fault.into()));
        }
        Verdict::admit(request, nonce)
    }
}

/// Who is calling, and the proof of it that must not have been used before.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) identity: Identity,
    pub(crate) proof: Option<Take>,
    /// What goes along with the answer.
    pub(crate) nonce: Option<NextNonce>,
}

impl From<Identity> for Found {
    fn from(identity: Identity) -> Self {
        Self { identity, proof: None, nonce: None }
    }
}

impl From<Result<Claims, TokenFault>> for Found {
    fn from(verified: Result<Claims, TokenFault>) -> Self {
        match verified {
            Ok(claims) => Identity::Known(claims).into(),
            Err(fault) => Identity::Invalid(fault).into(),
        }
    }
}

impl From<Verifier> for JwtLayer {
    fn from(verifier: Verifier) -> Self {
        Self::new(verifier)
    }
}

impl Gate for JwtLayer {
    type Pass = Option<NextNonce>;

    fn enter(&self, mut request: Parts) -> Eventual<Verdict<Option<NextNonce>>> {
        self.settle(&mut request);
        let found = self.identify(&request);
        let found = match self.dpop.clone() {
            Some(dpop) => found.then(move |found| dpop.spend(found)),
            None => found,
        };
        match found {
            Eventual::Ready(found) => Eventual::Ready(self.decide(request, found)),
            Eventual::Pending(found) => {
                let layer = self.clone();
                Eventual::later(async move { layer.decide(request, found.await) })
            }
        }
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

impl_layer!(JwtLayer);
