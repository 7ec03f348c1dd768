//! What Twilio signs is let in: the vectors of its documentation and its libraries, each with and without a changed byte.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "support/webhook.rs"]
mod webhook;

use http::{Request, header};
use portcullis::{
    Profile, TwilioSignatureLayer,
    webhook::{PublicUrl, TwilioKeys},
};
use webhook::{FORM, P, SETTINGS, SIGNATURE, SITE, U, ask, full, layer, passes, token};

/// One request, as it arrives.
struct Vector {
    /// What is configured: where Twilio was told to call.
    site: &'static str,
    target: &'static str,
    kind: &'static str,
    body: &'static str,
    signature: &'static str,
}

const fn form(
    site: &'static str,
    target: &'static str,
    body: &'static str,
    signature: &'static str,
) -> Vector {
    Vector { site, target, kind: FORM, body, signature }
}

const fn json(
    site: &'static str,
    target: &'static str,
    body: &'static str,
    signature: &'static str,
) -> Vector {
    Vector { site, target, kind: "application/json", body, signature }
}

/// With the auth token `12345`: the values of the vendor's documentation and of the tests of its libraries. Those marked "computed"
/// follow the documented rule where the vendor has none.
const VECTORS: [(u8, Vector); 23] = [
    (1, form(SITE, U, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")),
    (2, form("https://mycompany.com:443", U, P, "kvajT1Ptam85bY51eRf/AJRuM3w=")),
    // Computed, 3 to 5.
    (3, form("http://mycompany.com", U, P, "OyGYPqTF6ztdbRNCvuQO/oPvqQ4=")),
    (4, form("http://mycompany.com:80", U, P, "0ZXoZLH/DfblKGATFgpif+LLRf4=")),
    (5, form("http://mycompany.com:1234", U, P, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=")),
    (6, form("https://user:pass@mycompany.com", U, P, "CukzLTc1tT5dXEDIHm/tKBanW10=")),
    (7, form("https://user@mycompany.com", U, P, "2YRLlVAflCqxaNicjMpJcSTgzSs=")),
    (8, form("https://user:pass@mycompany.com:443", U, P, "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=")),
    (9, form(SITE, "/myapp.php?foo=1&bar=2&Body=It's+amazing", P, "TfZzewPq8wqrGlMfyAud8+/IvJ0=")),
    (
        10,
        form(
            SITE,
            U,
            "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
    ),
    (
        11,
        form(
            SITE,
            U,
            "MessagingBinding.Address=%2B1415xxxxxxx&MessagingBinding.Address=%2B1325xxxxxxx",
            "83O6e2vORAoJHUNzJjDWN1jz+BA=",
        ),
    ),
    (
        12,
        form(
            SITE,
            U,
            "ReasonConferenceEnded=test&Reason=Participant&CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
            "vOEb5UThFn24KEfnOFLQY2AE5FY=",
        ),
    ),
    (13, form(SITE, U, "", "zYQTYrRWXE7LtzbG4PfP7/bkkGo=")),
    (14, form(SITE, "/myapp.php", P, "1xaxFBvyzXYvWplzNOSs28HWO94=")),
    (
        15,
        json(
            SITE,
            "/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
            PROPERTY,
            "a9nBmqA0ju/hNViExpshrM61xv4=",
        ),
    ),
    (
        16,
        json(
            SITE,
            "/myapp.php?bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
            PROPERTY,
            "y77kIzt2vzLz71DgmJGsen2scGs=",
        ),
    ),
    (
        17,
        json(
            "https://mycompany.com:443",
            "/myapp.php?foo=1&bar=2&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "{}",
            "Ldidvp12m26NI7eqEvxnEpkd9Hc=",
        ),
    ),
    (
        18,
        form(
            SITE,
            U,
            "Message=Hello+%26+goodbye%21+%40%23%24%25%5E*%28%29&From=%2B1+%28415%29+867-5309&Special=unicode%3A+%C3%B1%C3%A1%C3%A9%C3%AD%C3%B3%C3%BA",
            "dCPiR4WtQ6QFN6pJh81CtlCcWLQ=",
        ),
    ),
    (
        19,
        form(
            SITE,
            U,
            "Digits=&CallSid=CA1234567890ABCDE&EmptyParam=",
            "9HHp/OqQMEwdrVebHDdA/+tqjX8=",
        ),
    ),
    (
        20,
        form(
            SITE,
            U,
            "callSid=lowercase&CallSid=uppercase&CALLSID=allcaps",
            "jDK7WKT8wiNrwggd4ceTv4e1MJ4=",
        ),
    ),
    (
        21,
        form(
            "https://mycompany.com:443",
            "//myapp.php?foo=1&bar=2",
            P,
            "A9lH3u16NjyiiM/+wylw5rirFUs=",
        ),
    ),
    (22, form(SITE, "/webhook/España?año=2023", P, "G/Hx6mqqnjUNlPAoi2Sp9bGst0g=")),
    (
        23,
        form(
            SITE,
            "/myapp.php?foo=hello%20world&bar=test%2Bvalue",
            P,
            "er2tvAP1Wx+iuTTE2BPgvEaN1cs=",
        ),
    ),
];

const PROPERTY: &str = r#"{"property": "value", "boolean": true}"#;

/// 24 and 25, computed with release 9.13.0 of the library for Python: 1 and 15 with a shared key.
const SHARED: [&str; 2] = [
    "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=",
    "+UOCWf84gdgo/5Hpg4m5/EgKnJA2/TbOw5sPNVr3bPk=",
];

impl Vector {
    fn request(&self) -> Request<http_body_util::Full<bytes::Bytes>> {
        self.with(self.signature, self.body)
    }

    fn with(&self, signature: &str, body: &str) -> Request<http_body_util::Full<bytes::Bytes>> {
        let request = Request::post(self.target).header(header::CONTENT_TYPE, self.kind);
        request.header(SIGNATURE, signature).body(full(body.to_owned())).unwrap()
    }
}

#[tokio::test]
async fn the_vectors_pass_and_their_bodies_come_through() {
    for (number, vector) in &VECTORS {
        let (status, body) = ask(&layer(vector.site, token()), vector.request()).await;
        assert_eq!((status.as_u16(), &body[..]), (200, vector.body.as_bytes()), "vector {number}");
    }
}

#[tokio::test]
async fn no_vector_passes_as_another_or_with_another_key() {
    let other = TwilioKeys::token(Profile::Dev, b"12346").unwrap();
    for (number, vector) in &VECTORS {
        assert!(!passes(&layer(vector.site, other.clone()), vector.request()).await, "{number}");
        let guard = layer(vector.site, token());
        for (another, theirs) in VECTORS.iter().filter(|(another, _)| another != number) {
            // The port makes no difference, so these two are good for one URL.
            let twins = [(1, 2), (2, 1), (3, 4), (4, 3), (6, 8), (8, 6)];
            let same = twins.contains(&(*number, *another))
                // For one without a port, 5 is another URL; the other way round its port is left out.
                || (*number == 5 && *another == 3);
            let request = vector.with(theirs.signature, vector.body);
            assert_eq!(passes(&guard, request).await, same, "{number} as {another}");
        }
    }
}

#[tokio::test]
async fn the_port_may_be_signed_or_not() {
    let one = &VECTORS[0].1;
    for (site, good) in [
        ("https://mycompany.com:1234", true),
        ("https://mycompany.com:443", true),
        ("http://mycompany.com", false),
        ("https://mycompany.com.evil.example", false),
    ] {
        assert_eq!(passes(&layer(site, token()), one.request()).await, good, "{site}");
    }
    let two = &VECTORS[1].1;
    assert!(passes(&layer(SITE, token()), two.request()).await);
    assert!(!passes(&layer("https://mycompany.com:1234", token()), two.request()).await);
}

#[tokio::test]
async fn fields_sorted_with_their_values_are_another_signature() {
    let twelve = &VECTORS[11].1;
    let request = twelve.with("95+Bu0JVPi0r/SsESZCVf0dWAjw=", twelve.body);
    assert!(!passes(&layer(SITE, token()), request).await);
}

#[tokio::test]
async fn the_order_of_fields_and_a_repeated_equal_one_make_no_difference() {
    let ten = &VECTORS[9].1;
    for (body, good) in [
        ("Digits=1234&SidAccount=AC123&Digits=5678&Sid=CA123", true),
        ("Digits=1234&SidAccount=AC123&Sid=CA123", false),
        ("Digits=5678&Digits=5678&SidAccount=AC123&Sid=CA123", false),
    ] {
        let request = ten.with(ten.signature, body);
        assert_eq!(passes(&layer(SITE, token()), request).await, good, "{body}");
    }
}

#[tokio::test]
async fn shared_keys_sign_with_sha_256() {
    let keys = || TwilioKeys::shared(Profile::Dev, "SK1", b"12345").unwrap();
    let guard = layer(SITE, keys());
    for (vector, signature) in [&VECTORS[0].1, &VECTORS[14].1].into_iter().zip(SHARED) {
        let ask = |settings: &str, signature: &str| {
            let mut request = vector.with(signature, vector.body);
            request.headers_mut().insert(SETTINGS, settings.parse().unwrap());
            request
        };
        let good = "key=SK1,algorithm=HMAC_SHA256";
        assert!(passes(&guard, ask(good, signature)).await);
        assert!(
            passes(
                &layer(SITE, token().and_shared("SK1", b"12345").unwrap()),
                ask(good, signature)
            )
            .await
        );
        for settings in [
            "key=SK2,algorithm=HMAC_SHA256",
            "key=SK1,algorithm=HMAC_SHA1",
            "key=SK1,algorithm=HMAC_SHA512",
            "key=SK1",
            "",
        ] {
            assert!(!passes(&guard, ask(settings, signature)).await, "{settings}");
        }
        // Neither kind of key does the work of the other, nor does a hash of the wrong length.
        assert!(!passes(&layer(SITE, token()), ask(good, signature)).await);
        assert!(!passes(&guard, vector.request()).await, "without the header it is SHA-1");
        assert!(!passes(&guard, ask(good, vector.signature)).await);
        assert!(!passes(&layer(SITE, token()), vector.with(signature, vector.body)).await);
    }
}

#[tokio::test]
async fn any_of_several_keys_is_good_while_they_rotate() {
    let new = TwilioKeys::token(Profile::Dev, b"a new one").unwrap();
    let one = &VECTORS[0].1;
    assert!(!passes(&layer(SITE, new.clone()), one.request()).await);
    assert!(passes(&layer(SITE, new.and_token(b"12345").unwrap()), one.request()).await);
    assert!(passes(&layer(SITE, token().and_token(b"a new one").unwrap()), one.request()).await);
}

#[tokio::test]
async fn an_exact_url_holds_wherever_a_proxy_sends_the_call() {
    let url = PublicUrl::exact(Profile::Standard, "https://mycompany.com/myapp.php").unwrap();
    let guard = TwilioSignatureLayer::new(url, token());
    for (target, good) in [
        ("/internal/twilio?foo=1&bar=2", true),
        ("/myapp.php?foo=1&bar=2", true),
        ("/myapp.php?foo=1&bar=3", false),
        ("/myapp.php", false),
    ] {
        let moved = Vector { target, ..VECTORS[0].1 };
        assert_eq!(passes(&guard, moved.request()).await, good, "{target}");
    }
    // A prefix that a proxy strips comes back.
    let stripped = Vector { target: "/?foo=1&bar=2", ..VECTORS[0].1 };
    assert!(!passes(&layer("https://mycompany.com/myapp.php", token()), stripped.request()).await);
}

#[test]
fn keys_are_checked_when_they_are_made() {
    let good = b"c4b1e0a9d27f43568b0e9d1c7a5f3e26";
    assert!(TwilioKeys::token(Profile::Standard, good).is_ok());
    assert!(TwilioKeys::token(Profile::Standard, b"0123456789abcde").is_err(), "too short");
    for profile in [Profile::Dev, Profile::Standard, Profile::Banking] {
        for bad in
            [&b""[..], b" ", b"c4b1e0a9d27f43568b0e9d1c7a5f3e26\n", b" c4b1e0a9d27f43568b0e9d1c"]
        {
            let error = TwilioKeys::token(profile, bad).unwrap_err().to_string();
            assert!(!error.contains("c4b1"), "{error}");
        }
        for id in ["", "a b", "a,b", "a=b", "é", &"a".repeat(129)] {
            assert!(TwilioKeys::shared(profile, id, good).is_err(), "{id}");
        }
    }
    let one = TwilioKeys::shared(Profile::Standard, "SK1", good).unwrap();
    assert!(one.clone().and_shared("SK1", good).is_err(), "one id, two keys");
    let eight = (2..=8).fold(one, |keys, _| keys.and_token(good).unwrap());
    assert!(eight.clone().and_token(good).is_err());
    let shown = format!("{eight:?} {:?}", layer("https://u:hunter2@mycompany.com", eight.clone()));
    assert!(!shown.contains("c4b1") && !shown.contains("hunter2"), "{shown}");
}
