//! Logins over records that last, and what is left of them.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and may panic")]

use crate::login::{Ask, DEVICE, Login, PHONE};
use portcullis::{
    Profile,
    clock::UnixTime,
    otp::{Sealed, Settings, Subject},
    records::{PhoneTag, Records, SealedPhone, conformance},
};
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// Somebody else's phone.
pub(crate) const OTHER: &str = "+14155552671";

/// A login in memory but for its records.
pub(crate) fn login_over(records: impl Records + 'static) -> Login {
    Login::built(Settings::new(Profile::Dev), |builder| builder.records(records))
}

/// Logs two people in, and says the codes.
pub(crate) async fn walk(login: &Login) -> Vec<String> {
    let mut codes = Vec::new();
    for phone in [PHONE, OTHER] {
        let (challenge, code) = login.challenge(Ask::code(phone)).await;
        assert_eq!(login.ask(Ask::verify(&challenge, &code)).await.status, 200);
        codes.push(code);
    }
    codes
}

/// Requirements 1 and 73: neither a number nor a device nor a code is in what was written.
pub(crate) fn assert_tells_nothing(bytes: &[u8], codes: &[String]) {
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for number in [PHONE, OTHER] {
        assert!(!holds(&number[1..]) && !holds(&number[4..]), "{number}");
    }
    assert!(!holds(DEVICE));
    // As a word: six digits are in some long number by chance.
    let words: Vec<_> = bytes.split(|byte| !byte.is_ascii_alphanumeric()).collect();
    assert!(!codes.iter().any(|code| words.contains(&code.as_bytes())), "a code is kept");
}

pub(crate) type Kept = Arc<Mutex<Vec<(PhoneTag, Subject)>>>;

/// Creates subjects until the records do not answer any more, and notes what was answered.
pub(crate) fn write_until_it_fails(records: impl Records + 'static) -> (Kept, JoinHandle<()>) {
    let kept = Kept::default();
    let notes = Arc::clone(&kept);
    let writing = tokio::spawn(async move {
        for number in 0_u32.. {
            let (phone, subject) = of(number);
            let now = UnixTime::from_secs(1_800_000_000);
            match records.find_or_create(phone.clone(), subject, now).await {
                Ok(found) => notes.lock().unwrap().push((phone.tag, found.subject)),
                Err(_) => break,
            }
        }
    });
    (kept, writing)
}

/// The number and subject of this number.
pub(crate) fn of(number: u32) -> (SealedPhone, Subject) {
    let mut tag = [9; 32];
    tag[..4].copy_from_slice(&number.to_be_bytes());
    let phone = SealedPhone { tag: PhoneTag(tag), sealed: Sealed::from_bytes(b"sealed") };
    (phone, Subject::new(&format!("written-{number}")).unwrap())
}

pub(crate) async fn assert_all_are_there(records: &impl Records, kept: &[(PhoneTag, Subject)]) {
    assert!(kept.len() >= 50);
    for (tag, subject) in kept {
        assert_eq!(records.find(*tag).await, Ok(Some(subject.clone())));
    }
}

/// What tests open records with that they wrote themselves.
pub(crate) async fn open(records: &impl Records) {
    assert_eq!(records.open(conformance::MARK).await, Ok(()));
}

/// Changes a file behind the back of the records.
pub(crate) async fn alter(path: &str, statement: &str) {
    use sqlx::Connection;
    let mut file = sqlx::SqliteConnection::connect(path).await.unwrap();
    sqlx::query(statement).execute(&mut file).await.unwrap();
    file.close().await.unwrap();
}
