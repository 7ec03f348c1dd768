use super::sections::DurationText;
use crate::{
    block::Ladder,
    error::ConfigError,
    key::KeyBy,
    limit::{Limit, Name, Outage, Quota},
};
use http::HeaderName;
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitSection {
    name: String,
    quota: String,
    burst: Option<u32>,
    by: Option<String>,
    cost: Option<u32>,
    #[serde(default)]
    shadow: bool,
    on_outage: Option<OutageSection>,
    block_after: Option<BlockAfterSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockAfterSection {
    strikes: u8,
    within: DurationText,
    r#for: DurationText,
}

/// `"admit"`, `"refuse"` or `{ local = 0.25 }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum OutageSection {
    Local(f64),
    Admit,
    Refuse,
}

/// A limit, and whom it passes over.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) limit: Limit,
    /// Requests without a good token.
    pub(super) needs_token: bool,
    /// Nobody: its key is there whatever a request leaves out.
    pub(super) meets_everybody: bool,
}

/// The longest that a ladder climbs to.
const CAP: Duration = Duration::from_secs(86_400);

/// The limits of a file; one of 100 in 15 minutes for each address if it has none.
pub(super) fn build(sections: &[LimitSection]) -> Result<Vec<Written>, ConfigError> {
    if sections.is_empty() {
        let quota = Quota::new(100, Duration::from_secs(900))?;
        let limit = Limit::new(quota).named("per-ip");
        return Ok(vec![Written { limit, needs_token: false, meets_everybody: true }]);
    }
    let mut limits: Vec<Written> = Vec::new();
    for section in sections {
        let place = format!("[[limit]] {}", section.name.escape_default());
        let written = section.build().map_err(|error| error.within(&place))?;
        if limits.iter().any(|other| other.limit.name() == written.limit.name()) {
            return Err(ConfigError::new("the name is taken").within(&place));
        }
        limits.push(written);
    }
    Ok(limits)
}

impl LimitSection {
    fn build(&self) -> Result<Written, ConfigError> {
        if self.shadow && self.block_after.is_some() {
            return Err(ConfigError::new(
                "`shadow` refuses nobody and `block_after` blocks: leave one of them out",
            ));
        }
        let mut quota: Quota = self.quota.parse()?;
        if let Some(burst) = self.burst {
            quota = quota.with_burst(burst)?;
        }
        let mut limit = Limit::new(quota).named(Name::new(&self.name)?);
        if let Some(by) = &self.by {
            limit = limit.by(key_by(by)?);
        }
        if let Some(cost) = self.cost {
            if !(1..=quota.burst()).contains(&cost) {
                return Err(ConfigError::new(
                    "cost: between 1 and the burst, or no request ever passes",
                ));
            }
            limit = limit.cost(cost);
        }
        if self.shadow {
            limit = limit.shadow();
        }
        if let Some(BlockAfterSection { strikes, within, r#for }) = &self.block_after {
            let ladder = Ladder::try_new(*strikes, within.0, r#for.0, CAP.max(r#for.0))
                .map_err(|error| error.within("block_after"))?;
            limit = limit.block_after(ladder);
        }
        if let Some(on_outage) = self.on_outage {
            limit = limit.on_outage(on_outage.build().map_err(|error| error.within("on_outage"))?);
        }
        let by = self.by.as_deref();
        Ok(Written {
            limit,
            needs_token: by.is_some_and(needs_token),
            meets_everybody: by.is_none_or(meets_everybody),
        })
    }
}

impl OutageSection {
    fn build(self) -> Result<Outage, ConfigError> {
        match self {
            Self::Local(share) => Outage::local(share),
            Self::Admit => Ok(Outage::Admit),
            Self::Refuse => Ok(Outage::Refuse),
        }
    }
}

/// `ip`, `subject`, `claim:tenant`, `ip + header:user-agent`, `subject | ip`: `+` is both at once and
/// binds tighter than `|`, the fallback.
fn key_by(text: &str) -> Result<KeyBy, ConfigError> {
    let either = text.split('|').map(|both| {
        let keys =
            both.split('+').map(|key| single_key(key.trim())).collect::<Result<Vec<_>, _>>()?;
        Ok(fold(keys, KeyBy::and))
    });
    let either = either.collect::<Result<Vec<_>, ConfigError>>()?.into_iter().flatten().collect();
    fold(either, KeyBy::or).ok_or_else(|| ConfigError::new("by: a key is needed"))
}

/// Whether every alternative of a key is absent without a good token.
fn needs_token(by: &str) -> bool {
    let of_token = |key: &str| {
        let kind = key.split_once(':').map_or(key, |(kind, _)| kind);
        matches!(kind.trim(), "subject" | "session" | "claim")
    };
    by.split('|').all(|both| both.split('+').any(of_token))
}

/// Whether an alternative of a key is there in every request: who can leave out a header has no limit by it.
fn meets_everybody(by: &str) -> bool {
    let is_there = |key: &str| matches!(key.trim(), "ip" | "path" | "everyone");
    by.split('|').any(|both| both.split('+').all(is_there))
}

fn fold(keys: Vec<KeyBy>, join: fn(KeyBy, KeyBy) -> KeyBy) -> Option<KeyBy> {
    keys.into_iter().reduce(join)
}

fn single_key(text: &str) -> Result<KeyBy, ConfigError> {
    let unknown = || {
        let text = text.escape_default();
        ConfigError::new(format!(
            "by: `{text}` is not one of ip, subject, session, claim:NAME, header:NAME, path, everyone"
        ))
    };
    Ok(match text.split_once(':') {
        None => match text {
            "ip" => KeyBy::client_ip(),
            "subject" => KeyBy::subject(),
            "session" => KeyBy::session(),
            "path" => KeyBy::path(),
            "everyone" => KeyBy::everyone(),
            _ => return Err(unknown()),
        },
        Some(("claim", name)) if !name.is_empty() => KeyBy::claim(name),
        Some(("header", name)) => {
            KeyBy::header(HeaderName::from_bytes(name.as_bytes()).map_err(|_| unknown())?)
        }
        Some(_) => return Err(unknown()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_needs_a_token_where_no_alternative_goes_without() {
        for by in ["subject", "session", "claim:sub", "ip + subject", "subject|claim:a + path"] {
            assert!(needs_token(by), "{by}");
        }
        for by in ["ip", "header:subject", "everyone", "path", "subject | ip", "session|ip+path"] {
            assert!(!needs_token(by), "{by}");
        }
    }

    #[test]
    fn a_key_meets_everybody_where_an_alternative_is_always_there() {
        for by in ["ip", "path", "everyone", "ip + path", "header:x-key | ip", "subject|ip+path"] {
            assert!(meets_everybody(by), "{by}");
        }
        for by in ["header:x-key", "ip + header:x-key", "subject | header:ip", "claim:a"] {
            assert!(!meets_everybody(by), "{by}");
        }
    }

    #[test]
    fn keys_combine() {
        for (text, want) in [
            ("ip", "client-ip"),
            ("claim:sub", "subject"),
            ("ip + header:user-agent", "(client-ip and header:user-agent)"),
            ("subject | ip+path | everyone", "((subject or (client-ip and path)) or everyone)"),
        ] {
            assert_eq!(format!("{:?}", key_by(text).unwrap()), want);
        }
        for bad in ["", "|", "ip +", "user", "claim:", "header:a b", "IP"] {
            assert!(key_by(bad).is_err(), "{bad}");
        }
    }
}
