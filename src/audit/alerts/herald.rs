use super::{Alert, Alerts};
use crate::{
    clock::UnixTime,
    error::ConfigError,
    otp::sender::{HookKeys, SIGNATURE},
    outbound::{Caps, Outbound, Place},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use serde::Serialize;
use std::{fmt, time::Duration};
use tokio::{sync::mpsc, time::sleep};

/// Posts alerts to a URL: one for each [`Alerts`] that [has one](Alerts::post_to).
///
/// ```json
/// { "alert": "wrong-codes", "on": "code-wrong", "count": 100, "within": 600, "time": 1767225600 }
/// ```
///
/// `within` is in seconds, `time` in seconds since 1970. `count` is the number that was reached; of a `conversion`, how many codes were
/// used. The header `Portcullis-Signature` is that of [`HookKeys`]. Any answer of 200 to 299 is good; else it is sent twice more.
#[must_use = "nothing is posted unless it runs"]
pub struct Herald {
    inbox: mpsc::Receiver<Raised>,
    outbound: Outbound,
    place: Place,
    keys: HookKeys,
}

/// Where raised alerts go in.
pub(super) struct Post(mpsc::Sender<Raised>);

/// What is posted.
#[derive(Serialize)]
struct Raised {
    alert: &'static str,
    on: &'static str,
    count: u32,
    within: u64,
    time: u64,
}

/// An alert is raised once in its window, so more of them do not wait.
const WAITING: usize = 256;
const CAPS: Caps = Caps { bytes: 64 << 10, time: Duration::from_secs(10) };
/// Before the second attempt, and before the third.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];

impl Alerts {
    /// Also posts what is raised to `url`, signed with `keys`: spawn the [`run`](Herald::run) of what comes back.
    ///
    /// # Errors
    ///
    /// When it is not an `https` URL, or an `http` one on this machine, and when the authorities of the system cannot be
    /// read.
    pub fn post_to(mut self, url: &str, keys: HookKeys) -> Result<(Self, Herald), ConfigError> {
        let (outbound, place) = (Outbound::new(None)?, Place::parse(url)?);
        let (outbox, inbox) = mpsc::channel(WAITING);
        self.post = Some(Post(outbox));
        Ok((self, Herald { inbox, outbound, place, keys }))
    }
}

impl Post {
    pub(super) fn put(&self, alert: &Alert, count: u32, at: UnixTime) {
        let (name, on, within) = (alert.name.as_str(), alert.on.name(), alert.within.as_secs());
        let raised = Raised { alert: name, on, count, within, time: at.as_secs() };
        if self.0.try_send(raised).is_err() {
            warn(name, "there is no room");
        }
    }
}

impl Herald {
    /// Posts until the last [`Alerts`] is gone and nothing waits.
    pub async fn run(mut self) {
        while let Some(raised) = self.inbox.recv().await {
            let mut pauses = PAUSES.into_iter();
            while let Err(error) = self.post(&raised).await {
                let Some(pause) = pauses.next() else {
                    warn(raised.alert, &error);
                    break;
                };
                sleep(pause).await;
            }
        }
    }

    async fn post(&self, raised: &Raised) -> Result<(), String> {
        let request = self.request(raised).ok_or("it cannot be written")?;
        let answer = self.outbound.send(&self.place, request, CAPS).await;
        match answer.map_err(|error| error.to_string())?.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it was answered with {status}")),
        }
    }

    fn request(&self, raised: &Raised) -> Option<Request<Bytes>> {
        let body = serde_json::to_vec(raised).ok()?;
        // As of the alert: who receives it again can tell that it is the same.
        let signature = self.keys.sign(UnixTime::from_secs(raised.time), &body)?;
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        let name = HeaderName::from_static(SIGNATURE);
        request.headers_mut().insert(name, signature.parse().ok()?);
        Some(request)
    }
}

impl fmt::Debug for Herald {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herald").field("to", &self.place).finish_non_exhaustive()
    }
}

fn warn(_alert: &str, _why: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(alert = _alert, "an alert could not be posted: {_why}");
}
