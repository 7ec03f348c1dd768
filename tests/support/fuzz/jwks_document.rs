//! JWK sets as a server may publish them: what is taken can be used, bad keys do not spoil others, and nothing shows a secret.

use portcullis::{
    Eventual, TokenFault, TrustedIssuer, Verifier,
    jwt::Keys,
    token::{Grant, Issuer},
};
use std::sync::LazyLock;

/// One whose key stands beside the input.
static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::generate("idp", "api").expect("a key"));

/// The members of some keys, good ones and, at the end, ones that can sign, which the input adds to.
const MEMBERS: [&str; 4] = [
    r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#,
    r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#,
    r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE""#,
    r#""kty":"oct","alg":"HS256","k":"VjByOXhUejNKbUIybktjNUxkWThzSGYxR2FQdUU0aU8""#,
];

const SECRETS: [&str; 2] = ["870MB6gfuTJ4", "VjByOXhUejNK"];

pub(crate) fn run(data: (u8, &str)) {
    let (choice, text) = data;
    let key = match MEMBERS.get(usize::from(choice % 6)) {
        Some(members) => format!("{{{members}{text}}}"),
        None => text.to_owned(),
    };
    let published = ISSUER.jwks();
    let own = published.trim_start_matches("{\"keys\":[").trim_end_matches("]}");
    for set in [key.clone(), format!("{{\"keys\":[{key}]}}"), format!("{{\"keys\":[{key},{own}]}}")]
    {
        let can_sign = choice % 6 == 2 || choice % 6 == 3;
        match Keys::published(&set) {
            Ok(keys) => {
                // What can sign is alone in the second form, unless the text ends it and begins another key.
                let one = !text.contains(['{', '}']);
                assert!(!(can_sign && one) || set.contains(own), "{set}");
                accepted(keys, set.contains(own) && one);
            }
            Err(error) => silent(&error.to_string()),
        }
    }
}

/// Keys that were taken are good for an issuer, and find `ours`.
fn accepted(keys: Keys, ours: bool) {
    silent(&format!("{keys:?}"));
    assert!(keys.is_ready());
    let verifier = Verifier::new([TrustedIssuer::new("idp", keys).audience("api")]);
    let verifier = verifier.expect("keys that were taken are good for an issuer");
    let token = ISSUER.mint(&Grant::new("u")).expect("a key that was probed signs");
    match verifier.verify(&token) {
        Eventual::Ready(Ok(claims)) => assert_eq!(claims.subject(), Some("u")),
        Eventual::Ready(Err(fault)) => {
            assert!(!ours, "{fault:?}");
            assert!(matches!(
                fault,
                TokenFault::UnknownKey | TokenFault::WrongAlgorithm | TokenFault::NoKeyVerifies
            ));
        }
        Eventual::Pending(_) => panic!("keys that are there answer at once"),
    }
}

fn silent(text: &str) {
    assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
}
