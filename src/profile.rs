//! How strict a server is.

/// How strict a gateway or a login is. [`Standard`](Self::Standard) and [`Banking`](Self::Banking) are both for
/// production.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "gateway", derive(serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Profile {
    /// For a developer's machine: loopback only, keys and secrets may be made up at start, codes may be
    /// printed instead of sent, logins may come over plain http.
    Dev,
    /// For production: what secrets and keys there are must be named.
    #[default]
    Standard,
    /// For production at a bank: like [`Standard`](Self::Standard) with narrower defaults, and routes without
    /// limits and answers without security headers are refused.
    Banking,
}

impl Profile {
    /// The name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Standard => "standard",
            Self::Banking => "banking",
        }
    }
}
