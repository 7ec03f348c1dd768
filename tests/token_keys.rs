//! Signing keys over time: what signs, what is published and what is refused, while keys come and go and instances share them.
#![cfg(all(feature = "jwt", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/keys.rs"]
mod keys;

use keys::{AUDIENCE, Folder, Instance, NAME, kids, signed_by};
use portcullis::{
    Eventual, TrustedIssuer, Verifier,
    clock::{Clock, ManualClock, UnixTime},
    jwt::{Algorithm, Keys},
    token::{Grant, Issuer, KeyFile, KeyState, NewKey},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3600);
/// For the tokens of a key after the next one signs: an hour, the longest lifetime, and five minutes, the largest leeway.
const RETIREMENT: Duration = Duration::from_secs(3900);

#[test]
fn a_key_stands_by_signs_retires_and_is_gone() {
    let folder = Folder::new();
    let one = Instance::new(&folder);
    let states = || one.file.standings().iter().map(|key| key.state).collect::<Vec<_>>();
    assert_eq!(states(), [KeyState::Active]);
    let first = one.mint();
    one.file.rotate(HOUR).unwrap();
    assert_eq!(states(), [KeyState::Active, KeyState::Standby]);
    assert_eq!(one.file.standings()[1].remaining, Some(HOUR));
    let [old, new] = kids(&one.issuer).try_into().unwrap();
    assert_eq!(signed_by(&first), old);

    one.clock.advance(HOUR - Duration::from_secs(1));
    let last = one.mint();
    assert_eq!((signed_by(&last), kids(&one.issuer).len()), (old.clone(), 2));
    one.clock.advance(Duration::from_secs(1));
    assert_eq!(states(), [KeyState::Retiring, KeyState::Active]);
    assert_eq!(signed_by(&one.mint()), new);
    assert_eq!((one.verify(&last), kids(&one.issuer).len()), (Ok(()), 2));

    one.clock.advance(RETIREMENT - Duration::from_secs(1));
    assert_eq!((kids(&one.issuer).len(), states()[0]), (2, KeyState::Retiring));
    one.clock.advance(Duration::from_secs(1));
    assert_eq!(states(), [KeyState::Gone, KeyState::Active]);
    assert_eq!(kids(&one.issuer), [new.as_str()]);
    // It is in the file until the file is written again.
    assert!(folder.text().contains(&old));
    one.file.rotate(HOUR).unwrap();
    assert_eq!(states(), [KeyState::Active, KeyState::Standby]);
    assert_eq!((kids(&one.issuer).len(), kids(&one.issuer).contains(&old)), (2, false));
    // What is left of it is for what it signed to stay, and cannot sign.
    let set: Value = serde_json::from_str(&folder.text()).unwrap();
    assert_eq!((&set["retired"][0]["kid"], &set["retired"][0]["d"]), (&old.into(), &Value::Null));
    assert_eq!(set["retired"].as_array().unwrap().len(), 1);
    assert_eq!((&set["keys"][0]["kid"], set["keys"][0]["d"].is_string()), (&new.into(), true));
}

#[test]
fn whoever_keeps_a_key_that_is_gone_signs_nothing_that_counts() {
    let folder = Folder::new();
    let one = Instance::new(&folder);
    let stolen = folder.text();
    let thief = Issuer::from_jwks(NAME, AUDIENCE, &stolen).unwrap().clock(one.clock.clone());
    one.file.rotate(HOUR).unwrap();
    one.clock.advance(HOUR + RETIREMENT - Duration::from_secs(1));
    let forged = thief.mint(&Grant::new("u")).unwrap();
    assert_eq!(one.verify(&forged), Ok(()), "the key is still trusted");
    assert_eq!(one.verify(&forged), Ok(()), "and remembered");
    one.clock.advance(Duration::from_secs(1));
    assert_eq!(one.verify(&forged), Err("unknown-key".into()), "with its key it is forgotten");
    let forged = thief.mint(&Grant::new("u")).unwrap();
    assert_eq!(one.verify(&forged), Err("unknown-key".into()));
    one.file.rotate(HOUR).unwrap();
    assert!(folder.text().contains("\"retired\""));
    assert_eq!(one.verify(&forged), Err("unknown-key".into()), "its public half is in the file");
}

