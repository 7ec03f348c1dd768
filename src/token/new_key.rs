use super::{private_file, private_set::PrivateSet};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    jwt::{Algorithm, FreshKey},
};
use serde_json::Value;
use std::{fmt, path::Path};
use zeroize::Zeroizing;

/// A signing key that was just made, to be written into a file: once, as it is written nowhere else.
///
/// Files are for their owner alone (mode 0600), are whole or not there, and none that exists is overwritten.
///
/// ```no_run
/// use portcullis::{jwt::Algorithm, token::NewKey};
///
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// let key = NewKey::generate(Algorithm::EdDSA)?;
/// key.write_set("signing.jwks")?;
/// println!("{}", key.public_jwk().unwrap_or_default());
/// # Ok(()) }
/// ```
#[must_use]
pub struct NewKey(FreshKey);

impl NewKey {
    /// A pair on the curve of an algorithm, an RSA key of 3072 bits, or a secret as long as the hash: 256 bits or more.
    ///
    /// # Errors
    ///
    /// When the system does not do its part.
    pub fn generate(algorithm: Algorithm) -> Result<Self, ConfigError> {
        FreshKey::generate(algorithm).map(Self)
    }

    /// What it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// Its name: the thumbprint of RFC 7638, or of a secret random letters, which tell nothing of it.
    pub fn kid(&self) -> &str {
        self.0.kid()
    }

    /// The JWK for verifiers; of a secret there is none.
    pub fn public_jwk(&self) -> Option<String> {
        let public = self.0.signing().ok()?.published()?;
        Some(Value::Object(public).to_string())
    }

    /// Writes a [`KeyFile`](super::KeyFile) in which the key signs from now on.
    ///
    /// # Errors
    ///
    /// When there is such a file already, or it cannot be written.
    pub fn write_set(&self, path: impl AsRef<Path>) -> Result<(), ConfigError> {
        let set = PrivateSet::of(&self.0, SystemClock::new().wall()).and_then(|set| set.to_text());
        write(path.as_ref(), set)
    }

    /// Writes one JWK with its private members, for [`Issuer::from_jwk`](super::Issuer::from_jwk).
    ///
    /// # Errors
    ///
    /// Those of [`write_set`](Self::write_set).
    pub fn write_jwk(&self, path: impl AsRef<Path>) -> Result<(), ConfigError> {
        let text = self.0.jwk().map(|jwk| {
            let jwk = Value::Object(jwk);
            Zeroizing::new(format!("{jwk:#}\n").into_bytes())
        });
        write(path.as_ref(), text)
    }

    /// Writes the private key in PEM (PKCS#8), for [`Issuer::from_pem`](super::Issuer::from_pem).
    ///
    /// # Errors
    ///
    /// When the key is a secret, or those of [`write_set`](Self::write_set).
    pub fn write_pem(&self, path: impl AsRef<Path>) -> Result<(), ConfigError> {
        let none = || ConfigError::new("a secret has no PEM form: write it as a JWK");
        write(path.as_ref(), self.0.pem().ok_or_else(none).and_then(|pem| pem))
    }

    pub(super) const fn fresh(&self) -> &FreshKey {
        &self.0
    }
}

fn write(path: &Path, text: Result<Zeroizing<Vec<u8>>, ConfigError>) -> Result<(), ConfigError> {
    private_file::create(path, &text?).map_err(|error| error.within(path.display()))
}

/// Names the key, and shows nothing of it.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}
