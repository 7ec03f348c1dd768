//! Proofs of possession (RFC 9449) before a real service: one test for each check of section 4.3, with real keys.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/proofs.rs"]
mod proofs;
#[path = "support/tokens.rs"]
mod tokens;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use http::{Method, Request, Response};
use portcullis::{
    Guarded, Identity, JwtLayer, Memory,
    clock::Clock,
    jwt::{Dpop, Mode, TokenSource},
};
use proofs::{NOW, Prover, URL};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Duration};
use tower::{Layer, ServiceExt};

const ORIGIN: &str = "https://api.example";

fn rules() -> Dpop {
    Dpop::if_bound(ORIGIN, Memory::new().clock(tokens::clock())).unwrap()
}

fn layer(rules: Dpop) -> JwtLayer {
    JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid).dpop(rules)
}

/// A token that is bound to the key of `prover`.
fn bound(prover: &Prover) -> String {
    tokens::with_claims(json!({"cnf": {"jkt": prover.thumbprint()}}))
}

fn request(lines: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().uri("/orders");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// Who is calling, as a handler sees it.
async fn found(layer: &JwtLayer, request: Request<()>) -> String {
    let service = tower::service_fn(|request: Request<()>| async move {
        let guarded = request.extensions().get::<Guarded>().unwrap();
        let who = match guarded.identity() {
            Identity::Anonymous => "anonymous".into(),
            Identity::Known(claims) => format!("known {}", claims.subject().unwrap()),
            Identity::Invalid(fault) => fault.name().into(),
        };
        Ok::<_, Infallible>(Response::builder().header("who", who).body(String::new()).unwrap())
    });
    let answer = layer.layer(service).oneshot(request).await.unwrap();
    match answer.headers().get("who") {
        Some(who) => who.to_str().unwrap().to_owned(),
        None => answer.status().as_u16().to_string(),
    }
}

/// What comes of a token sent as `DPoP` with this proof.
async fn sent(token: &str, proof: &str) -> String {
    let authorization = format!("DPoP {token}");
    found(&layer(rules()), request(&[("authorization", &authorization), ("dpop", proof)])).await
}

/// What comes of a good token and a proof with these changes.
async fn changed(header: Value, claims: Value) -> String {
    let prover = Prover::new();
    let token = bound(&prover);
    sent(&token, &prover.proof_with(&token, header, claims)).await
}

const GOOD: &str = "known u";

#[tokio::test]
async fn a_good_proof_of_each_algorithm_passes() {
    let rsa = Prover::with("RS256");
    let others = ["RS384", "RS512", "PS256", "PS384", "PS512"].map(|alg| rsa.under(alg));
    let own = ["ES256", "ES384", "ES512", "EdDSA", "Ed25519"].map(Prover::with);
    for prover in own.into_iter().chain(others).chain([rsa]) {
        let token = bound(&prover);
        assert_eq!(sent(&token, &prover.proof(&token)).await, GOOD, "{}", prover.alg);
    }
}

#[tokio::test]
async fn one_header_with_a_proof_is_needed() {
    let prover = Prover::new();
    let token = bound(&prover);
    let authorization = ("authorization", &*format!("DPoP {token}"));
    let (one, two) = (prover.proof(&token), prover.proof(&token));
    for (lines, expected) in [
        (&[authorization][..], "proof-missing"),
        (&[authorization, ("dpop", &one), ("dpop", &two)], "proof-repeated"),
        (&[authorization, ("dpop", &one), ("dpop", &one)], "proof-repeated"),
        (&[authorization, ("dpop", &format!("{one}, {two}"))], "proof-malformed"),
        (&[authorization, ("dpop", "")], "proof-malformed"),
        (&[authorization, ("dpop", &one)], GOOD),
    ] {
        assert_eq!(found(&layer(rules()), request(lines)).await, expected);
    }
}

#[tokio::test]
async fn the_scheme_counts_in_any_letter_case_and_only_one_of_them() {
    let prover = Prover::new();
    let token = bound(&prover);
    let (small, large) = (format!("dpop {token}"), format!("DPOP {token}"));
    let bearer = format!("bEaReR {token}");
    for (lines, expected) in [
        (&[&small][..], GOOD),
        (&[&large], GOOD),
        (&[&bearer], "bound-sent-as-bearer"),
        (&[&small, &bearer], "400"),
        (&[&bearer, &small], "400"),
        (&[&small, &small], "400"),
    ] {
        let proof = prover.proof(&token);
        let mut lines: Vec<_> = lines.iter().map(|line| ("authorization", line.as_str())).collect();
        lines.push(("dpop", &proof));
        assert_eq!(found(&layer(rules()), request(&lines)).await, expected, "{lines:?}");
    }
    let cookies = layer(rules()).source(TokenSource::new().or_cookie("__Host-at").unwrap());
    let (cookie, proof) = (format!("__Host-at={token}"), prover.proof(&token));
    let lines = [("cookie", &*cookie), ("dpop", &*proof)];
    assert_eq!(found(&cookies, request(&lines)).await, "bound-sent-as-bearer");
}

#[tokio::test]
async fn unbound_tokens_pass_as_bearer_unless_all_must_be_bound() {
    let prover = Prover::new();
    let token = tokens::good();
    let (bearer, dpop) = (format!("Bearer {token}"), format!("DPoP {token}"));
    let required = Dpop::required(ORIGIN, Memory::new()).unwrap();
    for (rules, line, expected) in [
        (rules(), &bearer, GOOD),
        (rules(), &dpop, "not-bound"),
        (required.clone(), &bearer, "not-bound"),
        (required.clone(), &dpop, "not-bound"),
    ] {
        let proof = prover.proof(&token);
        let lines = [("authorization", line.as_str()), ("dpop", &proof)];
        assert_eq!(found(&layer(rules), request(&lines)).await, expected);
    }
    assert_eq!(found(&layer(required), request(&[])).await, "anonymous");
}

#[tokio::test]
async fn a_layer_without_rules_takes_bound_tokens_and_knows_no_other_scheme() {
    let layer = JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid);
    let token = bound(&Prover::new());
    let bearer = format!("Bearer {token}");
    assert_eq!(found(&layer, request(&[("authorization", &bearer)])).await, GOOD);
    let dpop = format!("DPoP {token}");
    assert_eq!(found(&layer, request(&[("authorization", &dpop)])).await, "anonymous");
}

