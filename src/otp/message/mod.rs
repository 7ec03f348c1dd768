//! What the messages with codes say.
//!
//! [`Texts`] has a text for each [`Purpose`](super::Purpose), in English if there is no other, and fills in the code:
//!
//! ```
//! use portcullis::otp::{Purpose, Texts};
//!
//! let texts = Texts::new("Acme")?;
//! let text = texts.sample(Purpose::Login, None);
//! assert_eq!(text, "123456 is your Acme code. Do not share it.");
//! # Ok::<_, portcullis::ConfigError>(())
//! ```
//!
//! [`notice`](Texts::notice) has the texts that tell and hold no code, such as that a number was changed.
//!
//! # Codes that fill themselves in
//!
//! [`host`](Texts::host) adds a last line that binds the code to a site: browsers on iOS, Android and macOS offer it in
//! the field with `autocomplete="one-time-code"` of that site, and on no other. [`app_hash`](Texts::app_hash) adds to it the
//! hash by which Android hands a message to your own app. Both go together in one text:
//!
//! ```
//! # use portcullis::otp::{Purpose, Texts};
//! let texts = Texts::new("Acme")?.host("acme.example")?.app_hash("FA+9qCX9VSu")?;
//! assert_eq!(
//!     texts.sample(Purpose::Login, None),
//!     "123456 is your Acme code. Do not share it.\n\n@acme.example #123456 FA+9qCX9VSu"
//! );
//! # Ok::<_, portcullis::ConfigError>(())
//! ```
//!
//! # Texts of your own
//!
//! [`text`](Texts::text) takes one for a purpose and a language. `{code}`, `{app}` and `{minutes}` are filled in, and nothing else
//! may stand in braces: a message holds the code, and nothing that somebody typed. The first one for a purpose takes the
//! place of the English one, and is what those get who want no language that is there; the others are found by the
//! request's `Accept-Language` (RFC 4647 section 3.4, so `pt-BR` finds `pt`, but not the other way round).
//!
//! ```
//! # use portcullis::otp::{Purpose, Texts};
//! let texts = Texts::new("Acme")?
//!     .text(Purpose::Login, "en", "{code} is your {app} code, good for {minutes} minutes.")?
//!     .text(Purpose::Login, "de", "{code} ist dein Code für {app}. Gib ihn nicht weiter.")?;
//! let text = texts.sample(Purpose::Login, Some("de-CH, en;q=0.5"));
//! assert_eq!(text, "123456 ist dein Code für Acme. Gib ihn nicht weiter.");
//! # Ok::<_, portcullis::ConfigError>(())
//! ```
//!
//! # One message each
//!
//! A text that is too long leaves as two messages, costs twice and may arrive in pieces, so lengths are counted when the text is
//! given, with a code of 8 digits and all lines: 160 characters of the GSM alphabet (3GPP TS 23.038), of which `[]{}\^~|€` count
//! twice. Other characters, be it one typographic quote, make all of the message UCS-2, which holds 70. That has to be allowed by
//! [`unicode`](Texts::unicode). With an app hash the text has at most 140 bytes of UTF-8.

mod gsm7;
mod language;
mod notice;
mod parts;
mod registered;
mod template;
mod text;
mod texts;

pub use notice::Notice;
pub use registered::Registered;
pub use texts::Texts;
