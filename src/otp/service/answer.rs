//! Answers, as they are written.

use crate::{
    clock::seconds_up,
    jwt::NextNonce,
    otp::{Challenge, Login, OwnDevice, OwnSession, Tokens, receipts::MessageState},
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

#[derive(Serialize)]
struct ChallengeBody<'a> {
    challenge_id: &'a str,
    expires_in: u64,
    resend_after: u64,
    code_length: u8,
    phone_masked: String,
    channel: &'static str,
}

#[derive(Serialize)]
struct StateBody {
    state: &'static str,
}

#[derive(Serialize)]
struct TokensBody<'a> {
    /// Left out where cookies carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    refresh_expires_in: u64,
    session_id: String,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_new: Option<bool>,
}

#[derive(Serialize)]
struct SessionsBody {
    sessions: Vec<SessionBody>,
}

#[derive(Serialize)]
struct SessionBody {
    session_id: String,
    created_at: u64,
    last_used_at: u64,
    expires_in: u64,
    current: bool,
    /// Whether only whoever has its key can refresh it.
    bound: bool,
}

#[derive(Serialize)]
struct DevicesBody {
    devices: Vec<DeviceBody>,
}

#[derive(Serialize)]
struct DeviceBody {
    device_id: String,
    bound_at: u64,
    last_login_at: u64,
    current: bool,
}

pub(super) fn challenge(challenge: &Challenge) -> Response<Bytes> {
    let body = ChallengeBody {
        challenge_id: &challenge.id,
        // Rounded so that a client neither comes too late nor too early.
        expires_in: challenge.expires_in.as_secs(),
        resend_after: seconds_up(challenge.resend_after),
        code_length: challenge.code_length,
        phone_masked: challenge.phone.to_string(),
        channel: "sms",
    };
    json(StatusCode::ACCEPTED, &body)
}

pub(super) fn state(state: MessageState) -> Response<Bytes> {
    json(StatusCode::OK, &StateBody { state: state.name() })
}

/// The tokens in the body, unless cookies carry them.
pub(super) fn login(login: &Login, in_body: bool) -> Response<Bytes> {
    tokens(&login.tokens, Some(login.is_new), in_body)
}

pub(super) fn refreshed(tokens_: &Tokens, in_body: bool) -> Response<Bytes> {
    tokens(tokens_, None, in_body)
}

pub(super) fn sessions(sessions: &[OwnSession]) -> Response<Bytes> {
    let sessions = sessions.iter().map(|OwnSession { session, current }| SessionBody {
        session_id: session.id.to_string(),
        created_at: session.opened_at.as_secs(),
        last_used_at: session.used_at.as_secs(),
        expires_in: session.expires_in.as_secs(),
        current: *current,
        bound: session.bound_to.is_some(),
    });
    json(StatusCode::OK, &SessionsBody { sessions: sessions.collect() })
}

pub(super) fn devices(devices: &[OwnDevice]) -> Response<Bytes> {
    let devices = devices.iter().map(|OwnDevice { device, current }| DeviceBody {
        device_id: device.id.to_string(),
        bound_at: device.bound_at.as_secs(),
        last_login_at: device.seen_at.as_secs(),
        current: *current,
    });
    json(StatusCode::OK, &DevicesBody { devices: devices.collect() })
}

pub(super) fn nothing() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The description of all this, in OpenAPI 3.1.
pub(super) fn open_api() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(include_bytes!("../openapi.json")));
    declare_json(&mut response);
    response
}

/// Hands out the nonce for the next proof, if there is one.
pub(super) fn with_nonce(
    mut response: Response<Bytes>,
    nonce: Option<NextNonce>,
) -> Response<Bytes> {
    if let Some(nonce) = nonce {
        nonce.write(response.headers_mut());
    }
    response
}

fn tokens(tokens: &Tokens, is_new: Option<bool>, in_body: bool) -> Response<Bytes> {
    let body = TokensBody {
        access_token: in_body.then_some(&tokens.access),
        token_type: tokens.token_type(),
        expires_in: tokens.access_expires_in.as_secs(),
        refresh_token: in_body.then(|| tokens.refresh.as_str()),
        refresh_expires_in: tokens.refresh_expires_in.as_secs(),
        session_id: tokens.session.to_string(),
        subject: tokens.subject.as_str(),
        is_new,
    };
    json(StatusCode::OK, &body)
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    // Bodies of strings and numbers always serialize.
    let mut response = Response::new(serde_json::to_vec(body).unwrap_or_default().into());
    *response.status_mut() = status;
    declare_json(&mut response);
    response
}

fn declare_json(response: &mut Response<Bytes>) {
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
}
