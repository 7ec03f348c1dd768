//! Keys that sign checkpoints change, and what the old ones signed stays good.

use crate::stage::{Stage, refused};
use portcullis::{
    Reason,
    audit::chain::{Broken, Fault, VerifyError},
    jwt::Keys,
};
use serde_json::{Value, json};
use std::{slice, time::Duration};

const HOUR: Duration = Duration::from_secs(3_600);

async fn fault(stage: &Stage, keys: &[Keys]) -> Fault {
    match stage.archive().verify(keys).await.unwrap_err() {
        VerifyError::Broken(Broken { fault, .. }) => fault,
        error => panic!("{error}"),
    }
}

/// Rows under a key, and another key after it, as a key file with a private half has them.
async fn rows_and_the_next_key(stage: &Stage) {
    stage.record([refused(Reason::Blocked)]).await;
    stage.keys.rotate(HOUR).unwrap();
    stage.clock.advance(3 * HOUR);
}

#[tokio::test]
async fn what_a_key_signed_that_is_gone_is_as_good_as_ever() {
    for stage in Stage::each() {
        let first = stage.key_text();
        let kid = stage.keys.standings()[0].kid.clone().unwrap();
        for _ in 0..3 {
            rows_and_the_next_key(&stage).await;
        }
        stage.record([refused(Reason::Blocked)]).await;
        let report = stage.verify().await.unwrap();
        assert_eq!((report.last, report.signed, report.checkpoints), (12, 12, 16));
        let set: Value = serde_json::from_str(&stage.key_text()).unwrap();
        let retired = set["retired"].as_array().unwrap();
        assert_eq!((retired.len(), &retired[0]["kid"]), (2, &json!(kid)));
        assert!(retired.iter().all(|key| key["d"].is_null()), "nobody can sign with them");
        // Whoever has the keys of today alone is told which one is missing, and may add it.
        let today = Keys::jwks(&stage.key_text()).unwrap();
        let missing = Fault::UnknownKey { kid: kid.clone() };
        assert_eq!(fault(&stage, slice::from_ref(&today)).await, missing);
        let second = Keys::jwk(&retired[1].to_string()).unwrap();
        let all = [today, second, Keys::ever(&first).unwrap()];
        assert_eq!(stage.archive().verify(&all).await.unwrap()[0], report);
        // Under its name, but not by it.
        let mut statements = stage.form.checkpoints().await;
        let (head, signature) = statements[0].rsplit_once('.').unwrap();
        let changed = if signature.starts_with('A') { "B" } else { "A" };
        statements[0] = format!("{head}.{changed}{}", &signature[1..]);
        stage.form.rewrite_checkpoints(&statements).await;
        assert_eq!(stage.fault().await.1, Fault::Signature);
    }
}

#[tokio::test]
async fn who_has_a_key_signs_nothing_that_counts_once_that_is_known() {
    let stage = Stage::files();
    for _ in 0..2 {
        rows_and_the_next_key(&stage).await;
    }
    let stolen = stage.key_text();
    let kids: Vec<_> = stage.keys.standings().into_iter().map(|key| key.kid.unwrap()).collect();
    stage.record([refused(Reason::Blocked)]).await;
    stage.keys.revoke().unwrap();
    stage.record([refused(Reason::Blocked)]).await;
    let told = fault(&stage, &[stage.public()]).await;
    assert!(matches!(&told, Fault::UnknownKey { kid } if kids.contains(kid)), "{told:?}");
    assert!(stage.key_text().contains("retired"), "what was retired before was not in the file");
    // Who knows that rows of before are good names the key.
    let all = [stage.public(), Keys::ever(&stolen).unwrap()];
    assert_eq!(stage.archive().verify(&all).await.unwrap()[0].unsigned, None);
}
