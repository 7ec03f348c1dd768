use crate::error::ConfigError;
#[cfg(not(feature = "fips"))]
use crate::hmac::Pads;
#[cfg(not(feature = "fips"))]
use openssl::sha::Sha256;
#[cfg(feature = "fips")]
use openssl::{
    error::ErrorStack,
    hash::MessageDigest,
    pkey::{PKey, Private},
    sign::Signer,
};
use std::{fmt, sync::Arc};

/// A key for HMAC-SHA-256. Cheap to clone.
#[derive(Clone)]
pub(in crate::otp) struct MacKey(Arc<Keyed>);

#[cfg(not(feature = "fips"))]
type Keyed = Pads<Sha256>;
#[cfg(feature = "fips")]
type Keyed = PKey<Private>;

#[cfg(not(feature = "fips"))]
impl MacKey {
    /// # Errors
    ///
    /// When the library takes no such secret.
    pub(in crate::otp) fn new(secret: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(Pads::new(secret))))
    }

    /// The authenticator of all parts in a row, of which all but the last have fixed lengths. `None` if the library fails.
    pub(in crate::otp) fn mac(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        Some(self.0.mac(parts))
    }
}

#[cfg(feature = "fips")]
impl MacKey {
    /// # Errors
    ///
    /// When the library takes no such secret.
    pub(in crate::otp) fn new(secret: &[u8]) -> Result<Self, ConfigError> {
        let key = PKey::hmac(secret);
        key.map(Arc::new).map(Self).map_err(|_| ConfigError::new("the secret cannot be used"))
    }

    /// The authenticator of all parts in a row, of which all but the last have fixed lengths. `None` if the library fails.
    pub(in crate::otp) fn mac(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        let mac = || -> Result<_, ErrorStack> {
            let mut signer = Signer::new(MessageDigest::sha256(), &self.0)?;
            parts.iter().try_for_each(|part| signer.update(part))?;
            let mut mac = [0; 32];
            signer.sign(&mut mac)?;
            Ok(mac)
        };
        mac().ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 sections 4.3 and 4.7: a key that is shorter than a block, and one that is longer.
    #[test]
    fn it_agrees_with_the_standard_however_the_message_is_cut() {
        let hex = |mac: [u8; 32]| mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (secret, message, mac) in [
            (
                &b"Jefe"[..],
                &b"what do ya want for nothing?"[..],
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            let key = MacKey::new(secret).unwrap();
            for at in 0..=message.len() {
                let (start, end) = message.split_at(at);
                assert_eq!(hex(key.mac(&[start, b"", end]).unwrap()), mac, "{at}");
            }
        }
    }
}
