//! What of a row leads to a person, readable only with that person's key.

use super::ledger::Person;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What is sealed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Personal {
    /// The tag of whom the event is about: a phone, a session, a subject, an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<String>,
    /// Leads to the address by the logs of proxies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<String>,
}

const NONCE: usize = 12;
const TAG: usize = 16;

impl Personal {
    /// AES-256-GCM, bound to the place in the chain. `None` if the library fails.
    pub(super) fn seal(&self, person: &Person, chain: &str, seq: u64) -> Option<String> {
        let text = Zeroizing::new(serde_json::to_vec(self).ok()?);
        let mut sealed = vec![0; NONCE];
        getrandom::fill(&mut sealed).ok()?;
        let mut tag = [0; TAG];
        let (cipher, about) = (Cipher::aes_256_gcm(), place(chain, seq));
        let key = &person.key[..];
        let body = encrypt_aead(cipher, key, Some(&sealed), &about, &text, &mut tag).ok()?;
        sealed.extend(body);
        sealed.extend(tag);
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    pub(super) fn open(text: &str, key: &[u8; 32], chain: &str, seq: u64) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, rest) = sealed.split_at_checked(NONCE)?;
        let (body, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
        let (cipher, about) = (Cipher::aes_256_gcm(), place(chain, seq));
        let text = decrypt_aead(cipher, key, Some(nonce), &about, body, tag).ok()?;
        serde_json::from_slice(&Zeroizing::new(text)).ok()
    }
}

fn place(chain: &str, seq: u64) -> Vec<u8> {
    [chain.as_bytes(), b" ", &seq.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_at_its_place_with_its_key_alone() {
        let person = Person { id: [1; 16], key: Zeroizing::new([2; 32]) };
        let personal = Personal { client: Some("203.0.113.7".into()), ..Personal::default() };
        let text = personal.seal(&person, "chain", 7).unwrap();
        assert_eq!(Personal::open(&text, &person.key, "chain", 7), Some(personal));
        for (key, chain, seq) in [(3, "chain", 7), (2, "other", 7), (2, "chain", 8)] {
            assert_eq!(Personal::open(&text, &[key; 32], chain, seq), None);
        }
        for bad in ["", "AAAA", &text[1..], &text[..text.len() - 2]] {
            assert_eq!(Personal::open(bad, &person.key, "chain", 7), None, "{bad}");
        }
    }
}
