use crate::rejection::{Reason, Rejection};
use http::{HeaderValue, Method, header, request::Parts};

/// What a request wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Route<'a> {
    Request,
    Resend,
    Verify,
    State(&'a str),
    ChangePhone,
    VerifyPhone,
    Refresh,
    Logout,
    LogoutAll,
    Sessions,
    EndSession(&'a str),
    Devices,
    RevokeDevice(&'a str),
    OpenApi,
}

const GET: &str = "GET, HEAD";

impl<'a> Route<'a> {
    pub(super) fn find(request: &'a Parts) -> Result<Self, Rejection> {
        let (route, allowed) = match request.uri.path() {
            "/v1/otp/request" => (Self::Request, "POST"),
            "/v1/otp/resend" => (Self::Resend, "POST"),
            "/v1/otp/verify" => (Self::Verify, "POST"),
            CHANGE => (Self::ChangePhone, "POST"),
            VERIFY_CHANGE => (Self::VerifyPhone, "POST"),
            "/v1/token/refresh" => (Self::Refresh, "POST"),
            LOGOUT => (Self::Logout, "POST"),
            "/v1/logout/all" => (Self::LogoutAll, "POST"),
            SESSIONS => (Self::Sessions, GET),
            DEVICES => (Self::Devices, GET),
            "/v1/openapi.json" => (Self::OpenApi, GET),
            path => match (below(SESSIONS, path), below(DEVICES, path), challenge(path)) {
                (Some(id), ..) => (Self::EndSession(id), "DELETE"),
                (_, Some(id), _) => (Self::RevokeDevice(id), "DELETE"),
                (.., Some(id)) => (Self::State(id), GET),
                (None, None, None) => return Err(Reason::NotFound.into()),
            },
        };
        let method = if request.method == Method::HEAD { "GET" } else { request.method.as_str() };
        if allowed.split(", ").any(|allowed| allowed == method) {
            return Ok(route);
        }
        let mut rejection = Rejection::new(Reason::MethodNotAllowed);
        rejection.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        Err(rejection)
    }
}

/// Whether what is at a path is for callers with a good token alone. Logout is not among them: it must work with
/// a token that was revoked.
pub(super) fn needs_token(path: &str) -> bool {
    matches!(path, "/v1/logout/all" | SESSIONS | DEVICES | CHANGE | VERIFY_CHANGE)
        || [SESSIONS, DEVICES].iter().any(|list| below(list, path).is_some())
}

/// Whether what is at a path takes a token that need not be good, so that no guard has said which are taken.
pub(super) fn may_have_token(path: &str) -> bool {
    path == LOGOUT
}

const LOGOUT: &str = "/v1/logout";
const CHANGE: &str = "/v1/phone/change";
const VERIFY_CHANGE: &str = "/v1/phone/change/verify";
const SESSIONS: &str = "/v1/sessions";
const DEVICES: &str = "/v1/devices";

const CHALLENGES: &str = "/v1/otp";

/// What can be a challenge: 50 characters of base64url.
fn challenge(path: &str) -> Option<&str> {
    let in_ids = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    below(CHALLENGES, path).filter(|id| id.len() == 50 && id.bytes().all(in_ids))
}

/// The id of one of a list.
fn below<'a>(list: &str, path: &'a str) -> Option<&'a str> {
    let id = path.strip_prefix(list)?.strip_prefix('/')?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}
