use crate::{
    error::ConfigError,
    jwt::{self, Algorithm},
    otp::{Otp, constant_time_eq, receipts::Report},
    phone::Phone,
    rejection::{Reason, Rejection},
    webhook::Reading,
};
use http_body::Body;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// What MSG91 tells whoever knows the path.
#[derive(Clone)]
pub(super) struct Msg91Calls {
    otp: Otp,
    secret: Arc<Zeroizing<Vec<u8>>>,
}

/// An object of a body.
type Item = Map<String, Value>;

const FOLDER: &str = "/webhooks/msg91/";
const MAX_BODY: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(10);
/// Of one call: more are no reports about codes.
const MOST_REPORTS: usize = 500;

impl Msg91Calls {
    pub(super) fn new(otp: Otp, secret: &[u8]) -> Result<Self, ConfigError> {
        Self::check(secret)?;
        Ok(Self { otp, secret: Arc::new(Zeroizing::new(secret.to_vec())) })
    }

    /// Whether it can be the secret of a path.
    pub(super) fn check(secret: &[u8]) -> Result<(), ConfigError> {
        let in_paths = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        if !(32..=128).contains(&secret.len()) || !secret.iter().all(in_paths) {
            return Err(ConfigError::new(
                "the secret of a path has 32 to 128 letters, digits, `-` and `_`",
            ));
        }
        jwt::check_secret(secret, Algorithm::HS256)
    }

    pub(super) fn is_at(&self, path: &str) -> bool {
        let secret = path.strip_prefix(FOLDER).unwrap_or_default();
        constant_time_eq(secret.as_bytes(), &self.secret)
    }

    pub(super) async fn take<B: Body>(&self, body: B) -> Result<(), Rejection> {
        let body = Reading::new(body, MAX_BODY, PATIENCE).await?;
        let told = told(&body).ok_or(Reason::BodyInvalid)?;
        for (report, id) in reports(&told).take(MOST_REPORTS) {
            let Some(read) = Read::of(report, id) else { continue };
            let Read { id, arrived, of_number, to } = read;
            self.otp.report(&Report { provider: "msg91", id, arrived, of_number, to }).await?;
        }
        Ok(())
    }
}

/// One report, as far as it says something.
struct Read<'a> {
    id: &'a str,
    arrived: bool,
    of_number: bool,
    to: Option<Phone>,
}

impl<'a> Read<'a> {
    fn of(report: &'a Item, id: Option<&'a Value>) -> Option<Self> {
        let text =
            |name: &str| report.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
        let id = id.and_then(Value::as_str).filter(|it| !it.is_empty())?;
        let status = match report.get("status")? {
            Value::String(status) => status.trim().to_ascii_lowercase(),
            status => status.to_string(),
        };
        let (arrived, of_number) = match &*status {
            "1" | "delivered" | "read" => (true, false),
            // Do not disturb, and a number that is blocked.
            "9" | "17" | "ndnc" | "blocked" | "blocked number" => (false, true),
            "2" | "16" | "25" | "failed" | "rejected" | "undelivered" => (false, false),
            _ => return None,
        };
        let to = text("telNum").or(text("number")).and_then(|digits| {
            let digits = digits.trim_start_matches('+');
            format!("+{digits}").parse().ok()
        });
        Some(Self { id, arrived, of_number, to })
    }
}

/// What a body tells: an object, a list of them, or the form with the field `data`.
fn told(body: &[u8]) -> Option<Value> {
    match body.trim_ascii_start().first()? {
        b'{' | b'[' => serde_json::from_slice(body).ok(),
        _ => {
            let data = form_urlencoded::parse(body).find(|(name, _)| name == "data")?.1;
            serde_json::from_str(&data).ok()
        }
    }
}

/// All reports, each with the id of the request that it is about: the items of the form have that, and a list of reports of their own.
fn reports(told: &Value) -> impl Iterator<Item = (&Item, Option<&Value>)> {
    objects(told).flat_map(|item| {
        let id = item.get("requestId");
        let inner = item.get("report").into_iter().flat_map(objects);
        let own = item.get("report").is_none().then_some(item);
        inner.chain(own).map(move |report| (report, id.or_else(|| report.get("requestId"))))
    })
}

fn objects(value: &Value) -> impl Iterator<Item = &Item> {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    items.iter().filter_map(Value::as_object)
}
