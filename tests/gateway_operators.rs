//! Commands of operators: blocks are listed, set and lifted, and sessions ended, on all instances that share a store.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/instances.rs"]
mod instances;
#[path = "support/redis.rs"]
mod redis;
#[path = "support/gateway.rs"]
mod support;

use instances::{SECRET, folder, log_in, shared};
use portcullis::{
    Blocklist, Key, Pepper,
    block::Ladder,
    clock::{Clock, SystemClock},
    store::{Block, Redis},
};
use redis::RedisServer;
use serde_json::json;
use std::time::Duration;
use support::{Folder, Server, poll, run, token_part};

const PHONE: &str = "+919876543210";
const OTHER: &str = "+919876543211";
const CLIENT: &str = "203.0.113.9";

/// Whether a command was done, what it prints, and what it tells people.
fn command(folder: &Folder, words: &[&str]) -> (bool, String, String) {
    let out = run(&[words, &["--config", &folder.file("gateway.toml")]].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (out.status.success(), text(out.stdout), text(out.stderr))
}

#[track_caller]
fn done(folder: &Folder, words: &[&str]) -> String {
    let (is_done, printed, told) = command(folder, words);
    assert!(is_done, "{words:?}: {told}");
    printed
}

/// Why a command was not done.
#[track_caller]
fn refused(folder: &Folder, words: &[&str]) -> String {
    let (is_done, printed, told) = command(folder, words);
    assert!(!is_done && printed.is_empty(), "{words:?}: {printed}");
    told
}

fn blocks(of: &'static str, whom: [&'static str; 2]) -> [&'static str; 4] {
    ["blocks", of, whom[0], whom[1]]
}

/// Tries until all of them serve, and says that it did not take long.
fn serve_again(what: &str, lifted: &SystemClock, mut serves: impl FnMut() -> bool) {
    poll(what, || serves().then_some(()));
    assert!(lifted.ticks() < Duration::from_secs(3), "{what}: {:?}", lifted.ticks());
}

#[test]
fn requirement_29_who_is_blocked_by_a_command_is_refused_on_all_instances_until_it_is_lifted() {
    let redis = RedisServer::start();
    let folder = shared(&redis, "");
    let (mut one, two) = (folder.serve("gateway.toml", &[]), folder.serve("gateway.toml", &[]));
    let tokens = log_in(&mut one, PHONE);
    let access = tokens["access_token"].as_str().unwrap();
    let claim = |name: &str| token_part(access, 1)[name].as_str().unwrap().to_owned();
    let (subject, session) = (claim("sub"), claim("sid"));
    let both = [&one, &two];
    let issuer = ["--issuer", "https://login.example/"];
    for (whom, more, refusal) in [
        (["--address", "127.0.0.1"], &["--for", "10m"][..], "blocked"),
        (["--subject", &subject], &[][..], "blocked"),
        (["--subject", &subject], &["--forever"][..], "denied"),
        (["--session", &session], &issuer[..], "token-invalid"),
    ] {
        let (is_done, printed, told) =
            command(&folder, &[&["blocks", "set"], &whom[..], more].concat());
        assert!(is_done && printed.starts_with("blocked "), "{whom:?}: {told}");
        assert!(told.contains("portcullis::audit") && told.contains("blocked"), "{told}");
        for server in both {
            assert_eq!(server.get_as("/api", access).slug(), refusal, "at the next request");
        }
        let lifted = SystemClock::new();
        assert_eq!(done(&folder, &[&["blocks", "lift"], &whom[..]].concat()), "lifted\n");
        serve_again(whom[0], &lifted, || {
            both.iter().all(|server| server.get_as("/api", access).status == 200)
        });
        let again = refused(&folder, &[&["blocks", "lift"], &whom[..]].concat());
        assert!(again.contains("no such block"), "{again}");
    }

    // A phone is in no token: it gets no code.
    let ask = |server: &Server| server.post("/v1/otp/request", &[], &json!({ "phone": OTHER }));
    let printed = done(&folder, &blocks("set", ["--phone", OTHER]));
    assert!(printed.starts_with("blocked for 15m 0s: phone_blocked:"), "{printed}");
    for server in both {
        let answer = ask(server);
        assert_eq!((answer.status, &*answer.slug()), (429, "blocked"));
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((880..=900).contains(&wait), "{wait}");
    }
    let lifted = SystemClock::new();
    done(&folder, &blocks("lift", ["--phone", OTHER]));
    serve_again("--phone", &lifted, || ask(&two).status == 202);
}

