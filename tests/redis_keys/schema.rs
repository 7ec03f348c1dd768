//! All keys on the servers are those of the table, each of its type and with its time to live.

use super::{PEER, Place, Scene};
use crate::{login::Ask, redis::RedisServer};
use portcullis::store::{KeyFamily, Lifetime, Redis};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_key_is_in_the_table_with_its_type_and_its_time_to_live() {
    for place in [Place::single(), Place::cluster()] {
        let scene = Scene::at(place);
        scene.everything().await;
        let families = Redis::key_families().iter();
        let told = families.flat_map(|KeyFamily { pattern, lifetime, .. }| match lifetime {
            Lifetime::Ends(_) => vec![(*pattern, true)],
            Lifetime::MayStay(_) => vec![(*pattern, true), (*pattern, false)],
            _ => vec![(*pattern, false)],
        });
        let found = scene.place.families();
        assert_eq!(found, told.collect(), "nothing is told of that is never there");
    }
}

#[tokio::test]
async fn whatever_comes_the_names_of_keys_stay_those_of_the_table() {
    let scene = Scene::new();
    let login = scene.ruled();
    let texts = [
        "",
        "*",
        "{}",
        "{otp}",
        "otp:{traffic}:spent",
        "a b",
        "\0",
        "\r\nSET x y",
        "+919876543210\n",
        "\u{202e}",
        "+4915123456789",
        "+881612345678",
        PEER,
        "2001:db8::1",
        "'; DROP",
        "${x}",
        &"9".repeat(3000),
    ];
    for (at, text) in texts.into_iter().enumerate() {
        let bytes: Vec<_> = text.bytes().filter(|byte| *byte >= b' ').collect();
        let abused = |ask: Ask| {
            let ask = ask.from(&format!("2001:db8:0:{at:x}::1")).also("user-agent", &bytes);
            let ask = ask.also("x-forwarded-for", &bytes).also("forwarded", &bytes);
            let ask = ask.also("accept-language", &bytes).also("x-challenge-response", &bytes);
            ask.also("x-request-id", &bytes).also("cookie", &bytes)
        };
        let good = format!("+91987{at:03}0000");
        let answer = login.ask(abused(Ask::code(&good))).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let challenge = answer.str("challenge_id");
        for ask in [
            Ask::code(text),
            Ask::code(&format!("+91{text}")),
            Ask::resend(text),
            Ask::verify(text, "123456"),
            Ask::verify(&challenge, text),
            Ask::refresh(text),
            Ask::code(&good).without("x-device-id").also("x-device-id", &bytes),
        ] {
            let answer = login.ask(abused(ask)).await;
            assert!(answer.status.is_client_error() || answer.status == 202, "{text:?} {answer:?}");
        }
        for byte in [0x80_u8, 0xff, b'\t', b'"'] {
            let ask = Ask::verify(&challenge, "000000").also("user-agent", &[byte; 200]);
            let answer = login.ask(ask).await;
            assert!(answer.status.is_client_error(), "{answer:?}");
        }
    }
    let found = scene.place.families();
    assert!(found.len() > 8, "{found:?}");
    for (name, _) in scene.place.keys() {
        assert!(name.len() < 90 && name.bytes().all(|it| it.is_ascii_graphic()), "{name}");
    }
}

impl Place {
    /// The families of all keys, each with whether one ends. Each key is of one family, of its type and with its time to live.
    fn families(&self) -> BTreeSet<(&'static str, bool)> {
        let families = Redis::key_families();
        let mut found = BTreeSet::new();
        for (name, server) in self.keys() {
            let plain = if self.is_cluster() { untagged(&name) } else { name.clone() };
            let fitting: Vec<_> = families.iter().filter(|family| fits(family, &plain)).collect();
            let [family] = fitting[..] else { panic!("{name} is of {fitting:?}") };
            assert_eq!(server.command(&["TYPE", &name]).trim(), format!("+{}", family.kind));
            let left: i64 = server.command(&["PTTL", &name])[1..].trim().parse().unwrap();
            match family.lifetime {
                Lifetime::Ends(_) => assert!(left > 0, "{name} stays for ever"),
                Lifetime::MayStay(_) => assert!(left > 0 || left == -1, "{name}"),
                _ => assert_eq!(left, -1, "{name} goes"),
            }
            found.insert((family.pattern, left > 0));
        }
        found
    }

    /// All keys, each with the server that has it.
    fn keys(&self) -> Vec<(String, &RedisServer)> {
        let of = |server| {
            let answer = RedisServer::command(server, &["KEYS", "*"]);
            let names = answer.lines().filter(|line| !line.starts_with(['*', '$']));
            names.map(|name| (name.to_owned(), server)).collect::<Vec<_>>()
        };
        self.servers.iter().flat_map(of).collect()
    }
}

/// Whether a name is of a pattern, in which what varies is between `<` and `>` and holds no brace.
fn fits(family: &KeyFamily, name: &str) -> bool {
    let (start, rest) = family.pattern.split_once('<').unwrap_or((family.pattern, ""));
    let end = rest.rsplit_once('>').map_or("", |(_, end)| end);
    let kind = rest.split_once('>').map_or("", |(kind, _)| kind);
    let varies = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    varies.is_some_and(|varies| match kind {
        // Those of a key begin with its kind.
        "fingerprint" => varies.starts_with("fingerprint:"),
        "" => varies.is_empty(),
        _ => !varies.contains(['{', '}']),
    })
}

/// The name of a key in a cluster as a single server has it: without braces where these are for the slot alone.
fn untagged(name: &str) -> String {
    let Some((start, (tag, end))) =
        name.split_once('{').and_then(|(start, rest)| Some((start, rest.split_once('}')?)))
    else {
        // A name of one kind of key alone, which shares its slot with no other.
        assert!(name.starts_with("rt:") || name.starts_with("sessions:"), "{name}");
        return name.to_owned();
    };
    assert!(!tag.is_empty() && !end.contains(['{', '}']), "{name}");
    match start {
        "otp:" | "otp:codes:" | "otp:devices:" => name.to_owned(),
        "portcullis:marker:" if tag.parse::<u32>().is_ok() => "portcullis:marker".to_owned(),
        _ => format!("{start}{tag}{end}"),
    }
}
