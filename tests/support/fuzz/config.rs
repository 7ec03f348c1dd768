//! Configurations of arbitrary text: an error is one line and holds nothing that stands for a secret.

use portcullis::gateway::{Config, Gateway};
use std::path::Path;

const PARTS: [&str; 6] = [
    "[[limit]]\nname = \"few\"\nquota = \"10/m\"\n",
    "[[limit]]\nname = \"few\"\nquota = \"10/m\"\nblock_after = { strikes = 3, within = \"1m\", for = \"1m\" }\n",
    "[[issuer]]\nissuer = \"idp\"\naudience = [\"api\"]\n",
    "[[route]]\npath = \"/api\"\nrespond = \"hello\"\n",
    "[clients]\ntrusted_proxies = [\"10.0.0.0/8\"]\nheader = \"forwarded\"\n",
    "profile = \"dev\"\n[token]\nissuer = \"own\"\naudience = \"api\"\n",
];

/// Marks a value in a place for secrets.
const SECRET: &str = "hunter2";

pub(crate) fn run(data: (u8, &str)) {
    let (choice, text) = data;
    // What the text names must not be opened: it could be any device of this machine.
    if text.contains("file:") || text.contains('\\') {
        return;
    }
    let start = PARTS.get(usize::from(choice)).copied().unwrap_or_default();
    check(&format!("{start}{text}"));

    // A value of any kind where a secret belongs.
    let value = text.replace(['"', '\n', '\r'], "");
    for quote in ["\"", "'", ""] {
        let line = format!("secret = {quote}{SECRET}{value}{quote}\n");
        if let Some(error) =
            check(&format!("[[issuer]]\nissuer = \"a\"\naudience = [\"b\"]\n{line}"))
        {
            assert!(!error.contains(SECRET), "{line}{error}");
        }
    }
}

fn check(text: &str) -> Option<String> {
    match Config::parse(text, Path::new("/nowhere")) {
        Ok(config) => {
            let _ = Gateway::new(&config);
            None
        }
        Err(error) => {
            let error = error.to_string();
            assert!(!error.is_empty() && !error.contains(char::is_control), "{error:?}");
            Some(error)
        }
    }
}
