//! Records in PostgreSQL keep the contract, over pools, crashes and versions, and a dump of them tells no number.
#![cfg(all(unix, feature = "records", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/authority.rs"]
mod authority;
#[path = "support/login.rs"]
mod login;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/users.rs"]
mod users;

use authority::Authority;
use login::{Ask, DEVICE, Login, PHONE, phone};
use portcullis::{
    Profile,
    otp::Settings,
    records::{Mark, Postgres, Records, Unopened, conformance},
};
use postgres::PostgresServer;
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

fn records(url: &str) -> Postgres {
    Postgres::new(url).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_contract_over_two_pools() {
    let server = PostgresServer::start();
    let url = server.database("contract");
    // Both migrate an empty database at once.
    let (one, two) = (records(&url), records(&url));
    let opened = tokio::join!(one.open(conformance::MARK), two.open(conformance::MARK));
    assert_eq!(opened, (Ok(()), Ok(())));
    conformance::check(&one).await;
    conformance::race([Arc::new(one), Arc::new(two)], 20).await;

    requirement_73_a_dump_tells_no_number_and_no_device(&server).await;
    a_number_changes_hands(&server).await;
    a_newer_schema_and_another_pepper_are_refused(&server).await;
}

async fn a_number_changes_hands(server: &PostgresServer) {
    let url = server.database("numbers");
    let login = users::login_over(records(&url));
    let tokens = login.login().await;
    let bearer = tokens.str("access_token");
    let wanted = json!({ "phone": users::OTHER });
    let ask = Ask::post("/v1/phone/change", &wanted).bearer(&bearer);
    let (challenge, code) = login.challenge(ask).await;
    let body = json!({ "challenge_id": challenge, "code": code });
    let changed = login.ask(Ask::post("/v1/phone/change/verify", &body).bearer(&bearer)).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    login.pass(600);
    let again = users::login_over(records(&url)).login_of(users::OTHER).await;
    assert_eq!(again.str("subject"), tokens.str("subject"));
}

async fn requirement_73_a_dump_tells_no_number_and_no_device(server: &PostgresServer) {
    let url = server.database("dump");
    let login = users::login_over(records(&url));
    let codes = users::walk(&login).await;
    let dump = server.dump("dump");
    assert!(
        dump.contains("portcullis.subjects") && dump.contains("INSERT INTO portcullis.devices"),
        "{dump}"
    );
    users::assert_tells_nothing(dump.as_bytes(), &codes);
    for encoded in [PHONE, &PHONE[1..], DEVICE] {
        let hex: String = encoded.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!dump.contains(&hex), "{encoded}");
    }
}

async fn a_newer_schema_and_another_pepper_are_refused(server: &PostgresServer) {
    let url = server.database("versions");
    assert_eq!(records(&url).open(Mark([1; 32])).await, Ok(()));
    let refused = |told: Result<(), Unopened>, why: &str| match told {
        Err(Unopened::Refused(error)) => assert!(error.to_string().contains(why), "{error}"),
        other => panic!("{other:?}"),
    };
    refused(records(&url).open(Mark([2; 32])).await, "another pepper");
    server.sql(
        "versions",
        "INSERT INTO portcullis._sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99, 'later', true, '\\x00', 1)",
    );
    refused(records(&url).open(Mark([1; 32])).await, "schema 99");
    refused(records(&server.url("nobody_made_it")).open(Mark([1; 32])).await, "does not exist");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_loses_nothing_and_logins_go_on_by_themselves() {
    let mut server = PostgresServer::start();
    let url = server.database("crash");
    let login = users::login_over(records(&url));
    let first = login.login().await;
    login.pass(600);
    let (challenge, code) = login.challenge(Ask::code(PHONE)).await;
    // Killed in the middle of writing.
    let (kept, writing) = users::write_until_it_fails(records(&url));
    while kept.lock().unwrap().len() < 50 {
        tokio::task::yield_now().await;
    }
    server.kill();
    writing.await.unwrap();

    // A right code is not used up meanwhile, nobody becomes a new user, and no message leaves for a login that cannot be.
    let refused = login.ask(Ask::code(&phone(1))).await;
    assert_eq!((refused.status.as_u16(), login.sent.settled().await), (503, 2), "{refused:?}");
    let answer = login.ask(Ask::verify(&challenge, &code)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.slug().as_str()),
        (503, "store-unavailable"),
        "{answer:?}"
    );
    assert!(answer.retry_after() > 0);
    server.restart();
    let again = login.ask(Ask::verify(&challenge, &code)).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(
        (again.str("subject"), &again.json()["is_new"]),
        (first.str("subject"), &false.into())
    );
    let kept = kept.lock().unwrap().clone();
    users::assert_all_are_there(&records(&url), &kept).await;
}

#[tokio::test]
async fn a_server_that_is_away_at_first_is_opened_when_it_comes() {
    let mut server = PostgresServer::start();
    let url = server.database("late");
    server.kill();
    let settings = Settings::new(Profile::Dev);
    let login = Login::built(settings, |builder| builder.records(records(&url)));
    let unopened = login.otp.open_records().await;
    assert!(matches!(unopened, Err(Unopened::Unavailable(_))), "{unopened:?}");
    // Who comes at once is told the same, without waiting anew.
    server.restart();
    assert_eq!(login.otp.open_records().await, unopened);
    login.pass(1);
    assert_eq!(login.login().await.json()["is_new"], true);
}

/// Settings of a server that has a certificate for these names.
fn certified(authority: &Authority, names: &[&str], folder: &Path) -> Vec<String> {
    let (key, certificate) = authority.certify(names);
    let write = |name: &str, text: Vec<u8>| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let key = write("server.key", key.private_key_to_pem_pkcs8().unwrap());
    let certificate = write("server.pem", certificate.to_pem().unwrap());
    ["on".into(), certificate, key]
        .into_iter()
        .zip(["ssl", "ssl_cert_file", "ssl_key_file"])
        .map(|(value, name): (String, &str)| format!("{name}={value}"))
        .collect()
}

#[tokio::test]
async fn requirement_97_a_server_without_the_right_certificate_is_refused() {
    let [ours, theirs] = ["ours", "theirs"].map(Authority::new);
    let server = PostgresServer::start_with(|folder| certified(&ours, &["db.example"], folder));
    let url = server.database("tls");
    let open = async |mode: &str, authority: &Authority| {
        let records = records(&format!("{url}?sslmode={mode}")).ca(&authority.pem()).unwrap();
        (records.open(conformance::MARK).await, records)
    };
    for (mode, authority) in
        [("verify-full", &ours), ("verify-full", &theirs), ("verify-ca", &theirs)]
    {
        let (told, _) = open(mode, authority).await;
        assert!(matches!(told, Err(Unopened::Refused(_))), "{mode}: {told:?}");
    }
    // Signed by whom it should be, and by its name for somebody else: what `verify-ca` lets pass.
    let (told, _records) = open("verify-ca", &ours).await;
    assert_eq!(told, Ok(()));
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'portcullis'";
    assert_eq!(server.sql("tls", encrypted), "t");
    drop(server);

    let server = PostgresServer::start_with(|folder| certified(&ours, &["127.0.0.1"], folder));
    let url = format!("{}?sslmode=verify-full", server.database("tls"));
    let records = records(&url).ca(&ours.pem()).unwrap();
    assert_eq!(records.open(conformance::MARK).await, Ok(()));
    assert_eq!(server.sql("tls", encrypted), "t");
}
