//! The second place of checkpoints may fail, hang or refuse to be changed: the log goes on.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "a pipe hangs by the machine's clock")]

use crate::{
    stage::{Stage, record, refused},
    told::Told,
};
use portcullis::{
    Reason,
    audit::{Sink, chain::Report},
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Lets a thread go that waits for a reader, whatever became of the test.
struct Released(PathBuf);

impl Drop for Released {
    fn drop(&mut self) {
        let pipe = self.0.clone();
        thread::spawn(|| fs::read(pipe));
    }
}

/// What there is beside the rows, whatever became of the copy.
async fn own(stage: &Stage) -> Report {
    let mut reports = stage.form.archive().verify(&[stage.public()]).await.unwrap();
    reports.remove(0)
}

#[tokio::test]
async fn a_copy_that_hangs_holds_up_nothing_and_is_told() {
    let stage = Stage::files();
    let pipe = stage.place.path("copy.jws");
    // Who opens it to write waits for a reader.
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _released = Released(pipe.clone());
    let told = Told::default();
    let (chain, writer) = stage.builder().alarm(told.clone()).build();
    let start = Instant::now();
    let running = tokio::spawn(writer.run());
    chain.record(refused(Reason::Blocked));
    while stage.form.lines().await.len() < 2 || stage.form.checkpoints().await.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
    drop(chain);
    tokio::time::timeout(Duration::from_secs(30), running).await.unwrap().unwrap();
    assert_eq!(told.names(), ["log-copy-lost"], "once, and not as the log");
    assert_eq!((own(&stage).await.last, own(&stage).await.signed), (3, 3));
    // The thread that hangs ends with the test.
    let reader = thread::spawn(move || fs::read_to_string(pipe).unwrap());
    assert_eq!(reader.join().unwrap().trim_end(), stage.form.checkpoints().await[0]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_cannot_be_written_is_told_and_caught_up() {
    let stage = Stage::files();
    let folder = stage.place.path("elsewhere");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o500)).unwrap();
    let may_write_all_the_same = fs::write(folder.join("by-root"), "").is_ok();
    if may_write_all_the_same {
        fs::remove_dir_all(&folder).unwrap();
    }
    let told = Told::default();
    let copy = folder.join("copy.jws");
    let builder = stage.builder().copy_checkpoints(&copy).alarm(told.clone());
    let (chain, writer) = builder.build();
    let running = tokio::spawn(writer.run());
    for _ in 0..3 {
        chain.record(refused(Reason::Blocked));
        tokio::time::sleep(Duration::from_secs(61)).await;
    }
    assert_eq!(told.names(), ["log-copy-lost"]);
    assert_eq!(own(&stage).await.checkpoints, 4);
    if may_write_all_the_same {
        fs::create_dir(&folder).unwrap();
    }
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(told.names(), ["log-copy-lost", "log-copy-back"]);
    let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let copied = || lines(fs::read_to_string(&copy).unwrap());
    assert_eq!(copied(), stage.form.checkpoints().await, "those that waited, too");
    // One that fails at the end holds up nothing.
    fs::remove_dir_all(&folder).unwrap();
    drop(chain);
    running.await.unwrap();
    assert_eq!(told.names().len(), 3);
}

#[tokio::test]
async fn a_copy_is_added_to_and_never_changed() {
    for stage in Stage::each() {
        let copy = stage.place.path("copy.jws");
        let mut expected = Vec::new();
        for torn in ["", "eyJ0eXAi", "e30.e30.e", ""] {
            let written = [expected, torn.as_bytes().to_vec()].concat();
            fs::write(&copy, &written).unwrap();
            let (chain, writer) = stage.builder().build();
            record(chain, []);
            writer.run().await;
            expected = fs::read(&copy).unwrap();
            assert!(expected.starts_with(&written), "{torn}");
        }
        let report = stage.verify().await.unwrap();
        assert_eq!((report.last, report.checkpoints), (8, 16), "two of each, here and there");
        // A line of another kind is still none.
        fs::write(&copy, [&expected[..], b"e30.e30.e30\n"].concat()).unwrap();
        assert!(stage.verify().await.is_err());
    }
}
