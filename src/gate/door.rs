use crate::{
    audit::{self, Act, Event, Sink},
    clock::seconds_up,
    guarded::Guarded,
    meter::Count,
    rejection::Rejection,
    render::{Grpc, Problem, Render, is_grpc},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header, request};
use std::{fmt, mem, sync::Arc, time::Duration};

/// The one way out for refusals: it tells the audit sink and writes the answer.
///
/// The answer is the [`Render`]er's, plus `Retry-After` (rounded up, so never early) and the
/// rejection's own headers, which move there. Its extensions hold the [`Rejection`] without them. A challenge of this
/// crate's (`WWW-Authenticate`) says what the layer outside that verifies tokens does: the metadata of its resource, and
/// whether it takes proofs.
///
/// A handler that refuses by itself can use one too, so that all refusals of a server look alike:
///
/// ```
/// use bytes::Bytes;
/// use portcullis::{Reason, gate::Door};
///
/// fn handler(request: &http::request::Parts) -> http::Response<Bytes> {
///     Door::new().refuse(request, Reason::NotFound)
/// }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Door {
    render: Option<Arc<dyn Render>>,
    sink: Option<Arc<dyn Sink>>,
    layer: &'static str,
}

impl Door {
    pub(crate) const DEFAULT: Self = Self { render: None, sink: None, layer: "own" };

    /// A door with the default renderer and sink, named `own`.
    pub fn new() -> Self {
        Self::DEFAULT
    }

    pub(crate) const fn of(layer: &'static str) -> Self {
        Self { layer, ..Self::DEFAULT }
    }

    /// Sets the name that audit events and metrics have for the layer. It must be one of a few, and never from a request.
    pub fn named(mut self, layer: &'static str) -> Self {
        self.layer = layer;
        self
    }

    /// Sets the renderer.
    pub fn render(mut self, render: impl Render + 'static) -> Self {
        self.render = Some(Arc::new(render));
        self
    }

    /// Sets the audit sink.
    pub fn audit(mut self, sink: impl Sink + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// Refuses `request`: records the refusal and writes the answer.
    pub fn refuse(
        &self,
        request: &request::Parts,
        rejection: impl Into<Rejection>,
    ) -> Response<Bytes> {
        let mut rejection = rejection.into();
        #[cfg(feature = "jwt")]
        if let Some(guarded) = request.extensions.get::<Guarded>() {
            guarded.challenges.settle(&mut rejection, &request.headers);
        }
        self.record(request, Act::Refused(rejection.reason()));
        let own = mem::take(rejection.headers_mut());
        let mut response = match &self.render {
            Some(render) => with_headers(render.render(request, &rejection), own),
            None if is_grpc(request) => with_headers(Grpc.render(request, &rejection), own),
            None => problem(&rejection, own),
        };
        if let Some(wait) = rejection.wait() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds(wait));
        }
        response.extensions_mut().insert(rejection);
        response
    }

    /// What counts requests that this layer lets in.
    pub(crate) fn admitted(&self) -> Count {
        Count::admitted(self.layer)
    }

    /// Tells the sink what happened to `request`: that of the layer, else that of the request.
    pub(crate) fn record(&self, request: &request::Parts, act: Act) {
        let mut event = Event::new(act).layer(self.layer);
        let mut sink = self.sink.as_deref();
        if let Some(guarded) = request.extensions.get::<Guarded>() {
            event = event.of(guarded.client()).caller(guarded.identity());
            sink = sink.or(guarded.sink.as_deref());
        }
        audit::record(sink, event);
    }
}

impl Default for Door {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("layer", &self.layer)
            .field("own_render", &self.render.is_some())
            .field("sink", &self.sink)
            .finish()
    }
}

/// The methods of a gate that keeps its door in a field.
macro_rules! own_door {
    ($($door:ident).+) => {
        /// Sets how refusals look.
        pub fn render(mut self, render: impl $crate::render::Render + 'static) -> Self {
            self.$($door).+ = self.$($door).+.render(render);
            self
        }

        /// Sets who is told of refusals, blocks and bad tokens.
        pub fn audit(mut self, sink: impl $crate::audit::Sink + 'static) -> Self {
            self.$($door).+ = self.$($door).+.audit(sink);
            self
        }
    };
}
pub(crate) use own_door;

/// What [`Problem`] makes of it, in the map of headers that is there already.
fn problem(rejection: &Rejection, headers: HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Problem::body(rejection));
    *response.status_mut() = rejection.reason().status();
    *response.headers_mut() = headers;
    let content_type = HeaderValue::from_static(Problem::CONTENT_TYPE);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

fn with_headers(mut response: Response<Bytes>, more: HeaderMap) -> Response<Bytes> {
    let mut last = None;
    for (name, value) in more {
        // Of several values of a name, only the first comes with the name.
        last = name.or(last);
        if let Some(name) = &last {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// One allocation; the conversion from an integer takes two.
fn seconds(wait: Duration) -> HeaderValue {
    let seconds = seconds_up(wait);
    HeaderValue::from_str(itoa::Buffer::new().format(seconds)).unwrap_or_else(|_| seconds.into())
}
