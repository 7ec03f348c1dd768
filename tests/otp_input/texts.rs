//! Texts in bodies: device ids, numbers, languages, and what means something elsewhere.

use crate::{
    CODES, LOGOUT, MARK, REQUEST, Scene, VERIFY,
    login::{Ask, DEVICE, Login, PHONE},
};
use http::HeaderValue;
use serde_json::json;

#[tokio::test]
async fn requirement_40_and_70_a_device_id_is_one_of_16_to_128_plain_letters() {
    let mut scene = Scene::new().await;
    let (short, long) = ("a".repeat(15), "a".repeat(129));
    for path in CODES {
        let good = scene.good(path);
        scene
            .refused(Ask::post(path, &good).without("x-device-id"), 400, "device-invalid", "none")
            .await;
        let twice = Ask::post(path, &good).also("x-device-id", DEVICE.as_bytes());
        scene.refused(twice, 400, "device-invalid", "twice").await;
        let other = Ask::post(path, &good).also("x-device-id", b"another-device-of-the-owner");
        scene.refused(other, 400, "device-invalid", "two").await;
        for bad in [
            "",
            &short,
            &long,
            &"a".repeat(4000),
            "sixteen letters.",
            "a device of the owner",
            "*****************",
            "{}{}{}{}{}{}{}{}{}",
            "<script>alert(1)</script>",
            "../../../../etc/passwd",
            "a-device-of-the-owner;",
            "a-device-of-the-owner, a-device-of-the-owner",
            "a-device\tof-the-owner",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}\u{668}",
            "d\u{e9}vice-of-the-owner",
        ] {
            let ask =
                Ask::post(path, &good).without("x-device-id").also("x-device-id", bad.as_bytes());
            scene.refused(ask, 400, "device-invalid", bad).await;
        }
        let latin = Ask::post(path, &good)
            .without("x-device-id")
            .also("x-device-id", b"d\xe9vice-of-the-owner");
        scene.refused(latin, 400, "device-invalid", "latin").await;
    }
    for bad in [
        &b"a-device-of-the-owner\r\nx: y"[..],
        b"a-device-of-the-owner\0",
        b"a-device-of\n-the-owner",
    ] {
        assert!(HeaderValue::from_bytes(bad).is_err(), "no server passes it on");
    }
    for good in ["a".repeat(16), "Z-_09".repeat(25), "a".repeat(128)] {
        let other = json!({ "challenge_id": "A".repeat(50), "code": "123456" });
        scene.refused(Ask::post(VERIFY, &other).device(&good), 401, "otp-invalid", &good).await;
    }
    scene.end_untouched().await;
}

#[tokio::test]
async fn requirement_6_and_41_and_43_texts_that_mean_something_elsewhere_mean_nothing_here() {
    let mut scene = Scene::new().await;
    let challenge = scene.challenge.clone();
    let long = "9".repeat(3500);
    for text in [
        "",
        " ",
        "\r\nSet-Cookie: a=b",
        "a\r\n\r\nb",
        "*",
        "{}",
        "{otp:ch}",
        "\0",
        "\u{7f}\u{1b}[2J",
        MARK,
        "'; DROP TABLE users; --",
        "../../etc/passwd",
        "%00%0d%0a",
        "${jndi:ldap://x}",
        "\u{202e}\u{feff}",
        "12345",
        "1234567",
        "12a456",
        "123 456",
        "+12345",
        "-12345",
        "0x1234",
        "123456\n",
        "123456\0",
        "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
        "\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}",
        "\u{1d7ce}\u{1d7cf}\u{1d7d0}\u{1d7d1}\u{1d7d2}\u{1d7d3}",
        &long,
    ] {
        scene.refused(Ask::code(text), 400, "phone-invalid", text).await;
        let phone = format!("{PHONE}{text} ");
        scene.refused(Ask::code(&phone), 400, "phone-invalid", text).await;
        scene.refused(Ask::verify(&challenge, text), 400, "body-invalid", text).await;
        for id in
            [text.to_owned(), format!("{challenge}{text}="), format!("{}{text}", &challenge[1..])]
        {
            scene.refused(Ask::resend(&id), 401, "otp-invalid", text).await;
            scene.refused(Ask::verify(&id, "123456"), 401, "otp-invalid", text).await;
        }
        scene.refused(Ask::refresh(text), 401, "token-invalid", text).await;
        // A token that is none of ours has no session to end (RFC 7009 section 2.2).
        let out = scene.login.ask(Ask::post(LOGOUT, &json!({ "refresh_token": text }))).await;
        assert_eq!((out.status.as_u16(), out.text.as_str()), (204, ""));
    }
    scene.end_untouched().await;
}

#[tokio::test]
async fn requirement_43_a_wish_for_a_language_comes_back_nowhere() {
    for locale in [MARK, "", "*", "\r\nSet-Cookie: a=b", "\0", "{}", &"en-".repeat(1000)] {
        let login = Login::new();
        let ask = Ask::post(REQUEST, &json!({ "phone": PHONE, "locale": locale }));
        let answer = login.ask(ask.header("accept-language", MARK)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let message = login.sent.message(0).await;
        let said = format!("{answer:?} {} {}", *message.text, message.language);
        assert!(
            !said.contains("script") && !said.contains("Set-Cookie") && !said.contains('\0'),
            "{said}"
        );
        assert!(message.text.len() < 200);
    }
}

#[tokio::test]
async fn requirement_39_forty_numbers_over_http() {
    let mut scene = Scene::new().await;
    for number in [
        "+",
        "+1",
        "+12",
        "919876543210",
        "00919876543210",
        "+0919876543210",
        "++919876543210",
        "+91 98765 43210",
        "+91-98765-43210",
        "(+91)9876543210",
        "tel:+919876543210",
        "+9198765ABCDE",
        "+1234567890123456",
        "+\u{669}\u{661}\u{669}\u{668}\u{667}\u{666}\u{665}\u{664}\u{663}\u{662}\u{661}\u{660}",
        "\u{ff0b}919876543210",
        "+\u{ff19}\u{ff11}9876543210",
        "+91987654321",
        "+9198765432100",
        "+4407911123456",
        "+999123456789",
    ] {
        scene.refused(Ask::code(number), 400, "phone-invalid", number).await;
    }
    let good = [
        "+14155552671",
        "+12025550123",
        "+16135550123",
        "+447911123456",
        "+447400123456",
        "+4915123456789",
        "+33612345678",
        "+393123456789",
        "+390612345678",
        "+34612345678",
        "+79161234567",
        "+8613812345678",
        "+819012345678",
        "+5511961234567",
        "+5491123456789",
        "+525512345678",
        "+6591234567",
        "+27711234567",
        "+19002345678",
        "+919876543211",
    ];
    for (place, number) in good.into_iter().enumerate() {
        let ask = Ask::code(number).from(&format!("198.51.100.{place}"));
        let answer = scene.login.ask(ask).await;
        assert_eq!(answer.status, 202, "{number} {answer:?}");
        assert_eq!(scene.login.sent.message(1 + place).await.to.as_e164(), number);
    }
}
