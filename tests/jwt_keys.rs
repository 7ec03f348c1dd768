//! Every algorithm signs and verifies, with keys from PEM and from JWK, and only with its own key.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
};
use portcullis::{
    Claims, TokenFault, TrustedIssuer, Verifier,
    jwt::{Algorithm, Keys},
    token::{Grant, Issuer},
};
use serde_json::{Value, json};
use std::sync::LazyLock;

const SECRET: &[u8] = b"q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iOoXyWeRt6UkZbNvMCjQhSgFlD-_A0b";

static RSA: LazyLock<PKey<Private>> =
    LazyLock::new(|| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap());

fn key(algorithm: Algorithm) -> PKey<Private> {
    let on = |nid| {
        let group = EcGroup::from_curve_name(nid).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    };
    match algorithm {
        Algorithm::ES256 => on(Nid::X9_62_PRIME256V1),
        Algorithm::ES384 => on(Nid::SECP384R1),
        Algorithm::ES512 => on(Nid::SECP521R1),
        Algorithm::EdDSA => PKey::generate_ed25519().unwrap(),
        _ => RSA.clone(),
    }
}

/// The private JWK of a key.
fn jwk(key: &PKey<Private>, algorithm: Algorithm) -> Value {
    let number = |number: &openssl::bn::BigNumRef| BASE64.encode(number.to_vec());
    let mut jwk = if let Ok(rsa) = key.rsa() {
        json!({
            "kty": "RSA", "n": number(rsa.n()), "e": number(rsa.e()), "d": number(rsa.d()),
            "p": number(rsa.p().unwrap()), "q": number(rsa.q().unwrap()),
            "dp": number(rsa.dmp1().unwrap()), "dq": number(rsa.dmq1().unwrap()),
            "qi": number(rsa.iqmp().unwrap()),
        })
    } else if let Ok(ec) = key.ec_key() {
        let (curve, width) = match algorithm {
            Algorithm::ES256 => ("P-256", 32),
            Algorithm::ES384 => ("P-384", 48),
            _ => ("P-521", 66),
        };
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context).unwrap();
        let padded =
            |number: &openssl::bn::BigNumRef| BASE64.encode(number.to_vec_padded(width).unwrap());
        json!({
            "kty": "EC", "crv": curve, "x": padded(&x), "y": padded(&y), "d": padded(ec.private_key()),
        })
    } else {
        json!({
            "kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(key.raw_public_key().unwrap()),
            "d": BASE64.encode(key.raw_private_key().unwrap()),
        })
    };
    jwk["alg"] = algorithm.name().into();
    jwk
}

async fn verify(keys: Keys, token: &str) -> Result<Claims, TokenFault> {
    let issuer = TrustedIssuer::new("idp", keys).audience("api");
    Verifier::new([issuer]).unwrap().verify(token).await
}

fn mint(issuer: &Issuer) -> String {
    issuer.mint(&Grant::new("user-1")).unwrap()
}

#[tokio::test]
async fn every_pair_signs_and_verifies() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let (key, stranger) = (key(algorithm), key(algorithm));
        let jwk = jwk(&key, algorithm);
        let pem = key.private_key_to_pem_pkcs8().unwrap();
        for issuer in [
            Issuer::from_pem("idp", "api", &pem, algorithm).unwrap(),
            Issuer::from_jwk("idp", "api", &jwk.to_string()).unwrap(),
        ] {
            let token = mint(&issuer);
            for keys in [
                Keys::pem(key.public_key_to_pem().unwrap(), algorithm).unwrap(),
                Keys::pem(&pem, algorithm).unwrap(),
                Keys::jwk(&jwk.to_string()).unwrap(),
                Keys::jwks(&issuer.jwks()).unwrap(),
            ] {
                let claims = verify(keys, &token).await;
                assert_eq!(claims.unwrap().subject(), Some("user-1"), "{algorithm}");
            }
            assert!(!issuer.jwks().contains("\"d\""));
            if !stranger.public_eq(&key) {
                let keys = Keys::pem(stranger.public_key_to_pem().unwrap(), algorithm).unwrap();
                let fault = verify(keys, &token).await.err();
                assert_eq!(fault, Some(TokenFault::NoKeyVerifies), "{algorithm}");
            }
        }
    }
}

#[tokio::test]
async fn every_secret_signs_and_verifies() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let jwk = json!({ "kty": "oct", "alg": algorithm.name(), "k": BASE64.encode(SECRET) })
            .to_string();
        let other = [&SECRET[1..], b"x"].concat();
        for issuer in [
            Issuer::from_secret("idp", "api", SECRET, algorithm).unwrap(),
            Issuer::from_jwk("idp", "api", &jwk).unwrap(),
        ] {
            let token = mint(&issuer);
            for keys in [Keys::secret(SECRET, algorithm).unwrap(), Keys::jwk(&jwk).unwrap()] {
                assert!(verify(keys, &token).await.is_ok(), "{algorithm}");
            }
            let fault = verify(Keys::secret(&other, algorithm).unwrap(), &token).await.err();
            assert_eq!(fault, Some(TokenFault::NoKeyVerifies));
        }
    }
}

