//! What a gateway posts to servers of its operator: events, and responses to challenges.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/origin.rs"]
mod origin;
#[path = "support/gateway.rs"]
mod support;

use origin::{Origin, Reply};
use portcullis::{
    clock::{Clock, SystemClock},
    gateway::Config,
    otp::sender::HookKeys,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};
use support::{Answer, Folder, Server, ask, poll};

const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

const LOGIN: &str = r#"
    profile = "dev"
    [listen]
    admin = "127.0.0.1:0"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    [otp]
    sender = "log"
    app = "Acme"
    [[route]]
    path = "/api"
    respond = "hello"
"#;

fn serve(more: &str) -> (Folder, Server) {
    let folder = Folder::new();
    folder.write("secret", SECRET);
    folder.write("gateway.toml", format!("{LOGIN}{more}"));
    let server = folder.serve("gateway.toml", &[]);
    (folder, server)
}

/// What was posted: the headers, and the body.
fn posts(origin: &Origin) -> Vec<(String, String)> {
    let asked = origin.asked().into_iter();
    let parts = |asked: String| {
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    };
    asked.map(parts).collect()
}

#[track_caller]
fn assert_signed((head, body): &(String, String)) {
    let signature = head.lines().find_map(|line| line.strip_prefix("portcullis-signature: "));
    let keys = HookKeys::new(SECRET).unwrap();
    assert!(keys.verify(signature.unwrap(), body.as_bytes(), SystemClock::new().wall()), "{head}");
}

// === Events ===

fn events(url: &str, more: &str) -> String {
    format!("[events]\nurl = \"{url}\"\nsecret = \"file:secret\"\n{more}")
}

/// All events that were posted, in the order in which they came.
fn collected(origin: &Origin) -> Vec<Value> {
    let batch = |(_, body): (String, String)| {
        let body: Value = serde_json::from_str(&body).unwrap();
        body["events"].as_array().unwrap().clone()
    };
    posts(origin).into_iter().flat_map(batch).collect()
}

fn count(events: &[Value], event: &str) -> usize {
    events.iter().filter(|row| row["event"] == event).count()
}

#[test]
fn requirement_100_events_reach_a_collector_signed_in_order_and_at_least_once() {
    let mut answers =
        [Reply::status("503 No", "", ""), Reply::status("400 No", "", "")].into_iter();
    let hook = Origin::start(move |_| answers.next().unwrap_or(Reply::ok("", "")));
    let (_folder, mut server) = serve(&events(&hook.url("/events?key=hunter2"), ""));
    for _ in 0..3 {
        assert_eq!(server.get("/api").status, 401);
    }
    assert_eq!(server.get("/a/../b").status, 400);
    poll("the events", || (count(&collected(&hook), "refused") >= 4).then_some(()));
    server.terminate();
    assert!(server.ended().success());

    let posts = posts(&hook);
    posts.iter().for_each(assert_signed);
    assert!(posts[0].0.starts_with("POST /events?key=hunter2 HTTP/1.1\r\n"), "{}", posts[0].0);
    // What was not taken came again, the same, before anything else did.
    assert_eq!((&posts[0].1, &posts[0].1), (&posts[1].1, &posts[2].1));
    let mut once = BTreeMap::new();
    for event in collected(&hook) {
        let (process, number) = event["id"].as_str().unwrap().split_once('-').unwrap();
        let number: u64 = number.parse().unwrap();
        assert_eq!(process.len(), 16);
        assert!(once.insert(number, event.clone()).is_none_or(|before| before == event));
    }
    let numbers: Vec<_> = once.keys().copied().collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "none is missing");
    let refused: Vec<_> = once.values().filter(|row| row["event"] == "refused").collect();
    let reasons: Vec<_> = refused.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["token-missing", "token-missing", "token-missing", "path-invalid"]);
    assert_eq!((&refused[0]["client"], &refused[0]["status"]), (&json!("127.0.0.1"), &json!(401)));
    let now = SystemClock::new().wall().as_secs() as f64;
    assert!((refused[0]["time"].as_f64().unwrap() - now).abs() < 60.0);
}

