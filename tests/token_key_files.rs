//! Files with signing keys: whole or not there, for their owner alone, and refused where others can read them.
#![cfg(all(feature = "jwt", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/keys.rs"]
mod keys;

use keys::{AUDIENCE, Folder, Instance, NAME};
use portcullis::{
    jwt::Algorithm,
    token::{Grant, Issuer, KeyFile, NewKey},
};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    thread,
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3600);

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Folder) -> Vec<String> {
    let names = fs::read_dir(&folder.0).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_key_can_be_read_by_its_owner_alone_and_overwrites_nothing() {
    let folder = Folder::new();
    let (jwk, pem) = (folder.0.join("key.jwk"), folder.0.join("key.pem"));
    let key = NewKey::generate(Algorithm::RS256).unwrap();
    key.write_jwk(&jwk).unwrap();
    key.write_pem(&pem).unwrap();
    for path in [&folder.path(), &jwk, &pem] {
        assert_eq!(mode(path), 0o600);
        let before = fs::read(path).unwrap();
        for written in [key.write_set(path), key.write_jwk(path), key.write_pem(path)] {
            let error = written.unwrap_err().to_string();
            assert!(error.contains("there is such a file already"), "{error}");
        }
        assert_eq!(fs::read(path).unwrap(), before);
    }
    assert_eq!(names(&folder), ["key.jwk", "key.pem", "signing.jwks"]);
    // All three forms are read as the same key.
    let text = fs::read_to_string(&jwk).unwrap();
    let set = format!(r#"{{"keys":[{text}]}}"#);
    for issuer in [
        Issuer::from_jwk(NAME, AUDIENCE, &text),
        Issuer::from_jwks(NAME, AUDIENCE, &set),
        Issuer::from_pem(NAME, AUDIENCE, fs::read(&pem).unwrap(), Algorithm::RS256),
    ] {
        let issuer = issuer.unwrap();
        assert_eq!(keys::signed_by(&issuer.mint(&Grant::new("u")).unwrap()), key.kid());
        assert!(issuer.jwks().contains(&key.public_jwk().unwrap()));
    }
    assert!(
        !format!("{key:?}").contains(key.kid()) && !key.public_jwk().unwrap().contains("\"d\"")
    );
}

#[test]
fn a_secret_has_no_public_half_and_no_pem() {
    let folder = Folder::new();
    let key = NewKey::generate(Algorithm::HS256).unwrap();
    assert_eq!(key.public_jwk(), None);
    let error = key.write_pem(folder.0.join("key.pem")).unwrap_err().to_string();
    assert!(error.contains("a secret has no PEM form"), "{error}");
    assert_eq!(names(&folder), ["signing.jwks"]);
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let key = NewKey::generate(Algorithm::ES256).unwrap();
    let folder = Folder::new();
    let error = key.write_set(folder.0.join("none").join("signing.jwks")).unwrap_err().to_string();
    assert!(error.contains("cannot be written"), "{error}");
    let error = key.write_set(&folder.0).unwrap_err().to_string();
    assert!(error.contains("there is such a file already"), "{error}");
    assert_eq!(names(&folder), ["signing.jwks"]);
}

#[test]
fn keys_that_others_can_read_are_refused_and_told_how_to_mend_it() {
    let folder = Folder::new();
    let one = Instance::new(&folder);
    for open in [0o604, 0o602, 0o640, 0o660, 0o644, 0o601] {
        folder.allow(open);
        let error = KeyFile::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{open:o}: {error}");
        assert!(error.contains("signing.jwks"), "{error}");
        assert!(one.file.reload().is_err(), "{open:o}");
        assert_eq!(one.verify(&one.mint()), Ok(()), "the keys so far go on");
        let exposed = KeyFile::open_exposed(folder.path()).unwrap();
        assert!(exposed.is_exposed() && exposed.reload().is_ok());
    }
    for closed in [0o600, 0o700] {
        folder.allow(closed);
        assert!(!KeyFile::open(folder.path()).unwrap().is_exposed(), "{closed:o}");
    }
}

/// Whether this process may give files away.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[test]
fn a_file_of_another_user_can_be_ours_by_its_group() {
    if !is_root() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    let folder = Folder::new();
    std::os::unix::fs::chown(folder.path(), Some(12_345), Some(23_456)).unwrap();
    folder.allow(0o640);
    let file = KeyFile::open(folder.path()).unwrap();
    for (open, good) in [(0o660, false), (0o644, false), (0o440, true)] {
        folder.allow(open);
        assert_eq!(KeyFile::open(folder.path()).is_ok(), good, "{open:o}");
    }
    // Who changes it gives it back as it was, or its user could not read it.
    file.rotate(HOUR).unwrap();
    let changed = fs::metadata(folder.path()).unwrap();
    assert_eq!((changed.uid(), changed.gid(), mode(folder.path())), (12_345, 23_456, 0o640));
}

#[test]
fn a_change_keeps_the_mode_the_link_and_what_it_does_not_know() {
    let folder = Folder::new();
    let link = folder.0.join("link.jwks");
    symlink("signing.jwks", &link).unwrap();
    folder.write(&folder.text().replacen('{', "{\n  \"note\": \"ours\",", 1));
    let file = KeyFile::open(&link).unwrap();
    file.rotate(HOUR).unwrap();
    assert_eq!(mode(folder.path()), 0o600);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(folder.text().contains("\"note\": \"ours\""));
    assert_eq!(file.standings().len(), 2);
    assert_eq!(names(&folder), ["link.jwks", "signing.jwks"]);
}

/// A reader that looks all the time sees whole files, and they have all the keys that were there before.
#[test]
fn nobody_sees_half_a_file() {
    let folder = Folder::new();
    let one = Instance::new(&folder);
    let seen = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..30 {
                one.file.rotate(Duration::from_secs(5)).unwrap();
                one.clock.advance(HOUR);
            }
        });
        let mut seen = 0;
        while !writer.is_finished() {
            let file = KeyFile::open(folder.path()).unwrap();
            assert!(!file.standings().is_empty());
            seen += 1;
        }
        writer.join().unwrap();
        seen
    });
    assert!(seen > 10, "{seen}");
    // Those that are gone have left the file: a key is needed for an hour after the last one.
    assert!((2..=4).contains(&one.file.standings().len()), "{:?}", one.file.standings());
}
