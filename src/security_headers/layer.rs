use super::{
    Csp, EmbedderPolicy, FrameOptions, Hsts, OpenerPolicy, PermissionsPolicy, ReferrerPolicy,
    ResourcePolicy,
    finish::{Finish, HeadersPass},
    nonce::CspNonce,
    plan::{self, Plan},
    policy::Policy,
    presets,
};
use crate::{
    client::{Client, Clients},
    eventual::Eventual,
    gate::{Gate, Verdict, impl_layer},
    guarded::Guarded,
};
use http::{HeaderName, HeaderValue, header, request::Parts};
use std::sync::Arc;

/// Adds security headers to every answer. See the [module docs](super).
///
/// A layer in hand is always valid. Clones share everything.
#[derive(Clone, Debug)]
#[must_use]
pub struct SecurityHeadersLayer {
    finish: Arc<Finish>,
    clients: Arc<Clients>,
}

#[allow(clippy::needless_pass_by_value, reason = "values are written where they are used")]
impl SecurityHeadersLayer {
    /// For sites: the strict set for pages, a small one for everything else.
    pub fn web() -> Self {
        Self::of(Plan::default().rows(presets::WEB)).csp(Csp::web()).csp_elsewhere(Csp::api())
    }

    /// For answers that are data: nothing may be loaded, framed or stored.
    pub fn api() -> Self {
        Self::of(Plan::default().rows(presets::API)).csp(Csp::api()).csp_elsewhere(Csp::api())
    }

    /// [`web`](Self::web) with all the OWASP Secure Headers Project asks for: embedder policy
    /// `require-corp` and `Cache-Control: no-store, max-age=0` besides.
    pub fn owasp() -> Self {
        Self::web().edit(|plan| *plan = std::mem::take(plan).rows(presets::OWASP))
    }

    /// [`web`](Self::web) for the answers of others: [overriding](Self::overriding), and stripped of
    /// the 69 headers that tell about the software inside.
    pub fn gateway() -> Self {
        let leaks = presets::LEAKS.split(' ').filter_map(|name| name.parse().ok());
        Self::web().overriding().remove(leaks)
    }

    /// Nothing yet.
    pub fn none() -> Self {
        Self { finish: Arc::default(), clients: Arc::default() }
    }

    /// The policy of documents.
    pub fn csp(self, policy: Csp) -> Self {
        self.edit(|plan| {
            plan.fields.retain(|field| field.name != header::CONTENT_SECURITY_POLICY);
            plan.documents = Some(Policy::new(&policy));
        })
    }

    /// The policy of everything but documents, for data that a browser was led to render. A nonce
    /// has no use there and is left out.
    pub fn csp_elsewhere(self, policy: Csp) -> Self {
        self.edit(|plan| {
            plan.fields.retain(|field| field.name != header::CONTENT_SECURITY_POLICY);
            plan.elsewhere = Some(Policy::new(&policy));
        })
    }

    /// A second policy of documents that is reported on and not enforced, to try it out.
    pub fn csp_report_only(self, policy: Csp) -> Self {
        self.edit(|plan| {
            plan.fields.retain(|field| field.name != header::CONTENT_SECURITY_POLICY_REPORT_ONLY);
            plan.report_only = Some(Policy::new(&policy));
        })
    }

    /// How long browsers must use https. Sent over https only.
    pub fn hsts(self, hsts: Hsts) -> Self {
        self.set_text(header::STRICT_TRANSPORT_SECURITY, hsts.to_string())
    }

    /// What links tell about where they are.
    pub fn referrer_policy(self, policy: ReferrerPolicy) -> Self {
        self.set(header::REFERRER_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Who may frame, for browsers that do not know `frame-ancestors`.
    pub fn frame_options(self, options: FrameOptions) -> Self {
        self.set(header::X_FRAME_OPTIONS, HeaderValue::from_static(options.as_str()))
    }

    /// Which windows stay linked to the page.
    pub fn opener_policy(self, policy: OpenerPolicy) -> Self {
        self.set(presets::OPENER_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Keeps the link to pop-ups the page opens, which sign-in by another site needs.
    pub fn oauth_popups(self) -> Self {
        self.opener_policy(OpenerPolicy::SameOriginAllowPopups)
    }

    /// Which resources of others the page may embed.
    pub fn embedder_policy(self, policy: EmbedderPolicy) -> Self {
        self.set(presets::EMBEDDER_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Who may embed the answers.
    pub fn resource_policy(self, policy: ResourcePolicy) -> Self {
        self.set(presets::RESOURCE_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Which browser features pages may use.
    pub fn permissions_policy(self, policy: PermissionsPolicy) -> Self {
        self.set_text(presets::PERMISSIONS_POLICY, policy.to_string())
    }

    /// Any other header. Those that mean something to documents only, or to https only, are sent
    /// only there; a policy set this way takes the place of the typed ones.
    pub fn set(self, name: HeaderName, value: HeaderValue) -> Self {
        self.edit(|plan| {
            if name == header::CONTENT_SECURITY_POLICY
                || name == header::CONTENT_SECURITY_POLICY_REPORT_ONLY
            {
                plan.unset(&name);
            }
            plan.set(name, value);
        })
    }

    /// Leaves a header alone: neither sets nor strips it.
    pub fn without(self, name: HeaderName) -> Self {
        self.edit(|plan| {
            plan.unset(&name);
            plan.strip.retain(|known| *known != name);
        })
    }

    /// Strips headers off the answers of the inner service, before ours are set.
    pub fn remove(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.edit(|plan| plan.strip(names))
    }

    /// Makes ours the only word: copies of our headers that the inner service sent are replaced, and
    /// dropped where ours are not sent. By default a header that is there stays.
    pub fn overriding(self) -> Self {
        self.edit(|plan| plan.overriding = true)
    }

    /// How to tell https from http, if no layer outside has resolved the client.
    /// [`Clients::direct`] by default.
    pub fn clients(mut self, clients: Clients) -> Self {
        self.clients = Arc::new(clients);
        self
    }

    /// What will have to be said about `request`.
    pub(crate) fn pass(&self, request: &mut Parts) -> HeadersPass {
        let encrypted = self.finish.by_scheme && self.is_encrypted(request);
        let nonce = self.finish.has_nonce.then(|| CspNonce::of(request));
        HeadersPass { finish: Arc::clone(&self.finish), encrypted, nonce }
    }

    fn of(mut plan: Plan) -> Self {
        plan.strip(presets::SOFTWARE);
        Self { finish: Arc::new(Finish::new(plan)), clients: Arc::default() }
    }

    fn edit(mut self, edit: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = self.finish.plan().clone();
        edit(&mut plan);
        self.finish = Arc::new(Finish::new(plan));
        self
    }

    fn set_text(self, name: HeaderName, text: String) -> Self {
        match plan::value(text) {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// An unknown peer counts as not encrypted: a missing header is better than a refusal here.
    fn is_encrypted(&self, request: &Parts) -> bool {
        let outside = request.extensions.get().and_then(Guarded::client).copied();
        let client = outside.or_else(|| self.clients.resolve(request));
        client.as_ref().is_some_and(Client::is_encrypted)
    }
}

/// Admits every request; all it has to say is said on the way out.
impl Gate for SecurityHeadersLayer {
    type Pass = HeadersPass;

    fn enter(&self, mut request: Parts) -> Eventual<Verdict<HeadersPass>> {
        let pass = self.pass(&mut request);
        Eventual::Ready(Verdict::admit(request, pass))
    }
}

impl_layer!(SecurityHeadersLayer);
