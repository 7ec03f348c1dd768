//! Proofs of arbitrary bytes: none opens what the key did not sign, alone or beside a good one.

use crate::answered;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use http::{HeaderValue, Request, StatusCode, header};
use portcullis::{
    JwtLayer, Memory, TrustedIssuer, Verifier,
    clock::{Clock, UnixTime},
    jwt::{Algorithm, Dpop, Keys},
};
use std::{sync::LazyLock, time::Duration};

const SECRET: &[u8] = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

/// A token that is bound to the key of [`PROOF`], in three parts.
const TOKEN: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.",
    "eyJpc3MiOiJpZHAiLCJhdWQiOiJhcGkiLCJzdWIiOiJ1IiwiZXhwIjoxNzAwMDAwNjAwLCJjbmYiOnsiamt0Ijoib2Jydmd0Z09vU0ly",
    "U0lDck5QVmFSdkx6N3E4cVJVVlJGU2gtTUNBWUNKVSJ9fQ.",
    "ty6CnBIZxa5CtLDKSSl109H-7xHBEASo56TpKoz6Pqs",
);

/// A proof for [`TOKEN`], [`PATH`] and [`NOW`]: header, claims, signature.
pub(crate) const PROOF: [&str; 3] = [
    concat!(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoiSDQ2cEdhRWlx",
        "ZERIbldwT0xxYzYyN2s0OTdqeDFWb3BhYW5QM1dGVUp2QSIsInkiOiJmV1I5a3FRMDlwVmZvb2JQOTZUOWpocEhaTjB5YS1wSUNYM0pr",
        "OV9RUkJvIn19",
    ),
    concat!(
        "eyJqdGkiOiJwcm9vZi0xIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9hcGkuZXhhbXBsZS9vcmRlcnMiLCJpYXQiOjE3MDAwMDAw",
        "MDAsImF0aCI6InBqLWVQUzY4NVdCdTYwV3lBRm5talc4WTBhX2NWYjdTS3ROTVZ4aHpVRG8ifQ",
    ),
    "W3-5K2bFKfAvvjkIXq9_v0udRzbGnTdXT8dMiCvRixbVCp9Icdjj9o5qooMba2jXD1FUPJRMWYkJJ-pDTHt9Kg",
];

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let keys = Keys::secret(SECRET, Algorithm::HS256).expect("a secret");
    let verifier = Verifier::new([TrustedIssuer::new("idp", keys).audience("api")]);
    verifier.expect("an issuer").clock(Still)
});

const PATH: &str = "/orders";
const NOW: u64 = 1_700_000_000;

/// Time that stands still.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn wall(&self) -> UnixTime {
        UnixTime::from_secs(NOW)
    }

    fn ticks(&self) -> Duration {
        Duration::from_secs(NOW)
    }
}

pub(crate) fn run(data: (u8, &[u8])) {
    let (choice, bytes) = data;
    let [head, claims, signature] = PROOF;
    let good = PROOF.join(".");
    let (first, second) = match choice % 7 {
        0 => (bytes.to_vec(), None),
        1 => (format!("{}.{claims}.{signature}", BASE64.encode(bytes)).into(), None),
        2 => (format!("{head}.{}.{signature}", BASE64.encode(bytes)).into(), None),
        3 => (format!("{head}.{claims}.{}", BASE64.encode(bytes)).into(), None),
        // A key of the input's own, which a digest of it is compared with.
        4 => {
            let own = [br#"{"typ":"dpop+jwt","alg":"ES256","jwk":"#, bytes, b"}"].concat();
            (format!("{}.{claims}.{signature}", BASE64.encode(own)).into(), None)
        }
        5 => ([good.as_bytes(), bytes].concat(), None),
        _ => (good.clone().into_bytes(), Some(bytes)),
    };
    let mut request = Request::new(());
    *request.uri_mut() = PATH.parse().expect("a path");
    let line = format!("DPoP {TOKEN}");
    request.headers_mut().insert(header::AUTHORIZATION, line.parse().expect("a header"));
    for proof in [Some(&*first), second].into_iter().flatten() {
        let Ok(proof) = HeaderValue::from_bytes(proof) else { return };
        request.headers_mut().append("dpop", proof);
    }
    let store = Memory::new().max_keys(64).clock(Still);
    let status = answer(&store, request.clone());
    if status == StatusCode::OK {
        let signed = format!("{head}.{claims}.");
        // Of a signature by an elliptic curve there is a second one that anybody can work out.
        assert!(first.starts_with(signed.as_bytes()), "{}", first.escape_ascii());
        assert_eq!(second, None);
        assert_eq!(answer(&store, request), StatusCode::UNAUTHORIZED, "a second time");
    } else {
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(first != good.as_bytes() || second.is_some(), "the good one opens");
    }
}

fn answer(store: &Memory, request: Request<()>) -> StatusCode {
    let rules = Dpop::if_bound("https://api.example", store.clone()).expect("a URL");
    answered::status(&JwtLayer::new(VERIFIER.clone()).dpop(rules), request)
}
