//! The switch for when something has happened: one command stops codes and tokens and tightens limits, on all instances.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/instances.rs"]
mod instances;
#[path = "support/redis.rs"]
mod redis;
#[path = "support/gateway.rs"]
mod support;

use instances::{folder, log_in, shared};
use portcullis::{
    Key,
    clock::{Clock, SystemClock},
    gateway::{Config, Gateway},
};
use redis::RedisServer;
use serde_json::json;
use std::{net::SocketAddr, path::Path};
use support::{Folder, Server, ask, poll, run};

const PHONE: &str = "+919876543210";
const OTHER: &str = "+919876543211";

/// A gateway, and where it tells operators of itself.
struct Instance {
    server: Server,
    admin: SocketAddr,
}

impl Instance {
    fn start(folder: &Folder) -> Self {
        let mut server = folder.serve("gateway.toml", &[]);
        let admin = server.admin();
        Self { server, admin }
    }

    /// How often a lockdown went `on` or `off` here.
    fn changes(&self, change: &str) -> u32 {
        let metrics = ask(self.admin, "GET", "/metrics").body;
        let line = format!("portcullis_lockdown_changes_total{{change=\"{change}\"}} ");
        metrics.lines().find_map(|it| it.strip_prefix(&line)).unwrap().parse().unwrap()
    }

    fn hears_of(&self, change: &str) {
        poll(change, || (self.changes(change) > 0).then_some(()));
    }
}

