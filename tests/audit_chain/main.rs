//! The audit log: each event is one row, no change of it goes unseen, none is lost unsaid, and persons can be forgotten.
#![cfg(all(feature = "audit-log", feature = "records", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/told.rs"]
mod told;

mod changes;
mod copies;
mod files;
mod form;
mod outage;
mod persons;
mod queue;
mod rotation;
mod stage;
mod tables;
mod unsigned;

use portcullis::{
    Key, Reason, TokenFault,
    audit::{Act, Event, ProviderChange, Sink, Step, chain::Filter},
    clock::UnixTime,
    key::KeyKind,
};
use serde_json::Value;
use stage::{CLIENT, NOW, Stage, client, events, refused, step, tag};
use std::time::Duration;

#[tokio::test]
async fn requirements_57_and_59_each_event_is_one_row_that_says_what_it_was_and_how_it_was_answered()
 {
    for stage in Stage::each() {
        let (phone, subject) = (tag(KeyKind::Phone, "p"), tag(KeyKind::Subject, "s"));
        let session = tag(KeyKind::Session, "x");
        let blocked = Act::Blocked {
            key: phone,
            lasting: Some(Duration::from_secs(900)),
            cause: Some("guesses".into()),
        };
        stage
            .record([
                step(Step::CodeRequested, phone),
                step(Step::CodeWrong, phone),
                refused(Reason::CodeInvalid),
                step(Step::DeviceMismatch, phone),
                step(Step::CodeRight, phone),
                step(Step::TokenIssued, session).subject(Some(subject)),
                Event::new(blocked).client(client(CLIENT)),
                refused(Reason::RateLimited),
                refused(Reason::TokenInvalid(TokenFault::Expired)),
                Event::new(Act::StoreLost("no answer".into())),
                Event::new(Act::Provider {
                    provider: "msg91".into(),
                    change: ProviderChange::Paused,
                }),
            ])
            .await;
        let rows = stage.export(&Filter::default()).await;
        assert_eq!(
            events(&rows),
            [
                "log-opened",
                "code-requested",
                "code-wrong",
                "refused",
                "device-mismatch",
                "code-right",
                "token-issued",
                "blocked",
                "refused",
                "refused",
                "store-lost",
                "provider-paused",
                "log-closed"
            ]
        );
        let of = |row: usize, name: &str| rows[row][name].clone();
        assert_eq!((of(2, "attempt"), of(2, "key")), (2.into(), phone.to_string().into()));
        assert_eq!((of(3, "status"), of(3, "reason")), (401.into(), "otp-invalid".into()));
        assert_eq!((of(3, "layer"), of(3, "caller")), ("otp".into(), "anonymous".into()));
        assert_eq!(
            (of(6, "subject"), of(6, "key")),
            (subject.to_string().into(), session.to_string().into())
        );
        assert_eq!((of(7, "seconds"), of(7, "cause")), (900.into(), "guesses".into()));
        assert_eq!((of(8, "status"), of(9, "status")), (429.into(), 401.into()));
        assert_eq!(of(9, "cause"), "expired");
        assert_eq!((of(10, "cause"), of(10, "client")), ("no answer".into(), Value::Null));
        assert_eq!((of(11, "provider"), of(10, "provider")), ("msg91".into(), Value::Null));
        for (row, seq) in rows.iter().zip(1..) {
            assert_eq!(
                (row["seq"].as_u64(), row["time"].as_str()),
                (Some(seq), Some("2027-01-15T08:00:00.000000Z"))
            );
        }
        let report = stage.verify().await.unwrap();
        assert_eq!((report.first, report.last, report.signed), (1, 13, 13));
        // What leads to a person is in no row as it lies there.
        let lying = stage.form.lines().await.concat();
        for secret in
            [CLIENT, &phone.to_string(), &subject.to_string(), &session.to_string(), "phone:"]
        {
            assert!(!lying.contains(secret), "{secret} in {lying}");
        }
    }
}

