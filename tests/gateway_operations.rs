//! What operators do with the program: they look at a configuration before it counts, deny networks, and hear
//! of what goes wrong.
#![cfg(all(feature = "gateway", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic, too")]

#[path = "support/gateway.rs"]
mod support;

use portcullis::clock::{Clock, SystemClock};
use serde_json::json;
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::Output,
    time::{Duration, SystemTime},
};
use support::{Folder, Server, ask, program, run};

const PEPPER: &str = "mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a";
const REFRESH: &str = "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
const STORE: &str = "q7Wm2Xc9Rb4Tn6Yk1Vp8Zs3Lf5Hg0JdA";

const WHOLE: &str = r#"
    [listen]
    address = "127.0.0.1:1"
    [clients]
    trusted_proxies = ["10.0.0.0/8"]
    header = "x-forwarded-for"
    [store]
    backend = "redis"
    url = "redis://127.0.0.1:1"
    pepper = "env:STORE_PEPPER"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    keys = "file:signing.jwks"
    refresh_secret = "file:refresh.secret"
    [audit]
    path = "audit"
    keys = "file:signing.jwks"
    [otp]
    sender = "http"
    app = "Acme"
    pepper = "env:OTP_PEPPER"
    [otp.http]
    url = "https://sms.example/send?key=hunter2"
    secret = "env:OTP_PEPPER"
    [[route]]
    path = "/api"
    respond = "hello"
"#;

/// A folder with all that the configuration names.
fn whole() -> Folder {
    let folder = Folder::new();
    folder.generate("signing.jwks");
    folder.write("gateway.toml", WHOLE);
    folder.write("refresh.secret", REFRESH);
    folder.write(".env", format!("OTP_PEPPER={PEPPER}\n"));
    folder
}