#[tokio::test]
async fn one_rsa_key_is_for_one_algorithm() {
    let family = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    for (signs, verifies) in family.iter().flat_map(|a| family.iter().map(move |b| (a, b))) {
        let pem = RSA.private_key_to_pem_pkcs8().unwrap();
        let token = mint(&Issuer::from_pem("idp", "api", &pem, signs.parse().unwrap()).unwrap());
        let fault = verify(Keys::pem(&pem, verifies.parse().unwrap()).unwrap(), &token).await.err();
        assert_eq!(fault, (signs != verifies).then_some(TokenFault::WrongAlgorithm));
    }
}

#[tokio::test]
async fn older_and_newer_forms_of_pem_are_read() {
    let rsa = RSA.rsa().unwrap();
    let public = rsa.public_key_to_pem_pkcs1().unwrap();
    let private = rsa.private_key_to_pem().unwrap();
    let issuer = Issuer::from_pem("idp", "api", private, Algorithm::RS256).unwrap();
    let keys = Keys::pem(public, Algorithm::RS256).unwrap();
    assert!(verify(keys, &mint(&issuer)).await.is_ok());
    let ec = key(Algorithm::ES256);
    let sec1 = ec.ec_key().unwrap().private_key_to_pem().unwrap();
    let issuer = Issuer::from_pem("idp", "api", sec1, Algorithm::ES256).unwrap();
    assert!(verify(Keys::jwks(&issuer.jwks()).unwrap(), &mint(&issuer)).await.is_ok());
}

#[tokio::test]
async fn the_newer_name_of_ed25519_is_understood() {
    let key = key(Algorithm::EdDSA);
    let header = BASE64.encode(r#"{"alg":"Ed25519","typ":"at+jwt"}"#);
    let payload = BASE64.encode(r#"{"iss":"idp","aud":"api","exp":4102444800}"#);
    let signed = format!("{header}.{payload}");
    let mut signer = openssl::sign::Signer::new_without_digest(&key).unwrap();
    let signature = signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap();
    let token = format!("{signed}.{}", BASE64.encode(signature));
    let keys = Keys::pem(key.public_key_to_pem().unwrap(), Algorithm::EdDSA).unwrap();
    assert!(verify(keys, &token).await.is_ok());
}

#[test]
fn halves_that_do_not_belong_together_sign_nothing() {
    for algorithm in [Algorithm::ES256, Algorithm::ES512, Algorithm::EdDSA] {
        let (mut one, other) = (jwk(&key(algorithm), algorithm), jwk(&key(algorithm), algorithm));
        one["d"] = other["d"].clone();
        assert!(Issuer::from_jwk("idp", "api", &one.to_string()).is_err(), "{algorithm}");
    }
    let mut rsa = jwk(&RSA, Algorithm::RS256);
    let n = &Rsa::generate(2048).unwrap();
    rsa["n"] = BASE64.encode(n.n().to_vec()).into();
    assert!(Issuer::from_jwk("idp", "api", &rsa.to_string()).is_err());
}

#[test]
fn keys_that_may_not_or_cannot_are_refused() {
    let key = key(Algorithm::ES256);
    let pem = key.private_key_to_pem_pkcs8().unwrap();
    assert!(Issuer::from_pem("idp", "api", &pem, Algorithm::RS256).is_err());
    assert!(Issuer::from_pem("idp", "api", &pem, Algorithm::HS256).is_err());
    assert!(
        Issuer::from_pem("idp", "api", key.public_key_to_pem().unwrap(), Algorithm::ES256).is_err()
    );
    assert!(
        Keys::pem(
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            Algorithm::ES256
        )
        .is_err()
    );
    assert!(Keys::secret(key.public_key_to_pem().unwrap(), Algorithm::HS256).is_err());
    let mut jwk = jwk(&key, Algorithm::ES256);
    jwk["key_ops"] = json!(["verify"]);
    assert!(Issuer::from_jwk("idp", "api", &jwk.to_string()).is_err());
    jwk["key_ops"] = json!(["sign"]);
    let error = |json: &Value| Keys::jwk(&json.to_string()).unwrap_err().to_string();
    assert!(Keys::jwk(&jwk.to_string()).is_ok(), "who may sign may verify");
    let x = jwk["x"].as_str().map(|x| BASE64.decode(x).unwrap()).unwrap();
    jwk["x"] = BASE64.encode([&[0], &x[..]].concat()).into();
    assert!(error(&jwk).contains("32 bytes"), "one spelling for a coordinate");
    jwk["x"] = jwk["y"].clone();
    assert!(!error(&jwk).contains(jwk["d"].as_str().unwrap()));
}
