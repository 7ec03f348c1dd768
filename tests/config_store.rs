//! Stores that a configuration may name, and those that it may not; no message repeats a password.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/config.rs"]
mod support;

use support::{Folder, check, dev, served};

fn store(url: &str, more: &str) -> String {
    let pepper = "pepper = \"file:pepper.secret\"";
    served(&format!("[store]\nbackend = \"redis\"\nurl = \"{url}\"\n{pepper}\n{more}\n"))
}

#[test]
fn stores_are_encrypted_or_on_this_machine() {
    let folder = Folder::new();
    for (url, more) in [
        ("redis://127.0.0.1:6379", ""),
        ("redis://app@localhost", "password = \"file:good.secret\""),
        ("redis+unix:///run/redis.sock", ""),
        ("rediss://redis.example", "password = \"file:good.secret\"\ndeadline = \"50ms\""),
        ("redis+sentinel://127.0.0.1:26379,[::1]:26379/main", ""),
        ("rediss+sentinel://a.example,b.example/main/2", ""),
        ("rediss+cluster://app@a.example,b.example", "password = \"file:good.secret\""),
    ] {
        let text = store(url, more);
        assert!(folder.parse(&text).is_ok(), "{url}: {:?}", folder.parse(&text).err());
    }
    for url in [
        "redis://redis.example",
        "redis://app@10.0.0.1",
        "redis+sentinel://127.0.0.1,10.0.0.1/main",
        "redis+cluster://127.0.0.1,10.0.0.1",
    ] {
        assert!(folder.parse(&dev(&store(url, ""))).is_ok(), "{url}");
        check(&[
            (store(url, ""), "url: profile \"standard\" sends nothing unencrypted"),
            (format!("profile = \"banking\"\n{}", store(url, "")), "begin it with rediss"),
        ]);
    }
}

#[test]
fn what_is_wrong_is_named_without_the_password() {
    let near = "redis://127.0.0.1";
    let far = "rediss://redis.example";
    check(&[
        (store("redis://:hunter2@127.0.0.1", ""), "password = \"env:REDIS_PASSWORD\""),
        (store("redis+unix:///run/redis.sock?pass=hunter2", ""), "url = \"env:REDIS_URL\""),
        (store("hunter2", ""), "url: like redis://127.0.0.1:6379, or env:REDIS_URL"),
        (store("http://hunter2", ""), "url: the URL of the store is none like redis://"),
        (store("rediss://hunter2/#insecure", ""), "name the CA of the store instead"),
        (store("redis+sentinel://127.0.0.1", ""), "url: the URL of the store is none like"),
        (store("file:garbage", ""), "url: the URL of the store is none like"),
        (store(near, "password = \"hunter2\""), "name it as env:NAME or file:path"),
        (store(near, "password = \"env:PORTCULLIS_TEST_UNSET\""), "PORTCULLIS_TEST_UNSET"),
        (store(near, "ca = \"file:ed.pem\""), "ca: a CA is for a URL that begins with rediss"),
        (store(far, "ca = \"file:ed.pem\""), "ca: the CA of the store holds no certificate in PEM"),
        (store(far, "ca = \"file:missing.pem\""), "ca: missing.pem: cannot be read"),
        (served("[store]\nca = \"file:ed.pem\""), "`ca` is for a store that is shared"),
        (served("[store]\npassword = \"file:code\""), "`password` is for a store that is shared"),
    ]);
}
