//! The page of the demo: what it is served with, and what a visitor with a keyboard makes of it in a real
//! browser.
#![cfg(feature = "gateway")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/gateway.rs"]
mod support;

use browser::{Browser, ENTER, TAB};
use serde_json::Value;
use support::{Server, poll};

#[test]
fn the_page_runs_nothing_without_its_nonce() {
    let server = Server::demo();
    let mut nonces = Vec::new();
    for path in ["/", "/?from=here"] {
        let page = server.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let policy = page.header("content-security-policy").unwrap();
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert_eq!(nonce.len(), 32);
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; \
                 connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                 require-trusted-types-for 'script'; trusted-types"
            )
        );
        assert_eq!(page.body.matches(&format!("nonce=\"{nonce}\"")).count(), 2, "style and script");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("origin-agent-cluster", "?1"),
        ] {
            assert_eq!(page.header(name), Some(value), "{name}");
        }
        assert!(page.header("permissions-policy").is_some());
        // Over http either would send some browsers to https, where nobody listens.
        assert_eq!(page.header("strict-transport-security"), None);
        assert!(!policy.contains("upgrade"));
        nonces.push(nonce.to_owned());
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[test]
fn the_page_is_at_its_path_alone_and_in_the_demo_alone() {
    let server = Server::demo();
    let head = server.ask("HEAD", "/", &[]);
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.header("content-length"), Some(&*server.get("/").body.len().to_string()));
    let post = server.ask("POST", "/", &[]);
    assert_eq!((post.status, &*post.slug()), (405, "method-not-allowed"));
    assert_eq!(post.header("allow"), Some("GET, HEAD"));
    for path in ["/x", "/index.html", "/page.js"] {
        assert_eq!(server.get(path).slug(), "not-found", "{path}");
    }
    let configured =
        Server::with("[[route]]\npath = \"/api\"\nrespond = \"hello\"\nauth = \"none\"");
    assert_eq!(configured.get("/").slug(), "not-found");
}

/// One browser for all of it, as its start takes longer than the rest.
#[test]
fn a_visitor_with_a_keyboard_logs_in_and_sees_the_limits() {
    let Some(browser) = Browser::start() else { return };
    let mut visit = Visit { browser, server: Server::demo() };
    visit.server.banner();
    visit.arrives();
    visit.logs_in("+919876543210", true);
    visit.calls_the_route();
    visit.looks_at_the_session();
    visit.logs_out();
    visit.logs_in("+14155552671", false);
    visit.sends_thirty_at_once();
    visit.goes_on_until_blocked();
    visit.reloads();
    visit.has_broken_no_rule();
}

struct Visit {
    browser: Browser,
    server: Server,
}

impl Visit {
    fn arrives(&self) {
        self.browser.screen(360, 640);
        self.browser.open(&format!("http://{}/", self.server.address));
        self.fits();
        for (selector, name, value) in [
            ("#phone", "type", "tel"),
            ("#phone", "autocomplete", "tel"),
            ("#code", "autocomplete", "one-time-code"),
            ("#code", "inputmode", "numeric"),
            ("#code", "pattern", "[0-9]*"),
            ("#code", "maxlength", "6"),
        ] {
            let attribute = format!("document.querySelector('{selector}').getAttribute('{name}')");
            assert_eq!(
                self.browser.run(&format!("return {attribute}")),
                value,
                "{selector} {name}"
            );
        }
        assert!(self.browser.is_true(
            "[...document.querySelectorAll('input')].every(one => one.labels.length === 1)"
        ));
        // Keeps what the server gives out, where only this test finds it: to look for it elsewhere.
        self.browser.run(
            "const given = [], real = window.fetch;
             window.fetch = async (...asked) => {
                 const answer = await real(...asked);
                 const body = answer.status === 200 ? await answer.clone().json() : {};
                 given.push(...[body.access_token, body.refresh_token].filter(Boolean));
                 return answer;
             };
             window.leaks = () => {
                 const text = (value) => {
                     try { return typeof value === 'string' ? value : JSON.stringify(value) ?? ''; } catch { return ''; }
                 };
                 const places = Object.getOwnPropertyNames(window).map((name) => ['window.' + name, text(window[name])]);
                 places.push(['html', document.documentElement.outerHTML], ['cookie', document.cookie]);
                 places.push(['local', text({ ...localStorage })], ['session', text({ ...sessionStorage })]);
                 const found = places.filter(([, text]) => given.some((token) => text.includes(token)));
                 return { given: given.length, found: found.map(([name]) => name) };
             };",
        );
    }

    fn logs_in(&mut self, phone: &str, errs: bool) {
        self.tab_to("phone");
        if errs {
            self.browser.press(&format!("12{ENTER}"));
            self.sees("login-status", "country code");
            assert_eq!(
                self.browser.run("return document.getElementById('phone').ariaInvalid"),
                "true"
            );
        }
        self.browser.press(&format!("{phone}{ENTER}"));
        self.sees("login-status", "in the terminal");
        self.has_focus("code");
        self.fits();
        let code = self.server.code();
        let hint = self.browser.text("#code-hint");
        let (country, end) = (&phone[..2], &phone[phone.len() - 4..]);
        assert!(hint.contains(&format!("SMS to {country}")) && hint.contains(end), "{hint}");
        assert!(!hint.contains(&phone[1..]), "{hint}");
        assert!(self.browser.text("#resend").starts_with("New code in "));
        if errs {
            let other = if code.ends_with('1') { '2' } else { '1' };
            self.browser.press(&format!("{}{other}{ENTER}", &code[..5]));
            self.sees("login-status", "4 attempts are left");
            self.has_focus("code");
        }
        self.browser.press(&format!("{code}{ENTER}"));
        self.sees("session-status", "account");
        self.has_focus("route-title");
        self.fits();
        let claims = self.browser.text("#claims");
        for claim in ["iss", "sub", "aud", "exp", "https://portcullis.example/"] {
            assert!(claims.contains(claim), "{claim} in {claims}");
        }
        assert!(!claims.contains(&phone[1..]), "{claims}");
    }

