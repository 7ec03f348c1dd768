//! Records in memory and in a file keep the contract; what is in the file outlives its process and tells no number.
#![cfg(all(feature = "records", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/login.rs"]
mod login;
#[path = "support/users.rs"]
mod users;

use gateway::Folder;
use portcullis::{
    clock::UnixTime,
    records::{KeptPhone, Mark, MemoryRecords, Records, Sqlite, Unopened, conformance},
};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::Arc,
};

fn sqlite(folder: &Folder) -> Sqlite {
    Sqlite::new(folder.file("records.sqlite"))
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let records = MemoryRecords::new();
    conformance::check(&records).await;
    conformance::race([Arc::new(records.clone()), Arc::new(records)], 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_keeps_the_contract_over_two_pools() {
    let folder = Folder::new();
    // Both migrate an empty file at once.
    let (one, two) = (sqlite(&folder), sqlite(&folder));
    let opened = tokio::join!(one.open(conformance::MARK), two.open(conformance::MARK));
    assert_eq!(opened, (Ok(()), Ok(())));
    conformance::check(&one).await;
    conformance::race([Arc::new(one), Arc::new(two)], 20).await;
}

#[tokio::test]
async fn requirements_1_and_73_the_file_tells_no_number_no_device_and_no_code() {
    let folder = Folder::new();
    let first = users::login_over(sqlite(&folder));
    let codes = users::walk(&first).await;
    let mut files = 0;
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        users::assert_tells_nothing(&fs::read(&path).unwrap(), &codes);
        files += 1;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "others can read {path:?}");
        }
    }
    assert_eq!(files, 3, "the file, its log and its index");
}

#[tokio::test]
async fn a_subject_and_its_devices_outlive_the_login() {
    let folder = Folder::new();
    let first = users::login_over(sqlite(&folder)).login().await;
    let login = users::login_over(sqlite(&folder));
    let again = login.login().await;
    assert_eq!(
        (again.str("subject"), &again.json()["is_new"]),
        (first.str("subject"), &false.into())
    );
    // Requirement 73: the binding is the one from before.
    let devices =
        login.ask(login::Ask::get("/v1/devices").bearer(&again.str("access_token"))).await;
    assert_eq!(devices.json()["devices"].as_array().unwrap().len(), 1, "{devices:?}");
}

#[tokio::test]
async fn what_is_newer_or_of_another_pepper_or_no_file_of_ours_is_refused() {
    let folder = Folder::new();
    let refused = |told: Result<(), Unopened>, why: &str| match told {
        Err(Unopened::Refused(error)) => assert!(error.to_string().contains(why), "{error}"),
        other => panic!("{other:?}"),
    };
    users::open(&sqlite(&folder)).await;
    refused(sqlite(&folder).open(Mark([2; 32])).await, "another pepper");
    folder.write("other", "this is no database, and long enough to be told from one".repeat(20));
    refused(Sqlite::new(folder.file("other")).open(conformance::MARK).await, "not a database");
    refused(
        Sqlite::new(folder.file("no/folder")).open(conformance::MARK).await,
        "cannot be opened",
    );
    let statement = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (99, 'later', true, x'00', 1)";
    users::alter(&folder.file("records.sqlite"), statement).await;
    refused(sqlite(&folder).open(conformance::MARK).await, "schema 99");
}

#[tokio::test]
async fn a_file_of_an_older_version_is_brought_up_to_date_with_all_that_is_in_it() {
    let folder = Folder::new();
    let (phone, subject) = users::of(1);
    let before = sqlite(&folder);
    users::open(&before).await;
    before.find_or_create(phone.clone(), subject.clone(), UnixTime::default()).await.unwrap();
    drop(before);
    let path = folder.file("records.sqlite");
    for statement in [
        "ALTER TABLE subjects DROP COLUMN changed_at",
        "DELETE FROM _sqlx_migrations WHERE version = 2",
    ] {
        users::alter(&path, statement).await;
    }
    let now = sqlite(&folder);
    users::open(&now).await;
    let kept = KeptPhone { sealed: phone.sealed.clone(), changed_at: None };
    assert_eq!(now.phone(subject).await, Ok(Some(kept)));
}

/// Where a process is to write to until it is killed: this test is both, who kills and who is killed.
const WRITES_TO: &str = "PORTCULLIS_TEST_WRITES_TO";

#[tokio::test]
async fn a_process_that_is_killed_while_it_writes_loses_nothing_it_answered() {
    if let Some(path) = env::var_os(WRITES_TO) {
        return write_for_ever(Sqlite::new(path)).await;
    }
    let folder = Folder::new();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_process_that_is_killed_while_it_writes_loses_nothing_it_answered"])
        .arg("--nocapture")
        .env(WRITES_TO, folder.file("records.sqlite"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_kept = |line: &String| line.starts_with("kept ");
    assert_eq!(lines.by_ref().map(Result::unwrap).filter(is_kept).take(100).count(), 100);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before it died, too.
    let answered = 100 + lines.map_while(Result::ok).filter(is_kept).count();
    let records = sqlite(&folder);
    users::open(&records).await;
    for number in 0..u32::try_from(answered).unwrap() {
        let (phone, subject) = users::of(number);
        assert_eq!(records.find(phone.tag).await, Ok(Some(subject)), "{number} of {answered}");
    }
}

async fn write_for_ever(records: Sqlite) {
    users::open(&records).await;
    for number in 0_u32.. {
        let (phone, subject) = users::of(number);
        let now = UnixTime::from_secs(1_800_000_000);
        let found = records.find_or_create(phone, subject, now).await.unwrap();
        println!("kept {}", found.subject);
    }
}
