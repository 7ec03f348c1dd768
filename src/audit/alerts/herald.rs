use super::{Alert, Alerts};
use crate::{
    audit::{Act, post::Hook},
    clock::UnixTime,
    error::ConfigError,
    otp::sender::HookKeys,
};
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
/// used. Of a store that is lost there is a `cause` besides, which says why. The header `Portcullis-Signature` is that of [`HookKeys`]. Any answer of 200 to 299 is good; else it is sent twice more.
#[must_use = "nothing is posted unless it runs"]
pub struct Herald {
    inbox: mpsc::Receiver<Raised>,
    hook: Hook,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

/// An alert is raised once in its window, so more of them do not wait.
const WAITING: usize = 256;
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
        let hook = Hook::new(url, keys)?;
        let (outbox, inbox) = mpsc::channel(WAITING);
        self.post = Some(Post(outbox));
        Ok((self, Herald { inbox, hook }))
    }
}

impl Post {
    /// Posts an alert that `act` has raised.
    pub(super) fn put(&self, alert: &Alert, act: &Act, count: u32, at: UnixTime) {
        let (name, on, within) = (alert.name.as_str(), alert.on.name(), alert.within.as_secs());
        let cause = match act {
            Act::StoreLost(why) | Act::StorePartLost(why) => Some(why.to_string()),
            _ => None,
        };
        let raised = Raised { alert: name, on, count, within, time: at.as_secs(), cause };
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
        let body = serde_json::to_vec(raised).map_err(|_| "it cannot be written")?;
        // As of the alert: who receives it again can tell that it is the same.
        self.hook.post(body.into(), UnixTime::from_secs(raised.time)).await
    }
}

impl fmt::Debug for Herald {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herald").field("to", &self.hook).finish_non_exhaustive()
    }
}

fn warn(_alert: &str, _why: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(alert = _alert, "an alert could not be posted: {_why}");
}
