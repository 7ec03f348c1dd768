//! The configurations that the README and the manual show can be started, with what they leave commented out, too.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
    rsa::Rsa,
};
use portcullis::{
    gateway::{Config, EnvFile, Gateway},
    jwt::Algorithm,
    token::{Issuer, NewKey},
};
use serde_json::{Value, json};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::{env, fs, path::PathBuf, process};

const PAGES: [&str; 3] = [
    include_str!("../README.md"),
    include_str!("../docs/gateway.md"),
    include_str!("../docs/login.md"),
];

#[test]
fn what_is_shown_can_be_started() {
    let folder = Folder::new();
    let env = EnvFile::load(folder.0.join(".env")).unwrap();
    let shown = configurations();
    assert_eq!(
        shown.len(),
        5,
        "the smallest, a login, the whole one, the whole login and one that sends"
    );
    assert_eq!(shown[0].lines().count(), 5, "{}", shown[0]);
    for text in shown.iter().flat_map(|text| [text.clone(), uncommented(text)]) {
        fs::write(folder.0.join("portcullis.toml"), &text).unwrap();
        match Config::load_with(folder.0.join("portcullis.toml"), &env) {
            Ok(config) => drop(Gateway::new(&config).unwrap()),
            Err(error) => panic!("{error}\n{text}"),
        }
    }
    for whole in &shown[2..] {
        assert_ne!(uncommented(whole), *whole, "there is something to uncomment");
    }
}

/// The blocks of TOML but the one for Cargo.
fn configurations() -> Vec<String> {
    let blocks = PAGES.into_iter().flat_map(|page| page.split("```toml\n").skip(1));
    let blocks = blocks.map(|rest| rest.split_once("```").unwrap().0);
    blocks.filter(|text| !text.contains("[dependencies]")).map(str::to_owned).collect()
}

fn uncommented(text: &str) -> String {
    text.lines().map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned() + "\n").collect()
}

/// A folder with the files that the README names.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("portcullis-readme-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let ec = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
        let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let (ec, rsa) =
            (ec.private_key_to_pem_pkcs8().unwrap(), rsa.private_key_to_pem_pkcs8().unwrap());
        let keys = [(&ec, Algorithm::ES256), (&rsa, Algorithm::RS256)];
        let keys: Vec<Value> = keys.into_iter().map(|(pem, alg)| public(pem, alg)).collect();
        fs::write(path.join("jwks.json"), json!({ "keys": keys }).to_string()).unwrap();
        let _ = fs::remove_file(path.join("signing.jwks"));
        NewKey::generate(Algorithm::ES256).unwrap().write_set(path.join("signing.jwks")).unwrap();
        let _ = fs::remove_file(path.join("audit.jwks"));
        NewKey::generate(Algorithm::ES256).unwrap().write_set(path.join("audit.jwks")).unwrap();
        let env = "OTP_PEPPER=V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO\n\
                   STORE_PEPPER=Hf1GaPuE4iOV0r9xTz3JmB2nKc5LdY8s\n\
                   JWT_REFRESH_SECRET=q7Vw0r9xTz3JmB2nKc5LdY8sHf1GaPuE\nREVIEW_CODE=407193\n\
                   TWILIO_AUTH_TOKEN=8sHf1GaPuE4iOV0r9xTz3\nTWILIO_WEBHOOK_KEY=q7Wm2Xc9Rb4Tn6Yk1Vp8Zs3L\nREDIS_PASSWORD=LdY8sHf1GaPuE4iOV0r9xTz3\n\
                   ALERT_SECRET=cKc5LdY8sHf1GaPuE4iOV0r9xTz3JmB2\nEVENTS_SECRET=zJmB2cKc5LdY8sHf1GaPuE4iOV0r9xT3\n\
                   TURNSTILE_SECRET=0x4Vr9xTz3JmB2nKc5LdY8s\n";
        fs::write(path.join(".env"), env).unwrap();
        #[cfg(unix)]
        fs::set_permissions(path.join(".env"), PermissionsExt::from_mode(0o600)).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The public key as a JWK.
fn public(pem: &[u8], algorithm: Algorithm) -> Value {
    let issuer = Issuer::from_pem("idp", "api", pem, algorithm).unwrap();
    let mut set: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    set["keys"][0].take()
}
