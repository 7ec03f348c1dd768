//! Keys of arbitrary text: what is taken can be used, and no error or Debug text shows a secret.

use portcullis::{
    ConfigError, Eventual, TrustedIssuer, Verifier,
    jwt::{Algorithm, Keys},
    token::{Grant, Issuer},
};

/// The members of some keys, good ones and, at the end, broken ones, which the input adds to.
const MEMBERS: [&str; 6] = [
    r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#,
    r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#,
    r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE""#,
    r#""kty":"oct","alg":"HS256","k":"VjByOXhUejNKbUIybktjNUxkWThzSGYxR2FQdUU0aU8""#,
    r#""kty":"oct","alg":"HS256","k":"VjByOXhUejNK+""#,
    r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4+""#,
];

const SECRETS: [&str; 2] = ["870MB6gfuTJ4", "VjByOXhUejNK"];

pub(crate) fn run(data: (u8, &str)) {
    let (choice, text) = data;
    let key = match MEMBERS.get(usize::from(choice % 8)) {
        Some(members) => format!("{{{members}{text}}}"),
        None => text.to_owned(),
    };
    for keys in [
        Keys::jwk(&key),
        Keys::jwks(&key),
        Keys::jwks(&format!("{{\"keys\":[{key}]}}")),
        Keys::pem(&key, Algorithm::ES256),
    ] {
        match keys {
            Ok(keys) => accepted(keys),
            Err(error) => silent(&error.to_string()),
        }
    }
    let set = format!("{{\"keys\":[{key}]}}");
    for issuer in [Issuer::from_jwk("idp", "api", &key), Issuer::from_jwks("idp", "api", &set)] {
        signs(issuer, &key);
    }
}

/// A key that was taken signs what its own verifier takes.
fn signs(issuer: Result<Issuer, ConfigError>, key: &str) {
    match issuer {
        Ok(issuer) => {
            silent(&format!("{issuer:?} {}", issuer.jwks()));
            let token = issuer.mint(&Grant::new("u")).expect("a key that was probed signs");
            let verifier = Verifier::new([issuer.trusted()]).expect("an issuer");
            assert!(matches!(verifier.verify(&token), Eventual::Ready(Ok(_))), "{key}");
        }
        Err(error) => silent(&error.to_string()),
    }
}

/// Keys that were taken have an algorithm, so an issuer with them can be trusted.
fn accepted(keys: Keys) {
    silent(&format!("{keys:?}"));
    let verifier = Verifier::new([TrustedIssuer::new("idp", keys).audience("api")]);
    let verifier = verifier.expect("keys that were taken are good for an issuer");
    assert!(matches!(verifier.verify("e30.e30.AAAA"), Eventual::Ready(Err(_))));
}

fn silent(text: &str) {
    assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
}
