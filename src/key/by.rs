use super::{Key, KeyKind, Pepper};
use crate::{client::Client, identity::Identity, phone::Phone};
use http::{HeaderName, HeaderValue, request::Parts};
use smallvec::SmallVec;
use std::{fmt, sync::Arc};

/// Which key a limit or a block goes by.
///
/// A key can be absent: there is no subject without a token. A limit or block whose key is absent
/// does not apply, so give it a fallback where it must: `KeyBy::subject().or(KeyBy::client_ip())`.
///
/// ```
/// use portcullis::KeyBy;
///
/// let per_user = KeyBy::subject().or(KeyBy::client_ip());
/// let per_browser = KeyBy::client_ip().and(KeyBy::header(http::header::USER_AGENT));
/// let per_tenant = KeyBy::with(|seen| {
///     let tenant = seen.parts.uri.host()?.split('.').next()?;
///     Some(seen.tag(&[tenant.as_bytes()]))
/// });
/// ```
#[derive(Clone)]
pub struct KeyBy(Rule);

#[derive(Clone)]
enum Rule {
    ClientIp,
    Subject,
    Session,
    Token,
    Issuer,
    Claim(Arc<str>),
    Header(HeaderName),
    Path,
    Everyone,
    Or(Arc<(KeyBy, KeyBy)>),
    And(Arc<(KeyBy, KeyBy)>),
    Phone(PhoneFn),
    With(KeyFn),
}

type PhoneFn = Arc<dyn Fn(&Parts) -> Option<Phone> + Send + Sync>;
type KeyFn = Arc<dyn Fn(Seen<'_>) -> Option<Key> + Send + Sync>;

/// What is known of a request when keys are chosen.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The client.
    pub client: &'a Client,
    /// Who the token says is calling.
    pub identity: &'a Identity,
    /// The head of the request.
    pub parts: &'a Parts,
    /// Tags keys.
    pub pepper: &'a Pepper,
}

impl Seen<'_> {
    /// A key of your own, from parts that are kept apart.
    pub fn tag(&self, parts: &[&[u8]]) -> Key {
        self.pepper.tag(KeyKind::Own, parts)
    }
}

impl KeyBy {
    /// By the client's address; IPv6 by the prefix set in [`Clients`](crate::client::Clients).
    pub const fn client_ip() -> Self {
        Self(Rule::ClientIp)
    }

    /// By the subject of the token, apart for each issuer. Absent without a good token.
    pub const fn subject() -> Self {
        Self(Rule::Subject)
    }

    /// By the session (`sid`) of the token, apart for each issuer. Absent without a good token.
    pub const fn session() -> Self {
        Self(Rule::Session)
    }

    /// By the id (`jti`) of the token, apart for each issuer. Absent without a good token.
    pub const fn token() -> Self {
        Self(Rule::Token)
    }

    /// By the issuer of the token. Absent without a good token.
    pub const fn issuer() -> Self {
        Self(Rule::Issuer)
    }

    /// By a claim of the token that is a string, number or boolean. Absent without a good token.
    pub fn claim(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        match &*name {
            "sub" => Self::subject(),
            "sid" => Self::session(),
            "jti" => Self::token(),
            "iss" => Self::issuer(),
            _ => Self(Rule::Claim(name)),
        }
    }

    /// By the values of a header, all its lines together. Absent without the header.
    ///
    /// Clients choose headers: use it beside another limit, not alone.
    pub const fn header(name: HeaderName) -> Self {
        Self(Rule::Header(name))
    }

    /// By the path, without the query.
    pub const fn path() -> Self {
        Self(Rule::Path)
    }

    /// All requests share one key.
    pub const fn everyone() -> Self {
        Self(Rule::Everyone)
    }

    /// By the phone number that `extract` finds in the head of the request. The key is a tag of it.
    pub fn phone(extract: impl Fn(&Parts) -> Option<Phone> + Send + Sync + 'static) -> Self {
        Self(Rule::Phone(Arc::new(extract)))
    }

