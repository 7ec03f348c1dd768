//! Who is forgotten is in no export, and the chain holds.

use crate::stage::{CLIENT, Stage, refused, step, tag};
use portcullis::{
    Key, Reason,
    audit::{Sink, Step, chain::Filter},
    key::KeyKind,
};
use serde_json::Value;
use std::time::Duration;

#[tokio::test]
async fn who_is_erased_is_in_no_export_and_the_chain_holds() {
    for stage in Stage::each() {
        let (ada, bob) = (tag(KeyKind::Subject, "ada"), tag(KeyKind::Subject, "bob"));
        let session = tag(KeyKind::Session, "x");
        let events = || {
            [
                step(Step::TokenIssued, session).subject(Some(ada)),
                step(Step::SubjectCreated, bob),
                refused(Reason::Blocked),
            ]
        };
        stage.record(events()).await;
        stage.clock.advance(Duration::from_secs(86_400));
        // A log that goes on while somebody is erased.
        let (chain, writer) = stage.builder().build();
        let running = tokio::spawn(writer.run());
        events().into_iter().for_each(|event| chain.record(event));
        let tagged =
            async |key: Key| stage.export(&Filter::default().tag(key.to_string())).await.len();
        while tagged(bob).await < 2 {
            tokio::task::yield_now().await;
        }
        let before = stage.form.lines().await;
        let erase = async |tag: &str| stage.archive().erase(tag).await.unwrap();
        assert_eq!(erase(&ada.to_string()).await, 2, "of both days");
        assert_eq!(erase(&ada.to_string()).await, 0);
        assert_eq!((tagged(ada).await, tagged(bob).await), (0, 2));
        assert_eq!(stage.form.lines().await, before, "no row was touched");
        assert!(stage.verify().await.is_ok());
        let rows = stage.export(&Filter::default()).await;
        let erased: Vec<_> = rows.iter().filter(|row| row["erased"] == true).collect();
        assert_eq!(erased.len(), 2);
        for row in erased {
            assert_eq!(row["event"], "token-issued");
            for gone in ["key", "subject", "client"] {
                assert_eq!(row[gone], Value::Null, "{row}");
            }
        }
        // What comes later is sealed with another key, and the old rows stay closed.
        events().into_iter().for_each(|event| chain.record(event));
        drop(chain);
        running.await.unwrap();
        assert_eq!((tagged(ada).await, tagged(bob).await), (1, 3));
        assert_eq!(erase(CLIENT).await, 2, "rows that know no more than an address");
        assert!(stage.verify().await.is_ok());
        let (keys, encoded) = (stage.form.keys().await, "7375626a6563743a");
        assert!(!keys.is_empty());
        assert!(
            !keys.contains("subject:") && !keys.contains(encoded),
            "who is in the table of keys"
        );
    }
}
