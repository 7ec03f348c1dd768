//! A refused kind of token is logged with the setting that would allow it, and clients are told nothing.
#![cfg(all(feature = "jwt", feature = "tracing", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/walk.rs"]
mod walk;
#[path = "support/written.rs"]
mod written;

use portcullis::{JwtLayer, Reason, TokenFault, jwt::Mode};
use serde_json::json;
use tower::Layer;
use tracing_subscriber::util::SubscriberInitExt;
use walk::*;
use written::Written;

#[tokio::test]
async fn the_log_names_the_setting_and_the_answer_does_not() {
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(written.clone());
    let on = subscriber.finish().set_default();
    let id_token = tokens::with_header(r#"{"alg":"HS256","typ":"JWT"}"#);
    let without = tokens::with_header(r#"{"alg":"HS256"}"#);
    let foreign = tokens::with_claims(json!({ "aud": "other" }));
    let layer = |mode| JwtLayer::new(tokens::verifier()).mode(mode).layer(house());
    let mut bodies = Vec::new();
    for token in [&id_token, &without, &foreign, &tokens::expired()] {
        let line = format!("Bearer {token}");
        let request = || from(ADA, &[("authorization", &line)]);
        let told = send(&layer(Mode::Required), request()).await;
        assert_eq!(told.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        bodies.push(told.body);
        assert_eq!(send(&layer(Mode::PassInvalid), request()).await.status, 200);
    }
    drop(on);
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");

    let text = written.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("portcullis::audit")).collect();
    assert_eq!(lines.len(), 8, "{text}");
    for line in &lines[..4] {
        assert!(line.contains("cause=\"wrong-type\""), "{line}");
        assert!(line.contains(".typ([...])") && line.contains("`typ` of [[issuer]]"), "{line}");
    }
    for line in &lines[4..6] {
        assert!(line.contains("`audience` of [[issuer]]"), "{line}");
    }
    for line in &lines[6..] {
        assert!(line.contains("cause=\"expired\"") && !line.contains("setting="), "{line}");
    }
}

#[test]
fn sinks_of_ones_own_can_ask_for_it() {
    let reason = Reason::from(TokenFault::WrongType);
    assert!(reason.setting().is_some_and(|setting| setting.contains(".typ([...])")));
    assert_eq!(Reason::from(TokenFault::BadSignature).setting(), None, "nothing allows that");
    assert_eq!(Reason::TokenMissing.setting(), None);
}
