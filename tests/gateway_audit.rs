//! The gateway's audit log and alerts: what the program writes, survives, verifies, exports and posts.
#![cfg(all(feature = "gateway", feature = "test-util", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/origin.rs"]
mod origin;
#[path = "support/gateway.rs"]
mod support;

use origin::{Origin, Reply};
use portcullis::{
    Pepper,
    clock::{Clock, SystemClock},
    gateway::{Config, Gateway},
    key::KeyKind,
    otp::sender::HookKeys,
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::Path,
    process::Output,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use support::{Folder, Server, poll, program, run};

const SECRET: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
const PEPPER: &str = "mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a";
const PHONE: &str = "+919876543210";

const AUDIT: &str =
    "[audit]\npath = \"audit\"\nkeys = \"file:audit.jwks\"\ncheckpoints = \"copy.jws\"\n";
const LOGIN: &str = r#"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    [otp]
    sender = "log"
    app = "Acme"
    [[limit]]
    name = "per-ip"
    quota = "6/15m"
    [[route]]
    path = "/api"
    respond = "hello"
"#;

/// A folder with a key for the log.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.generate("audit.jwks");
    folder
}

fn serve(folder: &Folder, config: &str) -> Server {
    folder.write("gateway.toml", config);
    folder.serve("gateway.toml", &[])
}

fn audit(folder: &Folder, args: &[&str]) -> Output {
    let path = folder.file("audit");
    run(&[&["audit", args[0], &path], &args[1..]].concat())
}

fn verify(folder: &Folder) -> Output {
    let (keys, copy) = (folder.file("audit.jwks"), folder.file("copy.jws"));
    let copy: &[&str] = if Path::new(&copy).exists() { &["--checkpoints", &copy] } else { &[] };
    audit(folder, &[&["verify", "--keys", &keys], copy].concat())
}

fn export(folder: &Folder, args: &[&str]) -> Vec<Value> {
    let out = audit(folder, &[&["export"], args].concat());
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn stop(mut server: Server) {
    server.terminate();
    assert!(server.ended().success());
}

#[test]
fn requirements_57_and_59_a_login_and_its_refusals_are_one_row_each() {
    let folder = folder();
    let mut server = serve(&folder, &format!("profile = \"dev\"\n{AUDIT}{LOGIN}"));
    let asked = server.post("/v1/otp/request", &[], &json!({ "phone": PHONE }));
    assert_eq!(asked.status, 202, "{asked:?}");
    let challenge = asked.json()["challenge_id"].clone();
    let code = server.code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let verify_with = |code: &str| {
        let body = json!({ "challenge_id": challenge, "code": code });
        server.post("/v1/otp/verify", &[], &body).status
    };
    assert_eq!([verify_with(wrong), verify_with(&code)], [401, 200]);
    assert_eq!(server.get("/api").status, 401, "without a token");
    assert_eq!(server.get("/a/../b").status, 400);
    let hit = (0..9).map(|_| server.get("/api").status).find(|status| *status == 429);
    assert_eq!(hit, Some(429));
    stop(server);

    let rows = export(&folder, &[]);
    let count = |event: &str| rows.iter().filter(|row| row["event"] == event).count();
    for event in [
        "log-opened",
        "code-requested",
        "code-sent",
        "code-wrong",
        "code-right",
        "device-new",
        "subject-created",
        "token-issued",
        "log-closed",
    ] {
        assert_eq!(count(event), 1, "{event}");
    }
    let refusals = |reason: &str| {
        let rows = rows.iter().filter(|row| row["event"] == "refused" && row["reason"] == reason);
        rows.map(|row| row["status"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(refusals("otp-invalid"), [401]);
    assert_eq!(refusals("path-invalid"), [400]);
    assert!(refusals("token-missing").contains(&401));
    assert!(refusals("rate-limited").iter().all(|status| *status == 429));
    assert!(!refusals("rate-limited").is_empty());
    let of_login = rows.iter().find(|row| row["event"] == "token-issued").unwrap();
    assert_eq!(of_login["client"], "127.0.0.1");

    // The session's row is the subject's, and is forgotten with it.
    let tag = of_login["subject"].as_str().unwrap();
    assert_eq!(export(&folder, &["--subject", tag]).len(), 2);
    assert!(audit(&folder, &["erase", "--subject", tag]).status.success());
    assert!(export(&folder, &["--subject", tag]).is_empty());
    let good = verify(&folder);
    let said = String::from_utf8(good.stdout).unwrap();
    assert!(good.status.success() && said.contains("signed checkpoints"), "{said}");
}

#[test]
fn a_process_that_is_killed_while_it_writes_leaves_a_chain_that_goes_on() {
    let folder = folder();
    let config = format!("profile = \"dev\"\n{AUDIT}{LOGIN}");
    for _ in 0..3 {
        let server = serve(&folder, &config);
        let address = server.address;
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    use std::{io::Write, net::TcpStream};
                    while !over.load(Ordering::Relaxed) {
                        let Ok(mut stream) = TcpStream::connect(address) else { return };
                        let all = b"GET /api HTTP/1.1\r\nhost: a\r\n\r\n".repeat(64);
                        let _ = stream.write_all(&all);
                    }
                });
            }
            let rows = || export(&folder, &[]).len();
            let before = rows();
            poll("rows", || (rows() > before + 200).then_some(()));
            // SIGKILL.
            drop(server);
            over.store(true, Ordering::Relaxed);
        });
        let looked_at = verify(&folder);
        assert!(looked_at.status.success(), "{looked_at:?}");
    }
    // As if it had died between two writes of one row.
    let rows = fs::read_dir(folder.file("audit")).unwrap().map(|entry| entry.unwrap().path());
    let last =
        rows.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).max().unwrap();
    let whole = fs::read(&last).unwrap();
    fs::write(&last, [&whole[..], b"{\"chain\":\"x"].concat()).unwrap();
    stop(serve(&folder, &config));
    let rows = export(&folder, &[]);
    let opened: Vec<_> = rows.iter().filter(|row| row["event"] == "log-opened").collect();
    assert_eq!((opened.len(), &opened[3]["lost"]), (4, &json!(11)));
    assert!(verify(&folder).status.success());
}