fn check(folder: &Folder, with_env_file: bool) -> Output {
    let (config, env) = (folder.file("gateway.toml"), folder.file(".env"));
    let mut command = program();
    command.args(["config", "check", "--config", &config]).env("STORE_PEPPER", STORE);
    if with_env_file {
        command.args(["--env-file", &env]);
    }
    command.stderr(std::process::Stdio::piped()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn requirement_98_a_configuration_is_shown_whole_and_without_secrets() {
    let folder = whole();
    let before = fs::read_dir(folder.path()).unwrap().count();
    let checked = check(&folder, true);
    let shown = text(&checked.stdout);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    for line in [
        // What is written, and what counts where nothing is.
        "profile = \"standard\"",
        "address = \"127.0.0.1:1\"",
        "deadline = \"25ms\"",
        "quota = \"100/15m\"",
        "access = \"15m\"",
        "attempts = 5",
        "auth = \"required\"",
        "limits = [\"per-ip\"]",
        "url = \"https://sms.example/***\"",
        // Where secrets are, and no more of them.
        "pepper = \"env:STORE_PEPPER\"  # masked: the environment of the process",
        "pepper = \"env:OTP_PEPPER\"  # masked: the environment file",
        &format!(
            "refresh_secret = \"file:refresh.secret\"  # masked: {}",
            folder.file("refresh.secret")
        ),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    for secret in [PEPPER, REFRESH, STORE, "hunter2", "\"d\""] {
        assert!(!shown.contains(secret) && !text(&checked.stderr).contains(secret), "{secret}");
    }
    // No log, no database and no lock was made, and nobody waited for the store.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

#[test]
fn requirement_98_what_is_shown_is_a_configuration_again() {
    let folder = whole();
    let first = check(&folder, true).stdout;
    folder.write("gateway.toml", text(&first));
    let second = check(&folder, true);
    assert_eq!(text(&second.stdout), text(&first));
}

#[test]
fn requirement_98_what_would_not_start_is_told_and_ends_with_2() {
    let folder = whole();
    for (config, told) in [
        (WHOLE.replace("sender = \"http\"", "sender = \"log\""), "sender"),
        (WHOLE.replace("[store]", "[stores]"), "did you mean `store`?"),
        (WHOLE.replace("refresh.secret", "no.secret"), "no.secret"),
        (WHOLE.replace("127.0.0.1:1\"\n    pepper", "redis.example\"\n    pepper"), "rediss"),
    ] {
        folder.write("gateway.toml", config);
        let checked = check(&folder, true);
        assert_eq!(checked.status.code(), Some(2), "{told}");
        assert!(checked.stdout.is_empty(), "{told}");
        assert!(text(&checked.stderr).contains(told), "{told}: {}", text(&checked.stderr));
    }
    folder.write("gateway.toml", WHOLE);
    let checked = check(&folder, false);
    assert_eq!(checked.status.code(), Some(2));
    assert!(text(&checked.stderr).contains("the environment has no OTP_PEPPER"));
}

// === Denied networks ===

const DENIED: &str = r#"
    profile = "dev"
    [listen]
    admin = "127.0.0.1:0"
    [clients]
    trusted_proxies = ["127.0.0.1"]
    header = "x-forwarded-for"
    [deny]
    networks = ["198.51.100.0/24", "2001:db8::/32", "203.0.113.7"]
    except = ["198.51.100.9", "2001:db8:1::/48"]
    [audit]
    path = "audit"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    [otp]
    sender = "log"
    app = "Acme"
    [[limit]]
    name = "all"
    quota = "6/h"
    by = "everyone"
    [[route]]
    path = "/api"
    respond = "hello"
    auth = "none"
"#;

#[test]
fn requirement_104_denied_networks_get_nothing_and_cost_nothing() {
    let folder = Folder::new();
    folder.write("gateway.toml", DENIED);
    let mut server = folder.serve("gateway.toml", &[]);
    let admin = server.admin();
    let get = |path: &str, client: &str| server.ask("GET", path, &[("x-forwarded-for", client)]);
    for client in ["198.51.100.1", "::ffff:198.51.100.2", "2001:db8:2::1", "203.0.113.7"] {
        for path in ["/api", "/nowhere", "/healthz", "/.well-known/jwks.json"] {
            let told = get(path, client);
            assert_eq!((told.status, &*told.slug()), (403, "denied"), "{client} {path}");
            told.header("x-content-type-options").expect("the headers of every answer");
        }
        let body = json!({ "phone": "+919876543210" });
        let asked = server.post("/v1/otp/request", &[("x-forwarded-for", client)], &body);
        assert_eq!(asked.slug(), "denied", "{client}");
    }
    // Who is excepted or in no such network is served, and the limit of all was not touched yet.
    for client in
        ["198.51.100.9", "2001:db8:1::1", "203.0.113.8", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
    {
        assert_eq!(get("/api", client).status, 200, "{client}");
    }
    assert_eq!(get("/api", "192.0.2.4").status, 429);
    // What a client writes itself counts for nothing.
    let forged = [("x-forwarded-for", "192.0.2.1, 198.51.100.1")];
    assert_eq!(server.ask("GET", "/api", &forged).slug(), "denied");

    let metrics = ask(admin, "GET", "/metrics").body;
    let counted = "portcullis_refusals_total{layer=\"deny\",reason=\"denied\"} 21";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    server.terminate();
    assert!(server.ended().success());
    let rows = run(&["audit", "export", &folder.file("audit"), "--client", "2001:db8::/32"]);
    let rows: Vec<_> = text(&rows.stdout).lines().collect();
    assert!(rows.len() >= 5 && rows.iter().all(|row| row.contains("denied")), "{rows:?}");
}

#[test]
fn requirement_104_networks_that_are_none_or_all_refuse_the_start() {
    let folder = Folder::new();
    for (section, told) in [
        (
            "networks = [\"198.51.100.1/24\"]",
            "[deny]: networks: `198.51.100.1/24` has host bits set",
        ),
        ("networks = [\"example\"]", "is not an address or network"),
        ("networks = [\"192.0.2.1\"]\nexcept = [\"x\"]", "[deny]: except: "),
        ("networks = []", "none is denied"),
        ("networks = [\"0.0.0.0/0\"]", "nobody would be served"),
        ("except = []", "missing field `networks`"),
        ("network = []", "did you mean `networks`?"),
    ] {
        let route = "[[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n";
        folder.write("gateway.toml", format!("{route}[deny]\n{section}\n"));
        let checked = check(&folder, false);
        assert_eq!(checked.status.code(), Some(2), "{section}");
        assert!(text(&checked.stderr).contains(told), "{section}: {}", text(&checked.stderr));
    }
}

// === What goes wrong ===

const LOGIN: &str = r#"
    profile = "dev"
    [listen]
    admin = "127.0.0.1:0"
    [token]
    issuer = "https://login.example/"
    audience = "https://api.example"
    refresh_secret = "file:refresh.secret"
    [otp]
    sender = "log"
    app = "Acme"
    pepper = "file:pepper.secret"
    [otp.fraud]
    countries = "observe"
    most_countries = 2
    [alerts]
    [[route]]
    path = "/api"
    respond = "hello"
"#;

/// A gateway with a login, whose records are those of `section`.
fn log_in_at(section: &str) -> (Folder, Server) {
    let folder = Folder::new();
    folder.write("refresh.secret", REFRESH);
    folder.write("pepper.secret", PEPPER);
    folder.write("gateway.toml", format!("{LOGIN}{section}"));
    let server = folder.serve("gateway.toml", &[]);
    (folder, server)
}

#[test]
fn requirement_99_many_countries_from_one_address_raise_an_alarm() {
    let (_folder, mut server) = log_in_at("[records]\nbackend = \"memory\"\n");
    let admin = server.admin();
    let alarms = || {
        let metrics = ask(admin, "GET", "/metrics").body;
        let alarm = "portcullis_alerts_total{alert=\"many-countries\"} ";
        metrics.lines().find_map(|line| line.strip_prefix(alarm)).map(str::to_owned)
    };
    for (phone, raised) in [
        ("+919876543210", None),
        ("+14155550100", None),
        ("+919876543211", None),
        ("+447400123456", Some("1")),
        ("+33612345678", Some("1")),
    ] {
        let asked = server.post("/v1/otp/request", &[], &json!({ "phone": phone }));
        assert_eq!(asked.status, 202, "{phone}: it is observed: {asked:?}");
        assert_eq!(alarms().as_deref(), raised, "{phone}");
    }
}

#[test]
fn readiness_tells_of_records_and_never_sends_everybody_away() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let postgres = |at: SocketAddr| {
        format!("[records]\nbackend = \"postgres\"\nurl = \"postgres://login@{at}/login\"\n")
    };
    for (records, told) in [
        ("[records]\nbackend = \"sqlite\"\n".to_owned(), r#"{"status":"ready"}"#),
        (postgres(nobody), r#"{"status":"degraded","reasons":["records"]}"#),
        (postgres(silent.local_addr().unwrap()), r#"{"status":"degraded","reasons":["records"]}"#),
    ] {
        let (_folder, server) = log_in_at(&records);
        let ready = server.get("/readyz");
        assert_eq!((ready.status, &*ready.body), (200, told), "{records}");
        assert_eq!(server.get("/api").status, 401, "it is served");
    }
}

// === Secrets that are old ===

#[test]
fn requirement_96_secrets_that_are_old_are_told() {
    let folder = whole();
    folder.write("http.secret", STORE);
    let config = WHOLE.replace("secret = \"env:OTP_PEPPER\"", "secret = \"file:http.secret\"");
    let config = config.replace(
        "127.0.0.1:1\"\n    [clients]",
        "127.0.0.1:0\"\n    admin = \"127.0.0.1:0\"\n    [clients]",
    );
    folder.write("gateway.toml", config);
    let day = Duration::from_secs(86_400);
    let now = Duration::from_micros(SystemClock::new().wall().as_micros());
    let now = SystemTime::UNIX_EPOCH + now;
    let written = |name: &str, days: u32| {
        let file = fs::File::options().append(true).open(folder.file(name)).unwrap();
        file.set_modified(now - days * day).unwrap();
    };
    written("refresh.secret", 91);
    written("http.secret", 89);
    // A signing key says itself when it began, whatever was done to its file.
    written("signing.jwks", 400);
    let log = folder.file("log");
    let mut command = program();
    command.args(["--config", &folder.file("gateway.toml"), "--env-file", &folder.file(".env")]);
    command.env("STORE_PEPPER", STORE).stderr(fs::File::create(&log).unwrap());
    let mut server = Server::start(&mut command);
    let admin = server.admin();
    let metrics = ask(admin, "GET", "/metrics").body;
    let age = |secret: &str| {
        let line = format!("portcullis_secret_age_seconds{{secret=\"{secret}\"}} ");
        let age = metrics.lines().find_map(|it| it.strip_prefix(&line))?;
        Some((age.parse::<f64>().unwrap() / 86_400.0).round() as u32)
    };
    assert_eq!(age("token.refresh_secret"), Some(91), "{metrics}");
    assert_eq!(age("otp.http.secret"), Some(89));
    assert_eq!((age("token.keys"), age("audit.keys")), (Some(0), Some(0)));
    assert_eq!(
        metrics.matches("portcullis_secret_age_seconds{").count(),
        4,
        "no pepper, nothing of the environment"
    );
    let log = fs::read_to_string(log).unwrap();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("[secrets]")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("`token.refresh_secret` is 91 days old, more than 90d"), "{log}");
    assert!(warnings[0].contains("\"level\":\"WARN\"") && !log.contains(REFRESH), "{log}");
}

#[test]
fn requirement_96_the_age_is_the_operators_to_choose() {
    let folder = Folder::new();
    for (section, told) in
        [("\"23h\"", "[secrets]: warn_after: 1d at least"), ("\"never\"", "not a duration")]
    {
        let route = "[[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n";
        folder.write("gateway.toml", format!("{route}[secrets]\nwarn_after = {section}\n"));
        let checked = check(&folder, false);
        assert!(text(&checked.stderr).contains(told), "{section}: {}", text(&checked.stderr));
    }
    folder.write(
        "gateway.toml",
        "[secrets]\nwarn_after = \"off\"\n[[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n",
    );
    assert_eq!(check(&folder, false).status.code(), Some(0));
}
