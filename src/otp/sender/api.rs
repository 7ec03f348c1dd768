use super::{
    ApiSecret, SendError,
    error_table::ErrorTable,
    exchange::{Errand, Exchange, by_status},
};
use crate::{error::ConfigError, eventual::BoxFuture};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde_json::Value;
use std::{fmt, time::Duration};

/// The API of a provider: where it is, who asks, and what its errors mean. What all senders by such an API can be told is
/// told by [`api_settings`].
#[derive(Clone)]
pub(super) struct Api {
    exchange: Exchange,
    path: Box<str>,
    key: (HeaderName, HeaderValue),
    errors: ErrorTable,
}

/// What an error means, by the code or the text that a provider has for it.
pub(super) type Known = &'static [(&'static str, SendError)];

/// Reads an answer by status and body.
pub(super) type Read<T> = fn(&ErrorTable, StatusCode, &[u8]) -> Result<T, SendError>;

pub(in crate::otp) const FORM: HeaderValue =
    HeaderValue::from_static("application/x-www-form-urlencoded");
pub(in crate::otp) const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Api {
    /// What is asked at `base` and then below `path`, with a header that shows who asks.
    pub(super) fn new(
        base: &str,
        path: &str,
        key: (HeaderName, ApiSecret),
        known: Known,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            exchange: Exchange::new(base)?.at(base, path)?,
            path: path.into(),
            key: (key.0, key.1.into_header()?),
            errors: ErrorTable::new(known),
        })
    }

    pub(super) fn base_url(self, url: &str) -> Result<Self, ConfigError> {
        Ok(Self { exchange: self.exchange.at(url, &self.path)?, ..self })
    }

    pub(super) fn timeout(self, time: Duration) -> Result<Self, ConfigError> {
        Ok(Self { exchange: self.exchange.timeout(time)?, ..self })
    }

    pub(super) fn error(mut self, code: &str, means: SendError) -> Self {
        self.errors.set(code, means);
        self
    }

    /// Posts `body` below its place, and has the answer read.
    pub(super) fn post<T: 'static>(
        &self,
        errand: Errand,
        path: impl Into<String>,
        (kind, body): (HeaderValue, impl AsRef<[u8]> + Send + 'static),
        read: Read<T>,
    ) -> BoxFuture<'static, Result<T, SendError>> {
        let mut request = Request::new(Bytes::from_owner(body));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        self.ask(errand, path.into(), request, read)
    }

    /// Gets what is below its place, and has it read.
    pub(super) fn get<T: 'static>(
        &self,
        errand: Errand,
        path: String,
        read: Read<T>,
    ) -> BoxFuture<'static, Result<T, SendError>> {
        self.ask(errand, path, Request::new(Bytes::new()), read)
    }

    fn ask<T: 'static>(
        &self,
        errand: Errand,
        path: String,
        mut request: Request<Bytes>,
        read: Read<T>,
    ) -> BoxFuture<'static, Result<T, SendError>> {
        let (name, value) = self.key.clone();
        request.headers_mut().insert(name, value);
        let Self { exchange, errors, .. } = self.clone();
        Box::pin(async move {
            let read = |status, body: &_| read(&errors, status, body);
            exchange.ask(errand, &path, request, read).await
        })
    }
}

impl ErrorTable {
    /// What the error of this code means, a text or a number: codes are numbers, but need not stay so.
    pub(super) fn of_code(&self, code: Option<&Value>) -> Option<SendError> {
        match code? {
            Value::String(code) => self.meaning(code),
            code => self.meaning(&code.to_string()),
        }
    }

    /// The same, and what the status says where nothing is known of the code.
    pub(super) fn refused(&self, code: Option<&Value>, status: StatusCode) -> SendError {
        match self.of_code(code) {
            Some(meaning) => meaning,
            // Credentials have codes that are known. A new one is about this message: were it taken for a wrong setting, who
            // finds one number that is refused so could stop the provider for all.
            None if status == StatusCode::FORBIDDEN && code.is_some() => SendError::Refused,
            None => by_status(status),
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exchange.fmt(f)
    }
}

/// How long a sender waits for its provider; `$of` is the field that knows.
macro_rules! patience {
    ($sender:ident, $of:ident) => {
        impl $sender {
            /// Gives up after this time, 10 seconds by default. What was not answered then may have left.
            ///
            /// # Errors
            ///
            /// When it is not 100 ms to 60 s.
            pub fn timeout(mut self, time: std::time::Duration) -> Result<Self, ConfigError> {
                self.$of = self.$of.timeout(time)?;
                Ok(self)
            }
        }
    };
}

/// What senders by an [`Api`] have in common, and that they show where to, and nothing of what.
macro_rules! api_settings {
    ($sender:ident, $base:literal, $error:literal) => {
        $crate::otp::sender::api::patience!($sender, api);

        impl $sender {
            #[doc = concat!("Asks another server than `", $base, "`: a region of the provider's, a fake one in tests.")]
            ///
            /// # Errors
            ///
            /// When it is not an `https` URL, or an `http` one on this machine, without a query.
            pub fn base_url(mut self, url: &str) -> Result<Self, ConfigError> {
                self.api = self.api.base_url(url)?;
                Ok(self)
            }

            #[doc = concat!("Says what an error of the provider means, such as `\"", $error, "\"`, in place of what is known here.")]
            #[must_use]
            pub fn error(mut self, code: &str, means: SendError) -> Self {
                self.api = self.api.error(code, means);
                self
            }
        }

        impl std::fmt::Debug for $sender {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($sender)).field(&self.api).finish()
            }
        }
    };
}

pub(super) use {api_settings, patience};
