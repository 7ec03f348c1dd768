use super::{Challenger, Suspect};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    eventual::BoxFuture,
    otp::sender::{ApiSecret, FORM, HookKeys, JSON},
    outbound::{Caps, Outbound, OutboundError, Place},
};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use std::{
    fmt,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// A [`Challenger`] that asks a service by HTTP whether a response is a good one: that of a CAPTCHA, or one of your own.
///
/// Its answer is 200 and JSON with a member `success`, 16 KiB of it at most, within three seconds. Whoever is answered in another way or
/// not at all does not pass, unless the service is down and it [admits](Self::admit_in_outage). A score is not looked at: where
/// `success` alone says little, as in reCAPTCHA v3, have a server of your own ask, and [sign](Self::signed) what it is asked.
///
/// It learns the country that a code would go to and not the number, and is asked alike about numbers that are known and that are not.
/// At most 256 questions are open at a time, and who comes with one more does not pass, so that a service which is slow does not fill
/// the queue of messages.
///
/// ```
/// use portcullis::otp::fraud::ChallengeHook;
///
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// let url = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
/// let challenger = ChallengeHook::siteverify(url, "0x4AAAAAAA_the_secret_of_the_site")?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ChallengeHook {
    asking: Arc<Asking>,
    caps: Caps,
    admits: bool,
}

struct Asking {
    outbound: Outbound,
    place: Place,
    form: Form,
    clock: SystemClock,
    room: Semaphore,
    /// Told once, and once more when it is over.
    fails: AtomicBool,
}

/// How it is asked.
enum Form {
    SiteVerify(Zeroizing<String>),
    Signed(HookKeys),
}

/// What of an answer counts.
#[derive(Deserialize)]
struct Answer {
    success: bool,
}

/// Why nobody knows who passes.
struct Unjudged {
    why: String,
    is_outage: bool,
}

const AT_ONCE: usize = 256;
const CAPS: Caps = Caps { bytes: 16 << 10, time: Duration::from_secs(3) };
const TIMES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(10);

impl ChallengeHook {
    /// Asks as Turnstile, hCaptcha and reCAPTCHA are asked: a form with `secret`, `response` and `remoteip`, posted to their
    /// `siteverify`.
    ///
    /// # Errors
    ///
    /// When it is not an `https` URL, or an `http` one on this machine, the secret is not 8 to 512 visible ASCII characters, or the
    /// authorities of the system cannot be read.
    pub fn siteverify(url: &str, secret: &str) -> Result<Self, ConfigError> {
        // Which says what a secret of somebody else's looks like.
        ApiSecret::new(secret)?;
        Self::new(url, Form::SiteVerify(Zeroizing::new(secret.to_owned())))
    }

    /// Asks a server of your own: JSON with `response`, `client`, `country` and `rule`, with the header `Portcullis-Signature` of
    /// [`HookKeys`].
    ///
    /// # Errors
    ///
    /// When it is not an `https` URL, or an `http` one on this machine, or the authorities of the system cannot be read.
    pub fn signed(url: &str, keys: HookKeys) -> Result<Self, ConfigError> {
        Self::new(url, Form::Signed(keys))
    }

    /// Waits so long for an answer, while the client does.
    ///
    /// # Errors
    ///
    /// When it is not 100 ms to 10 s.
    pub fn timeout(mut self, time: Duration) -> Result<Self, ConfigError> {
        if !TIMES.contains(&time) {
            return Err(ConfigError::new("100ms to 10s"));
        }
        self.caps.time = time;
        Ok(self)
    }

    /// Lets everybody with a response pass while the service is down: there is no connection, no whole answer in time, 429 or 500 to
    /// 599. An answer of another kind is no outage, or a response that the service stumbles over would be a good one.
    ///
    /// Who can bring the service down, or use up what it answers in a minute, then gets the codes that a rule would have stopped.
    pub fn admit_in_outage(mut self) -> Self {
        self.admits = true;
        self
    }

    fn new(url: &str, form: Form) -> Result<Self, ConfigError> {
        let (outbound, place) = (Outbound::new(None)?, Place::parse(url)?);
        let (room, fails) = (Semaphore::new(AT_ONCE), AtomicBool::new(false));
        let asking = Asking { outbound, place, form, clock: SystemClock::new(), room, fails };
        Ok(Self { asking: asking.into(), caps: CAPS, admits: false })
    }
}

