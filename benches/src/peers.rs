//! The crates that one would otherwise combine, as their documentation shows.

use crate::work::{self, AUDIENCE, Claims, Contender, ISSUER, Set, Tokens, contender, hello};
use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use axum_helmet::{Helmet, HelmetLayer};
use http::{StatusCode, header};
use ipnet::IpNet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tower::ServiceBuilder;
use tower_governor::{GovernorLayer, governor::GovernorConfigBuilder};

pub(crate) fn stack(set: Set, tokens: &Tokens) -> Contender {
    let helmet: HelmetLayer = Helmet::default().into_layer().expect("valid headers");
    let mut config = GovernorConfigBuilder::default();
    if set.exhausted {
        config.per_second(3600).burst_size(1);
    } else {
        config.per_nanosecond(1).burst_size(1_000_000_000);
    }
    let governor: GovernorLayer<_, _, Body> =
        GovernorLayer::new(config.use_headers().finish().expect("a valid quota"));
    let block = from_fn_with_state(Arc::new(Blocklist::new()), refuse_blocked);
    let jwt = from_fn_with_state(Arc::new(Keys::new(set.rsa, tokens)), require_token);
    if set.router {
        contender(work::router().layer(jwt).layer(block).layer(governor).layer(helmet))
    } else {
        contender(
            ServiceBuilder::new()
                .layer(helmet)
                .layer(governor)
                .layer(block)
                .layer(jwt)
                .service_fn(hello),
        )
    }
}

struct Blocklist {
    addresses: HashSet<IpAddr>,
    nets: Vec<IpNet>,
}

impl Blocklist {
    fn new() -> Self {
        let (addresses, nets) = work::blocklist();
        Self { addresses: addresses.into_iter().collect(), nets }
    }
}

async fn refuse_blocked(
    State(list): State<Arc<Blocklist>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let address = peer.ip();
    if list.addresses.contains(&address) || list.nets.iter().any(|net| net.contains(&address)) {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

struct Keys {
    key: DecodingKey,
    validation: Validation,
}

impl Keys {
    fn new(rsa: bool, tokens: &Tokens) -> Self {
        let (algorithm, key) = if rsa {
            (Algorithm::RS256, DecodingKey::from_rsa_pem(&tokens.public_pem).expect("a key"))
        } else {
            (Algorithm::HS256, DecodingKey::from_secret(&tokens.secret))
        };
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        Self { key, validation }
    }
}

async fn require_token(
    State(keys): State<Arc<Keys>>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let claims = token.and_then(|token| {
        decode::<Claims>(token, &keys.key, &keys.validation).ok().map(|data| data.claims)
    });
    let Some(claims) = claims else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    request.extensions_mut().insert(claims);
    next.run(request).await
}
