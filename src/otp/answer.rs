use super::Subject;
use crate::{
    jwt::KeyThumbprint,
    phone::Phone,
    records::{BindingId, Device},
    store::Standing,
    token::{RefreshToken, Session, SessionId},
};
use std::{fmt, time::Duration};
use zeroize::Zeroizing;

/// A challenge that was started or sent again, as its client is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Challenge {
    /// What the client calls it: 50 characters of base64url.
    pub id: String,
    /// How long the code is good for.
    pub expires_in: Duration,
    /// How long before it can be sent again.
    pub resend_after: Duration,
    /// How many digits the code has.
    pub code_length: u8,
    /// The number it went to; shows itself masked.
    pub phone: Phone,
    /// How the windows of the client and of the device stand.
    pub(super) standings: Standings,
}

/// How the windows of a client and of a phone's device stand, if they were looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standings {
    pub(super) client: Option<Standing>,
    pub(super) device: Option<Standing>,
}

/// Somebody has shown to hold a phone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proof {
    /// The phone.
    pub phone: Phone,
    /// Whether the phone was not known to have used this device before.
    pub new_device: bool,
}

/// A login that succeeded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Login {
    /// The tokens.
    pub tokens: Tokens,
    /// Who it is.
    pub subject: Subject,
    /// Whether the number had no subject before.
    pub is_new: bool,
    /// Whether the phone was not known to have used this device before.
    pub new_device: bool,
    /// What the owner calls the device.
    pub device: BindingId,
}

/// An access token and the refresh token that gets the next one. Shows neither.
#[derive(Clone)]
#[non_exhaustive]
pub struct Tokens {
    /// The access token, a JWT.
    pub access: Zeroizing<String>,
    /// How long it lasts.
    pub access_expires_in: Duration,
    /// The refresh token.
    pub refresh: RefreshToken,
    /// How long it lasts if it is not used.
    pub refresh_expires_in: Duration,
    /// Their session.
    pub session: SessionId,
    /// Whose it is.
    pub subject: Subject,
    /// The key that the access token is bound to.
    pub bound_to: Option<KeyThumbprint>,
}

/// A device, as its owner sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OwnDevice {
    /// The device.
    pub device: Device,
    /// Whether the one who asks is using it.
    pub current: bool,
}

/// A session, as its owner sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OwnSession {
    /// The session.
    pub session: Session,
    /// Whether the one who asks is using it.
    pub current: bool,
}

impl Tokens {
    /// How the access token is sent: `DPoP`, with a proof, or `Bearer`.
    pub const fn token_type(&self) -> &'static str {
        if self.bound_to.is_some() { "DPoP" } else { "Bearer" }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("session", &self.session).finish_non_exhaustive()
    }
}