#[tokio::test]
async fn requirement_103_rows_are_found_by_subject_client_and_time() {
    for stage in Stage::each() {
        let (ada, bob) = (tag(KeyKind::Subject, "ada"), tag(KeyKind::Subject, "bob"));
        let session = tag(KeyKind::Session, "x");
        stage.record([step(Step::TokenIssued, session).subject(Some(ada))]).await;
        stage.clock.advance(Duration::from_secs(100));
        let elsewhere = Event::new(Act::Refused(Reason::Blocked)).client(client("2001:db8::7"));
        stage.record([step(Step::SubjectCreated, bob), elsewhere]).await;
        let found = async |filter: Filter| {
            let rows = stage.export(&filter).await;
            events(&rows).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let filter = Filter::default;
        assert_eq!(found(filter().tag(ada.to_string())).await, ["token-issued"]);
        assert_eq!(found(filter().tag(session.to_string())).await, ["token-issued"]);
        assert_eq!(found(filter().tag(bob.to_string())).await, ["subject-created"]);
        assert_eq!(found(filter().tag(ada.to_string()).tag(bob.to_string())).await.len(), 2);
        assert_eq!(found(filter().client("203.0.113.0/24".parse().unwrap())).await.len(), 2);
        assert_eq!(found(filter().client("2001:db8::/32".parse().unwrap())).await, ["refused"]);
        let later = UnixTime::from_secs(NOW + 50);
        assert_eq!(found(filter().to(later)).await, ["log-opened", "token-issued", "log-closed"]);
        assert_eq!(found(filter().from(later)).await.len(), 4);
        assert_eq!(found(filter().from(later).tag(ada.to_string())).await, [""; 0]);
    }
}

#[tokio::test]
async fn addresses_can_be_kept_as_networks() {
    for stage in Stage::each() {
        let (chain, writer) = stage.builder().truncate_addresses().build();
        for address in [CLIENT, "2001:db8:1:2::7"] {
            chain.record(Event::new(Act::Refused(Reason::Blocked)).client(client(address)));
        }
        for address in [CLIENT, "2001:db8:1:2::7"] {
            // By hand, and for what this client did.
            let key = Key::ip(address.parse().unwrap());
            chain.record(Event::new(Act::Unblocked(key)));
            let blocked = Act::Blocked { key, lasting: None, cause: None };
            chain.record(Event::new(blocked).client(client(address)));
        }
        let phone = tag(KeyKind::Phone, "p");
        chain.record(Event::new(Act::Unblocked(phone)));
        drop(chain);
        writer.run().await;
        let rows = stage.export(&Filter::default()).await;
        let keys: Vec<_> = rows[3..8].iter().map(|row| row["key"].as_str().unwrap()).collect();
        let networks = ["203.0.113.0", "2001:db8:1::/48"].map(|network| [network; 2]).concat();
        assert_eq!(keys, [&networks[..], &[&*phone.to_string()]].concat());
        assert_eq!(
            (&rows[1]["client"], &rows[2]["client"]),
            (&"203.0.113.0".into(), &"2001:db8:1::".into())
        );
        let erased = async |tag: &str| stage.archive().erase(tag).await.unwrap();
        assert_eq!((erased("203.0.113.0").await, erased("2001:db8:1::/64").await), (1, 1));
        let rows = stage.export(&Filter::default()).await;
        assert_eq!(rows.iter().filter(|row| row["erased"] == true).count(), 6, "{rows:?}");
    }
}

#[tokio::test]
async fn requirement_62_nothing_that_a_client_sends_begins_a_row() {
    // All that is text in an event is of the program, or a key or an address, which have no line ends.
    for stage in Stage::each() {
        let evil = tag(KeyKind::Header, "a\r\n{\"seq\":9}");
        stage.record([step(Step::CodeWrong, evil), refused(Reason::PathInvalid)]).await;
        for line in stage.form.lines().await {
            assert!(!line.contains(char::is_control));
            assert!(serde_json::from_str::<Value>(&line).unwrap().is_object());
        }
    }
}
