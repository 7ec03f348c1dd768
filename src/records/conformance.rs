//! Checks that records of your own keep the [contract](super::Records).
//!
//! [`check`] runs examples of every rule against records that may hold others' already; [`race`] asks two handles at once, which
//! should be two processes' or at least two pools'. Both panic with what differs. That nothing is lost when a process dies is for
//! tests of your own.
//!
//! ```
//! # async fn example() {
//! use portcullis::records::{MemoryRecords, conformance};
//! use std::sync::Arc;
//!
//! let records = MemoryRecords::new();
//! conformance::check(&records).await;
//! conformance::race([Arc::new(records.clone()), Arc::new(records)], 50).await;
//! # }
//! ```

use super::{
    Binding, BindingId, Bound, DeviceTag, KeptPhone, MOST_DEVICES, Mark, PhoneTag, Records,
    Relinked, SealedPhone, Told, Unopened,
};
use crate::{
    clock::UnixTime,
    otp::{Found, Sealed, Subject},
};
use futures_util::future::join_all;
use std::{collections::HashSet, sync::Arc};

/// Runs every example.
///
/// # Panics
///
/// When the records break the contract, or do not answer.
pub async fn check(records: &dyn Records) {
    only_the_secrets_they_were_written_under_open_them(records).await;
    a_number_has_one_subject(records).await;
    a_number_changes_hands_whole(records).await;
    devices_are_listed_by_their_last_login(records).await;
    no_more_devices_are_kept_than_may_be(records).await;
    a_subject_is_forgotten_whole(records).await;
    opting_out_lasts_until_it_is_taken_back(records).await;
}

/// Has two handles create and relink the same subjects at once, `rounds` times.
///
/// # Panics
///
/// When two subjects get one number, or one number two subjects.
pub async fn race(handles: [Arc<dyn Records>; 2], rounds: u8) {
    for handle in &handles {
        assert_eq!(handle.open(MARK).await, Ok(()));
    }
    let created = |place: usize| {
        let phone = drawn();
        let tasks = (0..8).map(|number| {
            let records = handles[(place + number) % 2].clone();
            let phone = phone.clone();
            async move { told(records.find_or_create(phone, subject(), at(1))).await }
        });
        join_all(tasks)
    };
    for round in 0..rounds {
        let found = created(round.into()).await;
        assert_eq!(found.iter().filter(|found| found.is_new).count(), 1, "{found:?}");
        let all: HashSet<_> = found.iter().map(|found| &found.subject).collect();
        assert_eq!(all.len(), 1, "{found:?}");
        // Both want one number: one gets it.
        let (wanted, mut movers) = (drawn(), Vec::new());
        for records in &handles {
            let from = drawn();
            let Found { subject, .. } =
                told(records.find_or_create(from.clone(), subject(), at(1))).await;
            movers.push((records.clone(), subject, from.tag));
        }
        let moves = movers.into_iter().map(|(records, subject, from)| {
            let wanted = wanted.clone();
            async move { told(records.relink(subject, from, wanted, at(2))).await }
        });
        let mut moved = join_all(moves).await;
        moved.sort_by_key(|told| *told == Relinked::Taken);
        assert_eq!(moved, [Relinked::Moved, Relinked::Taken]);
        // One changes to two numbers: to one of them.
        let from = drawn();
        let owner = told(handles[0].find_or_create(from.clone(), subject(), at(1))).await.subject;
        let moves = handles.iter().map(|records| {
            let owner = owner.clone();
            async move { told(records.relink(owner, from.tag, drawn(), at(2))).await }
        });
        let mut moved = join_all(moves).await;
        moved.sort_by_key(|told| *told == Relinked::Nobody);
        assert_eq!(moved, [Relinked::Moved, Relinked::Nobody]);
        // One device is bound once, however often it is at once.
        let (owner, tag) = (subject(), DeviceTag(bytes()));
        let bindings = (0..4).map(|number| {
            let records = handles[number % 2].clone();
            let binding = binding(&owner, tag, 1);
            async move { told(records.bind(binding)).await }
        });
        let bound = join_all(bindings).await;
        assert_eq!(bound.iter().filter(|bound| bound.is_new).count(), 1, "{bound:?}");
        // While one device is unbound and bound again, every answer is one.
        let steps = (0..8).map(|number| {
            let (records, owner) = (handles[number % 2].clone(), owner.clone());
            let binding = binding(&owner, tag, 2);
            async move {
                if number % 4 < 2 {
                    told(records.bind(binding)).await;
                } else {
                    for device in told(records.devices(owner.clone())).await {
                        told(records.unbind(owner.clone(), device.id)).await;
                    }
                }
            }
        });
        join_all(steps).await;
    }
}

