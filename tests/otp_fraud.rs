//! Where codes go, and what becomes of requests that look like fraud: each rule in each mode, and what is told of it.
#![cfg(all(feature = "full", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/config.rs"]
mod config;
#[path = "support/login.rs"]
mod login;

use config::{Folder, check, dev, served};
use login::{Ask, Login, PHONE, phone};
use portcullis::{
    Profile,
    otp::{
        Settings,
        fraud::{Destinations, LineType, Mode},
    },
};

/// Numbers that are assignable, and what they are.
const PREMIUM: &str = "+19002345678";
const GERMAN: &str = "+4915123456789";
const SATELLITE: &str = "+881612345678";

fn to(destinations: Destinations) -> Login {
    Login::with(Settings::new(Profile::Dev).destinations(destinations))
}

fn anywhere() -> Destinations {
    Destinations::new(Profile::Dev)
}

#[tokio::test]
async fn requirement_46_codes_go_to_the_countries_that_are_allowed() {
    for (mode, status, verdict) in [
        (Mode::Silent, 202, "silenced"),
        (Mode::Deny, 403, "denied"),
        (Mode::Observe, 202, "observed"),
    ] {
        let login = to(anywhere().allow(["IN", "+44"]).unwrap().region_mode(mode));
        for number in [PHONE, "+447911123456", "+447400123456"] {
            assert_eq!(login.ask(Ask::code(number)).await.status, 202);
        }
        assert_eq!((login.sent.settled().await, login.found()), (3, vec![]));
        let answer = login.ask(Ask::code(GERMAN)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 403 {
            answer.assert(403, "region-not-supported");
        }
        let sent = usize::from(mode == Mode::Observe);
        assert_eq!(login.sent.settled().await, 3 + sent, "{mode:?}");
        assert_eq!(login.found(), [("region", verdict)]);
    }
}

#[tokio::test]
async fn what_is_denied_is_denied_even_where_its_area_is_allowed() {
    let login = to(anywhere().allow(["+1"]).unwrap().deny(["CA"]).unwrap().region_mode(Mode::Deny));
    assert_eq!(login.ask(Ask::code("+14155552671")).await.status, 202);
    login.ask(Ask::code("+16135550123")).await.assert(403, "region-not-supported");
    login.ask(Ask::code(PHONE)).await.assert(403, "region-not-supported");
    assert_eq!(login.sent.settled().await, 1);
}

#[tokio::test]
async fn types_that_nobody_reads_codes_on_are_denied_outside_dev() {
    let of = |profile| Destinations::new(profile).type_mode(Mode::Deny);
    let strict = to(of(Profile::Standard));
    for number in
        [PREMIUM, SATELLITE, "+870773111632", "+979123456789", "+18002345678", "+443012345678"]
    {
        strict.ask(Ask::code(number)).await.assert(403, "region-not-supported");
    }
    assert_eq!(strict.found(), [("line-type", "denied"); 6]);
    for number in [PHONE, GERMAN, "+14155552671", "+390612345678"] {
        assert_eq!(strict.ask(Ask::code(number)).await.status, 202, "{number}");
    }
    assert_eq!(to(of(Profile::Dev)).ask(Ask::code(PREMIUM)).await.status, 202);
    let fixed = to(anywhere().deny_types([LineType::FixedLine]).type_mode(Mode::Deny));
    fixed.ask(Ask::code("+390612345678")).await.assert(403, "region-not-supported");
    assert_eq!(fixed.ask(Ask::code(PREMIUM)).await.status, 202);
}

#[tokio::test]
async fn where_two_rules_find_something_both_tell_and_silence_wins() {
    let login = to(anywhere()
        .deny(["US"])
        .unwrap()
        .region_mode(Mode::Deny)
        .deny_types([LineType::PremiumRate])
        .type_mode(Mode::Silent));
    assert_eq!(login.ask(Ask::code(PREMIUM)).await.status, 202);
    assert_eq!(login.found(), [("region", "denied"), ("line-type", "silenced")]);
    assert_eq!(login.sent.settled().await, 0);
}

#[tokio::test]
async fn who_is_silenced_sees_what_everybody_sees() {
    let seen = async |login: &Login| {
        let first = login.ask(Ask::code(PHONE)).await;
        let id = first.str("challenge_id");
        let mut all = vec![first];
        all.push(login.ask(Ask::verify(&id, "000000")).await);
        login.pass(30);
        all.push(login.ask(Ask::resend(&id)).await);
        all.push(login.ask(Ask::resend(&id)).await);
        let text = |it: &login::Answer| {
            let headers: Vec<_> = it.headers.iter().collect();
            format!("{} {headers:?} {}", it.status, it.text.replace(&id, ""))
        };
        all.iter().map(text).collect::<Vec<_>>()
    };
    let (sent, silenced) = (to(anywhere()), to(anywhere().deny(["IN"]).unwrap()));
    assert_eq!(seen(&silenced).await, seen(&sent).await);
    assert_eq!((silenced.sent.settled().await, sent.sent.settled().await), (0, 2));
}

#[tokio::test]
async fn events_have_no_number() {
    let login = to(anywhere().deny(["IN"]).unwrap());
    login.ask(Ask::code(&phone(7))).await;
    let told = format!("{:?}", login.told.events());
    assert!(told.contains("Fraud") && !told.contains("98764"), "{told}");
}

fn section(lines: &str) -> String {
    config::login(&format!("[otp.destinations]\n{lines}"), "")
}

#[test]
fn destinations_of_a_configuration_are_checked() {
    let folder = Folder::new();
    for good in [
        "allow = [\"IN\", \"+49\"]",
        "allow = [\"+1\"]\ndeny = [\"JM\"]\nregion_mode = \"deny\"",
        "deny_types = [\"voip\", \"premium-rate\"]\ntype_mode = \"observe\"",
        "deny_types = []",
    ] {
        let text = served(&dev(&section(good)));
        folder.parse(&text).unwrap_or_else(|error| panic!("{good}\n{error}"));
    }
    let area = "is neither a region of ISO 3166-1, like IN, nor a calling code, like +91";
    check(&[
        (dev(&section("allow = [\"UK\"]")), "[otp]: destinations: allow: `UK`"),
        (dev(&section("deny = [\"91\"]")), area),
        (dev(&section("allow = [\"+999\"]")), area),
        (dev(&section("allow = []")), "an empty list would let no code go anywhere"),
        (dev(&section("allows = [\"IN\"]")), "unknown key `allows`; did you mean `allow`?"),
        (dev(&section("region_mode = \"off\"")), "`off` is no mode; one of observe, "),
        (dev(&section("deny_types = [\"premium\"]")), "deny_types: `premium` is no type of number"),
    ]);
}

#[test]
fn requirement_46_banking_needs_countries_that_are_allowed() {
    let banking = |section: &str| {
        let hook = "[otp.http]\nurl = \"https://sms.example/\"\nsecret = \"file:good.secret\"\n";
        let login = config::login(&format!("{section}\n{hook}"), "").replace("\"log\"", "\"http\"");
        format!("profile = \"banking\"\n{login}")
    };
    let places = |lines: &str| banking(&format!("[otp.destinations]\n{lines}"));
    check(&[
        (
            banking(""),
            "[otp]: destinations: profile \"banking\" sends codes to countries that are named alone",
        ),
        (places("deny = [\"US\"]"), "allow = [\"IN\"], for example"),
        (
            places("allow = [\"IN\"]\nregion_mode = \"observe\""),
            "sends codes nowhere else: region_mode silent or deny",
        ),
    ]);
    let text = served(&places("allow = [\"IN\"]"));
    Folder::new().parse(&text).unwrap_or_else(|error| panic!("{error}"));
}