/// What `portcullis lockdown` prints.
fn switch(folder: &Folder, what: &str) -> String {
    let out = run(&["lockdown", what, "--config", &folder.file("gateway.toml")]);
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn remaining(server: &Server) -> u32 {
    let answer = server.get("/open");
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.header("ratelimit").unwrap().split("r=").nth(1).unwrap().to_owned();
    told.split(';').next().unwrap().parse().unwrap()
}

/// That no code is sent, and in which words.
#[track_caller]
fn sends_no_code(server: &Server) {
    let asked = server.post("/v1/otp/request", &[], &json!({ "phone": OTHER }));
    assert_eq!((asked.status, &*asked.slug()), (503, "sms-unavailable"));
    assert!(asked.header("retry-after").is_some(), "{asked:?}");
}

#[test]
fn requirement_101_one_command_locks_all_instances_down_and_another_opens_them() {
    let redis = RedisServer::start();
    let folder = shared(&redis, "");
    let (mut one, two) = (Instance::start(&folder), Instance::start(&folder));
    assert_eq!(switch(&folder, "status"), "off");
    let tokens = log_in(&mut one.server, PHONE);
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(two.server.get_as("/api", access).status, 200);
    assert!(remaining(&two.server) > 900);

    let began = SystemClock::new();
    assert_eq!(switch(&folder, "on"), "on");
    for Instance { server, .. } in [&one, &two] {
        assert_eq!(server.get_as("/api", access).slug(), "token-invalid", "at the next request");
    }
    for instance in [&one, &two] {
        instance.hears_of("on");
        sends_no_code(&instance.server);
        assert!(remaining(&instance.server) < 100);
    }
    assert!(began.ticks().as_secs() < 5, "{:?}", began.ticks());
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let refreshed = two.server.post("/v1/token/refresh", &[], &refresh);
    assert_eq!(refreshed.status, 401, "the session ended, too: {refreshed:?}");
    assert_eq!(switch(&folder, "status"), "on");

    // An instance that starts later hears of it before long.
    let third = Instance::start(&folder);
    third.hears_of("on");
    sends_no_code(&third.server);

    assert_eq!(switch(&folder, "off"), "off");
    for instance in [&one, &two, &third] {
        instance.hears_of("off");
        assert!(remaining(&instance.server) > 500);
    }
    assert_eq!(one.server.get_as("/api", access).slug(), "token-invalid", "for good");
    assert_eq!(two.server.post("/v1/token/refresh", &[], &refresh).status, 401);
    let tokens = log_in(&mut one.server, OTHER);
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(two.server.get_as("/api", access).status, 200, "who logs in anew is welcome");
}

#[test]
fn requirement_101_a_lockdown_outlives_restarts_and_a_store_that_is_away() {
    let mut redis = RedisServer::start();
    let folder = shared(&redis, "");
    assert_eq!(switch(&folder, "on"), "on");
    let instance = Instance::start(&folder);
    instance.hears_of("on");
    redis.kill();
    // What was known holds, and the command says that nobody was reached.
    let readiness = || instance.server.get("/readyz").body;
    poll("the store is lost", || readiness().contains("degraded").then_some(()));
    sends_no_code(&instance.server);
    for what in ["on", "off", "status"] {
        let out = run(&["lockdown", what, "--config", &folder.file("gateway.toml")]);
        let told = String::from_utf8(out.stderr).unwrap();
        assert!(!out.status.success() && told.contains("store"), "{what}: {told}");
    }
    // A server that comes back empty is told of it again.
    redis.restart();
    let key = format!("blocked:{}", Key::LOCKDOWN);
    poll("it is put back", || redis.command(&["EXISTS", &key]).contains('1').then_some(()));
    assert_eq!(instance.changes("off"), 0);
    sends_no_code(&instance.server);
}

#[test]
fn requirement_101_each_change_is_an_event_and_a_count() {
    let redis = RedisServer::start();
    let folder = shared(&redis, "");
    let instance = Instance::start(&folder);
    assert_eq!((instance.changes("on"), instance.changes("off")), (0, 0));
    switch(&folder, "on");
    instance.hears_of("on");
    // Again is no change.
    switch(&folder, "on");
    switch(&folder, "off");
    instance.hears_of("off");
    assert_eq!((instance.changes("on"), instance.changes("off")), (1, 1));
}

#[test]
fn requirement_101_in_memory_the_configuration_is_the_switch() {
    let folder = folder("[lockdown]\non = true\nlimits = 0.002");
    let config = folder.file("gateway.toml");
    let out = run(&["lockdown", "on", "--config", &config]);
    let told = String::from_utf8(out.stderr).unwrap();
    assert!(!out.status.success() && told.contains("on = true"), "{told}");
    let before = run(&["token", "--config", &config]);
    let token = String::from_utf8(before.stdout).unwrap();
    let instance = Instance::start(&folder);
    instance.hears_of("on");
    sends_no_code(&instance.server);
    poll("tokens end", || {
        let answer = instance.server.get_as("/api", token.trim());
        assert!([200, 401, 429].contains(&answer.status));
        (answer.status != 200).then_some(())
    });
    let hit = (0..3).find(|_| instance.server.get("/open").status == 429);
    assert!(hit.is_some(), "two of a thousand are left");
}

#[tokio::test]
async fn a_server_of_ones_own_has_the_switch_too() {
    let text = r#"
        profile = "dev"
        [[route]]
        path = "/"
        respond = "hello"
        auth = "none"
    "#;
    let gateway = Gateway::new(&Config::parse(text, Path::new(".")).unwrap()).unwrap();
    let lockdown = gateway.lockdown();
    assert!(!lockdown.is_on());
    lockdown.begin().await.unwrap();
    assert!(lockdown.is_on());
    assert!(lockdown.end().await.unwrap() && !lockdown.is_on());
    assert!(!lockdown.end().await.unwrap());
}

#[test]
fn a_lockdown_leaves_something_of_limits() {
    for limits in ["0", "-1", "1.1", "nan"] {
        let route = "[[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n";
        let text = format!("{route}[lockdown]\nlimits = {limits}\n");
        let error = Config::parse(&text, Path::new(".")).unwrap_err().to_string();
        assert_eq!(error, "[lockdown]: limits: more than 0, and 1 at most", "{limits}");
    }
}
