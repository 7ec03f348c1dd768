use super::{claim_path::ClaimPath, require::decide, resource::own_challenges};
use crate::{
    error::ConfigError,
    eventual::Eventual,
    gate::{Door, Gate, Verdict, impl_layer, own_door},
    identity::{Challenges, Claims},
    rejection::Reason,
};
use http::request::Parts;
use serde_json::Value;
use std::sync::Arc;

/// Refuses requests whose token does not have a value in a claim, such as a role: 403, or 401 without a good
/// token. Gate and layer in one.
///
/// The claim is named by itself, `groups` or `https://app.example/roles`, or by a JSON Pointer (RFC 6901) if it
/// is inside of another one: `/realm_access/roles`. Dots divide nothing. In it must be a string or an array of
/// strings, compared to the letter; whatever else is there is no value, and a claim that is missing has none.
///
/// ```
/// # fn main() -> Result<(), portcullis::ConfigError> {
/// use portcullis::RequireClaim;
///
/// let admins = RequireClaim::any("/realm_access/roles", ["admin", "owner"])?;
/// let both = RequireClaim::all("https://app.example/groups", ["staff", "on-call"])?;
/// let tenant = RequireClaim::any("tenant", ["acme"])?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireClaim {
    path: ClaimPath,
    values: Arc<[String]>,
    all: bool,
    challenges: Challenges,
    door: Door,
}

impl RequireClaim {
    /// The claim must have all of `values`.
    ///
    /// # Errors
    ///
    /// When there is no value or an empty one, or the claim is not named.
    pub fn all<T: Into<String>>(
        claim: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        Self::new(claim, values.into_iter().map(Into::into).collect(), true)
    }

    /// The claim must have one of `values`.
    ///
    /// # Errors
    ///
    /// When there is no value or an empty one, or the claim is not named.
    pub fn any<T: Into<String>>(
        claim: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        Self::new(claim, values.into_iter().map(Into::into).collect(), false)
    }

    fn new(claim: &str, values: Vec<String>, all: bool) -> Result<Self, ConfigError> {
        let path = ClaimPath::parse(claim)?;
        if values.is_empty() || values.iter().any(String::is_empty) {
            let claim = claim.escape_default();
            return Err(ConfigError::new(format!(
                "claim `{claim}`: no value is required, or an empty one"
            )));
        }
        let (challenges, door) = (Challenges::default(), Door::of("require"));
        Ok(Self { path, values: values.into(), all, challenges, door })
    }

    own_challenges!(challenges);
    own_door!(door);

    fn permits(&self, claims: &Claims) -> bool {
        let have: &[Value] = match claims.at(&self.path) {
            Some(Value::Array(values)) if values.iter().all(Value::is_string) => values,
            Some(value @ Value::String(_)) => std::slice::from_ref(value),
            _ => return false,
        };
        let has = |value: &String| have.iter().any(|have| have == value);
        if self.all { self.values.iter().all(has) } else { self.values.iter().any(has) }
    }
}

impl Gate for RequireClaim {
    type Pass = ();

    fn enter(&self, request: Parts) -> Eventual<Verdict<()>> {
        decide(request, &self.challenges, Reason::ClaimMissing, |claims| self.permits(claims))
    }

    fn door(&self) -> &Door {
        &self.door
    }
}

impl_layer!(RequireClaim);