#[tokio::test]
async fn requirement_29_blocks_are_listed_as_the_store_names_them_with_what_led_to_them() {
    let server = RedisServer::start();
    let folder = shared(&server, "");
    let list = |more: &[&str]| command(&folder, &[&["blocks", "list"], more].concat());
    assert_eq!(list(&[]).1.lines().count(), 1, "a heading");

    let redis = Redis::new(&server.url(), Pepper::new(SECRET.as_bytes()).unwrap()).unwrap();
    let store = Blocklist::new(redis.deadline(Duration::from_secs(30)));
    let (struck, gone) = (Key::ip(CLIENT.parse().unwrap()), store.issuer("https://idp.example"));
    let day = Duration::from_secs(86_400);
    let ladder = Ladder::after(1);
    assert!(store.strike(struck, "wrong-code".into(), ladder).await.unwrap().is_some());
    let since = portcullis::clock::UnixTime::from_secs(7);
    store.block(gone, Block::lasting(day).issued_until(since)).await.unwrap();
    done(&folder, &["blocks", "set", "--phone", PHONE, "--forever"]);
    let (is_done, printed, told) = list(&[]);
    assert!(is_done && told.is_empty(), "{told}");
    let line = |begins: &str| {
        let mut lines = printed.lines().filter(|line| line.starts_with(begins));
        let line = lines.next().unwrap_or_else(|| panic!("{begins}: {printed}"));
        assert_eq!(lines.next(), None);
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("ip_blocked:203.0.113.9 ")[1], "14m");
    assert_eq!(line("ip_blocked:203.0.113.9 ")[3..], ["wrong-code"]);
    let phone = line("phone_blocked:");
    assert_eq!(phone[1..], ["forever"]);
    assert!(!printed.contains("9876543210"), "{printed}");
    assert!(line("revoked:issuer:").ends_with(&["7".into(), "(Unix".into(), "time)".into()]));
    assert_eq!(printed.lines().count(), 4);

    let (_, printed, told) = list(&["--most", "2"]);
    assert_eq!(printed.lines().count(), 3);
    assert!(told.contains("more than 2"), "{told}");
    // What took the place of the block that strikes led to has another cause.
    done(&folder, &blocks("set", ["--address", CLIENT]));
    let (_, printed, _) = list(&[]);
    assert!(!printed.contains("wrong-code"), "{printed}");
    // What is listed can be lifted, whoever it is.
    for name in [&*phone[0], "ip_blocked:203.0.113.9"] {
        assert_eq!(done(&folder, &["blocks", "lift", "--key", name]), "lifted\n");
    }
    assert!(list(&[]).1.lines().count() == 2);
}

#[test]
fn requirement_24_a_command_ends_all_sessions_of_a_user_and_of_no_other() {
    let redis = RedisServer::start();
    let folder = shared(&redis, "");
    let (mut one, mut two) = (folder.serve("gateway.toml", &[]), folder.serve("gateway.toml", &[]));
    let forget_cooldowns = || {
        let names = redis.command(&["KEYS", "otp:{*"]);
        for name in names.lines().filter(|name| name.starts_with("otp:{")) {
            redis.command(&["DEL", name]);
        }
    };
    let of_other = log_in(&mut two, OTHER);
    let subject = {
        let tokens = log_in(&mut one, PHONE);
        tokens["subject"].as_str().unwrap().to_owned()
    };
    for (whose, count) in [(["--subject", &*subject], 3), (["--phone", PHONE], 2)] {
        let sessions = [&mut one, &mut two].map(|server| {
            forget_cooldowns();
            log_in(server, PHONE)
        });
        let access =
            |tokens: &serde_json::Value| tokens["access_token"].as_str().unwrap().to_owned();
        for server in [&one, &two] {
            assert!(sessions.iter().all(|it| server.get_as("/api", &access(it)).status == 200));
        }
        let (is_done, printed, told) = command(&folder, &["sessions", "end", whose[0], whose[1]]);
        assert!(is_done && printed == format!("ended: {count}\n"), "{printed} {told}");
        assert_eq!(told.matches("session-ended").count(), count, "{told}");
        for server in [&one, &two] {
            for session in &sessions {
                let refused = server.get_as("/api", &access(session));
                assert_eq!((refused.status, &*refused.slug()), (401, "token-invalid"));
                let body = json!({ "refresh_token": session["refresh_token"] });
                let refused = server.post("/v1/token/refresh", &[], &body);
                assert_eq!((refused.status, &*refused.slug()), (401, "token-invalid"));
            }
            assert_eq!(server.get_as("/api", &access(&of_other)).status, 200);
        }
    }
    let body = json!({ "refresh_token": of_other["refresh_token"] });
    assert_eq!(one.post("/v1/token/refresh", &[], &body).status, 200);
    // Whoever has none is as well off, also where the id begins with a hyphen.
    assert_eq!(done(&folder, &["sessions", "end", "--subject", "-Zm9v"]), "ended: 0\n");
}

