mod decoy;
mod mac_key;
mod records;
mod seal;
mod session_bound;
#[cfg(feature = "gateway")]
mod tags;

pub(super) use mac_key::MacKey;
pub use seal::Sealed;

use super::{
    challenges::ChallengeId,
    code::{Code, CodeMac},
};
use crate::{
    error::ConfigError,
    jwt::{self, Algorithm},
    key::{Key, KeyKind},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::memcmp;
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// The secrets of a login: whoever has them and a copy of the store could guess codes and make refresh
/// tokens, so they are kept apart from it. Cheap to clone.
///
/// All instances that share a store need the same ones. Changing the refresh secret ends all sessions. Changing the pepper ends
/// the challenges that are live, and [records](crate::records) that were written under the old one are refused.
#[derive(Clone)]
pub struct Secrets {
    codes: MacKey,
    ids: MacKey,
    decoys: MacKey,
    sessions: MacKey,
    refresh: MacKey,
    records: MacKey,
    kept: Arc<Zeroizing<[u8; 32]>>,
    seal: Arc<Zeroizing<[u8; 32]>>,
    made_up: bool,
}

/// What a challenge is for. A code for one purpose is wrong for another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Purpose {
    /// To log in.
    Login = 1,
    /// To confirm that a user who is logged in still has the phone.
    StepUp = 2,
    /// To show that a new number belongs to the user.
    PhoneChange = 3,
}

/// What a challenge is called towards its client: it names the phone's place in the store without a look-up, and
/// a forged one is refused without a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Handle {
    pub(crate) purpose: Purpose,
    pub(crate) challenge: ChallengeId,
    pub(crate) phone: Key,
}

const HANDLE: usize = 1 + 16 + 16;
const HANDLE_MAC: usize = 4;

impl Secrets {
    /// Secrets from a pepper for codes and a secret for refresh tokens, each at least 32 bytes from a random
    /// generator.
    ///
    /// # Errors
    ///
    /// When one is too short or can be guessed, or both are the same.
    pub fn new(pepper: &[u8], refresh: &[u8]) -> Result<Self, ConfigError> {
        let strong = |name: &str, secret| {
            jwt::check_secret(secret, Algorithm::HS256).map_err(|error| error.within(name))
        };
        strong("pepper", pepper)?;
        strong("refresh secret", refresh)?;
        if pepper == refresh {
            return Err(ConfigError::new("the pepper and the refresh secret must not be the same"));
        }
        Self::derive(pepper, refresh, false)
    }

    /// Fresh secrets, which die with the process. For the profile `dev`.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn random() -> Result<Self, ConfigError> {
        let mut bytes = Zeroizing::new([0; 64]);
        getrandom::fill(&mut *bytes)
            .map_err(|_| ConfigError::new("the system gave no random bytes"))?;
        Self::derive(&bytes[..32], &bytes[32..], true)
    }

    /// Whether these were made up at start.
    pub(crate) fn are_made_up(&self) -> bool {
        self.made_up
    }

    fn derive(pepper: &[u8], refresh: &[u8], made_up: bool) -> Result<Self, ConfigError> {
        let (pepper, refresh) = (MacKey::new(pepper)?, MacKey::new(refresh)?);
        let secret = |from: &MacKey, use_: &[u8]| {
            let failed = || ConfigError::new("the secrets could not be derived");
            from.mac(&[use_]).map(Zeroizing::new).ok_or_else(failed)
        };
        let key = |from: &MacKey, use_: &[u8]| MacKey::new(&*secret(from, use_)?);
        Ok(Self {
            codes: key(&pepper, b"portcullis otp code 1")?,
            ids: key(&pepper, b"portcullis otp challenge id 1")?,
            decoys: key(&pepper, b"portcullis otp decoy 1")?,
            sessions: key(&pepper, b"portcullis otp session 1")?,
            seal: Arc::new(secret(&pepper, b"portcullis otp seal 1")?),
            records: key(&pepper, b"portcullis otp records 1")?,
            kept: Arc::new(secret(&pepper, b"portcullis otp record seal 1")?),
            refresh: key(&refresh, b"portcullis refresh token 1")?,
            made_up,
        })
    }

    /// The authenticator of a code: bound to challenge, phone, purpose and device. `None` if the library fails.
    pub(crate) fn code(&self, handle: &Handle, device: Key, code: &Code) -> Option<CodeMac> {
        let digits = code.as_digits().as_bytes();
        let about: [&[u8]; 6] = [
            b"otp1",
            &[handle.purpose as u8],
            &handle.challenge.0,
            handle.phone.bytes(),
            device.bytes(),
            digits,
        ];
        self.codes.mac(&about).map(CodeMac)
    }

    pub(crate) fn refresh_mac(&self, message: &[u8]) -> Option<[u8; 32]> {
        self.refresh.mac(&[message])
    }

    /// The text of a handle.
    pub(crate) fn handle(&self, handle: &Handle) -> Option<String> {
        let mut bytes = [0; HANDLE + HANDLE_MAC];
        bytes[0] = handle.purpose as u8;
        bytes[1..17].copy_from_slice(&handle.challenge.0);
        bytes[17..HANDLE].copy_from_slice(handle.phone.bytes());
        let mac = self.ids.mac(&[&bytes[..HANDLE]])?;
        bytes[HANDLE..].copy_from_slice(&mac[..HANDLE_MAC]);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The handle that a text stands for, if it is one of ours.
    pub(crate) fn read_handle(&self, text: &str) -> Option<Handle> {
        let mut bytes = [0; HANDLE + HANDLE_MAC];
        if text.len() != (HANDLE + HANDLE_MAC) * 4 / 3 + 1 {
            return None;
        }
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let mac = self.ids.mac(&[&bytes[..HANDLE]])?;
        if length != bytes.len() || !constant_time_eq(&mac[..HANDLE_MAC], &bytes[HANDLE..]) {
            return None;
        }
        let purpose = Purpose::ALL.into_iter().find(|purpose| *purpose as u8 == bytes[0])?;
        let challenge = ChallengeId(bytes[1..17].try_into().ok()?);
        let phone = Key::tag(KeyKind::Phone, bytes[17..HANDLE].try_into().ok()?);
        Some(Handle { purpose, challenge, phone })
    }
}

