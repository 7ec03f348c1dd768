use super::{TokenSource, Verifier, bearer::token68, resource::own_challenges};
use crate::{
    audit::Act,
    eventual::Eventual,
    gate::{Door, Gate, Verdict, impl_layer, own_door},
    guarded::Guarded,
    identity::{Identity, challenge::Challenges},
    meter,
    rejection::Reason,
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
    pub(crate) fn refuses(self, found: &Result<Identity, Reason>) -> Option<Reason> {
        match (found, self) {
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
            challenges: Challenges::default(),
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

    own_challenges!(challenges);
    own_door!(door);
}

impl JwtLayer {
    /// Who the token of a request says is calling. Without keys to wait for, it answers at once.
    ///
    /// Fails when there is more than one token, which is for nobody to choose from.
    pub(crate) fn identify(&self, request: &Parts) -> Eventual<Result<Identity, Reason>> {
        let token = match self.source.find(&request.headers) {
            Ok(Some(token)) => token,
            Ok(None) => return Eventual::Ready(Ok(Identity::Anonymous)),
            Err(reason) => return Eventual::Ready(Err(reason)),
        };
        // A remembered token is not looked into again.
        if let Some(claims) = self.verifier.recall(token) {
            return Eventual::Ready(Ok(Identity::Known(claims)));
        }
        match token68(token) {
            Ok(token) => self.verifier.verify_anew(token).map(|verified| {
                Ok(match verified {
                    Ok(claims) => Identity::Known(claims),
                    Err(fault) => Identity::Invalid(fault),
                })
            }),
            Err(fault) => {
                meter::bad_token(fault);
                Eventual::Ready(Ok(Identity::Invalid(fault)))
            }
        }
    }
}

impl From<Verifier> for JwtLayer {
    fn from(verifier: Verifier) -> Self {
        Self::new(verifier)
    }
}

impl Gate for JwtLayer {
    type Pass = ();

    fn enter(&self, request: Parts) -> Eventual<Verdict<()>> {
        match self.identify(&request) {
            Eventual::Ready(found) => {
                Eventual::Ready(decide(self.mode, &self.challenges, &self.door, request, found))
            }
            Eventual::Pending(found) => {
                let (mode, challenges, door) =
                    (self.mode, self.challenges.clone(), self.door.clone());
                Eventual::later(
                    async move { decide(mode, &challenges, &door, request, found.await) },
                )
            }
        }
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

impl_layer!(JwtLayer);

fn decide(
    mode: Mode,
    challenges: &Challenges,
    door: &Door,
    mut request: Parts,
    found: Result<Identity, Reason>,
) -> Verdict<()> {
    let refusal = mode.refuses(&found);
    let identity = found.unwrap_or_default();
    let fault = match identity {
        Identity::Invalid(fault) => Some(fault),
        Identity::Anonymous | Identity::Known(_) => None,
    };
    // Before the door sees the request, as it tells the sink what is known of the caller.
    Guarded::of(&mut request).identity = identity;
    if let Some(reason) = refusal {
        return Verdict::refuse(request, challenges.reject(reason));
    }
    if let Some(fault) = fault {
        door.record(&request, Act::BadToken(fault.into()));
    }
    Verdict::admit(request, ())
}
