use super::{
    FakeServer, Received, Reply,
    codes::{Check, Codes, Maker},
};
use serde_json::json;
use std::{io, ops::Deref};

/// A fake of MSG91's flow API, and of its OTP API, which makes codes and checks them: each five times at most, and one for a number
/// at a time.
///
/// It wants the authkey and the template that are its constants, and a number of digits: without them it answers an error,
/// with status 200 as MSG91 does. What else it can do is [`FakeServer`]'s.
#[derive(Debug)]
pub struct FakeMsg91(Maker);

impl FakeMsg91 {
    /// The one authkey.
    pub const AUTHKEY: &str = "fakeMsg91Authkey1";
    /// The id of the one template.
    pub const TEMPLATE: &str = "65f2a1c0d6fc0512ab34cd56";
    /// The id of the template of notices.
    pub const NOTICE_TEMPLATE: &str = "65f2a1c0d6fc0512ab34cd57";

    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn start() -> io::Result<Self> {
        Maker::start(usual).map(Self)
    }

    /// The code that MSG91 made and sent to a number last, which is written with its plus sign.
    pub fn code(&self, to: &str) -> Option<String> {
        self.0.codes.sent_to(to.trim_start_matches('+'))
    }

    /// The id that the message of a request got.
    pub fn request_id(request: &Received) -> String {
        format!("{:024x}", request.digest())
    }

    /// An error as MSG91 answers it, with status 200.
    pub fn error(message: &str) -> Reply {
        Reply::Answer { status: 200, body: refusal(message).1 }
    }
}

impl Deref for FakeMsg91 {
    type Target = FakeServer;

    fn deref(&self) -> &FakeServer {
        &self.0.server
    }
}

fn usual(request: &Received, codes: &Codes) -> (u16, String) {
    let path = request.path.split('?').next().unwrap_or_default();
    let is_post = request.method == "POST";
    let api = path.strip_prefix("/api/v5").unwrap_or_default();
    match api {
        "/flow/" | "/otp" if !is_post => (404, "{}".to_owned()),
        "/flow/" | "/otp" | "/otp/retry" | "/otp/verify" => {
            if request.header("authkey") != Some(FakeMsg91::AUTHKEY) {
                let body = json!({ "type": "error", "message": "Invalid authkey", "code": "201" });
                return (200, body.to_string());
            }
            if api == "/flow/" { flow(request) } else { otp(api, request, codes) }
        }
        _ => (404, "{}".to_owned()),
    }
}

fn flow(request: &Received) -> (u16, String) {
    let mobile = request.text("/recipients/0/mobiles").unwrap_or_default();
    match request.text("/template_id").as_deref() {
        Some(FakeMsg91::TEMPLATE | FakeMsg91::NOTICE_TEMPLATE) if is_number(&mobile) => {
            success(&FakeMsg91::request_id(request))
        }
        Some(FakeMsg91::TEMPLATE | FakeMsg91::NOTICE_TEMPLATE) => {
            refusal("Mobile no. empty or not numeric")
        }
        _ => refusal("template not found"),
    }
}

fn otp(api: &str, request: &Received, codes: &Codes) -> (u16, String) {
    let mobile = request.query("mobile").unwrap_or_default();
    let digits = request.query("otp_length").and_then(|length| length.parse().ok());
    match api {
        _ if !is_number(&mobile) => refusal("Mobile no. empty or not numeric"),
        "/otp/verify" => match codes.check(&mobile, &request.query("otp").unwrap_or_default()) {
            Check::Right => success("OTP verified success"),
            Check::Wrong => refusal("OTP not match"),
            Check::Used => refusal("already_verified"),
            Check::Exhausted => refusal("Max limit reached for this otp verification"),
            Check::Gone => refusal("Mobile no. not found"),
        },
        "/otp/retry" if codes.has(&mobile) => success("retry send successfully"),
        "/otp/retry" => refusal("No OTP request found to retryotp"),
        _ if request.query("template_id").as_deref() != Some(FakeMsg91::TEMPLATE) => {
            refusal("template not found")
        }
        _ if codes.make(&mobile, digits.unwrap_or(4)).is_none() => refusal("OTP length"),
        _ => {
            let id = FakeMsg91::request_id(request);
            (200, json!({ "type": "success", "request_id": id }).to_string())
        }
    }
}

fn is_number(mobile: &str) -> bool {
    !mobile.is_empty() && mobile.bytes().all(|byte| byte.is_ascii_digit())
}

fn success(message: &str) -> (u16, String) {
    (200, json!({ "type": "success", "message": message }).to_string())
}

fn refusal(message: &str) -> (u16, String) {
    (200, json!({ "type": "error", "message": message }).to_string())
}
