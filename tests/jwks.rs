//! Keys are fetched from their issuer in the background, follow it when they change, and outlast it for a while.
#![cfg(all(feature = "jwks", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/authority.rs"]
mod authority;
#[path = "support/origin.rs"]
mod origin;
#[path = "support/remote.rs"]
mod remote;

use authority::Authority;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use origin::{Origin, Reply};
use portcullis::{
    JwtLayer, Memory, Portcullis, RequireAuth, TokenFault, TrustedIssuer, Verifier,
    client::PeerAddr,
    jwt::{Mode, RemoteJwks},
};
use remote::{AUDIENCE, COOLDOWN, NAME, Remote, forged, mint, serving, set, signer, until};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Duration};
use tower::{Layer, Service, ServiceExt, service_fn};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_first_token_waits_for_the_keys_and_others_for_nothing() {
    let issuer = signer();
    let origin = serving(set(&[&issuer], &[]));
    let remote = Remote::of(&origin);
    assert!(!remote.keys.is_ready());
    assert_eq!(remote.fault(&mint(&issuer)).await, None);
    assert!(remote.keys.is_ready());
    for _ in 0..10 {
        assert_eq!(remote.at_once(&mint(&issuer)), None);
    }
    assert_eq!(origin.asked().len(), 1);
}

#[tokio::test]
async fn keys_come_though_nobody_asks_and_fetching_ends_with_the_last_handle() {
    let origin = serving(set(&[&signer()], &[]));
    let Remote { keys, verifier, task, .. } = Remote::of(&origin);
    until("the keys", || keys.is_ready()).await;
    drop(verifier);
    assert!(!task.is_finished());
    drop(keys);
    task.await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_found_by_its_first_token_and_a_withdrawn_one_ends_what_is_remembered() {
    let (old, new) = (signer(), signer());
    let origin = serving(set(&[&old], &[]));
    let remote = Remote::of(&origin);
    let token = mint(&old);
    assert_eq!(remote.fault(&token).await, None);

    origin.reply(Reply::ok("", set(&[&old, &new], &[])));
    assert_eq!(remote.at_once(&mint(&new)), Some(TokenFault::UnknownKey), "asked a moment ago");
    remote.clock.advance(COOLDOWN);
    assert_eq!(remote.fault(&mint(&new)).await, None);
    assert_eq!(remote.at_once(&token), None);

    origin.reply(Reply::ok("", set(&[&new], &[])));
    remote.clock.advance(COOLDOWN);
    assert_eq!(remote.at_once(&token), None, "nobody has asked yet");
    assert_eq!(remote.fault(&forged("none")).await, Some(TokenFault::UnknownKey));
    assert_eq!(remote.at_once(&token), Some(TokenFault::UnknownKey), "it was remembered");
    assert_eq!(remote.at_once(&mint(&new)), None);
    assert_eq!(origin.asked().len(), 3);
}

#[tokio::test]
async fn two_hundred_tokens_with_an_unknown_key_are_one_fetch() {
    let (old, new) = (signer(), signer());
    let origin = serving(set(&[&old], &[]));
    let remote = Remote::of(&origin);
    assert_eq!(remote.fault(&mint(&old)).await, None);
    origin.reply(Reply::ok("", set(&[&old, &new], &[])));
    remote.clock.advance(COOLDOWN);
    origin.hold();
    let asking: Vec<_> = (0..200)
        .map(|number| {
            let good = number % 2 == 0;
            let token = if good { mint(&new) } else { forged(&number.to_string()) };
            let verifier = remote.verifier.clone();
            tokio::spawn(async move { (good, verifier.verify(&token).await.err()) })
        })
        .collect();
    until("the fetch", || origin.asked().len() == 2).await;
    assert_eq!(remote.at_once(&mint(&old)), None, "known keys wait for nobody");
    origin.release();
    for task in asking {
        let (good, fault) = task.await.unwrap();
        assert_eq!(fault, (!good).then_some(TokenFault::UnknownKey));
    }
    assert_eq!(origin.asked().len(), 2);
}

#[tokio::test]
async fn keys_outlast_their_server_for_twelve_hours() {
    let issuer = signer();
    let origin = serving(set(&[&issuer], &[]));
    let Remote { verifier, clock, keys, .. } = Remote::of(&origin);
    let verifier = verifier.cache(0);
    assert!(verifier.verify(&mint(&issuer)).await.is_ok());
    drop(origin);
    clock.advance(12 * HOUR);
    assert!(verifier.verify(&mint(&issuer)).await.is_ok() && keys.is_ready());
    let unknown = verifier.verify(&forged("none")).await.err();
    assert_eq!(unknown, Some(TokenFault::KeysUnavailable), "nobody can say whether it exists");
    clock.advance(Duration::from_secs(1));
    let late = verifier.verify(&mint(&issuer)).await.err();
    assert_eq!(late, Some(TokenFault::KeysUnavailable));
    assert!(!keys.is_ready());
}

#[tokio::test]
async fn what_is_remembered_ends_with_keys_that_are_too_old() {
    let issuer = signer();
    let origin = serving(set(&[&issuer], &[]));
    let remote = Remote::of(&origin);
    let token = mint(&issuer);
    assert_eq!(remote.fault(&token).await, None);
    origin.reply(Reply::status("500 Oops", "", ""));
    remote.clock.advance(13 * HOUR);
    assert_eq!(remote.fault(&mint(&issuer)).await, Some(TokenFault::KeysUnavailable));
    assert_eq!(remote.at_once(&token), Some(TokenFault::KeysUnavailable));
    assert_eq!(origin.asked().len(), 2);
}

#[tokio::test]
async fn it_starts_without_the_server_and_recovers_by_itself() {
    let issuer = signer();
    let origin = Origin::start(|_| Reply::status("503 Starting", "", ""));
    let remote = Remote::of(&origin);
    assert_eq!(remote.fault(&mint(&issuer)).await, Some(TokenFault::KeysUnavailable));
    assert_eq!(
        remote.at_once(&mint(&issuer)),
        Some(TokenFault::KeysUnavailable),
        "no more waiting"
    );
    origin.reply(Reply::ok("", set(&[&issuer], &[])));
    until("the keys", || remote.keys.is_ready()).await;
    assert_eq!(remote.at_once(&mint(&issuer)), None);
}

#[tokio::test]
async fn without_anybody_who_fetches_nobody_waits() {
    let origin = serving(set(&[&signer()], &[]));
    let (keys, refresh) = RemoteJwks::url(&origin.url("/")).unwrap().build().unwrap();
    drop(refresh);
    let issuer = TrustedIssuer::new(NAME, keys).audience(AUDIENCE);
    let verifier = Verifier::new([issuer]).unwrap();
    let remote = Remote { verifier, ..Remote::of(&origin) };
    assert_eq!(remote.at_once(&forged("a")), Some(TokenFault::KeysUnavailable));
}

#[tokio::test]
async fn an_issuer_says_where_its_keys_are() {
    const OPENID: &str = "/realm/.well-known/openid-configuration";
    const OAUTH: &str = "/.well-known/oauth-authorization-server/realm";
    for place in [OPENID, OAUTH] {
        let issuer = signer();
        let origin = Origin::start(|_| Reply::Silence);
        let name = origin.url("/realm");
        let metadata = json!({ "issuer": name, "jwks_uri": origin.url("/keys"), "x": 1 });
        let (metadata, keys) = (metadata.to_string(), set(&[&issuer], &[]));
        origin.answer(move |path| match path {
            "/keys" => Reply::ok("", &keys),
            path if path == place => Reply::ok("", &metadata),
            _ => Reply::status("404 Not Found", "", ""),
        });
        let remote = Remote::with(RemoteJwks::discover(&name).unwrap());
        assert_eq!(remote.fault(&mint(&issuer)).await, None, "{place}");
        let first = origin.asked()[0].clone();
        assert!(first.starts_with(&format!("GET {OPENID} ")), "{first}");
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_can_be_trusted() {
    let (authority, issuer) = (Authority::new("own"), signer());
    let set = set(&[&issuer], &[]);
    let identity = authority.certify(&["localhost"]);
    let origin = Origin::start_with(identity, move |_| Reply::ok("", &set));
    let url = origin.url_of("localhost", "/keys");
    let jwks = RemoteJwks::url(&url).unwrap();
    let trusting = Remote::with(jwks.clone().ca(authority.pem()).unwrap());
    assert_eq!(trusting.fault(&mint(&issuer)).await, None);
    let other = Remote::with(jwks.clone().ca(Authority::new("own").pem()).unwrap());
    for remote in [Remote::with(jwks), other] {
        assert_eq!(remote.fault(&mint(&issuer)).await, Some(TokenFault::KeysUnavailable));
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_checked_is_503_whatever_the_layers() {
    let origin = Origin::start(|_| Reply::status("500 Oops", "", ""));
    let remote = Remote::of(&origin);
    let token = mint(&signer());
    assert_eq!(remote.fault(&token).await, Some(TokenFault::KeysUnavailable));
    let jwt = |mode| JwtLayer::new(remote.verifier.clone()).mode(mode);
    let hello = || {
        service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("hello"))))
        })
    };
    for mode in [Mode::Required, Mode::Optional] {
        unavailable(jwt(mode).layer(hello()), &token).await;
        unavailable(Portcullis::new(Memory::new()).jwt(jwt(mode)).layer(hello()), &token).await;
    }
    unavailable(jwt(Mode::PassInvalid).layer(RequireAuth::new().layer(hello())), &token).await;
}

