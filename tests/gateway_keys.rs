//! The program and its signing keys: made, listed and rotated by commands, while requests go on.
#![cfg(all(feature = "gateway", unix))]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "support/gateway.rs"]
mod support;

use portcullis::{gateway::Config, jwt::Algorithm};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};
use support::{Folder, Server, poll, run};

/// What a command prints; it must succeed.
fn done(args: &[&str]) -> String {
    let output = run(args);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command says is wrong; it must fail.
fn failed(args: &[&str]) -> String {
    let output = run(args);
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn generate(folder: &Folder, name: &str, more: &[&str]) -> String {
    done(&[&["keys", "generate", "--out", &folder.file(name)], more].concat())
}

fn rotate(folder: &Folder, more: &[&str]) -> String {
    done(&[&["keys", "rotate", "--file", &folder.file("signing.jwks")], more].concat())
}

/// A configuration with the keys of a file; `token` is more lines of its section.
fn config(keys: &str, token: &str) -> String {
    format!(
        "[token]\nissuer = \"https://login.example/\"\naudience = \"api\"\nkeys = \"file:{keys}\"\n{token}\n\
         [[route]]\npath = \"/api\"\nrespond = \"hello\"\n"
    )
}

/// A token by the command, for the keys that a configuration names.
fn token(folder: &Folder) -> String {
    done(&["token", "--config", &folder.file("gateway.toml")]).trim_end().to_owned()
}

/// What is printed may be published, and what is written signs.
#[test]
fn a_command_makes_keys_of_every_kind() {
    let folder = Folder::new();
    for algorithm in Algorithm::ALL {
        let mut forms = vec![("set", ""), ("jwk", "")];
        let of_pem = format!("algorithm = \"{algorithm}\"");
        if !algorithm.is_symmetric() {
            forms.push(("pem", &of_pem));
        }
        for (form, token_lines) in forms {
            let name = format!("{algorithm}.{form}");
            let more = ["--algorithm", algorithm.name(), "--format", form];
            let printed = generate(&folder, &name, &more);
            let mode = fs::metadata(folder.file(&name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
            folder.write("gateway.toml", config(&name, token_lines));
            let header = support::token_part(&token(&folder), 0);
            assert_eq!(header["alg"], algorithm.name(), "{name}");
            assert!(printed.contains(header["kid"].as_str().unwrap()), "{printed}");
            if algorithm.is_symmetric() {
                assert!(printed.starts_with("a secret, nothing of which is public: "), "{printed}");
            } else {
                let public: Value = serde_json::from_str(&printed).unwrap();
                assert_eq!((&public["alg"], &public["d"]), (&header["alg"], &Value::Null));
            }
        }
    }
    let error = failed(&["keys", "generate", "--out", &folder.file("ES256.set")]);
    assert!(error.contains("there is such a file already"), "{error}");
    let more = [
        "keys",
        "generate",
        "--out",
        &folder.file("new"),
        "--algorithm",
        "HS256",
        "--format",
        "pem",
    ];
    assert!(failed(&more).contains("a secret has no PEM form"));
    let error = failed(&["keys", "generate", "--out", &folder.file("new"), "--algorithm", "none"]);
    assert!(error.contains("RS256") && error.contains("EdDSA"), "{error}");
    assert!(!fs::exists(folder.file("new")).unwrap());
}

#[test]
fn commands_list_and_rotate_and_say_what_is_wrong() {
    let folder = Folder::new();
    generate(&folder, "signing.jwks", &[]);
    let file = folder.file("signing.jwks");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let listed = lines(&done(&["keys", "list", "--file", &file]));
    assert!(listed.len() == 2 && listed[1].ends_with("ES256      active"), "{listed:?}");
    let rotated = lines(&rotate(&folder, &["--algorithm", "EdDSA"]));
    assert!(rotated[1].contains("active") && rotated[1].contains(" 1h 59m"), "{rotated:?}");
    assert!(rotated[2].contains("EdDSA") && rotated[2].contains("standby"), "{rotated:?}");
    let error = failed(&["keys", "rotate", "--file", &file]);
    assert!(error.contains("the next key is there already: it signs in"), "{error}");
    let replaced = lines(&rotate(&folder, &["--compromised"]));
    assert!(replaced.len() == 2 && replaced[1].ends_with("EdDSA      active"), "{replaced:?}");
    for (more, told) in [
        (&["--overlap", "1s"][..], "5s to 30d"),
        (&["--overlap", "soon"], "is not a duration"),
        (&["--overlap", "1h", "--compromised"], "cannot be used with"),
    ] {
        let error = failed(&[&["keys", "rotate", "--file", &file], more].concat());
        assert!(error.contains(told), "{error}");
    }
    folder.allow("signing.jwks", 0o644);
    for command in ["list", "rotate"] {
        let error = failed(&["keys", command, "--file", &file]);
        assert!(error.contains("chmod 600"), "{error}");
    }
    assert!(failed(&["keys"]).contains("--explain"));
}

#[test]
fn a_key_that_others_can_read_starts_no_server_but_for_oneself() {
    let folder = Folder::new();
    let forms = [("set", "set.jwks", ""), ("jwk", "one.jwk", ""), ("pem", "one.pem", "")];
    for (form, name, token) in forms {
        generate(&folder, name, &["--format", form]);
        for mode in [0o644, 0o640, 0o604] {
            folder.allow(name, mode);
            for profile in ["standard", "banking"] {
                let text = format!("profile = \"{profile}\"\n{}", config(name, token));
                folder.write("gateway.toml", text);
                let error = failed(&["--config", &folder.file("gateway.toml")]);
                let told = format!("[token]: file:{name}: other users can read or change");
                assert!(error.contains(&told) && error.contains("chmod 600"), "{error}");
            }
        }
        folder.write("gateway.toml", format!("profile = \"dev\"\n{}", config(name, token)));
        let server = folder.serve("gateway.toml", &[]);
        assert_eq!(server.get_as("/api", &self::token(&folder)).status, 200, "{name}");
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused_and_in_dev_warned_of() {
    let folder = Folder::new();
    folder.write("secret", "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO");
    let text = "[[issuer]]\nissuer = \"https://idp.example/\"\naudience = [\"api\"]\nsecret = \"file:secret\"\n\
                [[route]]\npath = \"/api\"\nrespond = \"hello\"\n";
    let parsed = |profile: &str| {
        let text = format!("profile = \"{profile}\"\n{text}");
        Config::parse(&text, folder.path()).map_err(|error| error.to_string())
    };
    for mode in [0o644, 0o640, 0o602] {
        folder.allow("secret", mode);
        for profile in ["standard", "banking"] {
            let error = parsed(profile).unwrap_err();
            assert!(error.contains("file:secret: other users can read or change"), "{error}");
        }
        let told = format!("{:?}", parsed("dev").unwrap());
        assert_eq!(told.matches("file:secret: other users can read").count(), 1, "{told}");
    }
    folder.allow("secret", 0o600);
    for profile in ["dev", "standard"] {
        assert!(!format!("{:?}", parsed(profile).unwrap()).contains("other users"), "{profile}");
    }
}

#[test]
fn dev_warns_of_a_key_that_others_can_read() {
    let folder = Folder::new();
    generate(&folder, "signing.jwks", &[]);
    folder.allow("signing.jwks", 0o644);
    folder.write("gateway.toml", format!("profile = \"dev\"\n{}", config("signing.jwks", "")));
    let mut command = support::program();
    let log = fs::File::create(folder.path().join("log")).unwrap();
    command.args(["--config", &folder.file("gateway.toml"), "--listen", "127.0.0.1:0"]).stderr(log);
    let _server = Server::start(&mut command);
    let told = poll("a warning", || {
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        log.contains("WARN").then_some(log)
    });
    assert!(told.contains("file:signing.jwks: other users can read"), "{told}");
}

#[test]
fn a_key_that_is_due_is_made_by_the_server_itself() {
    let folder = Folder::new();
    generate(&folder, "signing.jwks", &[]);
    let text = fs::read_to_string(folder.file("signing.jwks")).unwrap();
    let mut set: Value = serde_json::from_str(&text).unwrap();
    let begins = set["keys"][0]["nbf"].as_u64().unwrap();
    set["keys"][0]["nbf"] = json!(begins - 7 * 86_400);
    folder.write("signing.jwks", set.to_string());
    for (rotate, keys) in [("8d", 1), ("7d", 2)] {
        folder.write("gateway.toml", config("signing.jwks", &format!("rotate = \"{rotate}\"")));
        let server = folder.serve("gateway.toml", &[]);
        let before = token(&folder);
        poll("the keys", || {
            let jwks = server.get("/.well-known/jwks.json").json();
            (jwks["keys"].as_array().unwrap().len() == keys).then_some(())
        });
        // It signs once others have had time to fetch it.
        let listed = done(&["keys", "list", "--file", &folder.file("signing.jwks")]);
        assert_eq!(listed.contains("standby   5m"), keys == 2, "{listed}");
        assert_eq!(support::token_part(&token(&folder), 0), support::token_part(&before, 0));
        assert_eq!(server.get_as("/api", &before).status, 200);
    }
}

/// Four who refresh and ask, and one who watches what is published, while the key is rotated twice by a command.
#[test]
fn two_rotations_under_load_fail_nobody() {
    let folder = Folder::new();
    generate(&folder, "signing.jwks", &[]);
    folder.write("gateway.toml", LOGIN);
    folder.write("secret", "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO");
    folder.write("refresh", "q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE");
    folder.write("code", "407193");
    let server = folder.serve("gateway.toml", &[]);
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let signers = |at: usize| Client { server: &server, phone: format!("+1202555010{at}") };
    let seen: BTreeSet<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|at| {
                let (client, stop, asked) = (signers(at), &stop, &asked);
                scope.spawn(move || client.work(stop, asked))
            })
            .collect();
        let signer = || support::token_part(&token(&folder), 0)["kid"].clone();
        for _ in 0..2 {
            let before = signer();
            rotate(&folder, &["--overlap", "5s"]);
            poll("the next key", || (signer() != before).then_some(()));
            let so_far = asked.load(SeqCst);
            poll("requests", || (asked.load(SeqCst) > so_far + 20).then_some(()));
        }
        stop.store(true, SeqCst);
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(seen.len(), 3, "each of them signed: {seen:?}");
    assert!(asked.load(SeqCst) > 100, "{asked:?}");
    // Somebody has the keys: all tokens end, the sessions go on.
    let client = signers(4);
    let (access, refresh) = client.login();
    assert_eq!(server.get_as("/api", &access).status, 200);
    rotate(&folder, &["--compromised"]);
    let refused = poll("the end of the old key", || {
        let answer = server.get_as("/api", &access);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refused.slug(), "token-invalid");
    let next = client.refresh(&refresh);
    assert_eq!(server.get_as("/api", &next.0).status, 200);
    assert_eq!(server.get("/.well-known/jwks.json").json()["keys"].as_array().unwrap().len(), 1);
}

const LOGIN: &str = r#"
profile = "dev"
[token]
issuer = "https://login.example/"
audience = "api"
keys = "file:signing.jwks"
refresh_secret = "file:refresh"
[otp]
sender = "log"
app = "Acme"
pepper = "file:secret"
[[otp.test_number]]
phone = "+12025550100"
code = "file:code"
[[otp.test_number]]
phone = "+12025550101"
code = "file:code"
[[otp.test_number]]
phone = "+12025550102"
code = "file:code"
[[otp.test_number]]
phone = "+12025550103"
code = "file:code"
[[otp.test_number]]
phone = "+12025550104"
code = "file:code"
[[limit]]
name = "all"
quota = "1000000/1m"
[[route]]
path = "/api"
respond = "hello"
"#;

struct Client<'a> {
    server: &'a Server,
    phone: String,
}

impl Client<'_> {
    fn login(&self) -> (String, String) {
        let asked = self.server.post("/v1/otp/request", &[], &json!({ "phone": self.phone }));
        assert_eq!(asked.status, 202, "{asked:?}");
        let body = json!({ "challenge_id": asked.json()["challenge_id"], "code": "407193" });
        tokens(&self.server.post("/v1/otp/verify", &[], &body))
    }

    fn refresh(&self, token: &str) -> (String, String) {
        let body = json!({ "refresh_token": token });
        tokens(&self.server.post("/v1/token/refresh", &[], &body))
    }

    /// Refreshes and asks with the new token, the one before and the first one; every answer must be 200. Gives back the
    /// keys that signed.
    fn work(&self, stop: &AtomicBool, asked: &AtomicUsize) -> BTreeSet<String> {
        let (first, mut refresh) = self.login();
        let (mut last, mut seen) = (first.clone(), BTreeSet::new());
        let mut published = self.published();
        while !stop.load(SeqCst) {
            let (access, next) = self.refresh(&refresh);
            let kid = support::token_part(&access, 0)["kid"].as_str().unwrap().to_owned();
            assert!(published.contains(&kid), "{kid} signed before it was published");
            for token in [&access, &last, &first] {
                let answer = self.server.get_as("/api", token);
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            seen.insert(kid);
            published = self.published();
            (last, refresh) = (access, next);
            asked.fetch_add(5, SeqCst);
        }
        seen
    }

    fn published(&self) -> BTreeSet<String> {
        let jwks = self.server.get("/.well-known/jwks.json");
        assert_eq!(jwks.status, 200);
        let jwks = jwks.json();
        let kids = jwks["keys"].as_array().unwrap().iter();
        kids.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

fn tokens(answer: &support::Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// On the wire: what caches are told, and no body where there must be none.
#[test]
fn the_keys_of_a_login_and_those_without_are_served_alike() {
    let folder = Folder::new();
    generate(&folder, "signing.jwks", &[]);
    folder.write("secret", "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO");
    folder.write("refresh", "q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE");
    folder.write("code", "407193");
    let plain = config("signing.jwks", "jwks_max_age = \"10m\"");
    let login = LOGIN.replace("refresh_secret", "jwks_max_age = \"10m\"\nrefresh_secret");
    for text in [plain, login] {
        folder.write("gateway.toml", text);
        let server = folder.serve("gateway.toml", &[]);
        let ask =
            |method: &str, headers: &[_]| server.ask(method, "/.well-known/jwks.json", headers);
        let whole = ask("GET", &[]);
        assert_eq!(whole.status, 200, "{whole:?}");
        assert_eq!(whole.header("content-type"), Some("application/jwk-set+json"));
        assert_eq!(whole.header("cache-control"), Some("public, max-age=600"));
        let etag = whole.header("etag").unwrap();
        let head = ask("HEAD", &[]);
        assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", Some(etag)));
        assert_eq!(head.header("content-length"), whole.header("content-length"));
        let known = ask("GET", &[("if-none-match", etag)]);
        assert_eq!(
            (known.status, known.body.as_str(), known.header("etag")),
            (304, "", Some(etag))
        );
        assert_eq!(known.header("cache-control"), Some("public, max-age=600"));
        assert_eq!(ask("POST", &[]).slug(), "method-not-allowed");
    }
}