#[test]
fn requirement_54_an_owner_who_opted_out_otherwise_gets_no_message_until_that_is_lifted() {
    let folder = folder("");
    let mut server = folder.serve("gateway.toml", &[]);
    let of = |what: &'static str, phone: &'static str| ["opt-outs", what, "--phone", phone];
    for phone in [PHONE, OTHER] {
        assert_eq!(done(&folder, &of("status", phone)), "in\n");
        let (is_done, printed, told) = command(&folder, &of("set", phone));
        assert!(is_done && printed == "out\n" && told.contains("opted-out"), "{printed} {told}");
        assert_eq!(done(&folder, &of("set", phone)), "out already\n");
        assert_eq!(done(&folder, &of("status", phone)), "out\n");
    }
    let (is_done, printed, told) = command(&folder, &of("lift", OTHER));
    assert!(is_done && printed == "in\n" && told.contains("opted-in"), "{printed} {told}");
    assert_eq!(done(&folder, &of("lift", OTHER)), "in already\n");
    assert_eq!(done(&folder, &of("status", OTHER)), "in\n");
    // The answer does not tell; the one message is that of the other number.
    let asked = server.post("/v1/otp/request", &[], &json!({ "phone": PHONE }));
    assert_eq!(asked.status, 202, "{asked:?}");
    log_in(&mut server, OTHER);
}

#[test]
fn what_a_command_does_is_in_the_audit_log_or_told_where_another_process_writes_it() {
    let redis = RedisServer::start();
    let folder = shared(&redis, "[audit]\npath = \"audit\"");
    let rows = |event: &str| {
        let exported = run(&["audit", "export", &folder.file("audit")]);
        let text = String::from_utf8(exported.stdout).unwrap();
        text.matches(&format!("\"event\":\"{event}\"")).count()
    };
    for of in ["set", "lift"] {
        let (is_done, _, told) = command(&folder, &blocks(of, ["--address", CLIENT]));
        assert!(is_done && !told.contains("another process"), "{told}");
    }
    assert_eq!((rows("blocked"), rows("unblocked")), (1, 1));
    let server = folder.serve("gateway.toml", &[]);
    let (is_done, _, told) = command(&folder, &blocks("set", ["--address", CLIENT]));
    assert!(is_done && told.contains("told here alone") && told.contains(CLIENT), "{told}");
    assert_eq!(rows("blocked"), 1);
    drop(server);
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut redis = RedisServer::start();
    let proxies = "[clients]\ntrusted_proxies = [\"10.0.0.0/8\"]\nheader = \"x-forwarded-for\"";
    let folder_ = shared(&redis, proxies);
    for (words, why) in [
        (&["blocks", "set"][..], "<--address"),
        (&["blocks", "set", "--address", CLIENT, "--phone", PHONE], "cannot be used with"),
        (&["blocks", "set", "--address", "203.0.113.0/24"], "invalid IP address"),
        (&["blocks", "set", "--phone", "98765"], "--phone"),
        (&["blocks", "set", "--subject", ""], "1 to 255 bytes"),
        (&["blocks", "set", "--session", ""], "1 to 255 bytes"),
        (&["blocks", "set", "--address", CLIENT, "--for", "soon"], "is not a duration"),
        (&["blocks", "set", "--address", CLIENT, "--for", "0s"], "more than 0s"),
        (&["blocks", "set", "--address", CLIENT, "--for", "3651d"], "at most 3650d"),
        (&["blocks", "set", "--address", CLIENT, "--for", "1h", "--forever"], "cannot be used"),
        (&["blocks", "set", "--address", "10.1.2.3"], "a proxy that [clients] trusts"),
        (&["blocks", "set", "--subject", "a", "--issuer", "https://b"], "no issuer `https://b`"),
        (&["blocks", "lift", "--address", CLIENT, "--issuer", "https://b"], "cannot be used with"),
        (&["blocks", "lift", "--key", "limit:a:203.0.113.9"], "like ip_blocked:203.0.113.9"),
        (&["blocks", "list", "--most", "0"], "1..=10000"),
        (&["sessions", "end"], "<--subject"),
        (&["sessions", "end", "--phone", PHONE], "nobody in the records has this number"),
    ] {
        let told = refused(&folder_, words);
        assert!(told.contains(why), "{words:?}: {told}");
    }
    redis.kill();
    let of_memory = folder("");
    for words in [
        &["blocks", "list"][..],
        &["blocks", "set", "--address", CLIENT],
        &["blocks", "lift", "--address", CLIENT],
        &["sessions", "end", "--subject", "ada"],
    ] {
        let told = refused(&folder_, words);
        assert!(told.contains("store"), "nobody was reached: {words:?}: {told}");
        let told = refused(&of_memory, words);
        assert!(told.contains("in memory") && told.contains("running process"), "{told}");
    }
    let forgetful = folder("");
    let text = std::fs::read_to_string(forgetful.file("gateway.toml")).unwrap();
    let text = text.replace("path = \"records.sqlite\"", "backend = \"memory\"");
    forgetful.write("gateway.toml", text);
    for of in ["status", "set", "lift"] {
        let told = refused(&forgetful, &["opt-outs", of, "--phone", PHONE]);
        assert!(told.contains("[records]: in memory"), "{told}");
    }
}