    /// By whatever the closure says.
    pub fn with(key: impl Fn(Seen<'_>) -> Option<Key> + Send + Sync + 'static) -> Self {
        Self(Rule::With(Arc::new(key)))
    }

    /// By this, or when it is absent by `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Rule::Or(Arc::new((self, other))))
    }

    /// By both at once; absent when either is.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Rule::And(Arc::new((self, other))))
    }

    /// The key of a request, if it has one.
    pub fn key(&self, seen: Seen<'_>) -> Option<Key> {
        let Seen { client, identity, parts, pepper } = seen;
        match &self.0 {
            Rule::ClientIp => Some(client.key()),
            Rule::Subject => identity.claims()?.subject_key(pepper),
            Rule::Session => identity.claims()?.session_key(pepper),
            Rule::Token => identity.claims()?.token_key(pepper),
            Rule::Issuer => Some(identity.claims()?.issuer_key(pepper)),
            Rule::Claim(name) => {
                let claims = identity.claims()?;
                let value = claims.scalar(name)?;
                let parts = [claims.issuer().as_bytes(), name.as_bytes(), value.as_bytes()];
                Some(pepper.tag(KeyKind::Claim, &parts))
            }
            Rule::Header(name) => header_key(name, parts, pepper),
            Rule::Path => Some(pepper.tag(KeyKind::Path, &[parts.uri.path().as_bytes()])),
            Rule::Everyone => Some(Key::EVERYONE),
            Rule::Or(both) => both.0.key(seen).or_else(|| both.1.key(seen)),
            Rule::And(both) => Some(pepper.pair(both.0.key(seen)?, both.1.key(seen)?)),
            Rule::Phone(extract) => Some(phone_key(pepper, &extract(parts)?)),
            Rule::With(key) => key(seen),
        }
    }

    /// Whether the key of this request stands for the client's address, alone or in a pair.
    pub(crate) fn is_of_client(&self, seen: Seen<'_>) -> bool {
        match &self.0 {
            Rule::ClientIp => true,
            Rule::Or(both) if both.0.key(seen).is_some() => both.0.is_of_client(seen),
            Rule::Or(both) => both.1.is_of_client(seen),
            Rule::And(both) => both.0.is_of_client(seen) || both.1.is_of_client(seen),
            Rule::With(key) => key(seen).is_some_and(|key| key.kind() == KeyKind::Ip),
            Rule::Subject
            | Rule::Session
            | Rule::Token
            | Rule::Issuer
            | Rule::Claim(_)
            | Rule::Header(_)
            | Rule::Path
            | Rule::Everyone
            | Rule::Phone(_) => false,
        }
    }
}

/// The key of a phone number.
pub(crate) fn phone_key(pepper: &Pepper, phone: &Phone) -> Key {
    pepper.tag(KeyKind::Phone, &[phone.as_e164().as_bytes()])
}

fn header_key(name: &HeaderName, parts: &Parts, pepper: &Pepper) -> Option<Key> {
    let values = parts.headers.get_all(name);
    values.iter().next()?;
    let all: SmallVec<[&[u8]; 4]> = std::iter::once(name.as_str().as_bytes())
        .chain(values.iter().map(HeaderValue::as_bytes))
        .collect();
    Some(pepper.tag(KeyKind::Header, &all))
}

/// Leaves out the head of the request, which holds credentials.
impl fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("client", &self.client)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::ClientIp => f.write_str("client-ip"),
            Rule::Subject => f.write_str("subject"),
            Rule::Session => f.write_str("session"),
            Rule::Token => f.write_str("token"),
            Rule::Issuer => f.write_str("issuer"),
            Rule::Claim(name) => write!(f, "claim:{name}"),
            Rule::Header(name) => write!(f, "header:{name}"),
            Rule::Path => f.write_str("path"),
            Rule::Everyone => f.write_str("everyone"),
            Rule::Or(both) => write!(f, "({:?} or {:?})", both.0, both.1),
            Rule::And(both) => write!(f, "({:?} and {:?})", both.0, both.1),
            Rule::Phone(_) => f.write_str("phone"),
            Rule::With(_) => f.write_str("own"),
        }
    }
}
