use super::target::FAR;
use crate::store::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// What went wrong, in words for operators: without what was sent, and without what the server said about that.
pub(super) fn told(error: &RedisError) -> StoreError {
    let kind = error.kind();
    let says = |words| error.detail().is_some_and(|detail| detail.contains(words));
    let told = StoreError::new(match (kind, error.code()) {
        (ErrorKind::InvalidClientConfig, _) if error.to_string().contains(FAR) => FAR,
        // The second is what a broken handshake of TLS is.
        (ErrorKind::Io | ErrorKind::Client, _) => {
            let text = error.to_string();
            if !text.contains("certificate") {
                // Errors of connections name neither what was sent nor to whom.
                return StoreError::new(format!("no connection: {text}"));
            }
            "the certificate of the server is not trusted; is its CA named, and its host the one in the URL?"
        }
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => {
            "the server refuses the user or the password"
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => LACKS_RIGHTS,
        // Of a script, and of choosing a database.
        _ if says("ACL failure") || says("has no permissions") => LACKS_RIGHTS,
        _ if says("DB index is out of range") => {
            "the server has no database of the number in the URL"
        }
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => "the server is a replica",
        (ErrorKind::MasterNameNotFoundBySentinel, _) => {
            "no sentinel names a server that is master; is the name in the URL right?"
        }
        (_, Some("OOM")) => "the server has no memory left",
        (_, Some(code)) => return StoreError::new(format!("the server answers {code}")).said(),
        _ => return StoreError::new(format!("{kind:?}")),
    });
    told.said()
}

pub(in crate::store::redis) const LACKS_RIGHTS: &str =
    "the user lacks rights to the commands or keys of the store";
