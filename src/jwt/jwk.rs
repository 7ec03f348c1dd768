//! One JSON Web Key (RFC 7517), read strictly.

use super::{
    Algorithm,
    material::{Public as PublicKey, checked, unreadable},
};
use crate::error::ConfigError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    bn::BigNum,
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{Id, PKey, Private, Public},
    rsa::Rsa,
};
use serde::Deserialize;
use serde_json::Value;

/// The members of a key. Holds secrets, so there is no `Debug`.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    crv: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    pub(super) kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
    dp: Option<String>,
    dq: Option<String>,
    qi: Option<String>,
    k: Option<String>,
}

impl Jwk {
    /// Reads the JSON object.
    pub(super) fn parse(json: &str) -> Result<Self, ConfigError> {
        // The reader's own message may quote the text, which may be secret.
        serde_json::from_str(json).map_err(|_| ConfigError::new("the JSON text is not a JWK"))
    }

    /// Reads the member of a set.
    pub(super) fn from_value(value: Value) -> Result<Self, ConfigError> {
        serde_json::from_value(value).map_err(|_| ConfigError::new("the member is not a JWK"))
    }

    /// The one algorithm of the key: its `alg`, or what its kind leaves no choice about. An RSA key
    /// without `alg` is for RS256, which some providers leave out.
    pub(super) fn algorithm(&self) -> Result<Algorithm, ConfigError> {
        if let Some(name) = &self.alg {
            return name.parse();
        }
        match (&*self.kty, self.crv.as_deref()) {
            ("RSA", _) => Ok(Algorithm::RS256),
            ("EC", Some("P-256")) => Ok(Algorithm::ES256),
            ("EC", Some("P-384")) => Ok(Algorithm::ES384),
            ("EC", Some("P-521")) => Ok(Algorithm::ES512),
            ("OKP", Some("Ed25519")) => Ok(Algorithm::EdDSA),
            ("oct", _) => Err(ConfigError::new("a symmetric JWK needs `alg`")),
            _ => Err(ConfigError::new("the JWK is of a kind that signs no tokens")),
        }
    }

    /// Whether the key is a secret that both sides share.
    pub(super) fn is_symmetric(&self) -> bool {
        self.kty == "oct"
    }

    /// Whether the key is for something else than signatures, which is no fault of a set that has it too.
    pub(super) fn is_for_other_use(&self) -> bool {
        self.permits("verify").is_err()
    }

    /// Refuses a key that can sign, which nobody publishes on purpose.
    pub(super) fn publishable(&self) -> Result<(), ConfigError> {
        let private = [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.k];
        if self.is_symmetric() || private.into_iter().any(Option::is_some) {
            return Err(ConfigError::new("the JWK has private members: whoever reads it can sign"));
        }
        Ok(())
    }

    /// Refuses a key that its `use` or `key_ops` keep from `operation`.
    pub(super) fn permits(&self, operation: &str) -> Result<(), ConfigError> {
        // Whoever may sign has the private key and, with it, the public one.
        let signs = |name: &String| name == operation || (self.d.is_some() && name == "sign");
        let named = self.key_ops.as_ref().is_none_or(|names| names.iter().any(signs));
        if named && self.purpose.as_deref().is_none_or(|purpose| purpose == "sig") {
            Ok(())
        } else {
            Err(ConfigError::new(format!("`use` or `key_ops` keep the JWK from `{operation}`")))
        }
    }

    /// The secret of a symmetric key.
    pub(super) fn secret(&self) -> Result<Vec<u8>, ConfigError> {
        bytes("k", self.k.as_ref())
    }

    /// The public key as its members spell it, of which nothing is checked.
    pub(super) fn as_written(&self) -> Option<PublicKey> {
        let [n, e, x, y] = [&self.n, &self.e, &self.x, &self.y].map(Clone::clone);
        Some(match (&*self.kty, self.crv.as_deref()) {
            ("RSA", _) => PublicKey::Rsa { n: n?, e: e? },
            ("EC", Some("P-256")) => PublicKey::Ec { curve: "P-256", x: x?, y: y? },
            ("EC", Some("P-384")) => PublicKey::Ec { curve: "P-384", x: x?, y: y? },
            ("EC", Some("P-521")) => PublicKey::Ec { curve: "P-521", x: x?, y: y? },
            ("OKP", Some("Ed25519")) => PublicKey::Ed25519 { x: x? },
            _ => return None,
        })
    }

