use crate::{
    clock::UnixTime, error::ConfigError, eventual::Eventual, jwt::KeyThumbprint, key::Key,
    store::StoreError,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{fmt, str::FromStr, sync::Arc, time::Duration};

/// Keeps sessions: families of refresh tokens, of which only the newest is good.
///
/// A store keeps no token and nothing a token could be made of: a token names its session and its generation, and
/// carries a MAC that the store cannot make.
///
/// Contract: each call is one atomic step for the session it names. `now` is the store's own clock, read once for
/// each call. A session is *over* when it was ended, or when `now` has reached its absolute or its idle end. What is over
/// is answered as if it had never been, but for [`Rotated::Reused`]: a session that was ended by reuse stays known
/// as such until its absolute end.
pub trait Sessions: fmt::Debug + Send + Sync {
    /// Starts a session at generation 0. Of the sessions of one subject the `most` newest are kept, the new one
    /// at least; those that give way are over, and answered. An id that is taken is an error, and so is no room.
    fn open(&self, opening: Opening) -> Eventual<Result<Opened, StoreError>>;

    /// Answers a refresh token of `generation`:
    ///
    /// * It is the session's own: the generation goes up by one, the idle end to `min(now + idle, absolute end)`:
    ///   [`Next`](Rotated::Next).
    /// * It is the one before, and `now` is at most `grace` after that rotation: [`Replay`](Rotated::Replay), and nothing is
    ///   written, so that the grace does not grow.
    /// * It is any other older one: the session is over: [`Reused`](Rotated::Reused).
    /// * It is newer than the store knows, as after a failover that lost a write: the generation becomes `generation
    ///   + 1`: `Next`.
    fn rotate(&self, rotation: Rotation) -> Eventual<Result<Rotated, StoreError>>;

    /// A session that is not over.
    fn session(&self, id: SessionId) -> Eventual<Result<Option<Session>, StoreError>>;

    /// Ends a session. Answers it, unless it was over.
    fn end(&self, id: SessionId) -> Eventual<Result<Option<Session>, StoreError>>;

    /// Ends all sessions of a subject, and answers them, the newest first.
    fn end_all(&self, subject: &str) -> Eventual<Result<Vec<Session>, StoreError>>;

    /// The sessions of a subject that are not over, the newest first.
    fn sessions(&self, subject: &str) -> Eventual<Result<Vec<Session>, StoreError>>;
}

/// Names a session: 16 random bytes, the `sid` of access tokens in base64url.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct SessionId(pub(crate) [u8; 16]);

/// A session to start.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub subject: Arc<str>,
    /// The device that logged in.
    pub device: Key,
    /// The key that whoever refreshes must prove to have, for as long as the session lasts.
    pub bound_to: Option<KeyThumbprint>,
    /// How long a refresh token lasts from its last use.
    pub idle: Duration,
    /// How long the session lasts at most.
    pub longest: Duration,
    /// How many sessions a subject has at most.
    pub most: u8,
}

/// What became of [`Sessions::open`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// The new session.
    pub session: Session,
    /// The oldest ones of the subject, which had to give way.
    pub ended: Vec<Session>,
}

/// A refresh token to answer.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// Its session.
    pub id: SessionId,
    /// Its generation.
    pub generation: u32,
    /// How long a refresh token lasts from its last use.
    pub idle: Duration,
    /// How long the generation before is still answered.
    pub grace: Duration,
}

/// What became of a refresh token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rotated {
    /// The session goes on with the generation it says now.
    Next(Session),
    /// Another call has just had the same successor: the generation that the session says.
    Replay(Session),
    /// It was used before: somebody has a copy. The session is over.
    Reused(Session),
    /// There is no such session.
    Over,
}

/// A session as it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub subject: Arc<str>,
    /// The device that logged in.
    pub device: Key,
    /// The key that whoever refreshes must prove to have.
    pub bound_to: Option<KeyThumbprint>,
    /// The generation of the refresh token that is good.
    pub generation: u32,
    /// When the user logged in.
    pub opened_at: UnixTime,
    /// When a token was last refreshed, or the login.
    pub used_at: UnixTime,
    /// How much longer the refresh token that is good lasts, unused.
    pub expires_in: Duration,
}

impl SessionId {
    /// A session with this name.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// All of it, in base64url: 22 letters, as in `sid`.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Takes the one spelling that `Display` writes. The error does not repeat the text.
impl FromStr for SessionId {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        let wrong = || ConfigError::new("a session id is 22 letters of base64url");
        bytes.map(Self).ok_or_else(wrong)
    }
}

/// Its first bytes: enough to tell sessions apart in a log.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, ..] = self.0;
        write!(f, "SessionId({a:02x}{b:02x}{c:02x}..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling_and_shows_its_first_bytes_only() {
        let id = SessionId([0xfb, 0xff, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(id.to_string(), "-_8DBAUGBwgJCgsMDQ4PEA");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "SessionId(fbff03..)");
        for bad in [
            "",
            "-_8DBAUGBwgJCgsMDQ4PE",
            "-_8DBAUGBwgJCgsMDQ4PEB",
            "-_8DBAUGBwgJCgsMDQ4PEA==",
            "+/8DBAUGBwgJCgsMDQ4PEA",
            "-_8DBAUGBwgJCgsMDQ4PEBE",
            " -_8DBAUGBwgJCgsMDQ4PEA",
        ] {
            let error = bad.parse::<SessionId>().unwrap_err().to_string();
            assert!(bad.is_empty() || !error.contains(bad), "{bad}");
        }
    }
}
