//! Blocks that abuse leads to: whom they stop and where, how they grow, how they end, and that nothing stays behind.
#![cfg(all(feature = "otp", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/abuse.rs"]
mod abuse;
#[path = "support/login.rs"]
mod login;

use abuse::{everywhere, flood, hammer};
use login::{Ask, Login, PHONE, address, device, phone, wrong};
use portcullis::{
    Key, Profile,
    audit::Act,
    key::KeyKind,
    otp::Settings,
    store::{Block, Blocked},
};
use std::time::Duration;

const MICROSECOND: Duration = Duration::from_micros(1);

async fn blocked(login: &Login) -> Vec<Blocked> {
    login.blocks().list(100).await.unwrap()
}

#[tokio::test]
async fn requirement_27_abuse_blocks_the_address_for_900_seconds_at_every_endpoint() {
    let login = Login::new();
    let tokens = login.ask(Ask::get("/v1/openapi.json")).await;
    assert_eq!(tokens.status, 200);
    let first = login.login().await;
    let (refresh, access) = (first.str("refresh_token"), first.str("access_token"));
    let from = address(1);
    assert_eq!(hammer(&login, &from).await, 900);
    let standing = blocked(&login).await;
    assert_eq!(standing.len(), 1, "{standing:?}");
    assert_eq!(standing[0].key, Key::ip(from.parse().unwrap()));
    assert_eq!(standing[0].remaining, Some(Duration::from_secs(900)));

    let all = || everywhere(&refresh, &access);
    login.pass(1);
    for ask in all() {
        let answer = login.ask(ask.from(&from)).await;
        answer.assert(429, "blocked");
        assert_eq!(answer.retry_after(), 899);
    }
    // It did nothing: from elsewhere the session goes on.
    assert_eq!(login.ask(Ask::get("/v1/sessions").bearer(&access)).await.status, 200);
    login.clock.advance(Duration::from_secs(899) - MICROSECOND);
    login.ask(Ask::get("/v1/openapi.json").from(&from)).await.assert(429, "blocked");
    login.clock.advance(MICROSECOND);
    for ask in all() {
        assert_ne!(login.ask(ask.from(&from)).await.status, 429);
    }
}

#[tokio::test]
async fn requirement_28_abuse_blocks_the_phone_for_900_seconds_and_no_other() {
    let login = Login::new();
    assert_eq!(flood(&login, PHONE).await, 900);
    let standing = blocked(&login).await;
    let key = login.blocks().phone(&PHONE.parse().unwrap());
    assert_eq!(standing.len(), 1, "{standing:?}");
    assert_eq!((standing[0].key, standing[0].remaining), (key, Some(Duration::from_secs(900))));
    assert!(!format!("{standing:?}").contains("9876543210"));

    // Whoever asked can go on with other phones, and a block does not grow by asking.
    let other = Ask::code(&phone(1)).device(&device(3)).from(&address(3));
    assert_eq!(login.ask(other).await.status, 202);
    login.pass(1);
    for number in 20..30 {
        let ask = Ask::code(PHONE).device(&device(number)).from(&address(number));
        let answer = login.ask(ask).await;
        answer.assert(429, "blocked");
        assert_eq!(answer.retry_after(), 899);
    }
    login.clock.advance(Duration::from_secs(899) - MICROSECOND);
    login.request().await.assert(429, "blocked");
    login.clock.advance(MICROSECOND);
    assert_eq!(login.request().await.status, 202);
}

