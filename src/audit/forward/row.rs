use crate::{
    audit::{Act, Event},
    clock::UnixTime,
    key::Key,
};
use serde::Serialize;
use std::{borrow::Cow, net::IpAddr};

/// An event as it is posted; see the [module docs](super).
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    id: String,
    time: f64,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
}

impl Row {
    pub(super) fn of(id: String, at: UnixTime, event: &Event) -> Self {
        let mut row = Self {
            event: event.act.name(),
            client: event.client,
            request_id: event.request_id.map(|id| id.to_string()),
            caller: event.layer.map(|_| event.caller.name()),
            layer: event.layer,
            subject: event.subject.map(|subject| subject.to_string()),
            ..Self::at(id, at)
        };
        row.describe(&event.act);
        row
    }

    /// So many events before this moment had no room.
    pub(super) fn lost(id: String, at: UnixTime, lost: u64) -> Self {
        Self { event: "events-lost", lost: Some(lost), ..Self::at(id, at) }
    }

    /// Microseconds are exact for as long as 53 bits hold them: some hundred years.
    #[allow(clippy::cast_precision_loss, reason = "the line above")]
    fn at(id: String, at: UnixTime) -> Self {
        Self { id, time: at.as_micros() as f64 / 1e6, ..Self::default() }
    }

    fn describe(&mut self, act: &Act) {
        let about = |key: &Key| Some(key.to_string());
        match act {
            Act::Refused(reason) => {
                self.status = Some(reason.status().as_u16());
                (self.reason, self.cause) = (Some(reason.slug()), reason.cause().map(Cow::from));
            }
            Act::BadToken(reason) => {
                (self.reason, self.cause) = (Some(reason.slug()), reason.cause().map(Cow::from));
            }
            Act::WouldRefuse(limit) => self.cause = Some(limit.as_str().into()),
            Act::Blocked { key, lasting, cause } => {
                self.key = about(key);
                self.seconds = lasting.map(|time| time.as_secs());
                self.cause = cause.map(|cause| cause.as_str().into());
            }
            Act::Unblocked(key) | Act::BlockUnkept(key) => self.key = about(key),
            Act::Login { key, attempt, .. } => {
                (self.key, self.attempt) = (about(key), *attempt);
            }
            Act::Fraud { rule, verdict, key } => {
                self.key = about(key).filter(|_| *key != Key::EVERYONE);
                (self.reason, self.cause) = (Some(verdict.name()), Some(rule.name().into()));
            }
            Act::Provider { provider, .. } => self.cause = Some(provider.as_str().into()),
            Act::LogCaughtUp { lost } => self.lost = Some(*lost),
            Act::Alarm(name) => self.cause = Some(name.as_str().into()),
            Act::StoreLost(why)
            | Act::StorePartLost(why)
            | Act::StorePartBack(why)
            | Act::StoreUnfit(why) => self.cause = Some(why.to_string().into()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audit::Step, rejection::Reason};
    use serde_json::json;

    fn told(act: Act) -> serde_json::Value {
        let at = UnixTime::from_micros(1_767_225_600_000_123);
        let event = Event::new(act).client(Some([203, 0, 113, 7].into()));
        serde_json::to_value(Row::of("a-1".to_owned(), at, &event)).unwrap()
    }

    #[test]
    fn a_row_says_what_happened_and_nothing_that_is_nothing() {
        assert_eq!(
            told(Act::Refused(Reason::RateLimited)),
            json!({
                "id": "a-1", "time": 1_767_225_600.000_123, "event": "refused", "client": "203.0.113.7",
                "status": 429, "reason": "rate-limited"
            })
        );
        let key = Key::ip([192, 0, 2, 1].into());
        let wrong = told(Act::Login { step: Step::CodeWrong, key, attempt: Some(2) });
        assert_eq!((&wrong["event"], &wrong["key"]), (&json!("code-wrong"), &json!("192.0.2.1")));
        assert_eq!(wrong["attempt"], 2);
        assert!(wrong.get("status").is_none(), "{wrong}");
        let lost = told(Act::StoreLost("no answer within the deadline".into()));
        assert_eq!(lost["cause"], "no answer within the deadline");
        let part = told(Act::StorePartLost("10.0.0.7:6379".into()));
        assert_eq!(part["cause"], "10.0.0.7:6379");
    }
}
