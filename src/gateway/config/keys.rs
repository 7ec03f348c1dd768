//! Keys and secrets, which the file names but never holds.

use super::{EnvFile, read_capped};
use crate::{
    error::ConfigError,
    jwt::{self, Algorithm, Keys},
    profile::Profile,
    token::is_exposed,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
};

/// `env:NAME` or `file:path`: where a secret is.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum SecretRef {
    Env(String),
    File(String),
}

/// Where the file that names secrets has them from.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    /// Paths are relative to it.
    pub(super) folder: &'a Path,
    pub(super) env: &'a EnvFile,
    pub(super) profile: Profile,
    /// What this profile alone allows.
    pub(super) warnings: &'a RefCell<Vec<String>>,
}

impl SecretRef {
    /// The bytes: as they are written, or decoded where they begin with `hex:` or `base64:`. One line
    /// end at the end of a file does not belong to them.
    pub(super) fn read(&self, sources: Sources<'_>) -> Result<Vec<u8>, ConfigError> {
        self.decode(self.secret(sources)?)
    }

    /// What a text means.
    pub(super) fn decode(&self, bytes: Vec<u8>) -> Result<Vec<u8>, ConfigError> {
        let decoded = if let Some(hex) = bytes.strip_prefix(b"hex:") {
            unhex(hex)
        } else if let Some(text) = bytes.strip_prefix(b"base64:") {
            STANDARD.decode(text).ok()
        } else {
            return Ok(bytes);
        };
        decoded.ok_or_else(|| ConfigError::new(format!("{self}: not what its prefix says")))
    }

    /// The bytes, which must be good enough for HMAC-SHA-256.
    pub(super) fn strong(&self, sources: Sources<'_>) -> Result<Vec<u8>, ConfigError> {
        let bytes = self.read(sources)?;
        jwt::check_secret(&bytes, Algorithm::HS256).map_err(|error| error.within(self))?;
        Ok(bytes)
    }

    /// The file, if it is one.
    pub(super) fn path(&self, sources: Sources<'_>) -> Option<PathBuf> {
        match self {
            Self::Env(_) => None,
            Self::File(path) => Some(sources.folder.join(path)),
        }
    }

    /// The bytes as they are written, of a file that nobody else can read: that is refused, and in `dev` told.
    pub(super) fn secret(&self, sources: Sources<'_>) -> Result<Vec<u8>, ConfigError> {
        let text = self.text(sources)?;
        if let Some(path) = self.path(sources)
            && is_exposed(&path).map_err(|error| error.within(self))?.is_some()
        {
            let error = "other users can read or change this secret: chmod 600 the file";
            let error = ConfigError::new(error).within(self);
            if sources.profile != Profile::Dev {
                return Err(error);
            }
            let (mut warnings, warning) = (sources.warnings.borrow_mut(), error.to_string());
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        Ok(text)
    }

    /// The bytes as they are written, of what may be public.
    pub(super) fn text(&self, sources: Sources<'_>) -> Result<Vec<u8>, ConfigError> {
        let bytes = match self {
            Self::Env(name) => sources
                .env
                .find(name)
                .ok_or_else(|| ConfigError::new(format!("the environment has no {name}")))?,
            Self::File(path) => {
                let mut bytes = read_capped(&sources.folder.join(path))
                    .map_err(|error| error.within(path.escape_default()))?;
                if bytes.last() == Some(&b'\n') {
                    bytes.pop();
                }
                if bytes.last() == Some(&b'\r') {
                    bytes.pop();
                }
                bytes
            }
        };
        if bytes.is_empty() {
            return Err(ConfigError::new(format!("{self} is empty")));
        }
        Ok(bytes)
    }
}

impl TryFrom<String> for SecretRef {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        match text.split_once(':') {
            Some(("env", name)) if is_variable(name) => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            _ => Err(ConfigError::new(
                "a secret does not belong into this file: name it as env:NAME or file:path",
            )),
        }
    }
}

/// Names the place, never what is there.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.escape_default()),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What shells call a name; anything else is more likely a secret.
pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a key is in PEM, after whatever tools write before it.
pub(super) fn is_pem(text: &[u8]) -> bool {
    text.windows(10).any(|window| window == b"-----BEGIN")
}

/// Whether keys are a JWK set.
pub(super) fn is_jwk_set(text: &[u8]) -> bool {
    let members: Result<Map<String, Value>, _> = serde_json::from_slice(text);
    members.is_ok_and(|members| members.contains_key("keys"))
}

/// Verifying keys: PEM for the one algorithm that is named, a JWK, or a JWK set.
pub(super) fn verifying(text: &[u8], algorithms: &[Algorithm]) -> Result<Keys, ConfigError> {
    if is_pem(text) {
        return Keys::pem(text, only(algorithms, "a PEM key")?);
    }
    let neither = || ConfigError::new("the keys are neither PEM nor JSON");
    let json = std::str::from_utf8(text).map_err(|_| neither())?;
    let members: Map<String, Value> = serde_json::from_str(json).map_err(|_| neither())?;
    if members.contains_key("keys") { Keys::jwks(json) } else { Keys::jwk(json) }
}

/// The only algorithm of a list.
pub(super) fn only(algorithms: &[Algorithm], what: &str) -> Result<Algorithm, ConfigError> {
    match algorithms {
        [algorithm] => Ok(*algorithm),
        _ => Err(ConfigError::new(format!(
            "{what} is for one algorithm: name exactly one in `algorithms`"
        ))),
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_where_it_is_and_decoded() {
        let folder = std::env::temp_dir().join(format!("portcullis-keys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (env, warnings) = (EnvFile::default(), RefCell::default());
        let sources =
            Sources { folder: &folder, env: &env, profile: Profile::Dev, warnings: &warnings };
        for (text, want) in
            [("as written \n", "as written "), ("hex:6869", "hi"), ("base64:aGk=\n", "hi")]
        {
            std::fs::write(folder.join("secret"), text).unwrap();
            let secret = SecretRef::try_from("file:secret".to_owned()).unwrap();
            assert_eq!(secret.read(sources).unwrap(), want.as_bytes());
        }
        for bad in ["hex:abc", "hex:zz", "base64:?", "", "\n"] {
            std::fs::write(folder.join("secret"), bad).unwrap();
            let secret = SecretRef::try_from("file:secret".to_owned()).unwrap();
            assert!(secret.read(sources).is_err(), "{bad}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_repeated() {
        for secret in ["hunter2hunter2", "env:", "file:", "env:hunter2/hunter2==", "env:a\nhunter2"]
        {
            let error = SecretRef::try_from(secret.to_owned()).unwrap_err().to_string();
            assert!(error.contains("env:NAME") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_form_of_keys_is_told_by_their_structure() {
        let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"keys"}"#;
        let pem = "\nsubject=keys\n-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
        for good in [key, &format!(r#"{{"keys":[{key}]}}"#), pem] {
            let keys = verifying(good.as_bytes(), &[Algorithm::EdDSA]);
            assert!(keys.is_ok(), "{good}: {:?}", keys.err());
        }
        for bad in [&b"ssh-ed25519 AAAA"[..], b"\xff", b"[]", b"7"] {
            let error = verifying(bad, &[]).unwrap_err().to_string();
            assert_eq!(error, "the keys are neither PEM nor JSON");
        }
    }
}
