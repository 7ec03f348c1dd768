use super::SendError;
use crate::{
    clock::{Clock, SystemClock, UnixTime},
    error::ConfigError,
    outbound::{Caps, Outbound, OutboundError, Place},
};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// One request to a provider for each message or check: where to, for how long, and none while the provider wants none.
#[derive(Clone)]
pub(super) struct Exchange {
    outbound: Outbound,
    place: Place,
    time: Duration,
    clock: Arc<dyn Clock>,
    /// In microseconds of the clock's ticks: a provider that wants no messages may check codes all the same, and hear of them.
    quiet_until: [Arc<AtomicU64>; 3],
}

/// What a request is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Errand {
    Send,
    Check,
    /// That a code was right.
    Tell,
}

/// No answer of a provider is this large.
const MAX_ANSWER: usize = 64 << 10;
const TIME: Duration = Duration::from_secs(10);
/// Somebody waits for the answer, or nobody does, other than to a message.
const LONGEST_CHECK: Duration = Duration::from_secs(4);
/// Of a pause for which the provider names no time, or no number of seconds.
const SHORT_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Exchange {
    pub(super) fn new(url: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            outbound: Outbound::new(None)?,
            place: Place::parse(url)?,
            time: TIME,
            clock: Arc::new(SystemClock::new()),
            quiet_until: Default::default(),
        })
    }

    /// Asks elsewhere: `base`, which is a URL without a query, and then `path`.
    pub(super) fn at(self, base: &str, path: &str) -> Result<Self, ConfigError> {
        if base.contains('?') {
            return Err(ConfigError::new("a base URL has no query"));
        }
        Ok(Self { place: Place::parse(base)?.join(path)?, ..self })
    }

    pub(super) fn timeout(self, time: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&time) {
            return Err(ConfigError::new("a provider gets 100ms to 60s to answer"));
        }
        Ok(Self { time, ..self })
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.wall()
    }

    /// Asks below its place, and has the answer read by status and body.
    pub(super) async fn ask<T>(
        self,
        errand: Errand,
        path: &str,
        request: Request<Bytes>,
        read: impl FnOnce(StatusCode, &[u8]) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        let (quiet_until, time) = match errand {
            Errand::Send => (&self.quiet_until[0], self.time),
            Errand::Check => (&self.quiet_until[1], self.time.min(LONGEST_CHECK)),
            Errand::Tell => (&self.quiet_until[2], self.time.min(LONGEST_CHECK)),
        };
        let until = Duration::from_micros(quiet_until.load(Ordering::Relaxed));
        let left = until.checked_sub(self.clock.ticks()).filter(|left| !left.is_zero());
        if let Some(left) = left {
            return Err(SendError::RateLimited { retry_after: Some(left) });
        }
        let place = self.place.join(path).map_err(|_| SendError::NotSent)?;
        let caps = Caps { bytes: MAX_ANSWER, time };
        let answer = self.outbound.send(&place, request, caps).await;
        let answer = answer.map_err(|error| match error {
            OutboundError::Connect(_) => SendError::NotSent,
            _ => SendError::Unknown,
        })?;
        let outcome = read(answer.status(), answer.body());
        if let Err(SendError::RateLimited { .. }) = outcome {
            let pause = retry_after(answer.headers()).unwrap_or(SHORT_PAUSE).min(LONGEST_PAUSE);
            let until = self.clock.ticks() + pause;
            quiet_until.fetch_max(until.as_micros() as u64, Ordering::Relaxed);
            return Err(SendError::RateLimited { retry_after: Some(pause) });
        }
        outcome
    }
}

/// What a status means where nothing else says more; a success is not for this.
pub(super) fn by_status(status: StatusCode) -> SendError {
    match status.as_u16() {
        429 => SendError::RateLimited { retry_after: None },
        300..400 | 401 | 403..=405 | 407 => SendError::Misconfigured,
        400..500 => SendError::Refused,
        _ => SendError::Unknown,
    }
}

/// Shows where to, and nothing of what.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("to", &self.place).field("time", &self.time).finish()
    }
}

