//! What was sent and did not leave: the send, its cooldown and the code that it replaced.

use super::{Caller, Make, Scene, codes::right};
use crate::otp::{Dispatched, Verdict};
use std::time::Duration;

pub(super) async fn check(make: Make<'_>) {
    a_message_that_did_not_leave_is_given_back_once(make).await;
    a_code_that_could_not_be_replaced_is_good_as_it_was(make).await;
    what_is_over_is_not_put_back(make).await;
}

async fn a_message_that_did_not_leave_is_given_back_once(make: Make<'_>) {
    let scene = Scene::new(make);
    let one = Caller::new(1, 1, 1);
    for challenge in 1..=5 {
        let told = scene.allowed(&one, challenge, 1).await;
        assert_eq!(told.device.map(|standing| standing.remaining), Some(2), "not counted");
        let left = told.client.map(|standing| standing.remaining);
        assert_eq!(left, Some(10 - challenge), "arrivals are");
        assert!(matches!(
            scene.issue(&Caller::new(9, 1, 9), 9, 1).await.outcome,
            Dispatched::Cooldown { .. }
        ));
        scene.give_back(&one, challenge, 1).await;
        scene.give_back(&one, challenge + 1, 0).await;
        let told = scene
            .resend(
                &Caller { device: one.device, ..Caller::new(50 + challenge, 1, 0) },
                challenge,
                1,
            )
            .await;
        assert!(matches!(told.outcome, Dispatched::Cooldown { .. }), "no such message: {told:?}");
        if challenge < 5 {
            scene.give_back(&one, challenge, 0).await;
        }
    }
    scene.wait(scene.rules.cooldown);
    let fresh = Caller { device: one.device, ..Caller::new(3, 1, 0) };
    assert!(matches!(scene.resend(&fresh, 5, 2).await.outcome, Dispatched::Allowed { .. }));
    scene.give_back(&one, 5, 0).await;
    let told = scene.resend(&fresh, 5, 2).await.outcome;
    assert_eq!(
        told,
        Dispatched::Cooldown { wait: scene.rules.cooldown * 2 },
        "a newer one began it"
    );
    scene.give_back(&one, 5, 1).await;
    let told = scene.resend(&fresh, 5, 2).await.outcome;
    assert!(matches!(told, Dispatched::Allowed { number: 2, .. }), "numbers go on: {told:?}");
}

async fn a_code_that_could_not_be_replaced_is_good_as_it_was(make: Make<'_>) {
    let scene = Scene::new(make);
    let callers = [1, 2, 3, 4, 5].map(|it| Caller::new(it, it, it));
    let [one, two, three, four, five] = callers;
    for (challenge, caller) in (1..).zip(callers) {
        scene.allowed(&caller, challenge, 1).await;
        scene.wait(scene.rules.cooldown);
        let told = scene.resend(&caller, challenge, 2).await.outcome;
        assert!(matches!(told, Dispatched::Allowed { number: 1, .. }), "{told:?}");
    }
    // The code before, and nothing but that; once, as the code is gone then.
    scene.give_back(&one, 1, 1).await;
    let told = scene.verify(&one, 1, 2).await.outcome;
    assert!(matches!(told, Verdict::Wrong { attempt: 1, .. }), "{told:?}");
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, right(2, 1, true));
    // Another message of the challenge is none of its business.
    scene.give_back(&two, 2, 0).await;
    assert_eq!(scene.verify(&two, 2, 2).await.outcome, right(1, 2, true));
    // Past its end it stays away, and the code can be asked for again.
    scene.give_back(&four, 4, 1).await;
    scene.wait(scene.rules.lifetime - scene.rules.cooldown * 3);
    scene.give_back(&three, 3, 1).await;
    let told = scene.verify(&three, 3, 1).await.outcome;
    assert!(matches!(told, Verdict::Wrong { .. }), "{told:?}");
    let told = scene.resend(&three, 3, 3).await.outcome;
    assert!(matches!(told, Dispatched::Allowed { number: 2, .. }), "{told:?}");
    scene.give_back(&five, 5, 1).await;
    assert_eq!(scene.verify(&five, 5, 1).await.outcome, right(1, 5, true));
    // It is good no longer than it was.
    scene.wait(scene.rules.cooldown);
    assert_eq!(scene.verify(&four, 4, 1).await.outcome, Verdict::NotLive);
}

async fn what_is_over_is_not_put_back(make: Make<'_>) {
    let mut scene = Scene::new(make);
    let (one, other) = (Caller::new(1, 1, 1), Caller::new(2, 2, 2));
    let (usual, short) = (scene.rules.lifetime, Duration::from_secs(1));
    for (challenge, caller) in [(1, one), (2, other)] {
        scene.allowed(&caller, challenge, 1).await;
        scene.wait(scene.rules.cooldown);
        // Rules have become stricter: the new code is good for less time than the one before had left.
        scene.rules.lifetime = short;
        let told = scene.resend(&caller, challenge, 2).await.outcome;
        assert!(matches!(told, Dispatched::Allowed { number: 1, .. }), "{told:?}");
        scene.rules.lifetime = usual;
    }
    // The first challenge has ended with its new code, the second has not.
    scene.give_back(&one, 1, 1).await;
    scene.give_back(&other, 2, 1).await;
    assert_eq!(scene.verify(&one, 1, 1).await.outcome, Verdict::NotLive);
    assert_eq!(scene.verify(&other, 2, 1).await.outcome, right(1, 2, true));
}