#[test]
fn requirement_61_verify_names_the_line_and_says_by_its_status_what_it_found() {
    let folder = folder();
    stop(serve(&folder, &format!("profile = \"dev\"\n{AUDIT}{LOGIN}")));
    assert_eq!(verify(&folder).status.code(), Some(0));
    let rows = fs::read_dir(folder.file("audit")).unwrap().map(|entry| entry.unwrap().path());
    let rows =
        rows.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).max().unwrap();
    let good = fs::read_to_string(&rows).unwrap();
    fs::write(&rows, good.replacen("log-closed", "log-cl0sed", 1)).unwrap();
    let broken = verify(&folder);
    let said = String::from_utf8(broken.stderr).unwrap();
    assert_eq!(broken.status.code(), Some(1), "{said}");
    assert!(said.contains("rows-00000000000000000001.jsonl line 2: the row was changed"), "{said}");
    // Cut off, checkpoint and all: the copy tells.
    fs::write(&rows, good.lines().next().unwrap().to_owned() + "\n").unwrap();
    fs::remove_file(folder.path().join("audit/checkpoints.jws")).unwrap();
    let keys = folder.file("audit.jwks");
    let is_unsigned = |told: &str| {
        let bare = audit(&folder, &["verify", "--keys", &keys]);
        let said = String::from_utf8(bare.stderr).unwrap();
        assert!(bare.status.code() == Some(2) && said.contains(told), "{said}");
    };
    is_unsigned("no checkpoint yet: its one row is unsigned");
    let broken = verify(&folder);
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8(broken.stderr).unwrap().contains("cut off"));
    fs::write(&rows, good).unwrap();
    is_unsigned("unsigned: there is no checkpoint");
    for args in [&["verify", "--keys", "/nowhere"][..], &["verify", "--checkpoints", "/nowhere"]] {
        assert_eq!(audit(&folder, args).status.code(), Some(2));
    }
    let nowhere = run(&["audit", "verify", "/nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn one_process_writes_a_log() {
    let folder = folder();
    let config = format!("profile = \"dev\"\n{AUDIT}{LOGIN}");
    let _server = serve(&folder, &config);
    let second = run(&["--config", &folder.file("gateway.toml"), "--listen", "127.0.0.1:0"]);
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert!(told.contains("[audit]") && told.contains("another process writes"), "{told}");
}

#[test]
fn requirement_103_subjects_and_phones_are_found_by_the_pepper_of_the_configuration() {
    let folder = folder();
    folder.write("pepper", PEPPER);
    folder.write("gateway.toml", format!(
        "profile = \"dev\"\n[store]\nbackend = \"redis\"\nurl = \"redis://127.0.0.1:1\"\npepper = \"file:pepper\"\n{AUDIT}{LOGIN}"
    ));
    let config = Config::load(folder.file("gateway.toml")).unwrap();
    let pepper = Pepper::new(PEPPER.as_bytes()).unwrap();
    let subject = pepper.tag(KeyKind::Subject, &[b"https://login.example/", b"ada"]);
    assert_eq!(config.subject_tag("ada").unwrap(), subject.to_string());
    let phone = pepper.tag(KeyKind::Phone, &[PHONE.as_bytes()]);
    assert_eq!(config.phone_tag(&PHONE.parse().unwrap()).unwrap(), phone.to_string());
    let file = folder.file("gateway.toml");
    drop(Gateway::new(&config).unwrap());
    let erased =
        audit(&folder, &["erase", "--subject", "ada", "--phone", PHONE, "--config", &file]);
    let told = String::from_utf8(erased.stdout).unwrap();
    assert!(
        told.contains(&format!("{subject}: 0 keys")) && told.contains(&format!("{phone}: 0 keys"))
    );
    for subject in ["ada", "-da"] {
        let out = audit(&folder, &["export", "--subject", subject]);
        let told = String::from_utf8(out.stderr).unwrap();
        assert!(told.contains("--config"), "{told}");
    }
    assert!(!audit(&folder, &["erase"]).status.success());
}

#[test]
fn requirement_99_an_alert_is_posted_signed_once_in_its_window() {
    let mut answers = [Reply::status("503 No", "", "")].into_iter();
    let hook = Origin::start(move |_| answers.next().unwrap_or(Reply::ok("", "")));
    let folder = Folder::new();
    folder.write("secret", SECRET);
    let alerts = format!(
        "[alerts]\nurl = \"{}\"\nsecret = \"file:secret\"\ndefaults = false\n[[alert]]\nname = \"hits\"\non = \"limit-hit\"\n\
         count = 3\nwithin = \"10m\"\n",
        hook.url("/alerts")
    );
    let config = format!(
        "profile = \"dev\"\n[listen]\naddress = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{alerts}{LOGIN}"
    );
    folder.write("gateway.toml", config);
    let mut server = Server::start(program().args(["--config", &folder.file("gateway.toml")]));
    let admin = server.admin();
    let refused = |count: usize| {
        for _ in 0..count {
            assert_eq!(server.get("/nowhere").status, 429);
        }
    };
    (0..6).for_each(|_| assert_eq!(server.get("/nowhere").status, 404));
    refused(2);
    assert!(hook.asked().is_empty(), "{:?}", hook.asked());
    refused(20);
    // What was not answered with 2xx is sent again, the same.
    poll("the alert", || (hook.asked().len() == 2).then_some(()));
    let asked = hook.asked();
    let (first, second) =
        (asked[0].split_once("\r\n\r\n").unwrap(), asked[1].split_once("\r\n\r\n").unwrap());
    assert_eq!(first.1, second.1);
    assert!(first.0.starts_with("POST /alerts HTTP/1.1\r\n"), "{}", first.0);
    let body: Value = serde_json::from_str(first.1).unwrap();
    let named = [
        ("alert", json!("hits")),
        ("on", json!("limit-hit")),
        ("count", json!(3)),
        ("within", json!(600)),
    ];
    for (name, value) in named {
        assert_eq!(body[name], value, "{body}");
    }
    let signature = first.0.lines().find_map(|line| line.strip_prefix("portcullis-signature: "));
    let keys = HookKeys::new(SECRET).unwrap();
    assert!(keys.verify(signature.unwrap(), first.1.as_bytes(), SystemClock::new().wall()));
    let metrics = support::ask(admin, "GET", "/metrics").body;
    assert!(metrics.contains("portcullis_alerts_total{alert=\"hits\"} 1\n"), "{metrics}");
    assert_eq!(hook.asked().len(), 2);
}

#[test]
fn requirement_55_and_62_the_log_of_the_process_is_lines_of_json() {
    let folder = Folder::new();
    folder.generate("signing.jwks");
    folder.write(
        "gateway.toml",
        r#"
        profile = "standard"
        [token]
        issuer = "https://login.example/"
        audience = "https://api.example"
        keys = "file:signing.jwks"
        [[route]]
        path = "/api"
        respond = "hello"
    "#,
    );
    let log = File::create(folder.file("log")).unwrap();
    let mut command = program();
    command.args(["--config", &folder.file("gateway.toml"), "--listen", "127.0.0.1:0"]);
    let server = Server::start(command.env("RUST_LOG", "trace").stderr(log));
    assert_eq!(server.get_as("/api", "e30.e30.e30").status, 401);
    assert_eq!(server.get("/api/../\\x0aforged").status, 400);
    let agent = [("user-agent", "a\tforged"), ("x-secret", "forged")];
    assert_eq!(server.ask("GET", "/api", &agent).status, 401);
    stop(server);
    let text = fs::read_to_string(folder.file("log")).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let audit: Vec<_> = lines.iter().filter(|line| line["target"] == "portcullis::audit").collect();
    assert_eq!(audit.len(), 3, "{text}");
    for line in &lines {
        assert!(
            line["timestamp"].as_str().unwrap().ends_with('Z') && line["level"].is_string(),
            "{line}"
        );
    }
    for line in audit {
        assert_eq!(line["fields"]["act"], "refused");
        assert!(!line.to_string().contains("forged"), "{line}");
    }
}