/// RFC 9110 section 10.2.3, in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::ManualClock,
        outbound::support::origin::{Origin, Reply},
    };

    fn exchange(origin: &Origin, clock: &ManualClock) -> Exchange {
        let exchange = Exchange::new(&origin.url("/send")).unwrap();
        Exchange { clock: Arc::new(clock.clone()), ..exchange }
    }

    async fn post(exchange: &Exchange) -> Result<(), SendError> {
        ask(exchange, Errand::Send).await
    }

    async fn ask(exchange: &Exchange, errand: Errand) -> Result<(), SendError> {
        let mut request = Request::new(Bytes::from_static(b"a=b"));
        *request.method_mut() = http::Method::POST;
        exchange
            .clone()
            .ask(errand, "", request, |status, _| match status {
                StatusCode::OK => Ok(()),
                status => Err(by_status(status)),
            })
            .await
    }

    #[tokio::test]
    async fn requirement_50_a_provider_that_wants_a_pause_is_not_asked_until_it_is_over() {
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        for (line, seconds) in [
            ("retry-after: 20\r\n", 20),
            ("", 1),
            ("retry-after: Wed, 21 Oct 2037 07:28:00 GMT\r\n", 1),
            ("retry-after: 99999999\r\n", 300),
        ] {
            let origin = Origin::start(move |_| Reply::status("429 Too Many Requests", line, ""));
            let exchange = exchange(&origin, &clock);
            let limited = |seconds| {
                let retry_after = Some(Duration::from_secs(seconds));
                Err(SendError::RateLimited { retry_after })
            };
            assert_eq!(post(&exchange).await, limited(seconds), "{line}");
            origin.reply(Reply::ok("", "{}"));
            assert_eq!(post(&exchange).await, limited(seconds), "{line}");
            clock.advance(Duration::from_secs(seconds) - Duration::from_millis(1));
            assert!(post(&exchange).await.is_err(), "{line}");
            assert_eq!(origin.asked().len(), 1, "{line}");
            clock.advance(Duration::from_millis(1));
            assert_eq!(post(&exchange).await, Ok(()), "{line}");
        }
    }

    #[tokio::test]
    async fn each_errand_has_a_pause_of_its_own() {
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        for errand in 0..3 {
            let origin = Origin::start(|_| Reply::status("429 Too Many Requests", "", ""));
            let exchange = exchange(&origin, &clock);
            let errands = [Errand::Send, Errand::Check, Errand::Tell];
            assert!(ask(&exchange, errands[errand]).await.is_err());
            origin.reply(Reply::ok("", "{}"));
            for (other, asked) in errands.into_iter().enumerate() {
                assert_eq!(ask(&exchange, asked).await.is_ok(), other != errand, "{asked:?}");
            }
            assert_eq!(origin.asked().len(), 3);
        }
    }

    #[tokio::test]
    async fn only_what_certainly_did_not_leave_is_called_that() {
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        let origin = Origin::start(|_| Reply::Raw(Vec::new()));
        // One with connections of its own, of which there are none yet.
        let fresh = exchange(&origin, &clock);
        let exchange = exchange(&origin, &clock);
        for (reply, error) in [
            (Reply::Raw(Vec::new()), SendError::Unknown),
            (Reply::Raw(b"HTTP/1.1 200 OK\r\nconte".into()), SendError::Unknown),
            (Reply::ok("", vec![b'x'; MAX_ANSWER + 1]), SendError::Unknown),
            (Reply::status("500 Oh", "", ""), SendError::Unknown),
            (Reply::status("503 Oh", "retry-after: 9\r\n", ""), SendError::Unknown),
            (Reply::status("302 Found", "location: /\r\n", ""), SendError::Misconfigured),
            (Reply::status("401 No", "", ""), SendError::Misconfigured),
            (Reply::status("404 No", "", ""), SendError::Misconfigured),
            (Reply::status("400 No", "", ""), SendError::Refused),
        ] {
            origin.reply(reply);
            assert_eq!(post(&exchange).await, Err(error));
        }
        // Long enough for a connection, else it would not have left.
        let impatient = exchange.clone().timeout(Duration::from_secs(1)).unwrap();
        origin.reply(Reply::Silence);
        assert_eq!(post(&impatient).await, Err(SendError::Unknown));
        drop(origin);
        assert_eq!(post(&fresh).await, Err(SendError::NotSent));
    }

    #[test]
    fn times_and_bases_have_bounds() {
        let exchange = Exchange::new("https://api.example").unwrap();
        for bad in [99, 60_001] {
            assert!(exchange.clone().timeout(Duration::from_millis(bad)).is_err());
        }
        for bad in ["https://api.example/?key=hunter2", "http://api.example", "hunter2"] {
            let error = exchange.clone().at(bad, "/send").unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(exchange.at("https://api.example/", "/send").is_ok());
    }
}