#[tokio::test]
async fn requirement_30_a_fingerprint_that_hammers_is_blocked_alone() {
    let login = Login::new();
    let ask = |agent| Ask::code(PHONE).header("user-agent", agent);
    assert_eq!(login.ask(ask("hammer")).await.status, 202);
    for _ in 0..4 {
        login.ask(ask("hammer")).await.assert(429, "cooldown");
    }
    for _ in 0..4 {
        login.ask(ask("hammer")).await.assert(429, "rate-limited");
    }
    let blocked_now = login.ask(ask("hammer")).await;
    blocked_now.assert(429, "blocked");
    assert_eq!(blocked_now.retry_after(), 900);
    let standing = blocked(&login).await;
    assert_eq!(standing.len(), 1, "{standing:?}");
    assert_eq!(standing[0].key.kind(), KeyKind::Fingerprint);
    // Another agent, another phone, another address: each makes another fingerprint.
    login.ask(ask("other")).await.assert(429, "cooldown");
    let other_phone = Ask::code(&phone(1)).header("user-agent", "hammer");
    assert_eq!(login.ask(other_phone).await.status, 202);
    login.ask(ask("hammer").from(&address(1))).await.assert(429, "cooldown");
}

#[tokio::test]
async fn requirement_57_each_block_is_told_with_its_cause() {
    let login = Login::new();
    let causes = |login: &Login| {
        let events = login.told.events();
        let started = events.iter().filter_map(|event| match &event.act {
            Act::Blocked { key, cause, lasting } => {
                assert_eq!(*lasting, Some(Duration::from_secs(900)));
                Some((key.kind(), cause.unwrap().as_str().to_owned()))
            }
            _ => None,
        });
        started.collect::<Vec<_>>()
    };
    hammer(&login, &address(50)).await;
    flood(&login, PHONE).await;
    let (challenge, code) = login.challenge(Ask::code(&phone(90)).from(&address(2))).await;
    for _ in 0..5 {
        login.ask(Ask::verify(&challenge, &wrong(&code)).from(&address(2))).await;
    }
    login.pass(30);
    let (challenge, code) = login.challenge(Ask::code(&phone(90)).from(&address(2))).await;
    for _ in 0..5 {
        login.ask(Ask::verify(&challenge, &wrong(&code)).from(&address(2))).await;
    }
    let expected = [
        (KeyKind::Ip, "otp-requests"),
        (KeyKind::Phone, "otp-sends"),
        (KeyKind::Phone, "otp-guesses"),
    ];
    assert_eq!(causes(&login), expected.map(|(kind, cause)| (kind, cause.to_owned())));
}

#[tokio::test]
async fn requirement_29_a_block_set_by_hand_holds_at_once_and_can_be_lifted() {
    let login = Login::new();
    let (blocks, address) = (login.blocks(), address(1));
    let keys = [Key::ip(address.parse().unwrap()), blocks.phone(&PHONE.parse().unwrap())];
    for key in keys {
        let ask = || Ask::code(PHONE).from(&address);
        blocks.block(key, Block::lasting(Duration::from_secs(900))).await.unwrap();
        let answer = login.ask(ask()).await;
        answer.assert(429, "blocked");
        assert_eq!(answer.retry_after(), 900);
        blocks.unblock(key).await.unwrap();
        assert_eq!(login.ask(ask()).await.status, 202);
        login.pass(30);
    }
}

#[tokio::test]
async fn requirement_38_each_block_for_messages_lasts_twice_as_long_up_to_an_hour() {
    let login = Login::with(Settings::new(Profile::Dev).phone_per_day(50).unwrap());
    let mut lasted = Vec::new();
    for _ in 0..8 {
        let seconds = flood(&login, PHONE).await;
        login.pass(seconds);
        lasted.push(seconds);
    }
    // The second is up to a tenth longer, so that its end cannot be foretold.
    assert!(lasted[0] == 900 && (1800..=1980).contains(&lasted[1]), "{lasted:?}");
    assert_eq!(lasted[2..], [3600; 6]);
    // Clean hours bring it down again.
    login.pass(6 * 3600);
    assert_eq!(flood(&login, PHONE).await, 900);
}

