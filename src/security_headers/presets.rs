//! What the presets hold, as constants.

use super::{plan::Place, source::Source};
use http::{HeaderName, header};

pub(super) const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
pub(super) const EMBEDDER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-embedder-policy");
pub(super) const RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
pub(super) const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const CROSS_DOMAIN_POLICIES: HeaderName =
    HeaderName::from_static("x-permitted-cross-domain-policies");
const AGENT_CLUSTER: HeaderName = HeaderName::from_static("origin-agent-cluster");
const POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");

pub(super) type Row = (HeaderName, &'static str, Place);

const HSTS: Row =
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains", Place::Encrypted);
const NO_SNIFF: Row = (header::X_CONTENT_TYPE_OPTIONS, "nosniff", Place::Everywhere);
const NO_FRAMES: Row = (header::X_FRAME_OPTIONS, "DENY", Place::Everywhere);
const NO_REFERRER: Row = (header::REFERRER_POLICY, "no-referrer", Place::Everywhere);
const OWN_EMBEDDERS: Row = (RESOURCE_POLICY, "same-origin", Place::Everywhere);
const NO_CROSS_DOMAIN: Row = (CROSS_DOMAIN_POLICIES, "none", Place::Everywhere);
const NO_STORE: Row = (header::CACHE_CONTROL, "no-store, max-age=0", Place::Everywhere);

/// `web()` and `gateway()`.
pub(super) const WEB: [Row; 10] = [
    HSTS,
    NO_SNIFF,
    NO_FRAMES,
    NO_REFERRER,
    OWN_EMBEDDERS,
    NO_CROSS_DOMAIN,
    (OPENER_POLICY, "same-origin", Place::Documents),
    (AGENT_CLUSTER, "?1", Place::Documents),
    (PERMISSIONS_POLICY, PERMISSIONS_TEXT, Place::Documents),
    (header::X_DNS_PREFETCH_CONTROL, "off", Place::Documents),
];

/// What `owasp()` adds to `web()`.
pub(super) const OWASP: [Row; 2] = [(EMBEDDER_POLICY, "require-corp", Place::Documents), NO_STORE];

/// `api()`. Opener and embedder policy go on data too: graders look at whatever a path answers.
pub(super) const API: [Row; 9] = [
    HSTS,
    NO_SNIFF,
    NO_FRAMES,
    NO_REFERRER,
    OWN_EMBEDDERS,
    NO_CROSS_DOMAIN,
    (OPENER_POLICY, "same-origin", Place::Everywhere),
    (EMBEDDER_POLICY, "require-corp", Place::Everywhere),
    NO_STORE,
];

type Policy<const N: usize> = [(&'static str, &'static [Source]); N];

pub(super) const CSP_NONE: Policy<1> = [("default-src", &[Source::NONE])];

pub(super) const CSP_API: Policy<4> = [
    ("default-src", &[Source::NONE]),
    ("base-uri", &[Source::NONE]),
    ("form-action", &[Source::NONE]),
    ("frame-ancestors", &[Source::NONE]),
];

pub(super) const CSP_WEB: Policy<12> = [
    ("default-src", &[Source::NONE]),
    ("script-src", &[Source::SELF]),
    ("style-src", &[Source::SELF]),
    ("img-src", &[Source::SELF, Source::DATA]),
    ("font-src", &[Source::SELF]),
    ("connect-src", &[Source::SELF]),
    ("manifest-src", &[Source::SELF]),
    ("base-uri", &[Source::NONE]),
    ("form-action", &[Source::SELF]),
    ("frame-ancestors", &[Source::NONE]),
    ("object-src", &[Source::NONE]),
    (super::directive::UPGRADE, &[]),
];

pub(super) const CSP_STRICT: Policy<10> = [
    ("default-src", &[Source::NONE]),
    ("script-src", &[Source::NONCE, Source::STRICT_DYNAMIC]),
    ("style-src", &[Source::SELF, Source::NONCE]),
    ("img-src", &[Source::SELF, Source::DATA]),
    ("font-src", &[Source::SELF]),
    ("connect-src", &[Source::SELF]),
    ("base-uri", &[Source::NONE]),
    ("form-action", &[Source::SELF]),
    ("frame-ancestors", &[Source::NONE]),
    (super::directive::UPGRADE, &[]),
];

/// The texts of the presets: as static values they are cheaper to clone than shared ones.
pub(super) const TEXTS: [&str; 3] = [
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'; object-src 'none'; upgrade-insecure-requests",
];

/// The features of [`PermissionsPolicy::owasp`](super::PermissionsPolicy::owasp).
pub(super) const FEATURES: &str = "\
    accelerometer autoplay camera cross-origin-isolated display-capture encrypted-media \
    fullscreen geolocation gyroscope keyboard-map magnetometer microphone midi payment \
    picture-in-picture publickey-credentials-get screen-wake-lock sync-xhr usb web-share \
    xr-spatial-tracking clipboard-read clipboard-write gamepad hid idle-detection \
    interest-cohort serial unload";

const PERMISSIONS_TEXT: &str = "accelerometer=(), autoplay=(), camera=(), \
    cross-origin-isolated=(), display-capture=(), encrypted-media=(), fullscreen=(), \
    geolocation=(), gyroscope=(), keyboard-map=(), magnetometer=(), microphone=(), midi=(), \
    payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), \
    sync-xhr=(self), usb=(), web-share=(), xr-spatial-tracking=(), clipboard-read=(), \
    clipboard-write=(), gamepad=(), hid=(), idle-detection=(), interest-cohort=(), serial=(), \
    unload=()";

/// What every preset takes off.
pub(super) const SOFTWARE: [HeaderName; 2] = [header::SERVER, POWERED_BY];

/// What `gateway()` takes off: headers that tell about software, versions, hosts and traces inside,
/// as the OWASP Secure Headers Project lists them (the 69 names of its list of September 2024).
pub(super) const LEAKS: &str = "\
    $wsep host-header k-proxy-request liferay-portal oraclecommercecloud-version pega-host \
    powered-by product server sourcemap x-aspnet-version x-aspnetmvc-version x-atmosphere-error \
    x-atmosphere-first-request x-atmosphere-tracking-id x-b3-parentspanid x-b3-sampled \
    x-b3-spanid x-b3-traceid x-beserver x-calculatedbetarget x-cf-powered-by x-cms \
    x-cocoon-version x-content-encoded-by x-diaginfo x-dtagentid x-dthealthcheck \
    x-dtinjectedservlet x-envoy-attempt-count x-envoy-external-address x-envoy-internal \
    x-envoy-original-dst-host x-envoy-upstream-service-time x-feserver x-framework \
    x-generated-by x-generator x-jitsi-release x-joomla-version x-kubernetes-pf-flowschema-ui \
    x-kubernetes-pf-prioritylevel-uid x-litespeed-cache x-litespeed-cache-control \
    x-litespeed-purge x-litespeed-tag x-litespeed-vary x-mod-pagespeed x-nextjs-cache \
    x-nextjs-matched-path x-nextjs-page x-nextjs-redirect x-old-content-length \
    x-oneagent-js-injection x-owa-version x-page-speed x-php-version x-powered-by \
    x-powered-by-plesk x-powered-cms x-redirect-by x-ruxit-js-agent x-server-powered-by \
    x-sourcefiles x-sourcemap x-turbo-charged-by x-umbraco-version x-varnish-backend \
    x-varnish-server";

#[cfg(test)]
mod tests {
    use super::super::{Csp, Hsts, PermissionsPolicy};
    use super::*;

    #[test]
    fn texts_are_what_the_types_would_write() {
        assert_eq!(TEXTS[0], Csp::api().to_string());
        assert_eq!(
            TEXTS[1],
            Csp::web().without(super::super::directive::UPGRADE).unwrap().to_string()
        );
        assert_eq!(TEXTS[2], Csp::web().to_string());
        assert_eq!(PERMISSIONS_TEXT, PermissionsPolicy::owasp().to_string());
        assert_eq!(HSTS.1, Hsts::one_year().include_subdomains().to_string());
    }

    #[test]
    fn every_leak_is_a_header_name() {
        let names: Vec<HeaderName> =
            LEAKS.split(' ').filter_map(|name| name.parse().ok()).collect();
        assert_eq!(names.len(), 69);
        assert!(SOFTWARE.iter().all(|name| names.contains(name)));
    }
}
