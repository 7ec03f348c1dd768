//! Tokens that are bound to a certificate (RFC 8705), told by a proxy or by the server itself.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/tokens.rs"]
mod tokens;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use http::{Request, Response};
use openssl::{
    asn1::Asn1Time, bn::BigNum, hash::MessageDigest, pkey::PKey, sha::sha256, x509::X509Builder,
};
use portcullis::{
    Clients, Guarded, Identity, JwtLayer, Memory, Portcullis,
    client::{Forwarding, PeerAddr},
    jwt::{CertificateFormat, Certificates, ClientCertificate, Mode},
};
use serde_json::json;
use std::convert::Infallible;
use tower::{Layer, Service, ServiceExt};

const HEADER: &str = "x-client-cert";
const PROXY: &str = "10.0.0.1:4711";
const STRANGER: &str = "203.0.113.7:4711";
const GOOD: &str = "known u";

fn clients() -> Clients {
    Clients::behind(["10.0.0.0/8"], Forwarding::XForwardedFor).unwrap()
}

fn rules(format: CertificateFormat) -> Certificates {
    Certificates::if_bound(HEADER, format, clients()).unwrap()
}

fn layer(rules: Certificates) -> JwtLayer {
    JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid).certificates(rules)
}

fn hashed() -> JwtLayer {
    layer(rules(CertificateFormat::Sha256))
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token that is bound to the certificate with this digest.
fn bound(digest: [u8; 32]) -> String {
    tokens::with_claims(json!({"cnf": {"x5t#S256": BASE64.encode(digest)}}))
}

fn request(peer: &str, token: &str, certificates: &[&str]) -> Request<()> {
    let mut request = Request::builder().header("authorization", format!("Bearer {token}"));
    for certificate in certificates {
        request = request.header(HEADER, *certificate);
    }
    request.extension(PeerAddr(peer.parse().unwrap())).body(()).unwrap()
}

/// Who is calling, as a handler sees it, which never sees the header.
async fn whoami(request: Request<()>) -> Result<Response<String>, Infallible> {
    assert!(!request.headers().contains_key(HEADER), "the header went through");
    let guarded = request.extensions().get::<Guarded>().unwrap();
    let who = match guarded.identity() {
        Identity::Anonymous => "anonymous".into(),
        Identity::Known(claims) => format!("known {}", claims.subject().unwrap()),
        Identity::Invalid(fault) => fault.name().into(),
    };
    Ok(Response::builder().header("who", who).body(String::new()).unwrap())
}

async fn found<L>(layer: &L, request: Request<()>) -> String
where
    L: Layer<tower::util::BoxCloneService<Request<()>, Response<String>, Infallible>>,
    L::Service: Service<Request<()>, Error = Infallible>,
    <L::Service as Service<Request<()>>>::Response: Answered,
{
    let inner = tower::util::BoxCloneService::new(tower::service_fn(whoami));
    layer.layer(inner).oneshot(request).await.unwrap().who()
}

trait Answered {
    fn who(&self) -> String;
}

impl<B> Answered for Response<B> {
    fn who(&self) -> String {
        match self.headers().get("who") {
            Some(who) => who.to_str().unwrap().to_owned(),
            None => self.status().as_u16().to_string(),
        }
    }
}

/// A certificate as nginx writes it, and its digest.
fn certificate() -> (String, [u8; 32]) {
    let key = PKey::generate_ed25519().unwrap();
    let mut builder = X509Builder::new().unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::null()).unwrap();
    let certificate = builder.build();
    let pem = String::from_utf8(certificate.to_pem().unwrap()).unwrap();
    let escaped = pem.replace('+', "%2B").replace('\n', "%0A").replace(' ', "%20");
    (escaped.replace('/', "%2F").replace('=', "%3D"), sha256(&certificate.to_der().unwrap()))
}

#[tokio::test]
async fn each_format_tells_the_certificate() {
    let (escaped, digest) = certificate();
    let token = bound(digest);
    let xfcc = format!("By=spiffe://proxy;Hash={};Subject=\"CN=\\\"a,b\\\";c\"", hex(digest));
    for (format, told) in [
        (CertificateFormat::Sha256, &hex(digest)),
        (CertificateFormat::Sha256, &hex(digest).to_uppercase()),
        (CertificateFormat::Sha256, &BASE64.encode(digest)),
        (CertificateFormat::EscapedPem, &escaped),
        (CertificateFormat::Xfcc, &xfcc),
    ] {
        let layer = layer(rules(format));
        assert_eq!(found(&layer, request(PROXY, &token, &[told])).await, GOOD, "{told}");
    }
    let two = format!("{escaped}{escaped}");
    let pem = layer(rules(CertificateFormat::EscapedPem));
    assert_eq!(found(&pem, request(PROXY, &token, &[&two])).await, "certificate-illegible");
}

