//! A log in the files of a folder: one for each day, mended after a death, written by one process.

use crate::stage::{CLIENT, NOW, Stage, events, record, refused};
use portcullis::{
    Reason,
    audit::{
        Sink,
        chain::{Chain, Fault, Filter, Folder, Ledger, Row},
    },
    clock::UnixTime,
    jwt::Algorithm,
    token::{KeyFile, NewKey},
};
use std::{fs, time::Duration};

#[tokio::test]
async fn a_chain_goes_on_over_processes_files_and_days() {
    let stage = Stage::files();
    for _ in 0..3 {
        stage.record((0..3).map(|_| refused(Reason::RateLimited))).await;
        stage.clock.advance(Duration::from_secs(86_400));
    }
    assert_eq!(stage.form.files("rows-").len(), 3, "a file for each day");
    assert_eq!(stage.verify().await.unwrap(), stage.verify().await.unwrap());
    let report = stage.verify().await.unwrap();
    assert_eq!(
        (report.first, report.last, report.checkpoints),
        (1, 15, 12),
        "each here and in the copy"
    );
    // The oldest file may go: a checkpoint speaks for what it held.
    fs::remove_file(&stage.form.files("rows-")[0]).unwrap();
    assert_eq!(stage.verify().await.unwrap().first, 6);
    // One in the middle may not.
    stage.record([]).await;
    fs::remove_file(&stage.form.files("rows-")[1]).unwrap();
    assert_eq!(stage.fault().await, (Some(1), Fault::Missing { from: 11, to: 15 }));
}

#[tokio::test]
async fn a_clock_that_is_set_back_around_midnight_mixes_no_files() {
    const MIDNIGHT: u64 = NOW - NOW % 86_400 + 86_400;
    let stage = Stage::files();
    let set = |secs| stage.clock.set_wall(UnixTime::from_secs(secs));
    set(MIDNIGHT - 10);
    stage.record([refused(Reason::Blocked)]).await;
    // What happened after midnight is written before it, and the other way round.
    for (happens, written) in [(1, -1), (2, -2), (-3, 3), (4, -4), (5, 6)] {
        let at = |seconds: i64| set(MIDNIGHT.saturating_add_signed(seconds));
        at(written);
        let (chain, writer) = stage.builder().build();
        at(happens);
        record(chain, [refused(Reason::Denied)]);
        at(written);
        writer.run().await;
    }
    let about = Filter::default().client(CLIENT.parse().unwrap());
    assert_eq!(stage.export(&about).await.len(), 6, "each row is beside its key");
    assert_eq!(stage.verify().await.unwrap().last, 18);
    let times = stage.export(&Filter::default()).await;
    assert_eq!(
        times.iter().map(|row| row["seq"].as_u64()).collect::<Vec<_>>(),
        (1..=18).map(Some).collect::<Vec<_>>()
    );
    assert!(stage.form.files("rows-").len() > 1, "a file for each day all the same");
}

#[tokio::test]
async fn a_full_file_is_followed_by_another() {
    let stage = Stage::files();
    let folder = Folder::open(stage.place.path("audit")).unwrap().full_at(64 << 10).unwrap();
    let chain = Chain::to(folder).sign(&stage.keys).unwrap().clock(stage.clock.clone());
    let (chain, writer) = chain.build();
    (0..2_000).for_each(|_| chain.record(refused(Reason::RateLimited)));
    drop(chain);
    writer.run().await;
    assert!(stage.form.files("rows-").len() > 2, "{:?}", stage.form.files("rows-"));
    assert_eq!(stage.form.files("persons-").len(), stage.form.files("rows-").len());
    assert_eq!(stage.verify().await.unwrap().last, 2_002);
    assert_eq!(stage.export(&Filter::default().client(CLIENT.parse().unwrap())).await.len(), 2_000);
    let folder = Folder::open(stage.place.path("audit")).unwrap();
    let rows = folder.read(1_500, 3).await.unwrap();
    assert_eq!(rows.iter().map(Row::seq).collect::<Vec<_>>(), [1_501, 1_502, 1_503]);
    for bad in [0, 65_535, (1 << 30) + 1] {
        assert!(folder.clone().full_at(bad).is_err());
    }
}

#[tokio::test]
async fn a_row_that_was_torn_is_set_aside_and_told() {
    let stage = Stage::files();
    stage.record([refused(Reason::RateLimited)]).await;
    let (file, good) = (stage.form.files("rows-")[0].clone(), stage.form.lines().await);
    for torn in ["{\"chain\":\"", "\0\0\0\0\n\0\0", &good[2][..good[2].len() - 1]] {
        let whole = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{whole}{torn}")).unwrap();
        stage.record([refused(Reason::Blocked)]).await;
        let rows = stage.export(&Filter::default()).await;
        assert_eq!(events(&rows)[rows.len() - 3..], ["log-opened", "refused", "log-closed"]);
        assert_eq!(rows[rows.len() - 3]["lost"], torn.len());
        assert!(!stage.verify().await.unwrap().unfinished);
    }
    let aside = stage.form.files("torn-");
    assert_eq!(aside.len(), 3);
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), "{\"chain\":\"");
    // While a row is being written, what is there is good.
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{whole}{{\"cha")).unwrap();
    assert!(stage.verify().await.unwrap().unfinished);
    // A torn checkpoint goes before the next one.
    let (own, checkpoints) =
        (stage.form.files("checkpoints")[0].clone(), stage.verify().await.unwrap().checkpoints);
    fs::write(&own, [&*fs::read(&own).unwrap(), b"eyJ0eXAi"].concat()).unwrap();
    assert_eq!(stage.verify().await.unwrap().checkpoints, checkpoints);
    stage.record([]).await;
    assert_eq!(stage.verify().await.unwrap().checkpoints, checkpoints + 4);
}

#[tokio::test]
async fn what_no_death_explains_is_left_as_it_is() {
    let stage = Stage::files();
    stage.record([]).await;
    let file = stage.form.files("rows-")[0].clone();
    let damaged = vec![b'x'; 2 << 20];
    fs::write(&file, &damaged).unwrap();
    let error = Folder::open(stage.place.path("audit")).unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("audit verify"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), damaged);
}

#[tokio::test]
async fn there_is_one_writer_and_nobody_else_reads_the_files() {
    let stage = Stage::files();
    let (chain, writer) = stage.builder().build();
    let second = Folder::open(stage.place.path("audit")).unwrap_err().to_string();
    assert!(second.contains("another process writes"), "{second}");
    drop((chain, writer));
    stage.record([refused(Reason::Blocked)]).await;
    #[cfg(unix)]
    for entry in fs::read_dir(stage.place.path("audit")).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    let secret = stage.place.path("secret.jwks");
    NewKey::generate(Algorithm::HS256).unwrap().write_set(&secret).unwrap();
    let folder = Folder::open(stage.place.path("other")).unwrap();
    assert!(Chain::to(folder).sign(&KeyFile::open(secret).unwrap()).is_err());
}
