//! A key file in a folder of its own, and instances of an issuer that share it.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use portcullis::{
    Eventual, Verifier,
    clock::{Clock, ManualClock, SystemClock},
    jwt::Algorithm,
    token::{Grant, Issuer, KeyFile, NewKey},
};
use serde_json::Value;
use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

pub(crate) const NAME: &str = "https://login.example/";
pub(crate) const AUDIENCE: &str = "https://api.example";

/// A folder with a file of one ES256 key, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("portcullis-signing-{}-{count}", process::id()));
        fs::create_dir_all(&path).unwrap();
        let folder = Self(path);
        NewKey::generate(Algorithm::ES256).unwrap().write_set(folder.path()).unwrap();
        folder
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.join("signing.jwks")
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// Puts a text into the file, for its owner alone.
    pub(crate) fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
        self.allow(0o600);
    }

    pub(crate) fn allow(&self, mode: u32) {
        #[cfg(unix)]
        fs::set_permissions(self.path(), std::os::unix::fs::PermissionsExt::from_mode(mode))
            .unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An issuer, and an API that trusts it.
pub(crate) struct Instance {
    pub(crate) file: KeyFile,
    pub(crate) issuer: Issuer,
    pub(crate) clock: ManualClock,
    verifier: Verifier,
}

impl Instance {
    /// One with the file of a folder, on a clock of its own that begins when the key does.
    pub(crate) fn new(folder: &Folder) -> Self {
        let jwks: Value = serde_json::from_str(&folder.text()).unwrap();
        let begins = jwks["keys"][0]["nbf"].as_u64().unwrap();
        let clock = ManualClock::at(portcullis::clock::UnixTime::from_secs(begins));
        let file = KeyFile::open(folder.path()).unwrap().clock(clock.clone());
        let issuer = Issuer::from_file(NAME, AUDIENCE, &file).unwrap().clock(clock.clone());
        let verifier = Verifier::new([issuer.trusted()]).unwrap().clock(clock.clone());
        Self { file, issuer, clock, verifier }
    }

    pub(crate) fn mint(&self) -> String {
        self.issuer.mint(&Grant::new("user-1")).unwrap()
    }

    /// What the API says of a token: the name of the fault.
    pub(crate) fn verify(&self, token: &str) -> Result<(), String> {
        let Eventual::Ready(verified) = self.verifier.verify(token) else { panic!("at once") };
        verified.map(drop).map_err(|fault| fault.name().to_owned())
    }
}

/// The seconds since 1970 by the clock of the machine.
pub(crate) fn now() -> u64 {
    SystemClock::new().wall().as_secs()
}

pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = BASE64.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

pub(crate) fn signed_by(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

/// The names of the published keys.
pub(crate) fn kids(issuer: &Issuer) -> Vec<String> {
    let jwks: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}
