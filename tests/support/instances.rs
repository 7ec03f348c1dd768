//! What instances of the gateway share, and logins at one of them.
#![allow(dead_code, clippy::unwrap_used, reason = "shared by tests")]

use crate::{
    redis::RedisServer,
    support::{Folder, Server},
};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a";

/// A folder with all that instances share, and `more` in their configuration.
pub(crate) fn folder(more: &str) -> Folder {
    let folder = Folder::new();
    folder.generate("signing.jwks");
    folder.write("pepper", SECRET);
    folder.write("refresh", SECRET.to_uppercase());
    folder.write(
        "gateway.toml",
        format!(
            r#"
            profile = "dev"
            [listen]
            admin = "127.0.0.1:0"
            {more}
            [token]
            issuer = "https://login.example/"
            audience = "https://api.example"
            keys = "file:signing.jwks"
            refresh_secret = "file:refresh"
            [records]
            path = "records.sqlite"
            [otp]
            sender = "log"
            app = "Acme"
            pepper = "file:pepper"
            [[limit]]
            name = "open"
            quota = "1000/15m"
            [[route]]
            path = "/api"
            respond = "hello"
            [[route]]
            path = "/open"
            respond = "hello"
            auth = "none"
            "#
        ),
    );
    folder
}

/// The same, with limits, blocks, codes and sessions on a server.
pub(crate) fn shared(server: &RedisServer, more: &str) -> Folder {
    folder(&format!(
        "[store]\nbackend = \"redis\"\nurl = \"{}\"\npepper = \"file:pepper\"\ndeadline = \"2s\"\n{more}",
        server.url()
    ))
}

pub(crate) fn log_in(server: &mut Server, phone: &str) -> Value {
    let asked = server.post("/v1/otp/request", &[], &json!({ "phone": phone }));
    assert_eq!(asked.status, 202, "{asked:?}");
    let body = json!({ "challenge_id": asked.json()["challenge_id"], "code": server.code() });
    let tokens = server.post("/v1/otp/verify", &[], &body);
    assert_eq!(tokens.status, 200, "{tokens:?}");
    tokens.json()
}
