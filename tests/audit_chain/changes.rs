//! Whatever was changed is found and named, whoever had the rights to change it.

use crate::stage::{Stage, refused};
use portcullis::{
    Reason,
    audit::chain::{Fault, Row},
};
use std::fs;

#[tokio::test]
async fn requirement_61_whatever_is_changed_is_named_with_its_line() {
    for stage in Stage::each() {
        stage.record((0..8).map(|_| refused(Reason::RateLimited))).await;
        let good = stage.form.lines().await;
        assert_eq!(stage.verify().await.unwrap().last, 10);
        // One byte.
        let mut lines = good.clone();
        lines[4] = lines[4].replacen("429", "428", 1);
        stage.form.rewrite(&lines).await;
        assert_eq!(stage.fault().await, (Some(5), Fault::Changed));
        // Each byte of a line, whatever it becomes.
        let step = if stage.is_files() { 1 } else { 40 };
        for at in (0..good[4].len()).step_by(step) {
            let mut bytes = good[4].clone().into_bytes();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            lines[4] = String::from_utf8(bytes).unwrap();
            stage.form.rewrite(&lines).await;
            assert_eq!(stage.fault().await.0, Some(5), "{}", lines[4]);
        }
        // A line that is missing, two that changed places, one that is there twice.
        stage.form.rewrite(&[&good[..3], &good[5..]].concat()).await;
        assert_eq!(stage.fault().await, (Some(4), Fault::Missing { from: 4, to: 5 }));
        let mut lines = good.clone();
        lines.swap(3, 4);
        stage.form.rewrite(&lines).await;
        assert_eq!(stage.fault().await, (Some(4), Fault::Reordered { expected: 4 }));
        stage.form.rewrite(&[&good[..3], &good[2..]].concat()).await;
        assert_eq!(stage.fault().await, (Some(4), Fault::Reordered { expected: 4 }));
        // What is no row, and a chain without its beginning.
        stage.form.rewrite(&[&good[..2], &["{}".to_owned()], &good[2..]].concat()).await;
        assert_eq!(stage.fault().await, (Some(3), Fault::NoRow));
        let long = "x".repeat(200_000);
        stage.form.rewrite(&[&good[..2], &[long], &good[2..]].concat()).await;
        assert_eq!(stage.fault().await, (Some(3), Fault::NoRow));
        stage.form.rewrite(&good[2..]).await;
        assert_eq!(stage.fault().await, (Some(1), Fault::Headless { first: 3 }));
        // A tail that is cut off, for which the checkpoint speaks.
        stage.form.rewrite(&good[..9]).await;
        assert_eq!(stage.fault().await, (None, Fault::CutOff { signed: 10 }));
        stage.form.rewrite(&good).await;
        assert_eq!(stage.verify().await.unwrap().last, 10);
    }
}

#[tokio::test]
async fn who_makes_a_chain_anew_lacks_the_signature() {
    for stage in Stage::each() {
        stage.record([refused(Reason::RateLimited), refused(Reason::Blocked)]).await;
        let (rows, copy) =
            (stage.form.lines().await, fs::read(stage.place.path("copy.jws")).unwrap());
        // A row changed, and all hashes made to fit.
        let mut forged: Vec<Row> = Vec::new();
        for line in &rows {
            let mut text =
                Row::parse(line).unwrap().text().replace("\"status\":429", "\"status\":200");
            if let Some(before) = forged.last() {
                let at = text.find("\"prev\":\"").unwrap() + 8;
                text.replace_range(at..at + 64, &before.hash().to_string());
            }
            forged.push(Row::of_text(text).unwrap());
        }
        stage.form.rewrite(&forged.iter().map(Row::to_line).collect::<Vec<_>>()).await;
        assert_eq!(stage.fault().await, (Some(4), Fault::Contradicted));
        // The rows from another log of the same length, and its checkpoints, under another key.
        let other = stage.another();
        other.record([refused(Reason::Denied), refused(Reason::Blocked)]).await;
        stage.form.rewrite(&other.form.lines().await).await;
        stage.form.rewrite_checkpoints(&other.form.checkpoints().await).await;
        fs::remove_file(stage.place.path("copy.jws")).unwrap();
        let kid = other.keys.standings()[0].kid.clone().unwrap();
        assert_eq!(stage.fault().await, (Some(1), Fault::UnknownKey { kid }));
        assert!(stage.verify_with(&other.public()).await.is_ok(), "under its own key it is good");
        // The copy elsewhere tells of what was there, even without the checkpoints beside the rows.
        stage.form.rewrite_checkpoints(&[]).await;
        fs::write(stage.place.path("copy.jws"), copy).unwrap();
        assert_eq!(stage.fault().await, (Some(1), Fault::Contradicted));
        // A token is no checkpoint, nor is anything else.
        fs::write(stage.place.path("copy.jws"), "a.b.c\n").unwrap();
        assert_eq!(stage.fault().await, (Some(1), Fault::NoCheckpoint));
        // Rows of two chains do not become one.
        let mixed = [&rows[..1], &other.form.lines().await[1..]].concat();
        fs::remove_file(stage.place.path("copy.jws")).unwrap();
        stage.form.rewrite(&mixed).await;
        assert_eq!(stage.fault().await, (Some(2), Fault::OtherChain));
    }
}
