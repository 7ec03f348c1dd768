//! Configurations in pieces, and a folder with the files that they name.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "shared by tests")]

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
};
use portcullis::gateway::Config;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Stands wherever a secret is in a place that is wrong for one.
pub(crate) const HUNTER: &str = "hunter2-V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO";

/// A folder with files that the cases name, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("portcullis-config-{}-{count}", process::id()));
        fs::create_dir_all(&path).unwrap();
        let ed25519 = PKey::generate_ed25519().unwrap();
        let files: [(&str, Vec<u8>); 24] = [
            ("good.secret", b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO\n".into()),
            ("short.secret", b"hunter2-short".into()),
            ("weak.secret", b"secret-hunter2-secret-hunter2-secret".into()),
            ("odd.secret", b"hex:hunter2".into()),
            ("empty.secret", b"\n".into()),
            ("ed.pem", ed25519.public_key_to_pem().unwrap()),
            ("ed.key", ed25519.private_key_to_pem_pkcs8().unwrap()),
            (
                "broken.pem",
                b"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n".into(),
            ),
            ("garbage", HUNTER.into()),
            ("none.json", br#"{"keys":[]}"#.into()),
            ("secret.json", br#"{"keys":[{"kty":"oct","alg":"HS256","k":"hunter2"}]}"#.into()),
            ("large", vec![b'#'; (1 << 20) + 1]),
            ("ec.key", ec_key()),
            ("old.key", ec_key()),
            ("pepper.secret", b"base64:vZ7qf0T4cD1mK9xWn3YsUo8hRb2LpGjE5aXiQwVtNkM=".into()),
            (
                "refresh.secret",
                b"hex:9f1c4be07a2d58f3661e0bd9c47a83e52f90b1d6787c3a4e15d2f8a90c6b7e34".into(),
            ),
            ("31.secret", b"V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4i".into()),
            ("code", b"407193\n".into()),
            ("five", b"40719\n".into()),
            ("letters", b"hunter2\n".into()),
            ("pattern", b"123456\n".into()),
            ("twilio.token", b"fake-twilio-auth-token\n".into()),
            ("twilio.secret", b"fake-twilio-api-secret\n".into()),
            ("msg91.authkey", b"fakeMsg91Authkey1\n".into()),
        ];
        for (name, content) in files {
            fs::write(path.join(name), content).unwrap();
            #[cfg(unix)]
            fs::set_permissions(path.join(name), PermissionsExt::from_mode(0o600)).unwrap();
        }
        Self(path)
    }

    pub(crate) fn parse(&self, text: &str) -> Result<Config, String> {
        Config::parse(text, &self.0).map_err(|error| error.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A signing key of [token].
fn ec_key() -> Vec<u8> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    key.private_key_to_pem_pkcs8().unwrap()
}

/// `text`, with a route if it has none.
pub(crate) fn served(text: &str) -> String {
    if text.contains("[[route]]") { text.to_owned() } else { format!("{text}\n{}", route("")) }
}

pub(crate) fn check(cases: &[(String, &str)]) {
    let folder = Folder::new();
    for (text, told) in cases {
        let error = folder.parse(text).map(drop).expect_err(text);
        assert!(error.contains(told), "{text}\n{error}\nlacks: {told}");
        assert!(!error.contains("hunter2"), "{text}\n{error}\nrepeats a secret");
        assert!(!error.contains(char::is_control), "{text}\n{error:?}\nis not one line");
    }
}

pub(crate) fn route(more: &str) -> String {
    format!("[[route]]\npath = \"/api\"\nrespond = \"hello\"\nauth = \"none\"\n{more}\n")
}

pub(crate) fn path(path: &str) -> String {
    format!("[[route]]\npath = {path}\nrespond = \"hello\"\nauth = \"none\"\n")
}

pub(crate) fn limit(more: &str) -> String {
    format!("[[limit]]\nname = \"few\"\n{more}\n")
}

pub(crate) fn block_after(inside: &str) -> String {
    limit(&format!("quota = \"1/s\"\nblock_after = {{ {inside} }}"))
}

pub(crate) fn issuer(more: &str) -> String {
    format!("[[issuer]]\nissuer = \"https://idp.example/\"\naudience = [\"api\"]\n{more}\n")
}

pub(crate) fn shared(more: &str) -> String {
    issuer(&format!("secret = \"file:good.secret\"\n{more}"))
}

pub(crate) fn token(more: &str) -> String {
    format!("[token]\nissuer = \"https://login.example/\"\naudience = \"api\"\n{more}\n")
}

/// A login with all secrets; `otp` and `token` are more lines of its sections.
pub(crate) fn login(otp: &str, token: &str) -> String {
    let secrets = "keys = \"file:ec.key\"\nrefresh_secret = \"file:refresh.secret\"";
    let section = self::token(&format!("{secrets}\n{token}"));
    format!(
        "{section}[otp]\nsender = \"log\"\napp = \"Acme\"\npepper = \"file:pepper.secret\"\n{otp}\n"
    )
}

pub(crate) fn dev(text: &str) -> String {
    format!("profile = \"dev\"\n{text}")
}
