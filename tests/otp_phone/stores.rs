//! The same over stores and records that several instances share.

use crate::{
    NEW, OTHER, PHONE, change, changed, dev,
    folder::Folder,
    login::{AUDIENCE, Answer, Ask, ISSUER, Login, Sent, Told, answer, secrets, spawn, texts},
    redis::RedisServer,
    redis_groups::Cluster,
    refresh, verify,
};
use portcullis::{
    Memory, Otp, OtpService, Pepper,
    clock::{ManualClock, UnixTime},
    otp::SharedLoginStore,
    records::{MemoryRecords, Records, Sqlite},
    store::Redis,
    token::Issuer,
};
use std::{sync::Arc, time::Duration};

/// What instances of a login share.
#[derive(Clone)]
struct Shared {
    url: String,
    clock: ManualClock,
    issuer: Issuer,
    sent: Sent,
}

impl Shared {
    fn new(url: String) -> Self {
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        let issuer = Issuer::generate(ISSUER, AUDIENCE).unwrap().clock(clock.clone());
        Self { url, clock, issuer, sent: Sent::default() }
    }

    /// One more, with connections of its own.
    fn instance(&self, records: impl Records + 'static) -> Login {
        let store = Redis::new(&self.url, Pepper::new(&[7; 32]).unwrap()).unwrap();
        let store = store.deadline(Duration::from_secs(30)).clock(self.clock.clone());
        let store: SharedLoginStore = Arc::new(store);
        let Self { clock, issuer, sent, .. } = self.clone();
        let told = Told::default();
        let builder = Otp::builder(dev(), secrets(), texts()).audit(told.clone()).records(records);
        let built = builder.build_shared(store, issuer.clone(), Arc::new(sent.clone()));
        let (otp, courier) = built.unwrap();
        spawn(courier);
        let service = OtpService::new(otp.clone());
        Login { service, otp, store: Memory::new(), issuer, clock, sent, told }
    }
}

async fn walk(login: &Login) {
    let (challenge, code) =
        login.challenge(Ask::code(PHONE).device("another-device-of-mine")).await;
    let elsewhere =
        login.ask(Ask::verify(&challenge, &code).device("another-device-of-mine")).await;
    login.pass(60);
    let tokens = logged_in(login, PHONE).await;
    let next = changed(login, &tokens).await;
    for old in [&tokens, &elsewhere] {
        refresh(login, old).await.assert(401, "token-invalid");
    }
    assert_eq!(refresh(login, &next).await.status, 200);
    assert_eq!(login.sent.message(3).await.to.as_e164(), PHONE);
    login.pass(600);
    let again = logged_in(login, NEW).await;
    assert_eq!(again.str("subject"), tokens.str("subject"));
}

/// Waits for the code that was asked for, as this store takes its time.
async fn logged_in(login: &Login, phone: &str) -> Answer {
    let before = login.sent.count();
    let asked = login.ask(Ask::code(phone)).await;
    let code = login.sent.code(before).await;
    login.ask(Ask::verify(&asked.str("challenge_id"), &code)).await
}

#[tokio::test]
async fn a_number_is_changed_over_redis_a_cluster_and_a_file() {
    let (server, cluster, folder) =
        (RedisServer::start(), Cluster::start(), Folder::new("phone-walk"));
    let records = Sqlite::new(folder.path("records.sqlite"));
    walk(&Shared::new(server.url()).instance(records)).await;
    walk(&Shared::new(cluster.url()).instance(MemoryRecords::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_instances_one_gives_the_number_away() {
    let (server, folder) = (RedisServer::start(), Folder::new("phone-race"));
    for round in 0..5 {
        server.command(&["FLUSHALL"]);
        let file = folder.path(&format!("{round}.sqlite"));
        let shared = Shared::new(server.url());
        let instances = [(); 2].map(|()| shared.instance(Sqlite::new(file.clone())));
        let mut asks = Vec::new();
        for (login, phone) in instances.iter().zip([PHONE, OTHER]) {
            let own = |ask: Ask| ask.device(&format!("a-device-of{phone}").replace('+', "-"));
            shared.clock.advance(Duration::from_secs(31));
            let before = shared.sent.count();
            let asked = login.ask(own(Ask::code(phone))).await;
            let code = shared.sent.code(before).await;
            let tokens = login.ask(own(Ask::verify(&asked.str("challenge_id"), &code))).await;
            let asked = login.ask(own(change(&tokens, NEW))).await;
            let code = shared.sent.code(before + 1).await;
            asks.push((login, own(verify(&tokens, &asked.str("challenge_id"), &code))));
        }
        let tasks =
            asks.into_iter().map(|(login, ask)| tokio::spawn(answer(login.service.clone(), ask)));
        let mut told = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            told.push(task.await.unwrap());
        }
        told.sort_by_key(|answer| answer.status);
        assert_eq!(told[0].status, 200, "{round}: {told:?}");
        told[1].assert(409, "phone-taken");
    }
}
