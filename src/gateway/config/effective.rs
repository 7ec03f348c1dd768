use super::{Config, EnvFile, defaults, listing, read_text};
use crate::error::ConfigError;
use std::{fmt, path::Path};
use toml::Table;

/// What a configuration file comes to: what is written in it, and what counts where nothing is, without any secret.
///
/// Making one reads what a start would read, and refuses what a start would refuse; nothing is opened, connected to or written.
/// Its text is a configuration again. Where that names a secret, a comment says where it was found; passwords and queries in
/// URLs are stars, and so are the middle digits of phones.
#[derive(Clone, Debug)]
pub struct Effective {
    text: String,
    warnings: Vec<String>,
}

impl Effective {
    /// Reads a file as [`Config::load_with`] does.
    ///
    /// # Errors
    ///
    /// Those of a start.
    pub fn load_with(path: impl AsRef<Path>, env: &EnvFile) -> Result<Self, ConfigError> {
        read_text(path.as_ref(), env, Self::read)
    }

    /// What a start would warn of.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn read(text: &str, folder: &Path, env: &EnvFile) -> Result<Self, ConfigError> {
        let config = Config::read(text, folder, env)?;
        // The whole file was understood just now, with its types.
        let wrong = |_| ConfigError::new("not TOML");
        let mut table: Table = toml::from_str(text).map_err(wrong)?;
        defaults::fill(&mut table, &config);
        Ok(Self { text: listing::list(&table, folder, env), warnings: config.warnings })
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{jwt::Algorithm, token::NewKey};
    #[cfg(unix)]
    use std::os::unix::fs::PermissionsExt;
    use std::{
        fs,
        path::PathBuf,
        sync::atomic::{AtomicU32, Ordering},
    };

    const DEV: &str = r#"
        profile = "dev"
        [token]
        issuer = "https://login.example/"
        audience = "https://api.example"
        [otp]
        sender = "log"
        app = "Acme"
        digits = 4
        allow_short_codes = true
        [alerts]
        [dpop]
        url = "https://api.example"
        [[limit]]
        name = "few"
        quota = "3/s"
        [[route]]
        path = "/api"
        respond = "hello"
    "#;

    /// What both profiles of production need.
    const SERVED: &str = r#"
        [clients]
        trusted_proxies = ["10.0.0.0/8"]
        header = "x-forwarded-for"
        [token]
        issuer = "https://login.example/"
        audience = "https://api.example"
        keys = "file:signing.jwks"
        refresh_secret = "file:refresh.secret"
        [otp]
        sender = "http"
        app = "Acme"
        pepper = "file:pepper.secret"
        [otp.destinations]
        allow = ["IN"]
        [otp.http]
        url = "https://sms.example/"
        secret = "file:pepper.secret"
        [[route]]
        path = "/api"
        respond = "hello"
    "#;

    /// A folder with what is named above, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("portcullis-effective-{}-{count}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            for (name, secret) in [
                ("pepper.secret", "mZ4qJ8w1Rk6tYb3nVx7cPd0sLf5hGu2a"),
                ("refresh.secret", "V0r9xTz3JmB2nKc5LdY8sHf1GaPuE4iO"),
            ] {
                let path = folder.join(name);
                fs::write(&path, secret).unwrap();
                #[cfg(unix)]
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            }
            let key = NewKey::generate(Algorithm::ES256).unwrap();
            key.write_set(folder.join("signing.jwks")).unwrap();
            Self(folder)
        }

        fn effective(&self, text: &str) -> String {
            let env = EnvFile::default();
            Effective::read(text, &self.0, &env).unwrap().to_string()
        }

        /// All that a configuration says of itself.
        fn told(&self, text: &str) -> String {
            let env = EnvFile::default();
            format!("{:#?}", Config::read(text, &self.0, &env).unwrap())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_filled_in_is_what_counted_before() {
        let folder = Folder::new();
        for text in [
            DEV.to_owned(),
            SERVED.to_owned(),
            format!("profile = \"banking\"\n{SERVED}"),
            "[[route]]\npath = \"/\"\nrespond = \"hello\"\nauth = \"none\"\n".to_owned(),
        ] {
            let full = folder.effective(&text);
            assert_eq!(folder.told(&full), folder.told(&text), "{full}");
            assert_eq!(folder.effective(&full), full, "there is nothing left to fill in");
        }
    }

    #[test]
    fn what_is_written_stands() {
        let full = Folder::new().effective(DEV);
        for line in
            ["digits = 4", "attempts = 3", "lifetime = \"2m\"", "quota = \"3/s\"", "burst = 3"]
        {
            assert!(full.lines().any(|it| it == line), "{line}: {full}");
        }
    }
}
