//! What is asked of a token, and in which order: all that is cheap before any signature.

use super::{
    cache::{Entry, TokenCache},
    compact::Compact,
    header::Header,
    keys::Found,
    payload::{Payload, Seconds},
    trusted::Trusted,
};
use crate::{
    clock::{Clock, UnixTime},
    eventual::Eventual,
    identity::{Claims, TokenFault},
    meter::{self, Count},
};
use bytes::Bytes;
use std::sync::Arc;

/// The rules of a verifier, and what it remembers.
pub(super) struct Examiner {
    pub(super) issuers: Arc<[Trusted]>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) cache: Option<TokenCache>,
    pub(super) verified: Count,
    pub(super) cached: Count,
}

/// A token of which all but the signature is good.
pub(super) struct Checked<'a, 'json> {
    token: &'a str,
    compact: Compact<'a>,
    pub(super) header: &'a Header<'json>,
    payload: &'a Payload<'json>,
    json: &'a [u8],
    issuer: usize,
    pub(super) trusted: &'a Trusted,
    expires_at: Seconds,
    now: UnixTime,
}

impl Examiner {
    /// Everything but keys and signature, then `go_on`.
    pub(super) fn examine(
        &self,
        token: &str,
        now: UnixTime,
        go_on: impl FnOnce(Checked<'_, '_>) -> Eventual<Result<Claims, TokenFault>>,
    ) -> Eventual<Result<Claims, TokenFault>> {
        let examine = || {
            let compact = Compact::split(token)?;
            let header = compact.header()?;
            let header = Header::parse(&header)?;
            let json = compact.payload()?;
            let payload = Payload::parse(&json)?;
            let name = payload.issuer.as_deref().ok_or(TokenFault::ClaimMissing)?;
            // A handful at most, so a map would be slower. The keys of another issuer are never asked.
            let issuer = self.issuers.iter().position(|trusted| trusted.name == name);
            let issuer = issuer.ok_or(TokenFault::UnknownIssuer)?;
            let trusted = &self.issuers[issuer];
            let expires_at = trusted.judge(&header, &payload, now)?;
            let (header, payload, json) = (&header, &payload, &json);
            let seen =
                Checked { token, compact, header, payload, json, issuer, trusted, expires_at, now };
            Ok(go_on(seen))
        };
        examine().unwrap_or_else(|fault| {
            meter::bad_token(fault);
            Eventual::Ready(Err(fault))
        })
    }

    /// The signature, and the claims if it holds.
    pub(super) fn conclude(
        &self,
        seen: &Checked<'_, '_>,
        found: Found,
        epoch: u64,
    ) -> Result<Claims, TokenFault> {
        let concluded = self.verify(seen, found, epoch);
        match &concluded {
            Ok(_) => self.verified.one(),
            Err(fault) => meter::bad_token(*fault),
        }
        concluded
    }

    fn verify(
        &self,
        seen: &Checked<'_, '_>,
        found: Found,
        epoch: u64,
    ) -> Result<Claims, TokenFault> {
        let signature = seen.compact.signature()?;
        let signed = seen.compact.signed.as_bytes();
        let keys = found?;
        let Some(key) = keys.iter().find(|key| key.verify(signed, &signature)) else {
            let kid = seen.header.kid();
            let named = kid.is_some() && keys.iter().any(|key| key.kid.as_deref() == kid);
            return Err(if named { TokenFault::BadSignature } else { TokenFault::NoKeyVerifies });
        };
        let registered = seen.payload.registered(seen.expires_at);
        let end = seen.trusted.end_of(registered.expires_at);
        let end = key.until.map_or(end, |until| end.min(until));
        let claims = Claims::verified(registered, Bytes::copy_from_slice(seen.json));
        if let Some(cache) = &self.cache {
            let entry = Entry { claims: claims.clone(), issuer: seen.issuer, epoch, end };
            cache.keep(seen.token, entry, seen.now);
        }
        Ok(claims)
    }
}
