//! Everything that is refused is told to the audit, and nothing that is secret is told to anybody.
#![cfg(all(feature = "jwt", feature = "tracing", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;
#[path = "support/written.rs"]
mod written;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use openssl::{pkey::PKey, rsa::Rsa};
use portcullis::{
    BlockLayer, Blocklist, Clients, Guarded, JwtLayer, Key, KeyBy, Limit, Pepper, Portcullis,
    RateLimitLayer, RequireAuth, RequireScope, SecurityHeadersLayer, TrustedIssuer, Verifier,
    audit::Sink,
    block::{AddressRules, Ladder},
    gate::{Gate, Verdict},
    jwt::{Algorithm, Keys, Mode, TokenSource},
    store::Block,
    token::{Grant, Issuer},
};
use serde_json::json;
use std::{
    convert::Infallible,
    fmt::Write,
    sync::{Arc, Mutex, OnceLock},
};
use tower::{Layer, ServiceBuilder};
use tower_http::trace::TraceLayer;
use tracing_subscriber::util::SubscriberInitExt;
use walk::*;
use written::Written;

const PHONE: &str = "+919876543210";
const PEPPER: &str = "b7Jq2-the-pepper-of-the-store-x9Zr";
const COOKIE: &str = "__Host-at";

/// A private RSA key, as PEM.
fn pem() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    })
}

fn good() -> String {
    tokens::with_claims(json!({"sid": "s", "scope": "read"}))
}

fn expired() -> String {
    tokens::with_claims(json!({"exp": NOW - 600}))
}

fn forged() -> String {
    tokens::signed_with(b"another", tokens::HEADER, tokens::claims(json!({"sub": "mallory"})))
}

fn revoked() -> String {
    tokens::with_claims(json!({"sub": "gone", "sid": "revoked"}))
}

const MALFORMED: &str = "c2VjcmV0.bGVhaw.c2lnbmF0dXJl.Zm91cnRo";