/// Asserts what `service` answers to `token`.
async fn unavailable<S, B>(service: S, token: &str)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let mut request = Request::new(());
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request.extensions_mut().insert(PeerAddr(([203, 0, 113, 9], 1).into()));
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert!(!answer.headers().contains_key("www-authenticate"));
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["slug"], "keys-unavailable");
}

#[test]
fn settings_have_bounds_and_places_are_https() {
    let jwks = || RemoteJwks::url("https://idp.example/jwks.json").unwrap();
    let second = Duration::from_secs(1);
    for (what, error) in [
        ("refresh: 60 s to 86400 s", jwks().refresh(59 * second).err()),
        ("refresh", jwks().refresh(25 * HOUR).err()),
        ("cooldown: 1 s to 600 s", jwks().cooldown(Duration::ZERO).err()),
        ("patience: 0 s to 5 s", jwks().patience(6 * second).err()),
        ("stale_if_error: 3600 s to 604800 s", jwks().stale_if_error(HOUR - second).err()),
        ("CA: there is no certificate", jwks().ca("hunter2").err()),
        ("JWKS URL: the URL must begin with https", RemoteJwks::url("http://idp.example/").err()),
        ("JWKS URL: not a URL", RemoteJwks::url("jwks.json").err()),
        ("issuer: the URL must begin with https", RemoteJwks::discover("http://idp.example").err()),
        ("issuer: the name of an issuer", RemoteJwks::discover("https://idp.example/?a").err()),
    ] {
        let error = error.unwrap().to_string();
        assert!(error.contains(what) && !error.contains("hunter2"), "{error}");
    }
    let all = jwks().refresh(60 * second).unwrap().cooldown(second).unwrap();
    assert!(all.patience(Duration::ZERO).unwrap().stale_if_error(HOUR).unwrap().build().is_ok());
}
