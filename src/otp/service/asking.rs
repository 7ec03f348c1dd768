use super::endpoints::Endpoints;
use crate::{
    block::AddressStanding,
    client::Client,
    otp::{Caller, DeviceId},
    rejection::{Reason, Rejection},
};
use http::{HeaderValue, header, request::Parts};

const DEVICE_ID: &str = "x-device-id";
const CHALLENGE_RESPONSE: &str = "x-challenge-response";

impl Endpoints {
    /// Who asks, as far as headers and connection tell.
    pub(super) fn caller(&self, parts: &Parts, client: Client) -> Result<Caller, Rejection> {
        let mut ids = parts.headers.get_all(DEVICE_ID).iter();
        let device: DeviceId = match (ids.next().map(HeaderValue::to_str), ids.next()) {
            (Some(Ok(id)), None) => id.parse().map_err(|_| Reason::DeviceInvalid)?,
            _ => return Err(Reason::DeviceInvalid.into()),
        };
        let mut caller = Caller::new(client, device);
        if let Some(agent) = parts.headers.get(header::USER_AGENT) {
            caller = caller.user_agent(agent.as_bytes());
        }
        let languages = parts.headers.get(header::ACCEPT_LANGUAGE);
        if let Some(Ok(languages)) = languages.map(HeaderValue::to_str) {
            caller = caller.language(languages);
        }
        let mut responses = parts.headers.get_all(CHALLENGE_RESPONSE).iter();
        if let (Some(Ok(response)), None) =
            (responses.next().map(HeaderValue::to_str), responses.next())
        {
            caller = caller.challenge_response(response);
        }
        if self.addresses.standing(client.address()) == AddressStanding::Allowed {
            caller = caller.never_struck();
        }
        Ok(caller)
    }
}