/// What must be nowhere: tokens and their parts, the secret, the key, the number, the pepper.
fn secrets() -> Vec<String> {
    let mut secrets = vec![
        String::from_utf8(tokens::SECRET.to_vec()).unwrap(),
        PHONE.into(),
        PHONE[1..].into(),
        PEPPER.into(),
        "PRIVATE KEY".into(),
    ];
    secrets.extend(pem().lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    for token in [good(), expired(), forged(), revoked(), MALFORMED.into()] {
        secrets.extend(token.split('.').map(str::to_owned));
        secrets.push(token);
    }
    secrets
}

fn assert_no_secret(where_: &str, text: &str) {
    for secret in secrets() {
        assert!(!text.contains(&secret), "{where_} holds {secret}:\n{text}");
    }
}

/// Shows all that a handler could log.
async fn talkative(request: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let guarded = request.extensions().get::<Guarded>();
    let parts = guarded.map(|guarded| (guarded.client(), guarded.identity(), guarded.decision()));
    Ok(Response::new(format!("{guarded:?} {parts:?}").into()))
}

/// One request for each thing that can happen, and what the audit must hear of it.
async fn drive(own: Option<Heard>) -> (Vec<String>, String) {
    let sink = || own.clone().map(|heard| Arc::new(heard) as Arc<dyn Sink>);
    let memory = memory(&clock());
    let pepper = Pepper::new(PEPPER.as_bytes()).unwrap();
    let spy = |manner| Spy::on(&memory, manner).peppered(pepper.clone());
    let mut blocks = Blocklist::new(&spy(Manner::AtOnce));
    let mut clients = Clients::direct();
    let phone = KeyBy::phone(|request| request.headers.get("phone")?.to_str().ok()?.parse().ok());
    let guarding = |manner, mode, sink: Option<Arc<dyn Sink>>| {
        let source = TokenSource::new().or_cookie(COOKIE).unwrap();
        let guard = Portcullis::new(&spy(manner))
            .limit(Limit::per_hour(1).named("tried").by(KeyBy::path()).shadow())
            .limit(Limit::per_hour(2).named("agent").by(KeyBy::header(http::header::USER_AGENT)))
            .limit(Limit::per_hour(1).named("sms").by(phone.clone()).block_after(Ladder::after(1)))
            .addresses(AddressRules::new().deny(["198.51.100.0/24"]).unwrap())
            .security_headers(SecurityHeadersLayer::api())
            .jwt(JwtLayer::new(tokens::verifier()).mode(mode).source(source));
        match sink {
            Some(sink) => guard.audit(Shared(sink)),
            None => guard,
        }
    };
    let mut scope = RequireScope::all(["write"]).unwrap();
    if let Some(sink) = sink() {
        scope = scope.audit(Shared(sink.clone()));
        blocks = blocks.audit(Shared(sink.clone()));
        clients = clients.audit(Shared(sink));
    }
    let service = |guard: Portcullis| {
        ServiceBuilder::new()
            .map_request(|request: Request<()>| request.map(|()| Empty::<Bytes>::new()))
            .layer(TraceLayer::new_for_http())
            .layer(guard)
            .service(tower::service_fn(talkative))
    };
    let guard = service(guarding(Manner::AtOnce, Mode::Required, sink()));
    let lenient = service(guarding(Manner::Later, Mode::PassInvalid, sink()));
    let down = service(guarding(Manner::Down, Mode::Required, sink()));
    let scoped = ServiceBuilder::new()
        .layer(guarding(Manner::AtOnce, Mode::Required, sink()))
        .layer(scope)
        .service(house());
    let proxied = ServiceBuilder::new()
        .layer(guarding(Manner::AtOnce, Mode::Required, sink()).clients(clients))
        .service(house());

    // Each request has a path of its own, so that the shadow speaks only where it should.
    let mut count = 0;
    let mut at = |request: Request<()>| {
        let mut request = request;
        count += 1;
        *request.uri_mut() = format!("/{count}").parse().unwrap();
        request
    };
    let bearer = |peer: &str, token: &str, more: &[(&str, &str)]| {
        let header = format!("Bearer {token}");
        from(peer, &[&[("authorization", header.as_str())], more].concat())
    };
    let cookie = |token: &str| from(ADA, &[("cookie", &format!("{COOKIE}={token}"))]);
    let mut said = String::new();
    let mut events = Vec::new();
    let mut note = |told: &Told, expected: &[&str]| {
        writeln!(said, "{} {:?} {} {:?}", told.status, told.headers, told.body, told.rejection)
            .unwrap();
        events.extend(expected.iter().map(|&line| line.to_owned()));
    };
    let bad = |fault| format!("refused token-invalid {fault} by 192.0.2.1 invalid");

    note(&send(&guard, at(bearer(ADA, &good(), &[]))).await, &[]);
    note(&send(&guard, at(cookie(&good()))).await, &[]);
    for (token, fault) in
        [(forged(), "no-key-verifies"), (expired(), "expired"), (MALFORMED.into(), "malformed")]
    {
        note(&send(&guard, at(bearer(ADA, &token, &[]))).await, &[&bad(fault)]);
        note(&send(&guard, at(cookie(&token))).await, &[&bad(fault)]);
    }
    let two = [("cookie", &*format!("{COOKIE}={}", good()))];
    let ambiguous = ["refused token-ambiguous by 192.0.2.1"];
    note(&send(&guard, at(bearer(ADA, &good(), &two))).await, &ambiguous);
    note(&send(&guard, at(from(ADA, &[]))).await, &["refused token-missing by 192.0.2.1"]);
    let denied = bearer("198.51.100.1", &good(), &[]);
    note(&send(&guard, at(denied)).await, &["refused denied by 198.51.100.1"]);
    note(&send(&guard, at(Request::new(()))).await, &["refused peer-unknown "]);
    let store = ["refused store-unavailable by 192.0.2.1 known"];
    note(&send(&down, at(bearer(ADA, &good(), &[]))).await, &store);
    let passed = ["bad-token token-invalid no-key-verifies by 192.0.2.1 invalid"];
    note(&send(&lenient, at(bearer(ADA, &forged(), &[]))).await, &passed);
    let scope = ["refused scope-missing by 192.0.2.1 known"];
    note(&send(&scoped, at(bearer(ADA, &good(), &[]))).await, &scope);
    let forwarded = bearer("10.0.0.9", &good(), &[("x-forwarded-for", ADA)]);
    note(&send(&proxied, at(forwarded)).await, &["untrusted-proxy "]);

    let same = || {
        let mut request = bearer(ADA, &good(), &[("user-agent", "x")]);
        *request.uri_mut() = "/same".parse().unwrap();
        request
    };
    note(&send(&guard, same()).await, &[]);
    note(&send(&guard, same()).await, &["would-refuse tried by 192.0.2.1 known"]);
    note(&send(&guard, same()).await, &["refused rate-limited by 192.0.2.1 known"]);

    let by_phone = || bearer(ADA, &good(), &[("phone", PHONE)]);
    note(&send(&guard, at(by_phone())).await, &[]);
    let struck =
        ["blocked phone Some(900) by 192.0.2.1 known", "refused blocked by 192.0.2.1 known"];
    note(&send(&guard, at(by_phone())).await, &struck);
    note(&send(&guard, at(by_phone())).await, &struck[1..]);

    let bob = Key::ip(ip(BOB));
    blocks.block(bob, Block::lasting(SECOND * 60)).await.unwrap();
    let blocked = ["blocked ip Some(60)", "refused blocked by 192.0.2.2"];
    note(&send(&guard, at(bearer(BOB, &good(), &[]))).await, &blocked);
    blocks.unblock(bob).await.unwrap();
    note(&send(&guard, at(bearer(BOB, &good(), &[]))).await, &["unblocked ip"]);
    let claims = tokens::verify(&tokens::verifier(), &revoked()).unwrap();
    blocks.block(claims.session_key(&pepper).unwrap(), Block::forever()).await.unwrap();
    let gone = ["blocked session None", "refused token-invalid revoked by 192.0.2.1 known"];
    note(&send(&guard, at(bearer(ADA, &revoked(), &[]))).await, &gone);
    writeln!(said, "{:?} {claims:?}", blocks.list(9).await.unwrap()).unwrap();
    assert!(blocks.check(blocks.phone(&PHONE.parse().unwrap())).await.unwrap().is_some());
    (events, said)
}

/// A sink behind a reference.
#[derive(Clone, Debug)]
struct Shared(Arc<dyn Sink>);

impl Sink for Shared {
    fn record(&self, event: portcullis::audit::Event) {
        self.0.record(event);
    }
}

/// Whether anybody listens is cached for each event of the whole process, so one listens at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn tracing_tells_everything_but_secrets() {
    let _alone = ALONE.lock().await;
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_ansi(false)
        .without_time()
        .with_writer(written.clone())
        .finish();
    let on = subscriber.set_default();
    let (expected, said) = drive(None).await;
    let shown = show().await;
    drop(on);
    let text = written.text();
    assert_no_secret("tracing", &text);
    assert_no_secret("an answer", &said);
    assert_no_secret("a value", &shown);

    assert!(text.contains("started processing request"), "all levels are captured");
    let lines: Vec<_> = text.lines().filter(|line| line.contains("portcullis::audit")).collect();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}\n{expected:#?}");
    for (line, expected) in lines.iter().zip(&expected) {
        let mut words = expected.split(' ').take_while(|word| *word != "by");
        let act = words.next().unwrap();
        assert!(line.contains(&format!("act=\"{act}\"")), "{expected}: {line}");
        let names = match act {
            "refused" | "bad-token" => ["reason=", "cause="],
            "would-refuse" => ["limit=", ""],
            "blocked" | "unblocked" => ["key=", "seconds="],
            _ => continue,
        };
        for (name, value) in names.iter().zip(words) {
            let value = value.trim_start_matches("Some(").trim_end_matches(')');
            let found = match (*name, value) {
                ("key=", "ip") => line.contains("key=192.0.2."),
                ("key=", kind) => line.contains(&format!("key={kind}:")),
                ("seconds=", "None") => !line.contains("seconds="),
                ("seconds=", seconds) => line.contains(&format!("seconds={seconds}")),
                (_, "") => true,
                (name, value) => line.contains(&format!("{name}\"{value}\"")),
            };
            assert!(found, "{expected}: {line}");
        }
        if let Some((_, who)) = expected.split_once(" by ") {
            let client = who.split(' ').next().unwrap();
            assert!(line.contains(&format!("client={client}")), "{expected}: {line}");
        }
    }
}

