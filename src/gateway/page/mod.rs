//! The page of the demo: one document with its style and script inside, under a policy that runs nothing
//! without the nonce of the answer.

use crate::{
    error::ConfigError,
    security_headers::{Csp, CspNonce, SecurityHeadersLayer},
};
use bytes::Bytes;
use http::{HeaderValue, Response, header, request::Parts};
use std::sync::Arc;

/// What a browser gets at `/`.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Page {
    headers: SecurityHeadersLayer,
    /// What stands between the nonces.
    pieces: Arc<[Box<str>]>,
}

/// No `'self'` for scripts and styles: a file of the same origin is no part of the page. Forms are read
/// by the script and never sent. The picture is the icon. Nothing upgrades to https, so that the page
/// works over plain http in browsers that take no loopback address for secure.
const POLICY: &str = "default-src 'none'; script-src 'nonce'; style-src 'nonce'; img-src data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types";

impl Page {
    /// # Errors
    ///
    /// Never, as a test shows: the policy is a constant.
    pub(in crate::gateway) fn new() -> Result<Self, ConfigError> {
        let script = [include_str!("page.js"), include_str!("wire.js")].join("\n");
        let style = [include_str!("colours.css"), include_str!("page.css")].join("\n");
        let page = include_str!("page.html").replace("{style}", &style);
        let page = page.replace("{script}", &script);
        Ok(Self {
            headers: SecurityHeadersLayer::web().csp(Csp::parse(POLICY)?),
            pieces: page.split("{nonce}").map(Box::from).collect(),
        })
    }

    /// The headers that its answer needs, for a layer around it.
    pub(in crate::gateway) fn headers(&self) -> SecurityHeadersLayer {
        self.headers.clone()
    }

    /// The page with the nonce that the layer put into `request`.
    pub(in crate::gateway) fn answer(&self, request: &Parts) -> Response<Bytes> {
        let nonce = request.extensions.get().map_or("", CspNonce::as_str);
        let mut response = Response::new(self.pieces.join(nonce).into());
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, no_store);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(nonce: Option<&CspNonce>) -> String {
        let mut request = http::Request::new(()).into_parts().0;
        nonce.cloned().map(|nonce| request.extensions.insert(nonce));
        let body = Page::new().unwrap().answer(&request).into_body();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn style_and_script_carry_the_nonce_of_the_request() {
        let nonce = CspNonce::default();
        let page = page(Some(&nonce));
        for tag in ["<style", "<script type=\"module\""] {
            assert_eq!(page.matches(&format!("{tag} nonce=\"{nonce}\">")).count(), 1, "{tag}");
        }
        assert_eq!(page.matches("<script").count(), 1);
        assert!(
            !page.contains("{nonce}") && !page.contains("{style}") && !page.contains("{script}")
        );
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere_and_nothing_needs_what_the_policy_forbids() {
        let page = page(None);
        for absent in ["//", " src=", " style=", " onclick", " onsubmit", "innerHTML", "eval("] {
            let lines = page.lines().filter(|line| !line.trim_start().starts_with("//"));
            let mut lines = lines.filter(|line| !line.contains("rel=\"icon\""));
            assert_eq!(lines.find(|line| line.contains(absent)), None, "{absent}");
        }
    }
}
