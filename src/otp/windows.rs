use super::{Rules, Window, answer::Standings};
use crate::{
    key::Key,
    limit::{Encoder, Headers, Limit, Quota},
    store::{Standing, Take},
};
use http::HeaderMap;
use smallvec::SmallVec;

/// Tells in the headers of limits how the windows of a client and of a device stand. That of the phone is left
/// out: it would tell a stranger what others do with the number.
#[derive(Debug)]
pub(super) struct Windows {
    client: Option<Limit>,
    device: Option<Limit>,
    encoder: Encoder,
}

impl Windows {
    pub(super) fn new(rules: &Rules, headers: Headers) -> Self {
        let limit = |name: &'static str, window: Window| {
            let quota = Quota::new(window.count.into(), window.within).ok()?;
            Some(Limit::new(quota).named(name))
        };
        let (client, device) =
            (limit("otp-client", rules.client), limit("otp-device", rules.device));
        let encoder = Encoder::new(headers, [&client, &device].into_iter().flatten());
        Self { client, device, encoder }
    }

    pub(super) fn write(&self, standings: &Standings, headers: &mut HeaderMap) {
        let take = |limit: &Limit| limit.take(Key::EVERYONE, 1);
        let pairs = [(&self.client, standings.client), (&self.device, standings.device)];
        let (takes, standings): (SmallVec<[Take; 2]>, SmallVec<[Standing; 2]>) = pairs
            .into_iter()
            .filter_map(|(limit, standing)| Some((take(limit.as_ref()?), standing?)))
            .unzip();
        if !takes.is_empty() {
            self.encoder.encode(&takes, &standings).write(headers);
        }
    }
}
