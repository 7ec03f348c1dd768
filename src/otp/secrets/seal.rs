use super::Secrets;
use crate::otp::ChallengeId;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// Text that only the login can read. Whoever stores it sees its length alone.
#[derive(Clone, Eq, PartialEq)]
pub struct Sealed(Arc<[u8]>);

const NONCE: usize = 12;
const TAG: usize = 16;

impl Secrets {
    /// Bound to the challenge.
    pub(crate) fn seal(&self, challenge: ChallengeId, text: &[u8]) -> Option<Sealed> {
        seal(&self.seal, &challenge.0, text)
    }

    pub(crate) fn open(
        &self,
        challenge: ChallengeId,
        sealed: &Sealed,
    ) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.seal, &challenge.0, sealed)
    }
}

/// AES-256-GCM, bound to what it is about.
pub(super) fn seal(key: &[u8; 32], about: &[u8], text: &[u8]) -> Option<Sealed> {
    let mut sealed = vec![0; NONCE];
    getrandom::fill(&mut sealed).ok()?;
    let mut tag = [0; TAG];
    let body = encrypt_aead(Cipher::aes_256_gcm(), key, Some(&sealed), about, text, &mut tag);
    sealed.extend(body.ok()?);
    sealed.extend(tag);
    Some(Sealed(sealed.into()))
}

pub(super) fn open(key: &[u8; 32], about: &[u8], sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.0.split_at_checked(NONCE)?;
    let (body, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
    let text = decrypt_aead(Cipher::aes_256_gcm(), key, Some(nonce), about, body, tag);
    text.ok().map(Zeroizing::new)
}

impl Sealed {
    /// What a store has kept.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// What a store should keep.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ChallengeId = ChallengeId([1; 16]);
    const B: ChallengeId = ChallengeId([2; 16]);

    #[test]
    fn what_is_sealed_opens_for_its_challenge_alone() {
        let secrets = Secrets::random().unwrap();
        let sealed = secrets.seal(A, b"+919876543210").unwrap();
        assert_eq!(secrets.open(A, &sealed).unwrap().as_slice(), b"+919876543210");
        assert!(sealed != secrets.seal(A, b"+919876543210").unwrap(), "a nonce came twice");
        assert!(secrets.open(B, &sealed).is_none());
        assert!(Secrets::random().unwrap().open(A, &sealed).is_none());
        for at in 0..sealed.as_bytes().len() {
            let mut bad = sealed.as_bytes().to_vec();
            bad[at] ^= 1;
            assert!(secrets.open(A, &Sealed::from_bytes(&bad)).is_none(), "{at}");
            assert!(secrets.open(A, &Sealed::from_bytes(&bad[..at])).is_none(), "{at}");
        }
        assert_eq!(format!("{sealed:?} {secrets:?}"), "Sealed(..) Secrets(..)");
    }
}
