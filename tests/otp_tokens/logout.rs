//! Logout ends what it should, by any token of the session, and nothing of anybody else.

use crate::{
    is,
    login::{Ask, Login},
    post,
};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn requirement_24_logout_ends_a_session_by_any_token_of_it() {
    let login = Login::new();
    for by in 0..4 {
        login.pass(600);
        let first = login.login().await;
        let next = login.refresh(&first.str("refresh_token")).await;
        let ask = || match by {
            0 => post("/v1/logout").bearer(&next.str("access_token")),
            1 => Ask::post("/v1/logout", &json!({ "refresh_token": next.str("refresh_token") })),
            // One that was used up is good enough to leave with.
            2 => Ask::post("/v1/logout", &json!({ "refresh_token": first.str("refresh_token") })),
            _ => Ask::post("/v1/logout", &json!({ "refresh_token": next.str("refresh_token") }))
                .bearer("no.access.token"),
        };
        login.told.acts();
        login.logout(ask()).await;
        assert_eq!(login.told.acts(), ["session-ended"]);
        login.logout(ask()).await;
        assert_eq!(login.told.acts(), [""; 0]);
        assert_eq!(login.api(&next.str("access_token")).await, 401);
        assert_eq!(login.api(&first.str("access_token")).await, 401);
        is(&login.refresh(&next.str("refresh_token")).await, 401, "token-invalid");
    }
    is(&login.ask(post("/v1/logout")).await, 401, "token-missing");
    is(&login.ask(post("/v1/logout").bearer("a.b.c")).await, 401, "token-invalid");
}

#[tokio::test]
async fn requirement_24_an_expired_access_token_ends_nothing_and_the_refresh_token_still_can() {
    let login = Login::new();
    let answer = login.login().await;
    // And the leeway of a verifier.
    login.pass(931);
    let expired = post("/v1/logout").bearer(&answer.str("access_token"));
    is(&login.ask(expired).await, 401, "token-invalid");
    let next = login.refresh(&answer.str("refresh_token")).await;
    assert_eq!(next.status, 200);
    login
        .logout(Ask::post("/v1/logout", &json!({ "refresh_token": next.str("refresh_token") })))
        .await;
    is(&login.refresh(&next.str("refresh_token")).await, 401, "token-invalid");
}

#[tokio::test]
async fn requirement_24_logout_everywhere_ends_all_sessions_of_one_user() {
    let login = Login::new();
    let other = login.login_other().await;
    let first = login.login().await;
    login.pass(300);
    let second = login.login().await;
    login.told.acts();
    login.logout(post("/v1/logout/all").bearer(&second.str("access_token"))).await;
    assert_eq!(login.told.acts(), ["session-ended", "session-ended"]);
    for answer in [&first, &second] {
        assert_eq!(login.api(&answer.str("access_token")).await, 401);
        is(&login.refresh(&answer.str("refresh_token")).await, 401, "token-invalid");
    }
    let again = login.ask(post("/v1/logout/all").bearer(&second.str("access_token"))).await;
    is(&again, 401, "token-invalid");
    assert_eq!(login.api(&other.str("access_token")).await, 200);
    is(&login.ask(post("/v1/logout/all")).await, 401, "token-missing");
}

#[tokio::test]
async fn somebody_elses_session_is_not_found_and_goes_on() {
    let login = Login::new();
    let (own, other) = (login.login().await, login.login_other().await);
    let token = own.str("access_token");
    let end = |id: &str| Ask::new(Method::DELETE, &format!("/v1/sessions/{id}")).bearer(&token);
    let theirs = login.ask(end(&other.str("session_id"))).await;
    is(&theirs, 404, "not-found");
    let nobodys = login.ask(end(&"A".repeat(22))).await;
    assert_eq!((&theirs.headers, &theirs.text), (&nobodys.headers, &nobodys.text));
    assert_eq!(login.api(&other.str("access_token")).await, 200);
    assert_eq!(login.refresh(&other.str("refresh_token")).await.status, 200);

    login.pass(300);
    let second = login.login().await;
    let listed = login.ask(Ask::get("/v1/sessions").bearer(&token)).await.json();
    let ids: Vec<_> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["session_id"].clone())
        .collect();
    assert_eq!(ids, [second.json()["session_id"].clone(), own.json()["session_id"].clone()]);
    login.logout(end(&second.str("session_id"))).await;
    assert_eq!(login.api(&second.str("access_token")).await, 401);
    is(&login.refresh(&second.str("refresh_token")).await, 401, "token-invalid");
    is(&login.ask(end(&second.str("session_id"))).await, 404, "not-found");
    assert_eq!(login.api(&token).await, 200);
}