    /// The public key; private members are not looked at.
    pub(super) fn public(&self) -> Result<PKey<Public>, ConfigError> {
        match &*self.kty {
            "RSA" => {
                let (n, e) = (number("n", self.n.as_ref())?, number("e", self.e.as_ref())?);
                Rsa::from_public_components(n, e).and_then(PKey::from_rsa).map_err(unreadable)
            }
            "EC" => self.ec().and_then(|key| PKey::from_ec_key(key).map_err(unreadable)),
            "OKP" => PKey::public_key_from_raw_bytes(&bytes("x", self.x.as_ref())?, self.curve()?)
                .map_err(unreadable),
            _ => Err(ConfigError::new("the JWK is not of kind RSA, EC or OKP")),
        }
    }

    /// The private key, if it belongs to the public one.
    pub(super) fn private(&self) -> Result<PKey<Private>, ConfigError> {
        let d = bytes("d", self.d.as_ref())?;
        let number_of_d = || BigNum::from_slice(&d).map_err(unreadable);
        match &*self.kty {
            "RSA" => {
                let rsa = Rsa::from_private_components(
                    number("n", self.n.as_ref())?,
                    number("e", self.e.as_ref())?,
                    number_of_d()?,
                    number("p", self.p.as_ref())?,
                    number("q", self.q.as_ref())?,
                    number("dp", self.dp.as_ref())?,
                    number("dq", self.dq.as_ref())?,
                    number("qi", self.qi.as_ref())?,
                );
                checked(rsa.and_then(PKey::from_rsa).map_err(unreadable)?)
            }
            "EC" => {
                let (public, d) = (self.ec()?, number_of_d()?);
                let key = EcKey::from_private_components(public.group(), &d, public.public_key());
                let key = key.map_err(unreadable)?;
                key.check_key().map_err(unreadable)?;
                PKey::from_ec_key(key).map_err(unreadable)
            }
            "OKP" => {
                let key = PKey::private_key_from_raw_bytes(&d, self.curve()?);
                let key = key.map_err(unreadable)?;
                if key.raw_public_key().map_err(unreadable)? != bytes("x", self.x.as_ref())? {
                    return Err(ConfigError::new("`x` and `d` of the JWK do not belong together"));
                }
                Ok(key)
            }
            _ => Err(ConfigError::new("the JWK is not of kind RSA, EC or OKP")),
        }
    }

    fn ec(&self) -> Result<EcKey<Public>, ConfigError> {
        let (nid, width) = match self.crv.as_deref() {
            Some("P-256") => (Nid::X9_62_PRIME256V1, 32),
            Some("P-384") => (Nid::SECP384R1, 48),
            Some("P-521") => (Nid::SECP521R1, 66),
            _ => return Err(ConfigError::new("`crv` of the JWK is not P-256, P-384 or P-521")),
        };
        // RFC 7518 section 6.2.1.2: the full width, leading zeros included.
        let coordinate = |name, value: &Option<String>| {
            let bytes = bytes(name, value.as_ref())?;
            if bytes.len() != width {
                return Err(ConfigError::new(format!("`{name}` of the JWK needs {width} bytes")));
            }
            BigNum::from_slice(&bytes).map_err(unreadable)
        };
        let (x, y) = (coordinate("x", &self.x)?, coordinate("y", &self.y)?);
        let group = EcGroup::from_curve_name(nid).map_err(unreadable)?;
        EcKey::from_public_key_affine_coordinates(&group, &x, &y).map_err(unreadable)
    }

    fn curve(&self) -> Result<Id, ConfigError> {
        match self.crv.as_deref() {
            Some("Ed25519") => Ok(Id::ED25519),
            _ => Err(ConfigError::new("`crv` of the JWK is not Ed25519")),
        }
    }
}

/// Unsigned and big-endian (RFC 7518 section 2, Base64urlUInt).
fn number(name: &str, value: Option<&String>) -> Result<BigNum, ConfigError> {
    BigNum::from_slice(&bytes(name, value)?).map_err(unreadable)
}

fn bytes(name: &str, value: Option<&String>) -> Result<Vec<u8>, ConfigError> {
    let value = value.ok_or_else(|| ConfigError::new(format!("the JWK has no `{name}`")))?;
    let bytes = URL_SAFE_NO_PAD.decode(value);
    bytes.map_err(|_| ConfigError::new(format!("`{name}` of the JWK is not base64url")))
}
