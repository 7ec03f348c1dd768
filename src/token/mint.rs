use super::{Grant, Issuer, MintError};
use crate::jwt::MAX_TOKEN;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
#[cfg(feature = "otp")]
use std::time::Duration;

impl Issuer {
    /// Signs a token: `iss`, `sub`, `aud`, `client_id`, `exp`, `iat` and a random `jti` (RFC 9068 section
    /// 2.2), and of the grant `scope`, `sid` and its own claims.
    ///
    /// # Errors
    ///
    /// When the grant cannot be put into a token, or the system does not sign.
    pub fn mint(&self, grant: &Grant) -> Result<String, MintError> {
        self.sign(grant, self.lifetime.as_secs())
    }

    /// The same, and for how long the token is good: up to a twentieth less than the lifetime, so that the clients that
    /// logged in at one moment do not all come back at another.
    #[cfg(feature = "otp")]
    pub(crate) fn mint_spread(&self, grant: &Grant) -> Result<(String, Duration), MintError> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|_| MintError::Unavailable)?;
        let lifetime = self.lifetime.as_secs();
        let seconds = lifetime - u64::from(u32::from_ne_bytes(random)) % (lifetime / 20 + 1);
        Ok((self.sign(grant, seconds)?, Duration::from_secs(seconds)))
    }

    fn sign(&self, grant: &Grant, lifetime: u64) -> Result<String, MintError> {
        grant.check()?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| MintError::Unavailable)?;
        let wall = self.clock.wall();
        let now = wall.as_secs();
        let mut claims = grant.claims.clone();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", (&*self.name).into());
        set("aud", (&*self.audience).into());
        set("sub", grant.subject.as_str().into());
        set("client_id", grant.client.as_deref().unwrap_or(&self.name).into());
        set("iat", now.into());
        set("exp", now.saturating_add(lifetime).into());
        set("jti", URL_SAFE_NO_PAD.encode(id).into());
        if !grant.scopes.is_empty() {
            set("scope", grant.scopes.join(" ").into());
        }
        if let Some(session) = &grant.session {
            set("sid", session.as_str().into());
        }
        let payload = URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
        let keys = self.keys.now();
        let key = keys.active(wall);
        let mut token = format!("{}.{payload}", key.header());
        let signature = key.sign(token.as_bytes()).ok_or(MintError::Unavailable)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        if token.len() > MAX_TOKEN { Err(MintError::TooLong) } else { Ok(token) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixTime};
    use serde_json::json;

    fn part(token: &str, index: usize) -> Value {
        let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
        serde_json::from_slice(&part).unwrap()
    }

    fn issuer() -> Issuer {
        Issuer::generate("https://login.example/", "https://api.example").unwrap()
    }

    #[test]
    fn a_token_has_the_claims_of_the_profile() {
        let issuer = issuer().clock(ManualClock::at(UnixTime::from_micros(1_700_000_000_999_999)));
        let grant = Grant::new("user-1").scopes(["a", "b"]).session("s-1").claim("tier", 3);
        let (token, other) = (issuer.mint(&grant).unwrap(), issuer.mint(&grant).unwrap());
        let jwks: Value = serde_json::from_str(&issuer.jwks()).unwrap();
        let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": jwks["keys"][0]["kid"] });
        assert_eq!(part(&token, 0), header);
        let mut claims = part(&token, 1);
        let id = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 22);
        assert_ne!(id, part(&other, 1)["jti"]);
        assert_eq!(
            claims,
            json!({
                "iss": "https://login.example/", "aud": "https://api.example", "sub": "user-1",
                "client_id": "https://login.example/", "iat": 1_700_000_000u64, "exp": 1_700_000_900u64,
                "scope": "a b", "sid": "s-1", "tier": 3,
            })
        );
    }

    #[cfg(feature = "otp")]
    #[test]
    fn tokens_of_a_login_end_at_different_moments_and_none_too_late() {
        let issuer = issuer().clock(ManualClock::at(UnixTime::from_secs(1_700_000_000)));
        for (lifetime, least) in [(900, 855), (60, 57), (3600, 3420)] {
            let issuer = issuer.clone().lifetime(Duration::from_secs(lifetime)).unwrap();
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..200 {
                let (token, good_for) = issuer.mint_spread(&Grant::new("u")).unwrap();
                let claims = part(&token, 1);
                let (iat, exp) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
                assert_eq!(exp - iat, good_for.as_secs());
                assert!((least..=lifetime).contains(&good_for.as_secs()), "{good_for:?}");
                seen.insert(good_for);
            }
            assert!(seen.len() > 3, "{seen:?}");
        }
    }

    #[test]
    fn a_grant_cannot_overrule_the_issuer() {
        let mint = |grant: Grant| issuer().mint(&grant).map(drop);
        for name in RESERVED_SAMPLE {
            assert_eq!(
                mint(Grant::new("a").claim(name, 1)),
                Err(MintError::ClaimReserved),
                "{name}"
            );
        }
        assert_eq!(mint(Grant::new("")), Err(MintError::SubjectEmpty));
        assert_eq!(mint(Grant::new("a").scopes(["b c"])), Err(MintError::ScopeInvalid));
        assert_eq!(mint(Grant::new("a").claim("b", "c".repeat(7000))), Err(MintError::TooLong));
        assert_eq!(mint(Grant::new("a").claim("b", "c")), Ok(()));
    }

    const RESERVED_SAMPLE: [&str; 6] = ["exp", "iss", "aud", "scope", "scp", "sub"];
}
