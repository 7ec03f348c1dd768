use super::{FakeServer, Received, Reply};
use serde_json::json;
use std::{io, ops::Deref};

/// A fake of MSG91's flow API.
///
/// It wants the authkey and the template that are its constants, and a number of digits: without them it answers an error,
/// with status 200 as MSG91 does. What else it can do is [`FakeServer`]'s.
#[derive(Debug)]
pub struct FakeMsg91(FakeServer);

impl FakeMsg91 {
    /// The one authkey.
    pub const AUTHKEY: &str = "fakeMsg91Authkey1";
    /// The id of the one template.
    pub const TEMPLATE: &str = "65f2a1c0d6fc0512ab34cd56";

    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn start() -> io::Result<Self> {
        FakeServer::start(usual).map(Self)
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
        &self.0
    }
}

fn usual(request: &Received) -> (u16, String) {
    let mobile = request.text("/recipients/0/mobiles").unwrap_or_default();
    match request {
        _ if request.method != "POST" || request.path != "/api/v5/flow/" => (404, "{}".to_owned()),
        _ if request.header("authkey") != Some(FakeMsg91::AUTHKEY) => {
            let body = json!({ "type": "error", "message": "Invalid authkey", "code": "201" });
            (200, body.to_string())
        }
        _ if request.text("/template_id").as_deref() != Some(FakeMsg91::TEMPLATE) => {
            refusal("template not found")
        }
        _ if mobile.is_empty() || !mobile.bytes().all(|byte| byte.is_ascii_digit()) => {
            refusal("Mobile no. empty or not numeric")
        }
        _ => {
            let id = FakeMsg91::request_id(request);
            (200, json!({ "type": "success", "message": id }).to_string())
        }
    }
}

fn refusal(message: &str) -> (u16, String) {
    (200, json!({ "type": "error", "message": message }).to_string())
}
