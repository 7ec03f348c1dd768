//! Credentials of arbitrary bytes: none is taken but the ones that were signed, however they arrive.

use crate::answered;
use http::{HeaderValue, Request, StatusCode, header};
use portcullis::{
    Eventual, JwtLayer, Verifier,
    jwt::{Mode, TokenSource},
    token::{Grant, Issuer},
};
use std::sync::LazyLock;

struct Fixture {
    verifier: Verifier,
    token: String,
    /// The token without its signature, for which the input is one.
    unsigned: String,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let issuer = Issuer::generate("idp", "api").expect("a key");
    let token = issuer.mint(&Grant::new("u")).expect("a token");
    let verifier = Verifier::new([issuer.trusted()]).expect("an issuer");
    let unsigned = token[..=token.rfind('.').expect("three parts")].to_owned();
    Fixture { verifier, token, unsigned }
});

pub(crate) fn run(data: (u8, &[u8])) {
    let Fixture { verifier, token, unsigned } = &*FIXTURE;
    let (choice, bytes) = data;
    if let Ok(text) = std::str::from_utf8(bytes) {
        for candidate in [text.to_owned(), format!("{unsigned}{text}"), format!("{text}.{token}")] {
            let Eventual::Ready(verified) = verifier.verify(&candidate) else {
                panic!("fixed keys answer at once");
            };
            assert!(verified.is_err() || candidate == *token, "{candidate}");
        }
    }

    // The same bytes as a header and as a cookie, alone and beside a good token.
    let good = format!("Bearer {token}").into_bytes();
    let prefixed = [b"Bearer ", bytes].concat();
    let cookie = [b"at=", bytes].concat();
    let lines: &[(_, &[u8])] = match choice % 5 {
        0 => &[(header::AUTHORIZATION, bytes)],
        1 => &[(header::AUTHORIZATION, &prefixed)],
        2 => &[(header::AUTHORIZATION, &good), (header::AUTHORIZATION, bytes)],
        3 => &[(header::COOKIE, &cookie)],
        _ => &[(header::AUTHORIZATION, &good), (header::COOKIE, &cookie)],
    };
    let mut request = Request::new(());
    for (name, value) in lines {
        let Ok(value) = HeaderValue::from_bytes(value) else {
            return;
        };
        request.headers_mut().append(name.clone(), value);
    }
    let has_token = bytes.windows(token.len()).any(|part| part == token.as_bytes());
    let alone = choice % 5 == 4 && bytes.split(|byte| *byte == b';').all(<[u8]>::is_empty);
    let status = answer(request);
    if status == StatusCode::OK {
        assert!(has_token || choice % 5 == 4, "{}", bytes.escape_ascii());
    }
    assert!(!alone || status == StatusCode::OK, "an empty cookie is none");
    assert!(matches!(status.as_u16(), 200 | 400 | 401), "{status}");
}

fn answer(request: Request<()>) -> StatusCode {
    let source = TokenSource::new().or_cookie("at").expect("a name");
    let layer = JwtLayer::new(FIXTURE.verifier.clone()).source(source).mode(Mode::Required);
    answered::status(&layer, request)
}
