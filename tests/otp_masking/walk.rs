//! A walk through everything a login can do, which says what it expects to be told.

use crate::{
    OTHER_DEVICE, SENTINEL, Stage, TESTED, WITHHELD,
    login::{Ask, DEVICE, PHONE, wrong},
    post,
};
use http::Method;
use portcullis::{Blocklist, Key, OtpService, otp::Origins, store::Block, token::Cookies};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Everything that can happen to a login. Requirement 57: what is told of each step, once.
pub(crate) async fn drive(stage: &mut Stage) {
    const REFUSED: &[&str] = &["refused"];
    let sent = ["code-requested", "code-sent"];
    let first = stage.ask(Ask::code(PHONE), 202, &sent).await.str("challenge_id");
    let code = stage.code();
    stage.ask(Ask::code(PHONE), 429, REFUSED).await;
    stage.ask(Ask::verify(&first, &wrong(&code)), 401, &["code-wrong", "refused"]).await;
    let mismatch = ["device-mismatch", "refused"];
    stage.ask(Ask::verify(&first, &code).device(OTHER_DEVICE), 403, &mismatch).await;
    stage.pass(30);
    stage.ask(Ask::resend(&first), 202, &["code-resent", "code-sent"]).await;
    let code = stage.code();
    let right = ["code-right", "device-new", "subject-created", "token-issued"];
    let tokens = stage.ask(Ask::verify(&first, &code), 200, &right).await;
    stage.ask(Ask::verify(&first, &code), 401, REFUSED).await;

    let (access, refresh) = (tokens.str("access_token"), tokens.str("refresh_token"));
    stage.ask(Ask::refresh(&refresh), 200, &["token-refreshed"]).await;
    let listed = Ask::get("/v1/sessions").bearer(&access);
    stage.ask(listed, 200, &[]).await;
    stage.pass(11);
    stage.ask(Ask::refresh(&refresh), 401, &["refresh-reused", "refused"]).await;
    stage.ask(Ask::get("/v1/sessions").bearer(&access), 401, REFUSED).await;
    stage.ask(Ask::get("/v1/sessions"), 401, REFUSED).await;

    for out in 0..4 {
        stage.pass(600);
        let challenge = stage.ask(Ask::code(PHONE), 202, &sent).await.str("challenge_id");
        let code = stage.code();
        let again =
            stage.ask(Ask::verify(&challenge, &code), 200, &["code-right", "token-issued"]).await;
        let (access, refresh) = (again.str("access_token"), again.str("refresh_token"));
        let ask = match out {
            0 => post("/v1/logout").bearer(&access),
            1 => Ask::post("/v1/logout", &json!({ "refresh_token": refresh })),
            2 => post("/v1/logout/all").bearer(&access),
            _ => Ask::new(Method::DELETE, &format!("/v1/sessions/{}", again.str("session_id")))
                .bearer(&access),
        };
        stage.ask(ask, 204, &["session-ended"]).await;
        stage.ask(Ask::post("/v1/logout", &json!({ "refresh_token": refresh })), 204, &[]).await;
    }

    // A decoy, and a number with a code of its own.
    stage.pass(600);
    let decoy = stage.ask(Ask::code(WITHHELD), 202, &["code-requested"]).await.str("challenge_id");
    stage.ask(Ask::verify(&decoy, "123456"), 401, &["code-wrong", "refused"]).await;
    let tested = stage.ask(Ask::code(TESTED), 202, &["code-requested"]).await.str("challenge_id");
    stage.ask(Ask::verify(&tested, "407193"), 200, &right).await;

    // Bad input.
    stage.pass(600);
    for (ask, status) in [
        (Ask::code(SENTINEL), 400),
        (Ask::code(&format!("{PHONE}0000")), 400),
        (Ask::code(PHONE).device(&format!("{DEVICE} {SENTINEL}")), 400),
        (Ask::code(PHONE).body(format!("{{\"{SENTINEL}\":\"{PHONE}\"}}")), 400),
        (Ask::code(PHONE).header("content-type", SENTINEL), 415),
        (Ask::code(PHONE).body(SENTINEL.repeat(1000)), 413),
        (Ask::verify(SENTINEL, "123456"), 401),
        (Ask::verify(&first, SENTINEL), 400),
        (Ask::resend(SENTINEL), 401),
        (Ask::refresh(SENTINEL), 401),
        (Ask::refresh(&access), 401),
        (post("/v1/logout").bearer(SENTINEL), 401),
        (post("/v1/logout/all").bearer(&format!("{SENTINEL}.{SENTINEL}.{SENTINEL}")), 401),
        (post("/v1/logout/all").bearer(&format!("{access}x")), 401),
        (post("/nowhere"), 404),
        (post("/v1/sessions").bearer(&access), 401),
        (Ask::get("/v1/otp/request"), 405),
    ] {
        stage.ask(ask, status, REFUSED).await;
    }

    // Cookies.
    let origins = Origins::none();
    let plain = std::mem::replace(
        &mut stage.service,
        OtpService::new(stage.otp.clone()).cookies(Cookies::new(), origins),
    );
    let challenge = stage.ask(Ask::code(PHONE), 202, &sent).await.str("challenge_id");
    let code = stage.code();
    let tokens =
        stage.ask(Ask::verify(&challenge, &code), 200, &["code-right", "token-issued"]).await;
    let cookies = tokens.headers.get_all("set-cookie").iter();
    let cookies: Vec<_> =
        cookies.map(|line| line.to_str().unwrap().split(';').next().unwrap()).collect();
    let with = |path: &str| post(path).header("cookie", &cookies.join("; "));
    stage.ask(with("/v1/token/refresh"), 200, &["token-refreshed"]).await;
    stage.ask(with("/v1/token/refresh").header("sec-fetch-site", "cross-site"), 403, REFUSED).await;
    stage
        .ask(
            with("/v1/token/refresh").header("cookie", "__Secure-rt=a; __Secure-rt=b"),
            400,
            REFUSED,
        )
        .await;
    stage.ask(with("/v1/logout"), 204, &["session-ended"]).await;
    stage.ask(with("/v1/token/refresh"), 401, REFUSED).await;
    stage.service = plain;

    // A store that is down.
    stage.store.fail(&crate::faults::ALL);
    stage.ask(Ask::code(PHONE), 503, REFUSED).await;
    stage.ask(Ask::refresh(&refresh), 503, REFUSED).await;
    stage.store.fail(&[]);

    // Attempts until the phone's guesses are used up, and requests until it is blocked.
    stage.pass(600);
    let challenge = stage.ask(Ask::code(PHONE), 202, &sent).await.str("challenge_id");
    let code = stage.code();
    for _ in 0..5 {
        stage.ask(Ask::verify(&challenge, &wrong(&code)), 401, &["code-wrong", "refused"]).await;
    }
    stage.ask(Ask::verify(&challenge, &code), 401, REFUSED).await;
    stage.pass(1200);
    for _ in 0..3 {
        let ask = Ask::code(PHONE).device(OTHER_DEVICE);
        stage.ask(ask, 202, &sent).await;
        stage.pass(121);
    }
    stage.ask(Ask::code(PHONE).device(OTHER_DEVICE), 429, &["blocked", "refused"]).await;
    stage.ask(Ask::code(PHONE).device(OTHER_DEVICE), 429, REFUSED).await;
    let blocks = Blocklist::new(Arc::new(stage.store.clone()) as portcullis::store::SharedStore);
    let client = Key::ip([203, 0, 113, 7].into());
    blocks.block(client, Block::lasting(Duration::from_secs(60))).await.unwrap();
    stage.ask(Ask::code(PHONE), 429, REFUSED).await;
    blocks.unblock(client).await.unwrap();
}
