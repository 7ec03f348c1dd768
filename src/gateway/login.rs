//! The login of the gateway: an `OtpService` over the store that everything shares.

use super::{
    config::{Config, LoginConfig, WebhooksConfig},
    lockdown::{Lockdown, Withheld},
};
use crate::{
    audit::Sink,
    body::ResponseBody,
    error::ConfigError,
    gate::Door,
    otp::{Courier, Otp, OtpService, SharedLoginStore, webhooks::SmsWebhooks},
    rejection::Reason,
    store::SharedStore,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::timeout;
use tower::Service;

/// For a body of at most 4 KiB to arrive, and its answer to be found.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a login answers: its clients, and the providers of its messages.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) service: OtpService,
    pub(super) webhooks: Option<SmsWebhooks>,
}

pub(super) fn build(
    config: &Config,
    login: &LoginConfig,
    store: SharedLoginStore,
    lockdown: &Lockdown,
    sink: Option<&Arc<dyn Sink>>,
) -> Result<(Otp, Login, Courier), ConfigError> {
    let (settings, secrets, texts) =
        (login.settings.clone(), login.secrets.clone(), login.texts.clone());
    let mut sender = login.route.clone().over(Arc::clone(&store) as SharedStore);
    if let Some(sink) = sink {
        sender = sender.audit(Arc::clone(sink));
    }
    let sender = Arc::new(Withheld::new(Arc::new(sender), lockdown.clone()));
    let mut builder = Otp::builder(settings, secrets, texts)
        .records(Arc::clone(&login.records))
        .test_numbers(login.test_numbers.clone());
    if login.webhooks.as_ref().is_some_and(WebhooksConfig::hears_start) {
        builder = builder.believe_opt_outs();
    }
    if let Some(challenger) = &login.challenger {
        builder = builder.challenger(challenger.clone());
    }
    if let Some(rules) = config.dpop.as_ref().and_then(|dpop| dpop.login.clone()) {
        builder = builder.dpop(rules);
    }
    if let Some(sink) = sink {
        builder = builder.audit(Arc::clone(sink));
    }
    let (otp, courier) = builder.build_shared(store, config.issuer()?.clone(), sender)?;
    let webhooks =
        login.webhooks.as_ref().map(|webhooks| webhooks.open(otp.clone())).transpose()?;
    let mut service = OtpService::new(otp.clone()).clients(config.clients.clone());
    if let Some((cookies, origins)) = &login.cookies {
        service = service.cookies(cookies.clone(), origins.clone());
    }
    if let Some(metadata) = &config.resource {
        service = service.resource_metadata(metadata);
    }
    let limits = config.stray_limits.iter().cloned();
    let limits = limits.map(|limit| limit.tightened_by(lockdown.limits()));
    let service = limits.fold(service, OtpService::limit);
    Ok((otp, Login { service, webhooks }, courier))
}

/// Asks the login, which has no clock to tell a body that trickles in.
pub(super) async fn answer<B>(
    mut service: OtpService,
    request: Request<B>,
) -> Result<Response<ResponseBody<Full<Bytes>>>, Infallible>
where
    B: Body<Data: Send> + Send + 'static,
{
    let (head, body) = request.into_parts();
    let kept = head.clone();
    match timeout(PATIENCE, service.call(Request::from_parts(head, body))).await {
        Ok(answer) => answer,
        Err(_) => {
            Ok(Door::of("gateway").refuse(&kept, Reason::RequestTimeout).map(ResponseBody::ours))
        }
    }
}
