//! Scripts use the keys that they are given and no others, each script that there is.

use super::{Place, Scene, pepper};
use crate::redis_monitor::{self, Sent};
use portcullis::{clock::ManualClock, key::KeyKind, otp::receipts::Notes, store::conformance};
use std::collections::BTreeSet;

const DOCUMENTED: &str = include_str!("../../src/store/redis/servers.md");

#[tokio::test]
async fn scripts_use_no_key_but_those_they_name_and_a_user_needs_the_rights_that_are_documented() {
    let (mut files, mut used) = (BTreeSet::new(), BTreeSet::new());
    for place in [Place::single(), Place::cluster()] {
        let is_cluster = place.is_cluster();
        let sent = history(place).await;
        let mut runs = 0;
        for one in &sent {
            used.extend(one.rights());
            let Some(script) = &one.script else { continue };
            assert!(one.strays().is_empty(), "{}: {:?}", one.told(), one.strays());
            assert!(!is_cluster || one.tags().len() <= 1, "{}: {:?}", one.told(), one.keys);
            files.extend(script.files.iter().cloned());
            runs += 1;
        }
        assert!(runs > 3_000, "{runs}");
    }
    // Complete by itself: all that there are, from their folder.
    let all: BTreeSet<_> = redis_monitor::files().into_iter().map(|(name, _)| name).collect();
    assert!(files == all && all.len() > 30, "never run: {:?}", all.difference(&files));

    let (_, line) = DOCUMENTED.split_once("ACL SETUSER portcullis ").unwrap();
    let rights = line.lines().next().unwrap().split(' ').filter_map(|word| word.strip_prefix('+'));
    let rights: BTreeSet<_> = rights.map(str::to_owned).collect();
    // Of databases, of sentinels, and of slots that move.
    let elsewhere = ["asking", "role", "select"].map(str::to_owned);
    assert!(rights.difference(&used).eq(&elsewhere), "{rights:?} {used:?}");
    // What the test itself sends, and what is asked first and can be done without.
    let others = ["config|get", "flushall"].map(str::to_owned);
    assert!(used.difference(&rights).eq(&others), "{rights:?} {used:?}");
}

/// The suites, and besides them what is asked of one kind of store alone.
async fn history(place: Place) -> Vec<Sent> {
    let store = |clock: &ManualClock| {
        place.flush();
        place.open().clock(clock.clone())
    };
    conformance::check(&|clock| store(clock).into(), 2).await;
    conformance::logins::check(&|clock| store(clock).into(), 1).await;
    place.flush();
    let scene = Scene::at(place);
    assert_eq!(scene.store.store().check().await, Ok(None));
    scene.everything().await;
    let message = pepper().tag(KeyKind::Own, &[b"a message"]);
    assert_eq!(scene.store.noted(message).await, Ok(None));
    scene.place.sent()
}