impl Purpose {
    pub(crate) const ALL: [Self; 3] = [Self::Login, Self::StepUp, Self::PhoneChange];

    /// The name in requests, templates and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::StepUp => "step_up",
            Self::PhoneChange => "phone_change",
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Whether both are the same, in a time that depends on the length alone.
pub(crate) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && memcmp::eq(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEPPER: &[u8] = b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";
    const REFRESH: &[u8] = b"q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE";
    const A: ChallengeId = ChallengeId([1; 16]);
    const B: ChallengeId = ChallengeId([2; 16]);

    fn secrets() -> Secrets {
        Secrets::new(PEPPER, REFRESH).unwrap()
    }

    fn handle(purpose: Purpose, challenge: ChallengeId, phone: u8) -> Handle {
        Handle { purpose, challenge, phone: Key::tag(KeyKind::Phone, [phone; 16]) }
    }

    #[test]
    fn a_handle_comes_back_and_a_changed_one_does_not() {
        let (secrets, other) = (secrets(), Secrets::random().unwrap());
        for purpose in Purpose::ALL {
            let handle = handle(purpose, A, 7);
            let text = secrets.handle(&handle).unwrap();
            assert_eq!((text.len(), secrets.read_handle(&text)), (50, Some(handle)));
            assert_eq!(other.read_handle(&text), None);
            let good = URL_SAFE_NO_PAD.decode(&text).unwrap();
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(secrets.read_handle(&URL_SAFE_NO_PAD.encode(bad)), None, "{bit}");
            }
            for bad in ["", &text[1..], &format!("{text}="), &format!("{}=", &text[..49])] {
                assert_eq!(secrets.read_handle(bad), None, "{bad}");
            }
        }
    }

    #[test]
    fn requirements_11_and_15_a_code_is_good_for_one_challenge_phone_purpose_and_device() {
        let device = |byte| Key::tag(KeyKind::Device, [byte; 16]);
        let code = |digits: &str| Code::parse(digits, 6).unwrap();
        let mac = |secrets: &Secrets, handle: &Handle, of, digits: &str| {
            secrets.code(handle, device(of), &code(digits)).unwrap()
        };
        let (secrets, login) = (secrets(), handle(Purpose::Login, A, 7));
        let right = mac(&secrets, &login, 9, "012345");
        assert!(right.matches(&mac(&secrets, &login, 9, "012345")));
        let others = [
            mac(&secrets, &login, 9, "012346"),
            mac(&secrets, &login, 8, "012345"),
            mac(&secrets, &handle(Purpose::StepUp, A, 7), 9, "012345"),
            mac(&secrets, &handle(Purpose::Login, B, 7), 9, "012345"),
            mac(&secrets, &handle(Purpose::Login, A, 6), 9, "012345"),
            mac(&Secrets::new(REFRESH, PEPPER).unwrap(), &login, 9, "012345"),
        ];
        assert!(!others.iter().any(|other| right.matches(other)));
    }

    #[test]
    fn each_use_has_a_key_of_its_own() {
        let secrets = secrets();
        let of = |key: &MacKey| key.mac(&[b"message"]).unwrap();
        let key = |secret: &[u8]| MacKey::new(secret).unwrap();
        let (under_seal, under_kept) = (key(&secrets.seal[..]), key(&secrets.kept[..]));
        let (pepper, refresh) = (key(PEPPER), key(REFRESH));
        let Secrets { codes, ids, decoys, sessions, refresh: tokens, records, .. } = &secrets;
        let derived = [codes, ids, decoys, sessions, tokens, records, &under_seal, &under_kept];
        let keys = [&derived[..], &[&pepper, &refresh]].concat();
        let macs: std::collections::BTreeSet<_> = keys.iter().copied().map(of).collect();
        assert_eq!(macs.len(), keys.len());
        assert_eq!(secrets.refresh_mac(b"message"), Some(of(&secrets.refresh)));
        // The pepper has no part in refresh tokens, nor the refresh secret in codes.
        let other = Secrets::new(PEPPER, b"another-0r9xTz3JmB2nKc5LdY8sHf1Ga").unwrap();
        assert_eq!(of(&secrets.codes), of(&other.codes));
        assert_ne!(of(&secrets.refresh), of(&other.refresh));
    }
}
