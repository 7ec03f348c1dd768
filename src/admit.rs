//! The one walk from a request to a verdict: resolve, ask once, judge.
//!
//! `RateLimitLayer`, `BlockLayer` and `Portcullis` are this walk with one rule, with another, and with all.

use crate::{
    audit::Act,
    block::{AddressRules, AddressStanding, Ladder},
    client::{Client, Clients},
    eventual::Eventual,
    gate::{Door, Pass, Verdict},
    guarded::Guarded,
    identity::{Identity, TokenFault, challenge},
    key::{KeyBy, KeyKind, Seen},
    limit::{Decision, Encoded, Encoder, Headers, Limit, Name},
    rejection::{Reason, Rejection},
    store::{
        Absent, Answer, Asks, Blocked, Outcome, SharedStore, Standing, StoreError, Strike, Take,
    },
};
use http::{HeaderMap, request, response};
use smallvec::SmallVec;
use std::time::Duration;

/// Rules, and where to ask about them.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    pub(crate) judge: Judge,
    pub(crate) clients: Clients,
    pub(crate) addresses: AddressRules,
    /// Keys that must not be blocked.
    pub(crate) absent: SmallVec<[KeyBy; 2]>,
    /// Whether sessions and subjects of good tokens must not be revoked.
    pub(crate) revocations: bool,
    /// What bad tokens lead to.
    pub(crate) bad_tokens: Option<Ladder>,
    limits: Vec<Named>,
    headers: Headers,
}

/// What is needed once the store has answered. A clone is reference counts only.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) door: Door,
    store: SharedStore,
    encoder: Encoder,
}

/// A client that is not denied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    client: Client,
    /// Never struck or blocked: allowed, or one of our own proxies.
    spared: bool,
}

#[derive(Clone, Debug)]
struct Named {
    name: Name,
    limit: Limit,
}

/// The pass of limits and blocks: tells on the way out how the client stands.
#[derive(Debug)]
pub struct Admitted(Encoded);

const BAD_TOKEN: &str = "bad-token";

impl Walk {
    pub(crate) fn new(store: SharedStore) -> Self {
        Self {
            judge: Judge { door: Door::new(), store, encoder: Encoder::default() },
            clients: Clients::direct(),
            addresses: AddressRules::new(),
            absent: SmallVec::new(),
            revocations: false,
            bad_tokens: None,
            limits: Vec::new(),
            headers: Headers::default(),
        }
    }

    pub(crate) fn limit(&mut self, limit: Limit) {
        self.limits.push(Named { name: limit.name(), limit });
        self.headers(self.headers);
    }

    pub(crate) fn headers(&mut self, headers: Headers) {
        self.headers = headers;
        let limits = self.limits.iter().map(|named| &named.limit);
        self.judge.encoder = Encoder::new(headers, limits);
    }

    /// The whole walk for a layer that verifies nothing itself.
    pub(crate) fn enter(&self, mut request: request::Parts) -> Eventual<Verdict<Admitted>> {
        match self.arrive(&mut request) {
            Ok(arrival) => {
                let identity = Guarded::of(&mut request).identity.clone();
                self.ask(request, arrival, &identity)
            }
            Err(reason) => Eventual::Ready(Verdict::refuse(request, reason)),
        }
    }

    /// Who is calling, unless the address is denied.
    pub(crate) fn arrive(&self, request: &mut request::Parts) -> Result<Arrival, Reason> {
        let client = self.clients.of(request)?;
        match self.addresses.standing(client.address()) {
            AddressStanding::Denied => Err(Reason::Denied),
            AddressStanding::Allowed => Ok(Arrival { client, spared: true }),
            AddressStanding::Neither => Ok(Arrival { client, spared: client.is_trusted() }),
        }
    }

    /// A block on the address that is known without a question, before anything dear is done.
    pub(crate) fn near(&self, arrival: &Arrival) -> Option<Blocked> {
        if arrival.spared { None } else { self.judge.store.near(arrival.client.key()) }
    }