#[tokio::test]
async fn a_proof_is_a_signed_token_in_compact_form() {
    let prover = Prover::new();
    let token = bound(&prover);
    let good = prover.proof(&token);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let header = prover.header(json!({})).to_string();
    let claims = proofs::good(&token).to_string();
    for bad in [
        "x".into(),
        "a.b".into(),
        "..".into(),
        format!("{good}="),
        format!("{good}.x"),
        format!("{signed}."),
        format!("{{\"payload\":\"{signed}\"}}"),
        prover.sign("[]", &claims),
        prover.sign(&header.replacen('{', r#"{"typ":"dpop+jwt","#, 1), &claims),
        prover.sign(&header, &claims.replacen('{', r#"{"htm":"GET","#, 1)),
        prover.sign(&header, "{}"),
    ] {
        assert_eq!(sent(&token, &bad).await, "proof-malformed", "{bad}");
    }
    for member in ["crit", "b64", "zip", "enc", "jku", "x5u", "x5c"] {
        assert_eq!(changed(json!({member: ["exp"]}), json!({})).await, "proof-malformed");
    }
    for claim in ["jti", "htm", "htu", "iat"] {
        assert_eq!(changed(json!({}), json!({claim: null})).await, "proof-malformed", "{claim}");
    }
    assert_eq!(changed(json!({"jwk": null}), json!({})).await, "proof-malformed");
    assert_eq!(changed(json!({"jwk": "key"}), json!({})).await, "proof-malformed");
    assert_eq!(changed(json!({"kid": "k"}), json!({"nonce": "n", "own": [1]})).await, GOOD);
}

#[tokio::test]
async fn a_proof_has_4_kib_at_most() {
    let long = |length| json!({"own": "x".repeat(length)});
    assert_eq!(changed(json!({}), long(2000)).await, GOOD);
    assert_eq!(changed(json!({}), long(3000)).await, "proof-too-long");
}

#[tokio::test]
async fn the_type_is_that_of_proofs() {
    for (typ, expected) in [
        (json!("dpop+jwt"), GOOD),
        (json!("application/DPoP+JWT"), GOOD),
        (json!("at+jwt"), "proof-wrong-type"),
        (json!("JWT"), "proof-wrong-type"),
        (json!(null), "proof-wrong-type"),
    ] {
        assert_eq!(changed(json!({"typ": typ}), json!({})).await, expected, "{typ}");
    }
}

#[tokio::test]
async fn symmetric_algorithms_and_none_are_refused() {
    for alg in ["none", "None", "nOnE", "", "HS256", "HS384", "HS512", "ES256K", "es256"] {
        let found = changed(json!({"alg": alg}), json!({})).await;
        assert_eq!(found, "proof-wrong-algorithm", "{alg}");
    }
    let prover = Prover::new();
    let token = bound(&prover);
    // Signed with the public key as the secret.
    let header = prover.header(json!({"alg": "HS256"})).to_string();
    let claims = proofs::good(&token).to_string();
    let proof = tokens::signed_with(prover.jwk().to_string().as_bytes(), header, claims);
    assert_eq!(sent(&token, &proof).await, "proof-wrong-algorithm");
}

#[tokio::test]
async fn the_key_is_of_the_kind_that_the_algorithm_uses() {
    for alg in ["ES384", "ES512", "RS256", "PS256", "EdDSA"] {
        assert_eq!(changed(json!({"alg": alg}), json!({})).await, "proof-key-refused", "{alg}");
    }
}

#[tokio::test]
async fn a_private_or_symmetric_key_is_refused() {
    for prover in [Prover::new(), Prover::with("EdDSA")] {
        let token = bound(&prover);
        let proof = prover.proof_with(&token, json!({"jwk": prover.private_jwk()}), json!({}));
        assert_eq!(sent(&token, &proof).await, "proof-key-refused");
    }
    let jwk = json!({"kty": "oct", "k": "c2VjcmV0"});
    assert_eq!(changed(json!({"jwk": jwk}), json!({})).await, "proof-key-refused");
}

#[tokio::test]
async fn keys_that_are_dear_weak_or_no_keys_are_refused_even_where_a_token_is_bound_to_them() {
    let huge = BASE64.encode([0xff; 1024]);
    let small = BASE64.encode([0xff; 128]);
    let usual = BASE64.encode([0xff; 256]);
    let one = BASE64.encode([[0; 31].as_slice(), &[1]].concat());
    for (alg, jwk) in [
        ("RS256", json!({"kty": "RSA", "n": huge, "e": "AQAB"})),
        ("RS256", json!({"kty": "RSA", "n": small, "e": "AQAB"})),
        ("PS256", json!({"kty": "RSA", "n": usual, "e": "AQ"})),
        ("PS256", json!({"kty": "RSA", "n": usual, "e": "Ag"})),
        ("PS256", json!({"kty": "RSA", "n": usual, "e": BASE64.encode([0xff; 256])})),
        ("ES256", json!({"kty": "EC", "crv": "P-256", "x": one, "y": one})),
        ("ES256", json!({"kty": "EC", "crv": "secp256k1", "x": one, "y": one})),
        ("ES256", json!({"kty": "EC", "crv": "P-256", "x": one})),
        ("EdDSA", json!({"kty": "OKP", "crv": "Ed448", "x": one})),
        ("EdDSA", json!({"kty": "OKP", "crv": "Ed25519", "x": "AQ"})),
    ] {
        let thumbprint = proofs::thumbprint(&jwk);
        let token = tokens::with_claims(json!({"cnf": {"jkt": thumbprint}}));
        let header = json!({"jwk": jwk, "alg": alg});
        let proof = Prover::new().proof_with(&token, header, json!({}));
        assert_eq!(sent(&token, &proof).await, "proof-key-refused", "{jwk}");
    }
}

#[tokio::test]
async fn the_signature_is_by_the_key_that_is_shown() {
    let (prover, thief) = (Prover::new(), Prover::new());
    let token = bound(&prover);
    // Somebody who saw a proof knows the public key.
    let stolen = thief.proof_with(&token, json!({"jwk": prover.jwk()}), json!({}));
    assert_eq!(sent(&token, &stolen).await, "proof-bad-signature");
    let good = prover.proof(&token);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let later = proofs::good(&token).to_string();
    let (header, _) = signed.split_once('.').unwrap();
    let moved = format!("{header}.{}.{signature}", BASE64.encode(later));
    assert_eq!(sent(&token, &moved).await, "proof-bad-signature");
    let zeros = format!("{signed}.{}", BASE64.encode([0; 64]));
    assert_eq!(sent(&token, &zeros).await, "proof-bad-signature");
}

#[tokio::test]
async fn the_key_is_the_one_that_the_token_is_bound_to() {
    let (prover, thief) = (Prover::new(), Prover::new());
    let token = bound(&prover);
    assert_eq!(sent(&token, &thief.proof(&token)).await, "proof-wrong-key");
    for thumbprint in ["", "x", &format!("{}=", prover.thumbprint())] {
        let token = tokens::with_claims(json!({"cnf": {"jkt": thumbprint}}));
        assert_eq!(sent(&token, &prover.proof(&token)).await, "proof-wrong-key");
    }
}

#[tokio::test]
async fn the_method_is_that_of_the_request() {
    for method in ["POST", "get", "GET ", "", "HEAD"] {
        assert_eq!(changed(json!({}), json!({"htm": method})).await, "proof-wrong-method");
    }
    let prover = Prover::new();
    let token = bound(&prover);
    let (authorization, proof) = (format!("DPoP {token}"), prover.proof(&token));
    let mut request = request(&[("authorization", &authorization), ("dpop", &proof)]);
    *request.method_mut() = Method::DELETE;
    assert_eq!(found(&layer(rules()), request).await, "proof-wrong-method");
}

#[tokio::test]
async fn the_url_is_that_of_the_request_whatever_its_headers_and_query_say() {
    for url in ["https://evil.example/orders", "https://api.example/orders/7", "/orders", "orders"]
    {
        assert_eq!(changed(json!({}), json!({"htu": url})).await, "proof-wrong-url", "{url}");
    }
    assert_eq!(changed(json!({}), json!({"htu": format!("{URL}?a=b#c")})).await, GOOD);
    let prover = Prover::new();
    let token = bound(&prover);
    let authorization = format!("DPoP {token}");
    for (host, uri, htu, expected) in [
        ("evil.example", "/orders", "https://evil.example/orders", "proof-wrong-url"),
        ("evil.example", "/orders", URL, GOOD),
        ("api.example", "/orders?x=/other", URL, GOOD),
        ("api.example", "/other?x=/orders", URL, "proof-wrong-url"),
        ("api.example", "/other", "https://api.example/other?/orders", GOOD),
        ("api.example", "/other", "https://api.example/orders?/other", "proof-wrong-url"),
        ("api.example", "/a/../orders", URL, "proof-wrong-url"),
        ("api.example", "/%6Frders", URL, GOOD),
    ] {
        let proof = prover.proof_with(&token, json!({}), json!({"htu": htu}));
        let lines = [
            ("authorization", &*authorization),
            ("dpop", &proof),
            ("host", host),
            ("forwarded", "host=evil"),
        ];
        let mut request = request(&lines);
        *request.uri_mut() = uri.parse().unwrap();
        assert_eq!(found(&layer(rules()), request).await, expected, "{uri} {htu}");
    }
}

#[tokio::test]
async fn a_proof_is_made_now() {
    for (iat, expected) in [
        (NOW - 60, GOOD),
        (NOW - 61, "proof-stale"),
        (0, "proof-stale"),
        (NOW + 5, GOOD),
        (NOW + 6, "proof-early"),
        (NOW + 100_000, "proof-early"),
    ] {
        assert_eq!(changed(json!({}), json!({"iat": iat})).await, expected, "{iat}");
    }
    for bad in [json!(-1), json!(1.5), json!("1700000000"), json!(1e300), json!(u64::MAX)] {
        assert_eq!(changed(json!({}), json!({"iat": bad})).await, "proof-malformed", "{bad}");
    }
    let (prover, second) = (Prover::new(), Duration::from_secs(1));
    let token = bound(&prover);
    let narrow = layer(rules().window(20 * second, Duration::ZERO).unwrap());
    for (iat, expected) in [(NOW, GOOD), (NOW - 21, "proof-stale"), (NOW + 1, "proof-early")] {
        let proof = prover.proof_with(&token, json!({}), json!({"iat": iat}));
        let authorization = format!("DPoP {token}");
        let request = request(&[("authorization", &authorization), ("dpop", &proof)]);
        assert_eq!(found(&narrow, request).await, expected);
    }
    for (back, ahead) in [(0, 0), (301, 0), (60, 61)] {
        assert!(rules().window(back * second, ahead * second).is_err());
    }
}

#[tokio::test]
async fn the_proof_is_for_this_token() {
    let prover = Prover::new();
    let (token, other) = (bound(&prover), tokens::with_claims(json!({"sub": "other"})));
    assert_eq!(sent(&token, &prover.proof(&other)).await, "proof-wrong-token");
    assert_eq!(changed(json!({}), json!({"ath": null})).await, "proof-wrong-token");
    assert_eq!(changed(json!({}), json!({"ath": ""})).await, "proof-wrong-token");
}

#[tokio::test]
async fn the_name_of_a_proof_has_1_to_128_bytes() {
    for (length, expected) in
        [(0, "proof-malformed"), (1, GOOD), (128, GOOD), (129, "proof-malformed")]
    {
        assert_eq!(changed(json!({}), json!({"jti": "j".repeat(length)})).await, expected);
    }
    assert_eq!(changed(json!({}), json!({"jti": 7})).await, "proof-malformed");
}

#[tokio::test]
async fn a_proof_is_no_access_token_and_an_access_token_no_proof() {
    let prover = Prover::new();
    let token = bound(&prover);
    let proof = prover.proof(&token);
    assert_eq!(sent(&proof, &prover.proof(&proof)).await, "embedded-key");
    assert_eq!(sent(&token, &token).await, "proof-wrong-type");
}

#[tokio::test]
async fn a_bad_token_is_not_made_good_by_a_proof() {
    let prover = Prover::new();
    let cnf = json!({"jkt": prover.thumbprint()});
    let expired = tokens::with_claims(json!({"cnf": cnf, "exp": NOW - 600}));
    assert_eq!(sent(&expired, &prover.proof(&expired)).await, "expired");
}

#[tokio::test]
async fn the_url_must_be_one() {
    for bad in ["api.example", "https://", "https://a@b", "https://api.example/?a"] {
        assert!(Dpop::if_bound(bad, Memory::new()).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_nonce_of_the_server_is_wanted_where_it_is_set() {
    let (prover, second) = (Prover::new(), Duration::from_secs(1));
    let token = bound(&prover);
    let authorization = format!("DPoP {token}");
    let clock = tokens::clock();
    let store = Memory::new().clock(clock.clone());
    let instance = |mode| {
        let rules = Dpop::if_bound(ORIGIN, store.clone()).unwrap().nonces(60 * second).unwrap();
        let verifier = tokens::verifier().clock(clock.clone());
        JwtLayer::new(verifier).mode(mode).dpop(rules)
    };
    let send = async |layer: JwtLayer, nonce: Option<&str>| {
        let claims = json!({"nonce": nonce, "iat": Clock::wall(&clock).as_secs()});
        let proof = prover.proof_with(&token, json!({}), claims);
        let inner = tower::service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let request = request(&[("authorization", &authorization), ("dpop", &proof)]);
        let answer = layer.layer(inner).oneshot(request).await.unwrap();
        let header =
            |name: &str| answer.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        let told = header("www-authenticate").unwrap_or_default();
        let told = told.split(", algs").next().unwrap().to_owned();
        (answer.status().as_u16(), told, header("dpop-nonce"))
    };
    let wanted = "DPoP error=\"use_dpop_nonce\"".to_owned();
    let (status, told, nonce) = send(instance(Mode::Required), None).await;
    assert_eq!((status, told), (401, wanted.clone()));
    let nonce = nonce.unwrap();
    // On another instance with the same store.
    let good = send(instance(Mode::Required), Some(&nonce)).await;
    assert_eq!(good, (200, String::new(), None));
    clock.advance(60 * second);
    let (status, _, next) = send(instance(Mode::Required), Some(&nonce)).await;
    assert_eq!((status, next.is_some_and(|next| next != nonce)), (200, true));
    clock.advance(60 * second);
    let (status, told, next) = send(instance(Mode::Required), Some(&nonce)).await;
    assert_eq!((status, told, next.is_some()), (401, wanted, true));
    // Handed out though nothing is refused here.
    let (status, _, next) = send(instance(Mode::PassInvalid), Some(&nonce)).await;
    assert_eq!((status, next.is_some()), (200, true));
    assert!(rules().nonces(second).is_err());
}
