use super::{
    FakeServer, Received, Reply,
    codes::{Check, Codes, Maker},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{io, ops::Deref};

/// A fake of Twilio's Messages API, and of its Verify API, which sends codes that it is given or makes them and checks them: each five
/// times at most, and one for a number at a time.
///
/// It wants the credentials that are its constants, and the fields that Twilio wants: without them it answers what Twilio
/// would. What else it can do is [`FakeServer`]'s.
#[derive(Debug)]
pub struct FakeTwilio(Maker);

impl FakeTwilio {
    /// The SID of the one account.
    pub const ACCOUNT: &str = "AC00112233445566778899aabbccddeeff";
    /// Its auth token.
    pub const AUTH_TOKEN: &str = "fake-twilio-auth-token";
    /// The SID of the one Verify service.
    pub const VERIFY_SERVICE: &str = "VA00112233445566778899aabbccddeeff";
    /// The SID of an API key.
    pub const API_KEY: &str = "SK00112233445566778899aabbccddeeff";
    /// Its secret.
    pub const API_SECRET: &str = "fake-twilio-api-secret";

    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn start() -> io::Result<Self> {
        Maker::start(usual).map(Self)
    }

    /// The code that Twilio made and sent to a number last.
    pub fn code(&self, to: &str) -> Option<String> {
        self.0.codes.sent_to(to)
    }

    /// The SID that the message of a request got.
    pub fn sid(request: &Received) -> String {
        format!("SM{:032x}", request.digest())
    }

    /// A call of Twilio's at `url` with these fields, signed with the auth token.
    #[cfg(feature = "webhook")]
    pub fn call(url: &str, fields: &[(&str, &str)]) -> http::Request<bytes::Bytes> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let keys = crate::webhook::TwilioKeys::token(
            crate::profile::Profile::Dev,
            Self::AUTH_TOKEN.as_bytes(),
        );
        let signature = keys.ok().and_then(|keys| keys.sign(url, form.as_bytes()));
        let mut request = http::Request::new(bytes::Bytes::from(form));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = url.parse().unwrap_or_default();
        let kind = http::HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        if let Some(Ok(signature)) = signature.map(|text| text.parse()) {
            request.headers_mut().insert("x-twilio-signature", signature);
        }
        request
    }

    /// An error as Twilio answers it: a status such as 400 and a code such as 21610.
    pub fn error(status: u16, code: u32) -> Reply {
        let (status, body) = problem(status, code);
        Reply::Answer { status, body }
    }
}

impl Deref for FakeTwilio {
    type Target = FakeServer;

    fn deref(&self) -> &FakeServer {
        &self.0.server
    }
}

fn usual(request: &Received, codes: &Codes) -> (u16, String) {
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", FakeTwilio::ACCOUNT);
    let pairs = [
        (FakeTwilio::ACCOUNT, FakeTwilio::AUTH_TOKEN),
        (FakeTwilio::API_KEY, FakeTwilio::API_SECRET),
    ];
    let is_known = pairs.iter().any(|(user, secret)| {
        let basic = STANDARD.encode(format!("{user}:{secret}"));
        request.header("authorization") == Some(&format!("Basic {basic}"))
    });
    let service = format!("/v2/Services/{}", FakeTwilio::VERIFY_SERVICE);
    let [verify, check] =
        ["Verifications", "VerificationCheck"].map(|it| format!("{service}/{it}"));
    let has = |name| request.field(name).is_some_and(|value| !value.is_empty());
    let ended = request.path.strip_prefix(&verify).and_then(|path| path.strip_prefix("/VE"));
    let is_known_path = [&path, &verify, &check].contains(&&request.path) || ended.is_some();
    match request {
        _ if request.method != "POST" || !is_known_path => problem(404, 20404),
        _ if !is_known => problem(401, 20003),
        _ if request.path == verify => begun(request, codes),
        _ if request.path == check => checked(request, codes),
        _ if ended.is_some() => match request.field("Status").as_deref() {
            Some(status @ ("approved" | "canceled")) => {
                (200, verification(request, status, status == "approved"))
            }
            _ => invalid("Status"),
        },
        _ if !has("To") => problem(400, 21604),
        _ if !has("From") && !has("MessagingServiceSid") => problem(400, 21603),
        _ if !has("Body") => problem(400, 21602),
        _ => {
            let message = json!({
                "sid": FakeTwilio::sid(request),
                "status": "queued",
                "error_code": null,
                "num_segments": "1",
                "to": request.field("To"),
            });
            (201, message.to_string())
        }
    }
}

/// Verify says of all that it does not understand that a parameter is invalid.
fn begun(request: &Received, codes: &Codes) -> (u16, String) {
    let is_code = |code: &str| {
        (4..=10).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
    };
    let to = request.field("To").filter(|to| to.starts_with('+'));
    let wrong = match (&to, request.field("CustomCode")) {
        _ if request.field("Channel").as_deref() != Some("sms") => Some("Channel"),
        (None, _) => Some("To"),
        (Some(_), Some(code)) => (!is_code(&code)).then_some("CustomCode"),
        (Some(to), None) => codes.make(to, 6).is_none().then_some("To"),
    };
    match wrong {
        Some(parameter) => invalid(parameter),
        None => (201, verification(request, "pending", false)),
    }
}

/// A code that is wrong is no error.
fn checked(request: &Received, codes: &Codes) -> (u16, String) {
    let (Some(to), Some(code)) = (request.field("To"), request.field("Code")) else {
        return invalid("To");
    };
    match codes.check(&to, &code) {
        Check::Right => (200, verification(request, "approved", true)),
        Check::Wrong => (200, verification(request, "pending", false)),
        Check::Exhausted => problem(429, 60202),
        Check::Used | Check::Gone => problem(404, 20404),
    }
}

fn verification(request: &Received, status: &str, valid: bool) -> String {
    let sid = FakeTwilio::sid(request).replacen("SM", "VE", 1);
    let to = request.field("To");
    let body = json!({ "sid": sid, "to": to, "channel": "sms", "status": status, "valid": valid });
    body.to_string()
}

fn invalid(parameter: &str) -> (u16, String) {
    told(400, 60200, &format!("Invalid parameter: {parameter}"))
}

fn problem(status: u16, code: u32) -> (u16, String) {
    told(status, code, "fake")
}

fn told(status: u16, code: u32, message: &str) -> (u16, String) {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    let body =
        json!({ "code": code, "message": message, "more_info": more_info, "status": status });
    (status, body.to_string())
}