#[test]
fn events_beyond_the_queue_are_counted_and_told() {
    let hook = Origin::start(|_| Reply::ok("", ""));
    hook.hold();
    let (_folder, mut server) = serve(&events(&hook.url("/"), "queue = 2\n"));
    let admin = server.admin();
    let lost = || {
        let metrics = ask(admin, "GET", "/metrics").body;
        let lost = metrics.lines().find_map(|it| it.strip_prefix("portcullis_events_lost_total "));
        lost.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(lost(), 0);
    poll("no more room", || {
        assert_eq!(server.get("/api").status, 401, "nobody waits for a collector");
        (lost() > 3).then_some(())
    });
    let lost = lost();
    hook.release();
    poll("what was lost", || {
        let told = collected(&hook).into_iter().filter_map(|event| event["lost"].as_u64());
        (told.sum::<u64>() == lost).then_some(())
    });
}

#[test]
fn a_collector_is_one_that_can_be_trusted() {
    let folder = Folder::new();
    folder.write("secret", SECRET);
    folder.write("weak", "hunter2");
    for (section, told) in [
        (events("http://collector.example/", ""), "[events]: url: the URL must begin with https"),
        (events("https://u:p@collector.example/", ""), "[events]: url: a user or password"),
        (events("https://collector.example/", "queue = 0\n"), "nonzero"),
        (
            events("https://collector.example/", "").replace("file:secret", "file:weak"),
            "[events]: file:weak",
        ),
        ("[events]\nurl = \"https://collector.example/\"\n".to_owned(), "missing field `secret`"),
    ] {
        let error = Config::parse(&format!("{LOGIN}{section}"), folder.path());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("hunter2"), "{told}: {error}");
    }
}

// === Challenges ===

const GOOD: &str = "a-response&that=is+good";

fn challenge(url: &str, more: &str) -> String {
    format!(
        "[otp.fraud]\ncountries = \"challenge\"\nmost_countries = 1\n\
         [otp.fraud.challenge]\nurl = \"{url}\"\nsecret = \"file:secret\"\n{more}"
    )
}

fn request(server: &Server, phone: &str, response: Option<&str>) -> Answer {
    let response = response.map(|response| ("x-challenge-response", response));
    server.post("/v1/otp/request", response.as_slice(), &json!({ "phone": phone }))
}

/// A gateway in which the next request for a code to `FURTHER` is challenged.
fn suspicious(url: &str, more: &str) -> (Folder, Server) {
    let (folder, server) = serve(&challenge(url, more));
    assert_eq!(request(&server, "+919876543210", None).status, 202);
    (folder, server)
}

const FURTHER: &str = "+14155550100";

