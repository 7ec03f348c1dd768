//! Which providers send messages, in which order, and what may be spent on each.

use super::senders::{SenderName, Senders, put};
use crate::gateway::config::keys::Sources;
use crate::{
    error::ConfigError,
    otp::sender::{Provider, Route},
    profile::Profile,
};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor, value::SeqAccessDeserializer, value::StrDeserializer},
};
use std::{collections::BTreeMap, fmt};

/// `"twilio"`, or `["twilio", "msg91"]`.
#[derive(Debug)]
pub(super) struct SenderNames(pub(super) Vec<SenderName>);

/// `"+91" = ["msg91", "twilio"]`: providers for numbers that begin so.
pub(super) type RouteSection = BTreeMap<String, SenderNames>;

/// What may be spent on a provider.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    pub(super) per_day: Option<u32>,
    pub(super) soft: Option<u32>,
    pub(super) per_minute: Option<u32>,
}

/// The route that the names and the countries describe.
pub(super) fn route(
    senders: Senders<'_>,
    names: &SenderNames,
    countries: &RouteSection,
    profile: Profile,
    sources: Sources<'_>,
) -> Result<Route, ConfigError> {
    senders.refuse_idle(&names.0)?;
    let provider = |name: &SenderName| {
        let sender = senders.build(*name, profile, sources)?;
        let provider = Provider::shared(name.as_str(), sender)?;
        senders.budget(*name).of(provider).map_err(|error| error.within(name.section()))
    };
    let providers: Vec<_> = names.0.iter().map(provider).collect::<Result<_, _>>()?;
    let mut route = Route::new(providers).map_err(|error| error.within("[otp]: sender"))?;
    for (prefix, names) in countries {
        let names: Vec<_> = names.0.iter().map(|name| name.as_str()).collect();
        route = route.country(prefix, &names).map_err(|error| error.within("[otp.route]"))?;
    }
    Ok(route)
}

impl Budget {
    fn of(self, provider: Provider) -> Result<Provider, ConfigError> {
        let provider = put(provider, "per_day", self.per_day, Provider::per_day)?;
        let provider = put(provider, "soft", self.soft, Provider::soft)?;
        put(provider, "per_minute", self.per_minute, Provider::per_minute)
    }
}

impl<'de> Deserialize<'de> for SenderNames {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = SenderNames;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a sender or a list of names")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<SenderNames, E> {
                let name = SenderName::deserialize(StrDeserializer::new(name))?;
                Ok(SenderNames(vec![name]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<SenderNames, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(names)).map(SenderNames)
            }
        }

        from.deserialize_any(OneOrSeveral)
    }
}