#[tokio::test]
async fn requirement_38_each_block_for_guesses_lasts_twice_as_long_up_to_a_day() {
    // All are past when the first block ends, so that it can be led to again at once.
    let settings = Settings::new(Profile::Dev).guesses(5, Duration::from_secs(900));
    let settings = settings.and_then(|it| it.guesses_per_day(100)).unwrap();
    let login = Login::with(settings);
    let mut lasted = Vec::new();
    for number in 0..10 {
        let (device, address) = (device(number), address(number));
        let elsewhere = |ask: Ask| ask.device(&device).from(&address);
        let (challenge, code) = login.challenge(elsewhere(Ask::code(PHONE))).await;
        for _ in 0..5 {
            login.ask(elsewhere(Ask::verify(&challenge, &wrong(&code)))).await;
        }
        let blocked = login.request().await;
        blocked.assert(429, "blocked");
        let seconds = blocked.retry_after();
        lasted.push(seconds);
        login.pass(seconds);
    }
    assert_eq!(lasted[0], 900);
    for (level, seconds) in lasted.iter().enumerate() {
        let least = (900 << level).min(86_400);
        let most = (least + least / 10).min(86_400);
        assert!((least..=most).contains(seconds), "{lasted:?}");
    }
    assert_eq!(lasted[7..], [86_400; 3]);
    // Clean days bring it down again.
    login.pass(60 * 86_400);
    assert_eq!(flood(&login, PHONE).await, 900);
}

#[tokio::test]
async fn requirement_38_each_block_of_an_address_lasts_twice_as_long() {
    let login = Login::new();
    let from = address(1);
    let mut lasted = Vec::new();
    for _ in 0..3 {
        let seconds = hammer(&login, &from).await;
        login.pass(seconds);
        lasted.push(seconds);
    }
    assert_eq!(lasted[0], 900);
    assert!((1800..=1980).contains(&lasted[1]), "{lasted:?}");
    assert!((3600..=3960).contains(&lasted[2]), "{lasted:?}");
}

#[tokio::test]
async fn requirement_31_what_is_past_is_forgotten() {
    let login = Login::new();
    // A night of abuse: messages, guesses, blocks of phones, addresses and fingerprints.
    for number in 0..300 {
        let (from, device, phone) = (address(number), device(number), phone(number));
        let ask = |ask: Ask| ask.device(&device).from(&from);
        let (challenge, code) = login.challenge(ask(Ask::code(&phone))).await;
        for _ in 0..5 {
            login.ask(ask(Ask::verify(&challenge, &wrong(&code)))).await;
        }
        for _ in 0..12 {
            login.ask(ask(Ask::code(&phone))).await;
        }
    }
    flood(&login, PHONE).await;
    // An owner whose device is remembered, and whose session goes on.
    login.login_of(&phone(1000)).await;
    let full = login.store.stats();
    assert!(full.phones > 300 && full.windows > 600 && full.blocks >= 300, "{full:?}");

    // Entries are swept when new ones come. A day later: windows, guesses and blocks are past.
    login.pass(3 * 86_400);
    let sweep = async |first: usize| {
        for number in first..first + 2000 {
            let from = format!("2001:db8:{first:x}:{number:x}::1");
            let answer = login.ask(Ask::code(&phone(number)).from(&from)).await;
            assert_eq!(answer.status, 202, "{answer:?}");
            let block = Block::lasting(Duration::from_secs(1));
            login.blocks().block(Key::ip(from.parse().unwrap()), block).await.unwrap();
        }
        login.store.stats()
    };
    let kept = sweep(10_000).await;
    assert_eq!((kept.phones, kept.windows, kept.blocks), (2000 + 1, 2 * 2000, 2000), "{kept:?}");
    assert_eq!(kept.sessions, 1);
    // In 90 days the device is forgotten too.
    login.pass(91 * 86_400);
    let kept = sweep(20_000).await;
    assert_eq!((kept.phones, kept.windows, kept.blocks), (2000, 2 * 2000, 2000), "{kept:?}");
}