#[test]
fn keys_that_are_known_to_others_end_at_once() {
    let folder = Folder::new();
    let [one, two] = [Instance::new(&folder), Instance::new(&folder)];
    one.file.rotate(HOUR).unwrap();
    assert!(two.file.reload().unwrap());
    let token = two.mint();
    assert_eq!((one.verify(&token), two.verify(&token)), (Ok(()), Ok(())), "both remember it");
    one.file.revoke().unwrap();
    assert_eq!(one.verify(&token), Err("unknown-key".into()));
    assert_eq!(two.verify(&token), Ok(()), "it has not read the file");
    assert!(two.file.reload().unwrap() && !two.file.reload().unwrap());
    assert_eq!(two.verify(&token), Err("unknown-key".into()));
    assert_eq!((two.verify(&one.mint()), kids(&two.issuer).len()), (Ok(()), 1));
    // And the standby key is none any more.
    one.clock.advance(2 * HOUR);
    assert_eq!(signed_by(&one.mint()), kids(&one.issuer)[0]);
}

/// Two instances with clocks that differ and an API elsewhere that keeps the JWK set as long as it may: each takes each token,
/// every five seconds, over two rotations.
#[test]
fn two_rotations_cost_no_request_anywhere() {
    let folder = Folder::new();
    let [one, two] = [Instance::new(&folder), Instance::new(&folder)];
    two.clock.advance(Duration::from_secs(7));
    let mut elsewhere = (0, elsewhere(&one));
    let (mut signers, mut kept) = (BTreeSet::new(), Vec::new());
    for second in (0..3000).step_by(5) {
        if matches!(second, 60 | 1500) {
            one.file.rotate(Duration::from_secs(330)).unwrap();
        }
        // The other one reads the file now and then.
        if second % 15 == 0 {
            two.file.reload().unwrap();
        }
        if second - elsewhere.0 == 300 {
            elsewhere = (second, self::elsewhere(&two));
        }
        let tokens = [one.mint(), two.mint()];
        if second % 100 == 0 {
            kept.push((second, tokens[0].clone()));
        }
        kept.retain(|(at, _)| second - at < 890);
        for token in tokens.iter().chain(kept.iter().map(|(_, token)| token)) {
            signers.insert(signed_by(token));
            assert_eq!((one.verify(token), two.verify(token)), (Ok(()), Ok(())), "at {second} s");
            let verifier = elsewhere.1.clone().clock(one.clock.clone());
            let Eventual::Ready(far) = verifier.verify(token) else { panic!("at once") };
            assert!(far.is_ok(), "elsewhere at {second} s: {far:?}");
        }
        one.clock.advance(Duration::from_secs(5));
        two.clock.advance(Duration::from_secs(5));
    }
    assert_eq!(signers.len(), 3);
}

fn elsewhere(instance: &Instance) -> Verifier {
    let keys = Keys::jwks(&instance.issuer.jwks()).unwrap();
    Verifier::new([TrustedIssuer::new(NAME, keys).audience(AUDIENCE)]).unwrap().cache(0)
}

#[test]
fn a_schedule_makes_one_key_however_many_instances_share_the_file() {
    const DAY: Duration = Duration::from_secs(86_400);
    let folder = Folder::new();
    let instances: Vec<_> = (0..8).map(|_| Instance::new(&folder)).collect();
    let one = &instances[0];
    assert!(one.file.rotate_after(HOUR, HOUR).is_err());
    assert!(!one.file.rotate_after(30 * DAY, HOUR).unwrap());
    let first = kids(&one.issuer);
    instances.iter().for_each(|one| one.clock.advance(30 * DAY - HOUR - Duration::from_secs(1)));
    assert!(!one.file.rotate_after(30 * DAY, HOUR).unwrap(), "a second too early");
    instances.iter().for_each(|one| one.clock.advance(Duration::from_secs(1)));
    // Whoever changes the file may never end: nobody waits for that.
    #[cfg(unix)]
    {
        use rustix::fs::{FlockOperation, flock};
        let held = fs::File::open(folder.path()).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        assert!(!one.file.rotate_after(30 * DAY, HOUR).unwrap(), "another one changes it");
    }
    let barrier = Barrier::new(instances.len());
    let rotated: usize = thread::scope(|scope| {
        let race = |one: &Instance| {
            barrier.wait();
            usize::from(one.file.rotate_after(30 * DAY, HOUR).unwrap())
        };
        let races: Vec<_> = instances.iter().map(|one| scope.spawn(move || race(one))).collect();
        races.into_iter().map(|race| race.join().unwrap()).sum()
    });
    assert_eq!(rotated, 1);
    for one in &instances {
        one.file.reload().unwrap();
        assert_eq!(kids(&one.issuer).len(), 2);
        assert_eq!(signed_by(&one.mint()), first[0], "for an hour more");
        one.clock.advance(HOUR);
        assert_ne!(signed_by(&one.mint()), first[0]);
        assert!(!one.file.rotate_after(30 * DAY, HOUR).unwrap(), "the next month");
    }
}

