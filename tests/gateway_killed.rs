//! The program is killed between what it stored and what it sends: no code is lost, none is sent twice, and who got no message
//! asks for another.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/redis.rs"]
mod redis;
#[path = "support/gateway.rs"]
mod support;

use portcullis::otp::fake::{FakeTwilio, Received, Reply};
use redis::RedisServer;
use serde_json::{Value, json};
use std::{net::TcpListener, thread, time::Duration};
use support::{Answer, Folder, Server, poll};

const PHONE: &str = "+919876543210";
const SECRET: &str = "mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a";

/// What is there before a start of the program and after it.
struct Scene {
    store: RedisServer,
    folder: Folder,
}

impl Scene {
    fn new() -> Self {
        let (store, folder) = (RedisServer::start(), Folder::new());
        folder.generate("signing.jwks");
        folder.write("store", SECRET);
        folder.write("otp", SECRET.to_lowercase());
        folder.write("refresh", SECRET.to_uppercase());
        folder.write("auth_token", FakeTwilio::AUTH_TOKEN);
        Self { store, folder }
    }

    /// Starts the program, which sends by the provider at this address.
    fn start(&self, provider: &str) -> Server {
        self.folder.write(
            "gateway.toml",
            format!(
                r#"
                profile = "dev"
                [store]
                backend = "redis"
                url = "{}"
                pepper = "file:store"
                deadline = "2s"
                [token]
                issuer = "https://login.example/"
                audience = "https://api.example"
                keys = "file:signing.jwks"
                refresh_secret = "file:refresh"
                [otp]
                sender = "twilio"
                app = "Acme"
                pepper = "file:otp"
                cooldown = "10s"
                [otp.twilio]
                account_sid = "{}"
                auth_token = "file:auth_token"
                from = "+12025550123"
                base_url = "{provider}"
                [[route]]
                path = "/api"
                respond = "hello"
                "#,
                self.store.url(),
                FakeTwilio::ACCOUNT,
            ),
        );
        self.folder.serve("gateway.toml", &[])
    }
}

/// The id of a new challenge.
fn ask(server: &Server) -> Value {
    let asked = server.post("/v1/otp/request", &[], &json!({ "phone": PHONE }));
    assert_eq!(asked.status, 202, "{asked:?}");
    asked.json()["challenge_id"].take()
}

fn answer(server: &Server, challenge: &Value, code: &str) -> Answer {
    server.post("/v1/otp/verify", &[], &json!({ "challenge_id": challenge, "code": code }))
}

/// The code in the last message, as soon as there are `count` of them.
fn code(provider: &FakeTwilio, count: usize) -> String {
    let received = || Some(provider.received()).filter(|messages| messages.len() >= count);
    let messages: Vec<Received> = poll("a message", received);
    assert_eq!(messages.len(), count, "no message twice");
    let text = messages[count - 1].field("Body").unwrap();
    let mut words = text.split(|c: char| !c.is_ascii_digit());
    words.find(|word| word.len() == 6).expect("a code in the message").to_owned()
}

#[test]
fn a_code_that_arrived_is_good_after_the_program_was_killed_before_it_heard_so() {
    let (scene, provider) = (Scene::new(), FakeTwilio::start().unwrap());
    provider.reply(Reply::Silence);
    let first = scene.start(&provider.url());
    let challenge = ask(&first);
    let arrived = code(&provider, 1);
    drop(first);
    let second = scene.start(&provider.url());
    let login = answer(&second, &challenge, &arrived);
    assert_eq!(login.status, 200, "{login:?}");
    let again = answer(&second, &challenge, &arrived);
    assert_eq!(again.status, 401, "used up: {again:?}");
    assert_eq!(provider.received().len(), 1, "nothing is sent again by itself");
}

#[test]
fn a_code_that_did_not_leave_is_sent_when_the_user_asks_again_and_not_before() {
    let scene = Scene::new();
    // Takes connections and reads nothing.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = scene.start(&format!("http://{}", deaf.local_addr().unwrap()));
    let challenge = ask(&first);
    let connection = deaf.accept().unwrap();
    drop((first, connection, deaf));
    let provider = FakeTwilio::start().unwrap();
    let second = scene.start(&provider.url());
    let resend = || second.post("/v1/otp/resend", &[], &json!({ "challenge_id": challenge }));
    let early = resend();
    assert_eq!((early.status, early.slug().as_str()), (429, "cooldown"), "{early:?}");
    let wait: u64 = early.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait} s");
    // Users do as they are told, by the server's clock, which is the real one.
    thread::sleep(Duration::from_secs(wait));
    let sent = resend();
    assert_eq!(sent.status, 202, "{sent:?}");
    let login = answer(&second, &challenge, &code(&provider, 1));
    assert_eq!(login.status, 200, "{login:?}");
    assert_eq!(provider.received().len(), 1);
}