#[tokio::test]
async fn a_sink_of_ones_own_hears_the_same() {
    let _alone = ALONE.lock().await;
    let heard = Heard::default();
    let (expected, _) = drive(Some(heard.clone())).await;
    let events = heard.take();
    assert_no_secret("an event", &format!("{events:?}"));
    let lines: Vec<_> = events.iter().map(|event| line(event).trim().to_owned()).collect();
    let expected: Vec<_> = expected.iter().map(|line| line.trim().to_owned()).collect();
    assert_eq!(lines, expected);
}

/// Debug and Display of what holds a secret, and of what goes wrong with one.
async fn show() -> String {
    let mut shown = String::new();
    let secret = tokens::SECRET;
    let keys = Keys::secret(secret, Algorithm::HS256).unwrap();
    let of_pem = Keys::pem(pem(), Algorithm::RS256).unwrap();
    let issuers = [
        Issuer::from_pem("idp", "api", pem(), Algorithm::PS256).unwrap(),
        Issuer::from_secret("idp", "api", secret, Algorithm::HS256).unwrap(),
    ];
    let trusted = TrustedIssuer::new("idp", keys.clone()).audience("api");
    let verifier = Verifier::new([trusted.clone()]).unwrap().clock(clock());
    let grant = Grant::new("user").claim("phone", PHONE).session("s");
    for issuer in &issuers {
        let token = issuer.mint(&grant).unwrap();
        let verifier = Verifier::new([issuer.trusted()]).unwrap();
        let claims = verifier.verify(&token).await.unwrap();
        write!(shown, "{issuer:?} {verifier:?} {claims:?} {:?}", issuer.trusted()).unwrap();
        assert!(!shown.contains(&token) && !shown.contains(token.split('.').nth(2).unwrap()));
    }
    let memory = memory(&clock());
    let pepper = Pepper::new(PEPPER.as_bytes()).unwrap();
    let store = Spy::on(&memory, Manner::AtOnce).peppered(pepper.clone());
    let asks = portcullis::store::Asks::new()
        .absent(Blocklist::new(&store).phone(&PHONE.parse().unwrap()));
    let by_phone = KeyBy::phone(|_| PHONE.parse().ok());
    let limit = Limit::per_minute(9).by(by_phone.clone());
    let guard = Portcullis::new(&store).limit(limit.clone()).jwt(verifier.clone());
    let request = || {
        let lines = [("authorization", &*format!("Bearer {}", good())), ("phone", PHONE)];
        from(ADA, &lines).into_parts().0
    };
    let verdict: Verdict<_> = guard.enter(request()).await;
    writeln!(
        shown,
        "{keys:?} {of_pem:?} {trusted:?} {verifier:?} {grant:?} {memory:?} {pepper:?} {asks:?}\n\
        {by_phone:?} {limit:?} {guard:?} {verdict:?} {:?} {:?} {:?} {:?} {:?}",
        JwtLayer::new(verifier.clone()),
        RateLimitLayer::new(&store).limit(limit.clone()),
        BlockLayer::by_phone(&store, |_| PHONE.parse().ok()),
        Blocklist::new(&store),
        RequireAuth::new().layer(()),
    )
    .unwrap();
    let seen = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&seen);
    let curious = KeyBy::with(move |seen| {
        *kept.lock().unwrap() = format!("{seen:?}");
        None
    });
    let layer = RateLimitLayer::new(&store).limit(Limit::per_minute(9).by(curious));
    drop(layer.enter(request()).await);
    assert!(seen.lock().unwrap().contains("client"));
    shown.push_str(&seen.lock().unwrap());
    shown + &errors()
}