/// Four who sign on one of two instances and ask both, while the clock goes on and each instance makes the key that is due.
#[test]
fn rotation_by_schedule_under_load_fails_nobody() {
    let (period, overlap, step) = (HOUR, HOUR / 6, Duration::from_secs(30));
    let folder = Folder::new();
    let both = [Instance::new(&folder), Instance::new(&folder)];
    let (stop, done) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 4]);
    let seen: BTreeSet<_> = thread::scope(|scope| {
        let (both, stop) = (&both, &stop);
        let work = |at: usize| {
            let (done, own) = (&done[at], &both[at % 2]);
            scope.spawn(move || {
                let (mut seen, mut kept) = (BTreeSet::new(), (own.clock.wall(), own.mint()));
                while !stop.load(SeqCst) {
                    let (now, token) = (own.clock.wall(), own.mint());
                    for one in both {
                        assert_eq!((one.verify(&token), one.verify(&kept.1)), (Ok(()), Ok(())));
                    }
                    seen.insert(signed_by(&token));
                    // Nearly as old as a token gets.
                    if now.as_secs() - kept.0.as_secs() >= 810 {
                        kept = (now, token);
                    }
                    done.fetch_add(1, SeqCst);
                }
                seen
            })
        };
        let workers = [0, 1, 2, 3].map(work);
        for number in 0..(HOUR * 5 / 2).as_secs() / step.as_secs() {
            both.iter().for_each(|one| one.clock.advance(step));
            for one in both {
                one.file.reload().unwrap();
                if number % 2 == 0 {
                    one.file.rotate_after(period, overlap).unwrap();
                }
            }
            // Everybody has signed and asked before the clock goes on; who failed does so no more.
            let so_far = done.each_ref().map(|done| done.load(SeqCst));
            for (at, worker) in workers.iter().enumerate() {
                while done[at].load(SeqCst) < so_far[at] + 1 && !worker.is_finished() {
                    thread::yield_now();
                }
            }
        }
        stop.store(true, SeqCst);
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(seen.len(), 3, "one in each hour: {seen:?}");
}

#[test]
fn a_rotation_has_bounds_and_waits_for_the_one_before() {
    let folder = Folder::new();
    let one = Instance::new(&folder);
    for seconds in [0, 4, 30 * 86_400 + 1] {
        let error = one.file.rotate(Duration::from_secs(seconds)).unwrap_err().to_string();
        assert!(error.contains("5s to 30d"), "{error}");
    }
    one.file.rotate(HOUR).unwrap();
    let before = folder.text();
    one.clock.advance(Duration::from_secs(60));
    let error = one.file.rotate(HOUR).unwrap_err().to_string();
    assert!(error.contains("the next key is there already: it signs in 59m"), "{error}");
    assert_eq!(folder.text(), before);
}

#[test]
fn the_next_key_can_be_for_another_algorithm() {
    let folder = Folder::new();
    let one = Instance::new(&folder);
    let mut tokens = vec![one.mint()];
    for algorithm in [Algorithm::EdDSA, Algorithm::HS256, Algorithm::PS256] {
        one.file.clone().algorithm(algorithm).rotate(Duration::from_secs(60)).unwrap();
        one.clock.advance(Duration::from_secs(60));
        tokens.push(one.mint());
        for token in &tokens {
            assert_eq!(one.verify(token), Ok(()), "{algorithm}");
        }
        assert_eq!(one.file.standings().last().unwrap().algorithm, algorithm);
    }
    // The secret is not among what is published, nor is its name.
    let jwks: Value = serde_json::from_str(&one.issuer.jwks()).unwrap();
    let published: Vec<_> =
        jwks["keys"].as_array().unwrap().iter().map(|key| &key["alg"]).collect();
    assert_eq!(published, ["ES256", "EdDSA", "PS256"]);
    assert!(!one.issuer.jwks().contains(&signed_by(&tokens[2])));
    // Without a word the next one is like the last one.
    one.file.rotate(Duration::from_secs(60)).unwrap();
    assert_eq!(one.file.standings().last().unwrap().algorithm, Algorithm::PS256);
}

#[test]
fn a_file_that_is_broken_changes_nothing() {
    let folder = Folder::new();
    let one = Instance::new(&folder);
    let (token, good) = (one.mint(), folder.text());
    let public = format!(
        r#"{{"keys":[{}]}}"#,
        NewKey::generate(Algorithm::ES256).unwrap().public_jwk().unwrap()
    );
    let odd = good.replace("\"nbf\": ", "\"nbf\": -");
    let key = good.split_once('[').unwrap().1.rsplit_once(']').unwrap().0;
    for (text, told) in [
        ("", "is not a JWK set"),
        (&good[..good.len() / 2], "is not a JWK set"),
        (r#"{"keys":{}}"#, "is not a JWK set"),
        (r#"{"keys":[]}"#, "there is no key"),
        (r#"{"keys":[7]}"#, "key 1: not a JWK"),
        (&public, "key 1: the JWK has no `d`"),
        (&odd, "key 1: `nbf` of the JWK is not a whole number"),
        (&format!(r#"{{"keys":[{key},{key}]}}"#), "the same key is there twice"),
        (&good.replace("\"sig\"", "\"enc\""), "keep the JWK from `sign`"),
        (
            r#"{"keys":[{"kty":"oct","alg":"HS256","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}"#,
            "key 1: the secret can be guessed",
        ),
        (
            r#"{"keys":[{"kty":"oct","alg":"HS256","kid":"","k":"VjByOXhUejNKbUIybktjNUxkWThzSGYxR2FQdUU0aU8"}]}"#,
            "key 1: `kid` of the JWK",
        ),
        (
            r#"{"keys":[{"kty":"oct","alg":"HS256","k":"VjByOXhUejNKbUIybks"}]}"#,
            "at least 32 bytes",
        ),
    ] {
        folder.write(text);
        let error = one.file.reload().unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("signing.jwks"), "{error}");
        assert!(!error.contains("VjBy"), "{error}");
        assert!(KeyFile::open(folder.path()).is_err());
        assert_eq!((one.verify(&token), one.verify(&one.mint())), (Ok(()), Ok(())));
    }
    fs::remove_file(folder.path()).unwrap();
    assert!(one.file.reload().unwrap_err().to_string().contains("cannot be read"));
    assert_eq!(one.verify(&one.mint()), Ok(()));
    folder.write(&good);
    assert!(!one.file.reload().unwrap(), "as it was");
}

#[test]
fn keys_from_elsewhere_have_the_same_text() {
    let folder = Folder::new();
    let one = Instance::new(&folder);
    one.file.rotate(HOUR).unwrap();
    let other = Issuer::from_jwks(NAME, AUDIENCE, &folder.text()).unwrap().clock(one.clock.clone());
    assert_eq!(
        (kids(&other), one.verify(&other.mint(&Grant::new("u")).unwrap())),
        (kids(&one.issuer), Ok(()))
    );
    one.clock.advance(HOUR);
    let token = other.mint(&Grant::new("u")).unwrap();
    assert_eq!((signed_by(&token), one.verify(&token)), (kids(&one.issuer)[1].clone(), Ok(())));
    let error = one.issuer.clone().with_key_of(&other).unwrap_err().to_string();
    assert!(error.contains("stand for themselves"), "{error}");
}

/// RFC 9068 section 2.2, for each algorithm, by our own verifier.
#[test]
fn every_algorithm_signs_the_claims_of_the_profile_in_whole_numbers() {
    for algorithm in Algorithm::ALL {
        let clock = ManualClock::at(UnixTime::from_micros(1_700_000_000_999_999));
        let issuer = Issuer::generate_for(NAME, AUDIENCE, algorithm).unwrap().clock(clock.clone());
        let grant = Grant::new("user-1").client("app").scopes(["a", "b"]).session("s-1");
        let token = issuer.mint(&grant.claim("auth_time", 1_699_999_999)).unwrap();
        let header = keys::part(&token, 0);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!(algorithm.name())));
        assert!(header["kid"].is_string());
        let verifier = Verifier::new([issuer.trusted()]).unwrap().clock(clock);
        let Eventual::Ready(claims) = verifier.verify(&token) else { panic!("at once") };
        let claims: Value = claims.unwrap().parse().unwrap();
        assert_eq!(
            claims,
            json!({
                "iss": NAME, "aud": AUDIENCE, "sub": "user-1", "client_id": "app", "scope": "a b", "sid": "s-1",
                "iat": 1_700_000_000u64, "exp": 1_700_000_900u64, "auth_time": 1_699_999_999u64, "jti": claims["jti"],
            }),
            "{algorithm}"
        );
        assert!(claims.as_object().unwrap().values().all(|claim| !claim.is_f64()), "{claims}");
        let jwks: Value = serde_json::from_str(&issuer.jwks()).unwrap();
        let keys = jwks["keys"].as_array().unwrap();
        assert_eq!(keys.len(), usize::from(!algorithm.is_symmetric()), "{algorithm}");
        assert!(
            keys.iter().all(|key| key["kid"] == header["kid"] && key["alg"] == algorithm.name())
        );
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "nbf"] {
            assert!(keys.iter().all(|key| key.get(private).is_none()), "{algorithm}: {private}");
        }
    }
}