/// What [`check`] and [`race`] open records with.
pub const MARK: Mark = Mark([7; 32]);

async fn only_the_secrets_they_were_written_under_open_them(records: &dyn Records) {
    assert_eq!(records.open(MARK).await, Ok(()));
    let other = records.open(Mark([8; 32])).await;
    assert!(matches!(other, Err(Unopened::Refused(_))), "{other:?}");
    assert_eq!(records.open(MARK).await, Ok(()));
    told(records.ready()).await;
}

async fn a_number_has_one_subject(records: &dyn Records) {
    let phone = drawn();
    assert_eq!(told(records.find(phone.tag)).await, None);
    let first = subject();
    let found = told(records.find_or_create(phone.clone(), first.clone(), at(1))).await;
    assert_eq!(found, Found { subject: first.clone(), is_new: true });
    let other = SealedPhone { sealed: Sealed::from_bytes(b"other"), ..phone.clone() };
    let found = told(records.find_or_create(other, subject(), at(2))).await;
    assert_eq!(found, Found { subject: first.clone(), is_new: false });
    assert_eq!(told(records.find(phone.tag)).await, Some(first.clone()));
    let kept = KeptPhone { sealed: phone.sealed, changed_at: None };
    assert_eq!(told(records.phone(first)).await, Some(kept));
    assert_eq!(told(records.phone(subject())).await, None);
}

async fn a_number_changes_hands_whole(records: &dyn Records) {
    let [old, new, others] = [drawn(), drawn(), drawn()];
    let [own, other] = [subject(), subject()];
    told(records.find_or_create(old.clone(), own.clone(), at(1))).await;
    told(records.find_or_create(others.clone(), other.clone(), at(1))).await;
    let relink = async |subject: &Subject, from: &SealedPhone, to: &SealedPhone| {
        told(records.relink(subject.clone(), from.tag, to.clone(), at(5))).await
    };
    assert_eq!(relink(&own, &old, &others).await, Relinked::Taken);
    assert_eq!(relink(&own, &others, &new).await, Relinked::Nobody, "it has another number");
    assert_eq!(told(records.find(old.tag)).await, Some(own.clone()));
    assert_eq!(relink(&own, &old, &new).await, Relinked::Moved);
    assert_eq!(relink(&own, &old, &drawn()).await, Relinked::Nobody, "it has no more");
    assert_eq!(told(records.find(new.tag)).await, Some(own.clone()));
    assert_eq!(told(records.find(old.tag)).await, None);
    let kept = KeptPhone { sealed: new.sealed.clone(), changed_at: Some(at(5)) };
    assert_eq!(told(records.phone(own.clone())).await, Some(kept));
    // To the number it has already, and to the one before, which is nobody's now.
    assert_eq!(relink(&own, &new, &new).await, Relinked::Moved);
    assert_eq!(relink(&other, &others, &old).await, Relinked::Moved);
    assert_eq!(relink(&subject(), &new, &drawn()).await, Relinked::Nobody);
}

async fn devices_are_listed_by_their_last_login(records: &dyn Records) {
    let (owner, [one, two]) = (subject(), [DeviceTag(bytes()), DeviceTag(bytes())]);
    let bind = async |tag, now, joins| {
        told(records.bind(Binding { joins, ..binding(&owner, tag, now) })).await
    };
    let Bound { device: first, is_new: true } = bind(one, 1, false).await else {
        panic!("the first device is no new one")
    };
    assert_eq!(
        (first.tag, first.bound_at, first.seen_at, first.joined),
        (one, at(1), at(1), false)
    );
    let second = bind(two, 2, true).await;
    assert!(second.is_new && second.device.joined);
    let again = bind(one, 3, true).await;
    let seen = super::Device { seen_at: at(3), ..first };
    assert_eq!(
        again,
        Bound { device: seen, is_new: false },
        "neither its name nor its first login changes"
    );
    let listed = told(records.devices(owner.clone())).await;
    assert_eq!(listed, [seen, second.device]);
    assert_eq!(told(records.devices(subject())).await, []);

    let unbind = async |subject: &Subject, id| told(records.unbind(subject.clone(), id)).await;
    assert!(!unbind(&subject(), first.id).await, "it is not another subject's");
    assert!(!unbind(&owner, BindingId(bytes())).await);
    assert!(unbind(&owner, first.id).await && !unbind(&owner, first.id).await);
    assert_eq!(told(records.devices(owner.clone())).await, [second.device]);
    let anew = bind(one, 4, true).await;
    assert!(anew.is_new && anew.device.id != first.id);
}