    fn calls_the_route(&self) {
        self.tab_to("hello");
        self.browser.press(ENTER);
        self.sees("route-status", "hello");
        assert_eq!(self.browser.text("#answered"), "200");
        let meter =
            || self.browser.run("return +document.getElementById('meter-per-ip').ariaValueNow");
        let (limit, before) = (self.browser.text("#ratelimit"), meter().as_u64().unwrap());
        assert!(limit.starts_with("\"per-ip\";r="), "{limit}");
        assert!(self.browser.text("#ratelimit-policy").starts_with("\"per-ip\";q="));
        // The limit fills again at one a second, which a slow machine may see between two calls.
        poll("a lower meter", || {
            self.browser.press(ENTER);
            (meter().as_u64()? < before).then_some(())
        });
    }

    fn looks_at_the_session(&self) {
        self.tab_to("refresh");
        self.browser.press(ENTER);
        self.sees("session-status", "new pair of tokens");
        self.tab_to("list");
        self.browser.press(ENTER);
        self.sees("session-status", "one session");
        assert!(self.browser.text("#sessions").contains("this one"));
        self.fits();
        let leaks = self.browser.run("return window.leaks()");
        assert_eq!((&leaks["given"], &leaks["found"]), (&4.into(), &Value::Array(Vec::new())));
        assert_eq!(self.browser.cookies(), Value::Array(Vec::new()));
        let kept = self.browser.run(
            "return JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })",
        );
        let kept = kept.as_str().unwrap();
        assert!(kept.starts_with("{\"portcullis-device\":\"") && kept.ends_with("\"}{}"), "{kept}");
    }

    fn logs_out(&self) {
        self.tab_to("logout");
        self.browser.press(ENTER);
        self.sees("login-status", "logged out");
        self.has_focus("phone");
        assert_eq!(self.browser.text("#claims tbody"), "");
        assert!(self.browser.is_true("document.getElementById('account').hidden"));
    }

    fn sends_thirty_at_once(&self) {
        self.tab_to("burst");
        self.browser.press(ENTER);
        self.sees("route-status", "429");
        let cells = self.browser.text("#cells");
        let cells: Vec<_> = cells.split_whitespace().collect();
        assert_eq!(cells.len(), 30, "{cells:?}");
        assert!(cells.contains(&"200") && cells.contains(&"429"), "{cells:?}");
        self.fits();
    }

    fn goes_on_until_blocked(&self) {
        poll("a block", || {
            self.browser.press(ENTER);
            (self.browser.text("#wait-title") == "Blocked").then_some(())
        });
        self.sees("route-status", "terminal");
        assert!(self.browser.text("#wait-why").contains("terminal"));
        let left = || -> u32 {
            let text = self.browser.text("#wait-left");
            text.split(' ')
                .nth(1)
                .and_then(|number| number.parse().ok())
                .unwrap_or_else(|| panic!("{text}"))
        };
        let first = left();
        assert!((1..=30).contains(&first), "{first}");
        poll("a countdown", || (left() < first).then_some(()));
        self.fits();
    }

    /// The page itself is not blocked, and knows nothing any more.
    fn reloads(&self) {
        self.browser.open(&format!("http://{}/", self.server.address));
        assert!(self.browser.is_true("document.getElementById('account').hidden"));
        assert!(!self.browser.is_true("document.getElementById('phone-form').hidden"));
    }

    /// Refusals of the server are on the console as failed loads; nothing else may be.
    fn has_broken_no_rule(&self) {
        let refused = |entry: &Value| {
            let message = entry["message"].as_str().unwrap();
            entry["source"] == "network"
                && ["(Unauthorized)", "(Too Many Requests)"]
                    .iter()
                    .any(|end| message.ends_with(end))
        };
        let errors = self.browser.console().into_iter().filter(|entry| entry["level"] == "SEVERE");
        let errors: Vec<_> = errors.filter(|entry| !refused(entry)).collect();
        assert_eq!(errors, Vec::<Value>::new());
    }

    /// Goes on by Tab, as far as it takes.
    fn tab_to(&self, id: &str) {
        let there = format!("document.activeElement.id === '{id}'");
        for _ in 0..20 {
            if self.browser.is_true(&there) {
                return;
            }
            self.browser.press(TAB);
        }
        panic!("no Tab leads to {id}");
    }

    fn has_focus(&self, id: &str) {
        assert_eq!(self.browser.run("return document.activeElement.id"), id);
    }

    /// Waits until `id` shows `text`.
    fn sees(&self, id: &str, text: &str) {
        poll(&format!("{text} in {id}"), || {
            self.browser.text(&format!("#{id}")).contains(text).then_some(())
        });
    }

    /// Whether the screen is wide enough.
    #[track_caller]
    fn fits(&self) {
        let width = self.browser.run("return document.documentElement.scrollWidth");
        assert!(width.as_u64().unwrap() <= 360, "{width}");
    }
}