/// What is said about keys that cannot be used.
fn errors() -> String {
    let (secret, broken) = (tokens::SECRET, pem().replacen('A', "!", 1));
    let private = format!(r#"{{"kty":"oct","alg":"HS512","k":"{}"}}"#, PHONE.replace('+', "a"));
    let text = |error: Option<portcullis::ConfigError>| {
        let error = error.unwrap();
        format!("{error} {error:?}\n")
    };
    [
        text(Keys::secret(&secret[..31], Algorithm::HS256).err()),
        text(Keys::secret(secret, Algorithm::HS512).err()),
        text(Keys::secret(secret, Algorithm::RS256).err()),
        text(Keys::secret(pem(), Algorithm::HS256).err()),
        text(Keys::pem(&broken, Algorithm::RS256).err()),
        text(Keys::pem(pem(), Algorithm::ES256).err()),
        text(Keys::pem(secret, Algorithm::RS256).err()),
        text(Keys::jwk(&private).err()),
        text(Keys::jwk(pem()).err()),
        text(Keys::jwks(&private).err()),
        text(Issuer::from_pem("i", "a", &broken, Algorithm::RS256).err()),
        text(Issuer::from_pem("i", "a", pem(), Algorithm::EdDSA).err()),
        text(Issuer::from_secret("i", "a", &secret[1..], Algorithm::HS256).err()),
        text(Issuer::from_jwk("i", "a", &private).err()),
        text(Issuer::from_jwk("i", "a", pem()).err()),
        text(Pepper::new(&PEPPER.as_bytes()[..15]).err()),
    ]
    .concat()
}