impl Challenger for ChallengeHook {
    fn passes(&self, suspect: Suspect) -> BoxFuture<'static, bool> {
        let Self { asking, caps, admits } = self.clone();
        Box::pin(async move {
            let judged = asking.ask(&suspect, caps).await;
            asking.tell(judged.as_ref().err());
            judged.unwrap_or_else(|unjudged| admits && unjudged.is_outage)
        })
    }
}

impl Asking {
    async fn ask(&self, suspect: &Suspect, caps: Caps) -> Result<bool, Unjudged> {
        // No outage: whoever sends many responses at once could make it one.
        let _room = self.room.try_acquire().map_err(|_| Unjudged::by("there are too many"))?;
        let request = self.request(suspect).ok_or_else(|| Unjudged::by("it cannot be written"))?;
        let answer = self.outbound.send(&self.place, request, caps).await?;
        match answer.status() {
            StatusCode::OK => {}
            status => return Err(Unjudged::with(status)),
        }
        let answer: Result<Answer, _> = serde_json::from_slice(answer.body());
        answer.map(|answer| answer.success).map_err(|_| Unjudged::by("the answer has no `success`"))
    }

    fn request(&self, suspect: &Suspect) -> Option<Request<Bytes>> {
        let Suspect { response, client, country, rule } = suspect;
        let client = client.to_string();
        let mut request = match &self.form {
            Form::SiteVerify(secret) => {
                // Room for all of it at once: growing would leave copies of the secret behind.
                let room = 3 * (secret.len() + response.len() + client.len()) + 32;
                let body = form_urlencoded::Serializer::new(String::with_capacity(room))
                    .append_pair("secret", secret)
                    .append_pair("response", response)
                    .append_pair("remoteip", &client)
                    .finish();
                let mut request = Request::new(Bytes::from_owner(Zeroizing::new(body)));
                *request.method_mut() = Method::POST;
                request.headers_mut().insert(header::CONTENT_TYPE, FORM);
                request
            }
            Form::Signed(keys) => {
                let (country, rule) = (country.as_str(), rule.name());
                let body = json!({
                    "response": response, "client": client, "country": country, "rule": rule,
                });
                keys.post(self.clock.wall(), body.to_string().into())?
            }
        };
        request.headers_mut().insert(header::ACCEPT, JSON);
        Some(request)
    }

    /// Whoever sends many responses does not fill a log with them.
    fn tell(&self, unjudged: Option<&Unjudged>) {
        let why = unjudged.map(|unjudged| &*unjudged.why);
        if self.fails.swap(why.is_some(), Ordering::Relaxed) != why.is_some() {
            log(why);
        }
    }
}

fn log(_why: Option<&str>) {
    #[cfg(feature = "tracing")]
    match _why {
        Some(why) => tracing::warn!("challenges are not judged: {why}"),
        None => tracing::info!("challenges are judged again"),
    }
}

impl Unjudged {
    fn by(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_outage: false }
    }

    fn with(status: StatusCode) -> Self {
        let is_outage = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Self { is_outage, ..Self::by(format!("it was answered with {status}")) }
    }
}

impl From<OutboundError> for Unjudged {
    fn from(error: OutboundError) -> Self {
        Self { is_outage: error != OutboundError::TooLarge, ..Self::by(error.to_string()) }
    }
}

/// Neither the secret nor the path shows.
impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::FraudRule,
        otp::fraud::Country,
        outbound::support::origin::{Origin, Reply},
    };

    #[tokio::test]
    async fn who_comes_with_one_question_too_many_does_not_pass() {
        let origin = Origin::start(|_| Reply::ok("", "{\"success\":true}"));
        let hook = ChallengeHook::siteverify(&origin.url("/"), "hunter22").unwrap();
        let hook = hook.admit_in_outage();
        let suspect = Suspect {
            response: "solved".into(),
            rule: FraudRule::Country,
            country: Country::from_text("IN"),
            client: [127, 0, 0, 1].into(),
        };
        let room = hook.asking.room.try_acquire_many(AT_ONCE as u32).unwrap();
        assert!(!hook.passes(suspect.clone()).await && origin.asked().is_empty());
        drop(room);
        assert!(hook.passes(suspect).await);
        assert_eq!(hook.asking.room.available_permits(), AT_ONCE);
        assert!(!format!("{hook:?}").contains("hunter22"));
    }
}