async fn no_more_devices_are_kept_than_may_be(records: &dyn Records) {
    let owner = subject();
    let tags: Vec<_> = (0..=u64::from(MOST_DEVICES)).map(|_| DeviceTag(bytes())).collect();
    for (tag, now) in tags.iter().zip(1..) {
        told(records.bind(binding(&owner, *tag, now))).await;
    }
    let listed = told(records.devices(owner)).await;
    let listed: Vec<_> = listed.into_iter().rev().map(|device| device.tag).collect();
    assert_eq!(listed, tags[1..], "the one that logged in longest ago goes");
}

async fn a_subject_is_forgotten_whole(records: &dyn Records) {
    let (phone, own, other) = (drawn(), subject(), subject());
    told(records.find_or_create(phone.clone(), own.clone(), at(1))).await;
    for owner in [&own, &other] {
        told(records.bind(binding(owner, DeviceTag(bytes()), 1))).await;
    }
    told(records.opt_out(phone.tag, at(1))).await;
    assert!(told(records.erase(own.clone())).await && !told(records.erase(own.clone())).await);
    assert_eq!(told(records.find(phone.tag)).await, None);
    assert_eq!(told(records.phone(own.clone())).await, None);
    assert_eq!(told(records.devices(own)).await, []);
    assert_eq!(told(records.devices(other.clone())).await.len(), 1);
    assert!(told(records.is_opted_out(phone.tag)).await);
    assert!(told(records.find_or_create(phone, subject(), at(2))).await.is_new);
    // Of a subject whose number is kept elsewhere there are devices alone.
    assert!(told(records.erase(other)).await);
}

async fn opting_out_lasts_until_it_is_taken_back(records: &dyn Records) {
    let [phone, other] = [drawn().tag, drawn().tag];
    assert!(!told(records.is_opted_out(phone)).await && !told(records.opt_in(phone)).await);
    for now in [1, 2] {
        told(records.opt_out(phone, at(now))).await;
        assert!(
            told(records.is_opted_out(phone)).await && !told(records.is_opted_out(other)).await
        );
    }
    assert!(told(records.opt_in(phone)).await && !told(records.opt_in(phone)).await);
    assert!(!told(records.is_opted_out(phone)).await);
}

async fn told<T: 'static>(answer: Told<T>) -> T {
    match answer.await {
        Ok(told) => told,
        Err(error) => panic!("the records do not answer: {error}"),
    }
}

fn drawn() -> SealedPhone {
    let [left, right] = [bytes(), bytes()];
    let mut tag = [0; 32];
    tag[..16].copy_from_slice(&left);
    tag[16..].copy_from_slice(&right);
    SealedPhone { tag: PhoneTag(tag), sealed: Sealed::from_bytes(&left) }
}

fn subject() -> Subject {
    match Subject::new(&BindingId(bytes()).to_string()) {
        Some(subject) => subject,
        None => panic!("22 letters are a subject"),
    }
}

fn binding(owner: &Subject, device: DeviceTag, now: u64) -> Binding {
    Binding { id: BindingId(bytes()), subject: owner.clone(), device, now: at(now), joins: false }
}

fn bytes() -> [u8; 16] {
    match BindingId::random() {
        Some(BindingId(bytes)) => bytes,
        None => panic!("the system gives no random bytes"),
    }
}

/// So many hours after a day in 2027, and a microsecond.
fn at(hours: u64) -> UnixTime {
    UnixTime::from_micros((1_800_000_000 + 3600 * hours) * 1_000_000 + 1)
}