#[tokio::test]
async fn a_stolen_token_is_of_no_use_without_the_certificate() {
    let token = bound([7; 32]);
    for (told, expected) in [
        (&[][..], "certificate-missing"),
        (&[""], "certificate-missing"),
        (&[&*hex([8; 32])], "wrong-certificate"),
        (&[&*hex([7; 32])], GOOD),
    ] {
        // Whether the token is remembered or not.
        for _ in 0..2 {
            assert_eq!(found(&hashed(), request(PROXY, &token, told)).await, expected, "{told:?}");
        }
    }
    let strict = hashed().mode(Mode::Required);
    assert_eq!(found(&strict, request(PROXY, &token, &[])).await, "401");
    for binding in ["", "x", &hex([7; 32])] {
        let token = tokens::with_claims(json!({"cnf": {"x5t#S256": binding}}));
        let sent = request(PROXY, &token, &[&hex([7; 32])]);
        assert_eq!(found(&hashed(), sent).await, "wrong-certificate");
    }
}

#[tokio::test]
async fn a_header_of_a_stranger_counts_for_nothing() {
    let (token, told) = (bound([7; 32]), hex([7; 32]));
    assert_eq!(found(&hashed(), request(STRANGER, &token, &[&told])).await, "certificate-missing");
    let mut nobody = request(STRANGER, &token, &[&told]);
    nobody.extensions_mut().clear();
    assert_eq!(found(&hashed(), nobody).await, "certificate-missing");
    // Said to come from the proxy.
    let mut forged = request(STRANGER, &token, &[&told]);
    forged.headers_mut().insert("x-forwarded-for", "10.0.0.1".parse().unwrap());
    assert_eq!(found(&hashed(), forged).await, "certificate-missing");
    let direct =
        Certificates::if_bound(HEADER, CertificateFormat::Sha256, Clients::direct()).unwrap();
    let sent = request(PROXY, &token, &[&told]);
    assert_eq!(found(&layer(direct), sent).await, "certificate-missing", "no proxy is trusted");
    // Unbound tokens pass, and the header goes no further (`whoami`).
    for peer in [PROXY, STRANGER] {
        let sent = request(peer, &tokens::good(), &[&told, "x"]);
        assert_eq!(found(&hashed(), sent).await, GOOD);
    }
}

#[tokio::test]
async fn two_headers_or_an_oversize_one_are_none() {
    let (token, told) = (bound([7; 32]), hex([7; 32]));
    let long = format!("{told}{}", " ".repeat(16 << 10)) + "x";
    for lines in [&[&*told, &told][..], &[&told, ""], &[&long], &["x"]] {
        let sent = request(PROXY, &token, lines);
        assert_eq!(found(&hashed(), sent).await, "certificate-illegible");
    }
}

#[tokio::test]
async fn a_server_with_tls_of_its_own_tells_by_extension() {
    let token = bound([7; 32]);
    let shows = |peer, digest| {
        let mut request = request(peer, &token, &[]);
        request.extensions_mut().insert(ClientCertificate::from_digest(digest));
        request
    };
    assert_eq!(found(&hashed(), shows(STRANGER, [7; 32])).await, GOOD);
    assert_eq!(found(&hashed(), shows(STRANGER, [8; 32])).await, "wrong-certificate");
    // On a connection of a proxy it is the proxy's certificate.
    assert_eq!(found(&hashed(), shows(PROXY, [7; 32])).await, "certificate-missing");
}

#[tokio::test]
async fn a_layer_inside_another_knows_what_the_other_took_off() {
    let (token, told) = (bound([7; 32]), hex([7; 32]));
    let both = (hashed(), hashed());
    let layers = tower::ServiceBuilder::new().layer(both.0).layer(both.1);
    let inner = tower::service_fn(whoami);
    let answer = layers.service(inner).oneshot(request(PROXY, &token, &[&told])).await.unwrap();
    assert_eq!(answer.who(), GOOD);
}

#[tokio::test]
async fn a_whole_guard_asks_for_it_too() {
    let (token, told) = (bound([7; 32]), hex([7; 32]));
    let guard = Portcullis::new(Memory::new()).clients(clients()).jwt(hashed());
    assert_eq!(found(&guard, request(PROXY, &token, &[&told])).await, GOOD);
    assert_eq!(found(&guard, request(PROXY, &token, &[])).await, "certificate-missing");
    assert_eq!(found(&guard, request(STRANGER, &token, &[&told])).await, "certificate-missing");
}

#[tokio::test]
async fn where_all_must_be_bound_others_are_refused_and_without_rules_none() {
    let strict = Certificates::required(HEADER, CertificateFormat::Sha256, clients()).unwrap();
    let (token, told) = (bound([7; 32]), hex([7; 32]));
    let free = request(PROXY, &tokens::good(), &[&told]);
    assert_eq!(found(&layer(strict.clone()), free).await, "certificate-not-bound");
    assert_eq!(found(&layer(strict), request(PROXY, &token, &[&told])).await, GOOD);
    let plain = JwtLayer::new(tokens::verifier()).mode(Mode::PassInvalid);
    assert_eq!(found(&plain, request(PROXY, &token, &[])).await, GOOD);
}

#[test]
fn the_header_is_one_of_its_own() {
    for bad in ["", "a b", "Authorization", "cookie", "host", "dpop"] {
        let error = Certificates::if_bound(bad, CertificateFormat::Sha256, clients()).unwrap_err();
        assert!(error.to_string().contains("cannot be the header of a certificate"), "{error}");
    }
}
