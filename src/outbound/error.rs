use http::StatusCode;
use http_body_util::LengthLimitError;
use hyper_util::client::legacy;
use std::{error::Error, fmt};

/// Why there is no answer to use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum OutboundError {
    /// There was no connection: no such host, nobody listens, a certificate that is not trusted. Nothing was sent.
    Connect(String),
    /// The connection broke, or what came is no HTTP. The request may have arrived.
    Broken(String),
    /// The whole answer was not there in time. The request may have arrived.
    Timeout,
    /// The answer is larger than was asked for.
    TooLarge,
    /// An answer that is none to the question; a redirect is one, as none is followed.
    Status(StatusCode),
}

impl From<legacy::Error> for OutboundError {
    fn from(error: legacy::Error) -> Self {
        let causes = causes(&error);
        if error.is_connect() { Self::Connect(causes) } else { Self::Broken(causes) }
    }
}

impl OutboundError {
    /// No connection in time.
    pub(super) fn late() -> Self {
        Self::Connect("it takes too long".into())
    }

    /// The body did not come whole.
    pub(super) fn of_body(error: &(dyn Error + 'static)) -> Self {
        match error.downcast_ref::<LengthLimitError>() {
            Some(_) => Self::TooLarge,
            None => Self::Broken(causes(error)),
        }
    }
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(causes) => write!(f, "no connection: {causes}"),
            Self::Broken(causes) => write!(f, "no whole answer: {causes}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Status(status) => write!(f, "the answer is {}", status.as_u16()),
        }
    }
}

impl Error for OutboundError {}

/// What libraries say, from the outermost to the innermost.
fn causes(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut inner) = (error.to_string(), error.source());
    while let Some(error) = inner {
        let cause = error.to_string();
        // Some repeat what is inside them.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        inner = error.source();
    }
    text
}
