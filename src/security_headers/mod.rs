//! Security headers: on every answer, refusals included.
//!
//! Browsers protect a site only as far as its answers ask them to. [`SecurityHeadersLayer`] asks for
//! as much as a new site can bear, page by page: the large headers go on documents only, by the
//! answer's `Content-Type`, and what matters to https only goes over https only.
//!
//! | Preset | For | MDN Observatory points |
//! |---|---|---|
//! | [`web`](SecurityHeadersLayer::web) | sites, and sites with an API | 140 |
//! | [`api`](SecurityHeadersLayer::api) | data only | 150 |
//! | [`owasp`](SecurityHeadersLayer::owasp) | sites without resources of others | 150 |
//! | [`gateway`](SecurityHeadersLayer::gateway) | the answers of other servers | 140 |
//! | [`none`](SecurityHeadersLayer::none) | a set of your own | |
//!
//! An A+ needs 100 points; 150 is the most that headers alone can earn (algorithm 6).
//!
//! ```
//! use portcullis::SecurityHeadersLayer;
//! # let app = tower::service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
//! # });
//! let service = tower::ServiceBuilder::new().layer(SecurityHeadersLayer::web()).service(app);
//! ```
//!
//! Every header can be changed, and none can be misspelt:
//!
//! ```
//! use http::{HeaderName, HeaderValue};
//! use portcullis::client::{Clients, Forwarding};
//! use portcullis::security_headers::{Csp, Hsts, ReferrerPolicy, SecurityHeadersLayer, Source};
//!
//! # fn main() -> Result<(), portcullis::ConfigError> {
//! let layer = SecurityHeadersLayer::web()
//!     .csp(Csp::strict().img_src([Source::SELF, Source::host("https://cdn.example")?])?)
//!     .csp_report_only(Csp::strict().require_trusted_types().report_to("csp")?)
//!     .hsts(Hsts::one_year().include_subdomains().preload()?)
//!     .referrer_policy(ReferrerPolicy::SameOrigin)
//!     .oauth_popups()
//!     .set(
//!         HeaderName::from_static("reporting-endpoints"),
//!         HeaderValue::from_static("csp=\"https://reports.example/csp\""),
//!     )
//!     .without(HeaderName::from_static("origin-agent-cluster"))
//!     .clients(Clients::behind(["10.0.0.0/8"], Forwarding::XForwardedFor)?);
//! # Ok(()) }
//! ```
//!
//! # Whose header wins
//!
//! The handler's: it knows better, so a header that is there stays as it is. With
//! [`overriding`](SecurityHeadersLayer::overriding), which `gateway()` is, the layer's: one copy, however
//! many the server behind sent, since two `Strict-Transport-Security` or `X-Frame-Options` headers are as
//! bad as none.
//!
//! The presets strip `Server` and `X-Powered-By`; `gateway()` strips 69 names that the OWASP Secure Headers
//! Project lists, trace and cache diagnostics among them.
//! [`without`](SecurityHeadersLayer::without) keeps one of them.
//!
//! # Inline scripts and the nonce
//!
//! `Csp::web()` allows no inline script or style. [`Csp::strict`] allows those that carry the answer's
//! [`CspNonce`], which a handler takes from the request's extensions:
//!
//! ```
//! # use http::{Request, Response};
//! use portcullis::CspNonce;
//!
//! async fn page(request: Request<()>) -> Response<String> {
//!     let nonce = request.extensions().get::<CspNonce>().cloned().unwrap_or_default();
//!     let html = format!("<!doctype html><script nonce=\"{nonce}\">start()</script>");
//!     let answer = Response::builder().header("content-type", "text/html; charset=utf-8");
//!     answer.body(html).unwrap()
//! }
//! ```
//!
//! It is drawn when it is first read. An answer that did not read it gets the policy without nonce
//! sources, and without what they had switched off. An answer that did gets `Cache-Control: no-store`
//! unless it says something else, as a stored page would meet a policy with another nonce; a 304 gets
//! no such policy, so that the stored one stays in force.
//!
//! # Deployment
//!
//! * Outermost, but for tracing and [`Clients`](crate::Clients): refusals of layers inside are decorated
//!   too, those of layers outside are not, nor are an inner service's errors and hyper's own 400s. Put
//!   `CatchPanicLayer` inside.
//! * Where TLS ends at a proxy, name it by [`Clients::behind`](crate::Clients::behind), here or in a
//!   `Clients` layer outside; where it ends in your own server, that server puts
//!   [`Encrypted`](crate::client::Encrypted) and the peer's address into the request. Otherwise every
//!   request counts as http: no HSTS, no `upgrade-insecure-requests`.
//! * `Csp::web()` breaks pages with inline scripts, styles or resources of others. Try it by
//!   [`csp_report_only`](SecurityHeadersLayer::csp_report_only) first.
//! * `owasp()` and `api()` send `Cross-Origin-Embedder-Policy: require-corp`: on pages, images and scripts
//!   of others stop loading unless those agree by CORP or CORS.
//! * `Cross-Origin-Resource-Policy: same-origin` keeps other origins, your own subdomains too, from
//!   embedding images or scripts; a CDN wants
//!   [`resource_policy`](SecurityHeadersLayer::resource_policy). It does not touch CORS requests.
//! * Sign-in by pop-up wants [`oauth_popups`](SecurityHeadersLayer::oauth_popups).
//! * HSTS with subdomains binds every subdomain for a year. Begin with a short
//!   [`Hsts::max_age`] if you are not sure of them all.

mod csp;
mod directive;
mod finish;
mod grammar;
mod hsts;
mod layer;
mod nonce;
mod permissions;
mod plan;
mod policy;
mod presets;
mod source;
mod values;

pub use csp::Csp;
pub use finish::HeadersPass;
pub use hsts::Hsts;
pub use layer::SecurityHeadersLayer;
pub use nonce::CspNonce;
pub use permissions::{Allow, PermissionsPolicy};
pub use source::Source;
pub use values::{EmbedderPolicy, FrameOptions, OpenerPolicy, ReferrerPolicy, ResourcePolicy};
