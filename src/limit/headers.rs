use super::Limit;
use crate::{
    clock::seconds_up,
    store::{Standing, Take},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;
use std::io::Write;

/// Which headers tell a client how it stands.
///
/// The IETF draft still moves: its encoding is one variant here, so a later version is another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Headers {
    /// `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11, structured fields
    /// (RFC 9651): `"per-ip";r=59;t=1` and `"per-ip";q=60;w=60`.
    #[default]
    Draft11,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds) of the limit that is nearest to its end.
    Legacy,
    /// Both.
    Draft11AndLegacy,
    /// None.
    Off,
}

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What a set of limits says in headers; the part that never changes is ready-made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoder {
    headers: Headers,
    policy: Option<HeaderValue>,
}

/// Headers of one answer.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    draft: Option<(HeaderValue, HeaderValue)>,
    legacy: Option<[u64; 3]>,
}

impl Encoder {
    pub(crate) fn new<'a>(headers: Headers, limits: impl Iterator<Item = &'a Limit>) -> Self {
        let mut policy = SmallVec::<[u8; 128]>::new();
        for limit in limits.filter(|limit| !limit.is_shadow()) {
            let (name, quota) = (limit.name(), limit.quota());
            let comma = if policy.is_empty() { "" } else { ", " };
            let window = seconds_up(quota.period());
            let _ = write!(policy, "{comma}\"{name}\";q={};w={window}", quota.burst());
        }
        let policy = HeaderValue::from_bytes(&policy).ok().filter(|policy| !policy.is_empty());
        Self { headers, policy }
    }

    /// What to say about what was taken. Allocates one header value.
    pub(crate) fn encode(&self, takes: &[Take], standings: &[Standing]) -> Encoded {
        let (draft, legacy) = match self.headers {
            Headers::Draft11 => (true, false),
            Headers::Legacy => (false, true),
            Headers::Draft11AndLegacy => (true, true),
            Headers::Off => (false, false),
        };
        let shown = || takes.iter().zip(standings).filter(|(take, _)| !take.shadow);
        Encoded {
            draft: self.policy.clone().filter(|_| draft).and_then(|policy| {
                let mut digits = SmallVec::<[[itoa::Buffer; 2]; 2]>::new();
                digits.resize(takes.len(), [itoa::Buffer::new(); 2]);
                let mut pieces = SmallVec::<[&str; 12]>::new();
                for ((take, standing), [left_digits, reset_digits]) in shown().zip(&mut digits) {
                    pieces.push(if pieces.is_empty() { "\"" } else { ", \"" });
                    pieces.push(take.limit.as_str());
                    pieces.push("\";r=");
                    pieces.push(left_digits.format(left(standing)));
                    pieces.push(";t=");
                    pieces.push(reset_digits.format(reset(standing)));
                }
                // Put together at once, it is one allocation of the right size. `write!` alone would
                // cost more than all of this.
                let value = HeaderValue::try_from(pieces.concat()).ok();
                Some((value.filter(|value| !value.is_empty())?, policy))
            }),
            legacy: shown().min_by_key(|(_, standing)| left(standing)).filter(|_| legacy).map(
                |(take, standing)| {
                    [take.quota.burst().into(), left(standing).into(), reset(standing)]
                },
            ),
        }
    }
}

impl Encoded {
    /// Adds the headers. Those of several layers combine as a list (the draft, section 3).
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        if let Some((value, policy)) = self.draft {
            headers.append(RATELIMIT, value);
            headers.append(RATELIMIT_POLICY, policy);
        }
        // These cannot be lists, so the nearest to its end of all layers stays.
        let nearer =
            |left: u64| headers.get(X_REMAINING).and_then(number).is_none_or(|n| left <= n);
        if let Some([limit, left, reset]) = self.legacy.filter(|[_, left, _]| nearer(*left)) {
            headers.insert(X_LIMIT, limit.into());
            headers.insert(X_REMAINING, left.into());
            headers.insert(X_RESET, reset.into());
        }
    }
}

fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// Nothing is left of a limit that refuses, even if a cheaper request could pass.
fn left(standing: &Standing) -> u32 {
    if standing.wait > 0 { 0 } else { standing.remaining }
}

/// Seconds until the limit admits again if it refuses, else until it is full.
fn reset(standing: &Standing) -> u64 {
    seconds_up(if standing.wait > 0 { standing.wait() } else { standing.full_in() })
}
