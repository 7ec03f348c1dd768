//! The one walk from a request to a verdict: resolve, ask once, judge.
//!
//! `RateLimitLayer`, `BlockLayer` and `Portcullis` are this walk with one rule, with another, and with all.

mod judge;

pub use judge::Admitted;
pub(crate) use judge::Judge;

#[cfg(feature = "jwt")]
use crate::store::{Outcome, Take};
use crate::{
    block::{AddressRules, AddressStanding, Ladder},
    client::{Client, Clients},
    eventual::Eventual,
    gate::Verdict,
    guarded::Guarded,
    identity::Identity,
    key::{KeyBy, Seen},
    limit::{Encoded, Encoder, Headers, Limit, Name},
    meter,
    rejection::Reason,
    store::{Absent, Asks, Blocked, SharedStore, Strike},
};
use http::request;
use smallvec::SmallVec;

/// Rules, and where to ask about them.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    pub(crate) judge: Judge,
    pub(crate) clients: Clients,
    pub(crate) addresses: AddressRules,
    /// Keys that must not be blocked.
    pub(crate) absent: SmallVec<[KeyBy; 2]>,
    /// Whether good tokens, their sessions, subjects and issuers must not be revoked.
    pub(crate) revocations: bool,
    /// What bad tokens lead to.
    pub(crate) bad_tokens: Option<Ladder>,
    limits: Vec<Named>,
    headers: Headers,
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

const BAD_TOKEN: &str = "bad-token";

impl Walk {
    /// A walk without rules, for a layer of this name.
    pub(crate) fn new(store: SharedStore, layer: &'static str) -> Self {
        Self {
            judge: Judge::new(store, layer),
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
        #[cfg(feature = "jwt")]
        self.judge.challenges.join(&mut request);
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
            return Eventual::Ready(self.judge.admit(request, Encoded::default()));
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

    /// Like [`ask`](Self::ask), and in the same question whether `proof` is used for the first time. A request whose proof is
    /// not is given back: nothing was taken for it.
    #[cfg(feature = "jwt")]
    pub(crate) fn ask_once(
        &self,
        request: request::Parts,
        arrival: Arrival,
        identity: &Identity,
        proof: Take,
    ) -> Eventual<Result<Verdict<Admitted>, request::Parts>> {
        let asks = self.asks(&request, &arrival, identity);
        let (judge, takes) = (self.judge.clone(), SmallVec::from_slice(&asks.takes));
        self.judge.store.admit(asks.take(proof)).map(move |mut answer| {
            // No standing is the proof's where a block came first.
            let proof = match &mut answer {
                Ok(answer) if answer.standings.len() > takes.len() => answer.standings.pop(),
                _ => None,
            };
            let refused =
                answer.as_ref().is_ok_and(|said| matches!(said.outcome, Outcome::Refused { .. }));
            if refused && proof.is_some_and(|proof| proof.wait > 0) {
                return Err(request);
            }
            Ok(judge.judge(request, takes, answer))
        })
    }

    fn asks(&self, parts: &request::Parts, arrival: &Arrival, identity: &Identity) -> Asks {
        let Arrival { client, spared } = arrival;
        let pepper = self.judge.store.pepper();
        let seen = Seen { client, identity, parts, pepper };
        let may_block = |by: &KeyBy| !(*spared && by.is_of_client(seen));
        // Whatever the key, a block "of tokens until now" spares who shows a newer one.
        // One that does not say when it was issued counts as old.
        let issued_at =
            identity.claims().map(|claims| claims.registered().issued_at.unwrap_or_default());
        let mut asks = Asks::new();
        let keys = self.absent.iter().filter(|by| may_block(by)).filter_map(|by| by.key(seen));
        for key in keys {
            asks.absent.push(Absent { key, issued_at });
        }
        if let (true, Some(claims)) = (self.revocations, identity.claims()) {
            for key in claims.revocable(pepper).into_iter().flatten() {
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
            let cause = BAD_TOKEN.into();
            asks.strikes.push(Strike { key: client.key(), cause, ladder });
            meter::strike(cause);
        }
        asks
    }
}

/// What a layer with a field `walk` is besides its own rule: settings, gate and layer.
macro_rules! walking_layer {
    ($layer:ty) => {
        impl $layer {
            /// How the client is found, if no layer outside has.
            pub fn clients(mut self, clients: $crate::client::Clients) -> Self {
                self.walk.clients = clients;
                self
            }

            /// Addresses that are denied for good, and those that are never struck or blocked.
            pub fn addresses(mut self, rules: $crate::block::AddressRules) -> Self {
                self.walk.addresses = rules;
                self
            }

            /// Sets the name in audit events and metrics, where layers of a kind are to be told apart.
            pub fn named(mut self, layer: &'static str) -> Self {
                self.walk.judge.name(layer);
                self
            }

            #[cfg(feature = "jwt")]
            $crate::jwt::own_challenges!(walk.judge.challenges);

            $crate::gate::own_door!(walk.judge.door);
        }

        impl $crate::gate::Gate for $layer {
            type Pass = $crate::admit::Admitted;

            fn enter(
                &self,
                request: http::request::Parts,
            ) -> $crate::eventual::Eventual<$crate::gate::Verdict<Self::Pass>> {
                self.walk.enter(request)
            }

            fn door(&self) -> &$crate::gate::Door {
                &self.walk.judge.door
            }
        }

        $crate::gate::impl_layer!($layer);
    };
}
pub(crate) use walking_layer;