#[test]
fn a_captcha_is_verified_as_its_service_wants_to_be_asked() {
    let good = "response=a-response%26that%3Dis%2Bgood";
    let hook = Origin::start(|_| Reply::ok("", "{\"success\":false,\"error-codes\":[\"x\"]}"));
    let (_folder, server) = suspicious(&hook.url("/siteverify"), "");
    let refused = |response| {
        let told = request(&server, FURTHER, response);
        assert_eq!((told.status, &*told.slug()), (403, "challenge-required"));
    };
    refused(None);
    assert!(hook.asked().is_empty(), "there is nothing to ask about");
    refused(Some(GOOD));
    let (head, body) = posts(&hook).remove(0);
    assert!(head.starts_with("POST /siteverify HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
    assert_eq!(body, format!("secret={SECRET}&{good}&remoteip=127.0.0.1"));
    hook.answer(|_| Reply::ok("", "{\"success\":true,\"challenge_ts\":\"2026-11-22T00:00:00Z\"}"));
    assert_eq!(request(&server, FURTHER, Some(GOOD)).status, 202);
}

#[test]
fn a_server_of_ones_own_is_asked_with_a_signature() {
    let hook = Origin::start(|_| Reply::ok("", "{\"success\":true}"));
    let (_folder, server) = suspicious(&hook.url("/"), "form = \"signed\"\n");
    assert_eq!(request(&server, FURTHER, Some(GOOD)).status, 202);
    let asked = posts(&hook).remove(0);
    assert_signed(&asked);
    let body: Value = serde_json::from_str(&asked.1).unwrap();
    let told =
        json!({ "response": GOOD, "client": "127.0.0.1", "country": "US", "rule": "countries" });
    assert_eq!(body, told);
}

/// Each is answered to one who asks where an outage refuses, and then where it admits, which comes to the status.
#[track_caller]
fn assert_in_doubt(url: &str, on_outage: u16) {
    for (more, status) in [("", 403), ("on_outage = \"admit\"\n", on_outage)] {
        let (_folder, server) = suspicious(url, &format!("timeout = \"200ms\"\n{more}"));
        assert_eq!(request(&server, FURTHER, Some(GOOD)).status, status, "{more}");
    }
}

#[test]
fn while_nobody_judges_nobody_passes_unless_the_operator_says_so() {
    let good = "{\"success\":true}";
    let slow = format!("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{good}");
    // Its end never comes, but that of the connection.
    let cut = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{good}\r\n");
    for reply in [
        Reply::Silence,
        Reply::Drip(slow.into()),
        Reply::Raw(cut.into()),
        Reply::status("500 No", "", good),
        Reply::status("429 No", "", good),
    ] {
        let hook = Origin::start(move |_| reply.clone());
        assert_in_doubt(&hook.url("/"), 202);
    }
    // Nobody listens.
    assert_in_doubt("http://127.0.0.1:1/", 202);
}

#[test]
fn an_answer_that_says_something_else_is_no_outage() {
    let good = "{\"success\":true}";
    for reply in [
        Reply::ok("", "{\"success\":false}"),
        Reply::status("400 No", "", good),
        Reply::status("302 Found", "location: /\r\n", good),
        Reply::status("201 Created", "", good),
        Reply::ok("", "{}"),
        Reply::ok("", "{\"success\":\"true\"}"),
        Reply::ok("", format!("{{\"success\":true,\"pad\":\"{}\"}}", "x".repeat(17 << 10))),
    ] {
        let hook = Origin::start(move |_| reply.clone());
        assert_in_doubt(&hook.url("/"), 403);
    }
}

#[test]
fn challenges_that_nobody_sets_or_judges_refuse_the_start() {
    let good = challenge("https://captcha.example/", "");
    let folder = Folder::new();
    folder.write("secret", SECRET);
    let parse = |section: &str| {
        Config::parse(&format!("{LOGIN}{section}"), folder.path())
            .map_err(|error| error.to_string())
    };
    assert!(parse(&good).is_ok());
    for (section, told) in [
        (good.split("[otp.fraud.challenge]").next().unwrap().to_owned(), "there is no challenger"),
        (good.replace("\"challenge\"", "\"deny\""), "[otp.fraud.challenge]: nobody is challenged"),
        (good.replace("https:", "http:"), "[otp.fraud.challenge]: the URL must begin with https"),
        (format!("{good}timeout = \"11s\"\n"), "[otp.fraud.challenge]: timeout: 100ms to 10s"),
        (format!("{good}retiring = [\"file:secret\"]\n"), "`retiring` is for form = \"signed\""),
        (format!("{good}form = \"turnstile\"\n"), "unknown variant"),
        (good.replace("file:secret", "file:none"), "none"),
    ] {
        let error = parse(&section).map(drop).unwrap_err();
        assert!(error.contains(told), "{told}: {error}");
    }
    assert!(Config::parse(LOGIN, Path::new(".")).is_ok());
}