    /// Asks the store once about everything.
    pub(crate) fn ask(
        &self,
        request: request::Parts,
        arrival: Arrival,
        identity: &Identity,
    ) -> Eventual<Verdict<Admitted>> {
        let asks = self.asks(&request, &arrival, identity);
        if asks.is_empty() {
            return Eventual::Ready(Verdict::admit(request, Admitted(Encoded::default())));
        }
        let takes = SmallVec::from_slice(&asks.takes);
        match self.judge.store.admit(asks) {
            Eventual::Ready(answer) => Eventual::Ready(self.judge.judge(request, takes, answer)),
            Eventual::Pending(answer) => {
                let judge = self.judge.clone();
                Eventual::later(async move { judge.judge(request, takes, answer.await) })
            }
        }
    }

    fn asks(&self, parts: &request::Parts, arrival: &Arrival, identity: &Identity) -> Asks {
        let Arrival { client, spared } = arrival;
        let pepper = self.judge.store.pepper();
        let seen = Seen { client, identity, parts, pepper };
        let may_block = |by: &KeyBy| !(*spared && by.is_of_client(seen));
        // Whatever the key, a block "of tokens until now" spares who shows a newer one.
        let issued_at = identity.claims().and_then(|claims| claims.registered().issued_at);
        let mut asks = Asks::new();
        let keys = self.absent.iter().filter(|by| may_block(by)).filter_map(|by| by.key(seen));
        for key in keys {
            asks.absent.push(Absent { key, issued_at });
        }
        if let (true, Some(claims)) = (self.revocations, identity.claims()) {
            let keys = [claims.session_key(pepper), claims.subject_key(pepper)];
            for key in keys.into_iter().flatten() {
                asks.absent.push(Absent { key, issued_at });
            }
        }
        for Named { name, limit } in &self.limits {
            let by = limit.key_by();
            if let Some(key) = by.key(seen) {
                let mut take = limit.take_named(*name, key, limit.cost_of(parts));
                take.ladder = take.ladder.filter(|_| may_block(by));
                // A limit that leads to blocks keeps them, too: there may be no other layer that does.
                let keeps = take.ladder.is_some() && !take.shadow;
                if keeps && asks.absent.iter().all(|absent| absent.key != key) {
                    asks.absent.push(Absent { key, issued_at });
                }
                asks.takes.push(take);
            }
        }
        if let (Identity::Invalid(fault), Some(ladder)) = (identity, self.bad_tokens)
            && fault.is_suspicious()
            && !spared
        {
            asks.strikes.push(Strike { key: client.key(), cause: BAD_TOKEN.into(), ladder });
        }
        asks
    }
}

// === impl Judge ===

impl Judge {
    fn judge(
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
            let lasting = Some(started.lasting);
            self.door.record(&request, Act::Blocked { key: started.key, lasting });
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
                Verdict::admit(request, Admitted(encoded))
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

    fn report_shadows(&self, request: &request::Parts, takes: &[Take], standings: &[Standing]) {
        for (take, _) in exceeded(takes, standings).filter(|(take, _)| take.shadow) {
            self.door.record(request, Act::WouldRefuse(take.limit));
        }
    }
}

fn exceeded<'a>(
    takes: &'a [Take],
    standings: &'a [Standing],
) -> impl Iterator<Item = (&'a Take, &'a Standing)> {
    takes.iter().zip(standings).filter(|(_, stands)| stands.wait > 0)
}

impl Admitted {
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        self.0.write(headers);
    }
}

impl Pass for Admitted {
    fn leave(self, answer: &mut response::Parts) {
        self.write(&mut answer.headers);
    }
}

/// The refusal that a block leads to, for handlers that ask a [`Blocklist`](crate::Blocklist) by themselves.
///
/// A blocked session, and a block on what was issued until a moment, are revoked tokens: a new login
/// helps. A block without an end is a denial.
impl From<Blocked> for Rejection {
    fn from(Blocked { key, remaining, since }: Blocked) -> Self {
        match remaining {
            _ if since.is_some() || key.kind() == KeyKind::Session => {
                challenge::reject(Reason::TokenInvalid(TokenFault::Revoked))
            }
            Some(remaining) => Self::new(Reason::Blocked).retry_after(remaining),
            None => Self::new(Reason::Denied),
        }
    }
}

/// 503, to be tried again after a second. The error's text is for logs and is not told.
impl From<StoreError> for Rejection {
    fn from(_: StoreError) -> Self {
        Self::new(Reason::StoreUnavailable).retry_after(Duration::from_secs(1))
    }
}
