//! A whole site over one Redis: a login, an API behind its tokens, and routes that are open to all; and 200 requests at once to it.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part, and may panic")]

use crate::{
    crowd::Instance,
    login::{self, Answer, Ask, Login, address, device, phone},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use portcullis::{
    Blocklist, Key, Limit, Phone, Portcullis, Profile, Verifier, gate::Gated, otp::Settings,
};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tower::{Layer, util::ServiceFn};

pub(crate) struct Site {
    pub(crate) instance: Instance,
    pub(crate) login: Login,
    callers: AtomicUsize,
}

/// Somebody with a phone, a device and an address of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller(usize);

/// Somebody who was sent a code.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) caller: Caller,
    challenge: String,
    code: String,
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) caller: Caller,
    pub(crate) session: String,
    access: String,
    refresh: String,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum To {
    /// For a code.
    Request,
    Verify,
    Refresh,
    /// A route without a limit and without a token.
    Open,
    /// A route with a limit, and without a token.
    Limited,
    /// A route that needs a token.
    Api,
}

/// How many requests of a kind were answered with a status.
pub(crate) type Counts = BTreeMap<(To, u16), usize>;

/// What `/limited` admits an address in an hour, and an instance alone.
pub(crate) const QUOTA: u32 = 20;
pub(crate) const SHARE: u32 = 5;

impl Site {
    pub(crate) async fn at(url: &str) -> Self {
        let instance = Instance::at(url).await;
        let store = instance.store.clone();
        let login = Login::over(Settings::new(Profile::Dev), |builder| builder, |_| store.into());
        Self { instance, login, callers: AtomicUsize::new(0) }
    }

    /// Somebody new.
    pub(crate) fn caller(&self) -> Caller {
        Caller(self.callers.fetch_add(1, Ordering::Relaxed))
    }

    /// Somebody new who was sent a code.
    pub(crate) async fn waiting(&self) -> Waiting {
        let caller = self.caller();
        let mut number = self.login.sent.count();
        let answer = self.login.ask(caller.requests()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let message = loop {
            // Those of others may still be on their way.
            let message = self.login.sent.message(number).await;
            if message.to == caller.phone() {
                break message;
            }
            number += 1;
        };
        let code = message.code().unwrap().as_digits().to_owned();
        Waiting { caller, challenge: answer.str("challenge_id"), code }
    }

    /// Somebody new who logged in.
    pub(crate) async fn known(&self) -> Known {
        let waiting = self.waiting().await;
        let tokens = self.login.ask(waiting.verifies()).await;
        assert_eq!(tokens.status, 200, "{tokens:?}");
        let [session, access, refresh] =
            ["session_id", "access_token", "refresh_token"].map(|member| tokens.str(member));
        Known { caller: waiting.caller, session, access, refresh }
    }

    /// Somebody who logged in and out again.
    pub(crate) async fn gone(&self) -> Known {
        let known = self.known().await;
        let logout = Ask::new(http::Method::POST, "/v1/logout").bearer(&known.access);
        assert_eq!(self.login.ask(logout).await.status, 204);
        known
    }

    pub(crate) async fn ask(&self, to: To, ask: Ask) -> Answer {
        self.asking(to, ask).await
    }

    /// Asks all at once, and counts what came of it. None is an error, and whoever is told to come back is told when, and keeps what
    /// tokens it has.
    pub(crate) async fn crowd(&self, asks: impl IntoIterator<Item = (To, Ask)>) -> Counts {
        let send = |(to, ask)| (to, tokio::spawn(self.asking(to, ask)));
        let requests: Vec<_> = asks.into_iter().map(send).collect();
        assert_eq!(requests.len(), 200);
        let mut counts = Counts::new();
        for (to, request) in requests {
            let answer = request.await.unwrap();
            if answer.status == 503 {
                answer.assert(503, "store-unavailable");
                assert!(answer.retry_after() > 0, "{answer:?}");
                assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
            }
            assert!(answer.status.as_u16() != 500, "{answer:?}");
            *counts.entry((to, answer.status.as_u16())).or_default() += 1;
        }
        counts
    }

    pub(crate) fn blocks(&self) -> Blocklist {
        Blocklist::new(self.instance.store.clone())
    }

    fn asking(&self, to: To, ask: Ask) -> impl Future<Output = Answer> + Send + 'static {
        let service = self.login.service.clone();
        let guard = match to {
            To::Request | To::Verify | To::Refresh => None,
            To::Open | To::Limited | To::Api => Some(self.guard(to)),
        };
        async move {
            match guard {
                None => login::answer(service, ask).await,
                Some(guard) => login::send(guard, ask.request()).await,
            }
        }
    }

    fn guard(&self, to: To) -> Gated<House, Arc<Portcullis>> {
        let guard = Portcullis::new(self.instance.store.clone());
        let guard = match to {
            To::Limited => guard.limit(Limit::per_hour(QUOTA).named("limited")),
            To::Api => {
                let verifier = Verifier::new([self.login.issuer.trusted()]).unwrap();
                guard.jwt(verifier.clock(self.login.clock.clone()))
            }
            _ => guard,
        };
        guard.layer(tower::service_fn(|_| ready(Ok(Response::new(Full::from("hello"))))))
    }
}

impl Caller {
    pub(crate) fn phone(self) -> Phone {
        phone(self.0).parse().unwrap()
    }

    pub(crate) fn address(self) -> Key {
        Key::ip(address(self.0).parse().unwrap())
    }

    pub(crate) fn requests(self) -> Ask {
        self.sends(Ask::code(&phone(self.0)))
    }

    pub(crate) fn opens(self) -> Ask {
        self.sends(Ask::get("/"))
    }

    fn sends(self, ask: Ask) -> Ask {
        ask.from(&address(self.0)).device(&device(self.0))
    }
}

impl Waiting {
    pub(crate) fn verifies(&self) -> Ask {
        self.caller.sends(Ask::verify(&self.challenge, &self.code))
    }
}

impl Known {
    pub(crate) fn refreshes(&self) -> Ask {
        self.caller.sends(Ask::refresh(&self.refresh))
    }

    pub(crate) fn calls(&self) -> Ask {
        self.caller.sends(Ask::get("/").bearer(&self.access))
    }
}

type House = ServiceFn<fn(Request<Full<Bytes>>) -> Hello>;
type Hello = Ready<Result<Response<Full<Bytes>>, Infallible>>;
