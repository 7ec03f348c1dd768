//! A log without its checkpoints proves nothing, and says so to who has the keys.

use crate::stage::{Stage, refused};
use portcullis::{
    Reason,
    audit::chain::{Report, Unsigned, VerifyError},
};
use std::{fs, time::Duration};

/// What there is of a log that is not signed.
async fn unsigned(stage: &Stage) -> Report {
    let error = stage.archive().verify(&[stage.public()]).await.unwrap_err();
    let told = error.to_string();
    let VerifyError::Unsigned(mut reports) = error else { panic!("{told}") };
    assert!(told.contains("unsigned") || reports[0].last == 0, "{told}");
    reports.remove(0)
}

#[tokio::test]
async fn who_takes_all_checkpoints_away_leaves_a_log_that_is_unsigned() {
    for stage in Stage::each() {
        stage.record((0..8).map(|_| refused(Reason::RateLimited))).await;
        let (lines, good) = (stage.form.lines().await, stage.form.checkpoints().await);
        assert_eq!(stage.verify().await.unwrap().unsigned, None);
        stage.form.rewrite_checkpoints(&[]).await;
        assert_eq!(stage.verify().await.unwrap().checkpoints, 2, "the copy");
        fs::remove_file(stage.place.path("copy.jws")).unwrap();
        let report = unsigned(&stage).await;
        assert_eq!((report.last, report.unsigned), (10, Some(Unsigned::Never)));
        // Who asks for no signature is not told that there is none.
        assert_eq!(stage.archive().verify(&[]).await.unwrap()[0], report);
        // Cut down to what a log has before its first checkpoint: as good as new, and no better.
        stage.form.rewrite(&lines[..1]).await;
        assert_eq!(unsigned(&stage).await.unsigned, Some(Unsigned::NotYet));
        stage.form.rewrite(&[]).await;
        if stage.is_files() {
            assert_eq!(unsigned(&stage).await.last, 0);
        }
        // The first one that is left makes it good again.
        stage.form.rewrite(&lines).await;
        stage.form.rewrite_checkpoints(&good[..1]).await;
        assert_eq!(stage.verify().await.unwrap().signed, 1);
    }
}

#[tokio::test]
async fn an_end_that_should_be_signed_by_now_is_unsigned() {
    let kept = async |stage: &Stage, checkpoints: &[String]| {
        let _ = fs::remove_file(stage.place.path("copy.jws"));
        stage.form.rewrite_checkpoints(checkpoints).await;
        stage.archive().verify(&[stage.public()]).await.map(|reports| reports[0].unsigned)
    };
    for stage in Stage::each() {
        stage.record([]).await;
        stage.clock.advance(Duration::from_secs(121));
        stage.record([refused(Reason::Blocked)]).await;
        let all = stage.form.checkpoints().await;
        assert_eq!(all.len(), 4, "when a log is opened and when it is closed");
        assert_eq!(kept(&stage, &all[..3]).await.unwrap(), None);
        kept(&stage, &all[..1]).await.unwrap_err();
        assert_eq!(unsigned(&stage).await.unsigned, Some(Unsigned::Overdue));
    }
    // Or so many rows, however fast they came.
    let stage = Stage::files();
    stage.record((0..2_000).map(|_| refused(Reason::Blocked))).await;
    let all = stage.form.checkpoints().await;
    assert_eq!(kept(&stage, &all).await.unwrap(), None);
    kept(&stage, &all[..1]).await.unwrap_err();
    assert_eq!(unsigned(&stage).await.unsigned, Some(Unsigned::Overdue));
}
