//! A browser without a window, driven by the WebDriver protocol (W3C) through chromedriver.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may panic, too"
)]

use super::support::Folder;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    env,
    io::{BufRead, BufReader, ErrorKind},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{net::TcpStream, runtime::Runtime, time::timeout};

/// Far longer than a command takes; what hangs must fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keys that are no characters (WebDriver, section 17.4.2).
pub(crate) const TAB: &str = "\u{E004}";
pub(crate) const ENTER: &str = "\u{E007}";

/// Everything the browser would do of its own accord on a network is off.
const FLAGS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A running browser. It ends with this value, whatever the test comes to.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    runtime: Runtime,
    _profile: Folder,
}

impl Browser {
    /// A fresh one, or `None` where the environment says that there is none.
    pub(crate) fn start() -> Option<Self> {
        if env::var_os("PORTCULLIS_NO_BROWSER").is_some_and(|value| value == "1") {
            eprintln!("left out: PORTCULLIS_NO_BROWSER=1 says that there is no browser");
            return None;
        }
        let (driver, port) = driver();
        let profile = Folder::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut browser = Self { driver, port, session: String::new(), runtime, _profile: profile };
        let mut args: Vec<_> = FLAGS.map(str::to_owned).into();
        args.push(format!("--user-data-dir={}", browser._profile.path().display()));
        let opened = browser.ask(
            Method::POST,
            "/session",
            Some(json!({ "capabilities": { "alwaysMatch": {
                "goog:chromeOptions": { "args": args },
                "goog:loggingPrefs": { "browser": "ALL" },
            } } })),
        );
        browser.session = opened["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    /// A screen of so many CSS pixels.
    pub(crate) fn screen(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Presses the keys one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let press = |key: char| {
            ["keyDown", "keyUp"].map(|act| json!({ "type": act, "value": key.to_string() }))
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        self.post(
            "/actions",
            json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }),
        );
    }

    /// What the body of a function returns in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    pub(crate) fn is_true(&self, expression: &str) -> bool {
        self.run(&format!("return {expression}")) == true
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({}).innerText", json!(selector));
        self.run(&script).as_str().unwrap_or_default().to_owned()
    }

    /// What the console has said since the last call.
    pub(crate) fn console(&self) -> Vec<Value> {
        let said = self.post("/se/log", json!({ "type": "browser" }));
        said.as_array().unwrap().clone()
    }

    pub(crate) fn cookies(&self) -> Value {
        self.ask(Method::GET, &format!("/session/{}/cookie", self.session), None)
    }

    /// The picture of the screen, as PNG in base64.
    pub(crate) fn screenshot(&self) -> String {
        let shot = self.ask(Method::GET, &format!("/session/{}/screenshot", self.session), None);
        shot.as_str().unwrap().to_owned()
    }

    pub(crate) fn devtools(&self, command: &str, params: &Value) {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": params }));
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, &format!("/session/{}{path}", self.session), Some(body))
    }

    /// A command; an error of the driver is one of the test.
    fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let what = format!("{method} {path}");
        let answer =
            self.runtime.block_on(async { timeout(PATIENCE, self.send(method, path, body)).await });
        let answer = answer.unwrap_or_else(|_| panic!("{what}: no answer"));
        let value = serde_json::from_slice::<Value>(&answer).unwrap()["value"].take();
        assert!(value["error"].is_null(), "{what}: {} {}", value["error"], value["message"]);
        value
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Bytes {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (mut driver, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let body = body.map_or_else(String::new, |body| body.to_string());
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", format!("127.0.0.1:{}", self.port));
        let request = request.header("content-type", "application/json");
        let answer = driver.send_request(request.body(Full::<Bytes>::from(body)).unwrap()).await;
        answer.unwrap().into_body().collect().await.unwrap().to_bytes()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser, so it must be asked before it ends itself.
        if !self.session.is_empty() {
            let path = format!("/session/{}", self.session);
            let end = self.send(Method::DELETE, &path, None);
            let _ = self.runtime.block_on(async { timeout(PATIENCE, end).await });
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Starts chromedriver on a free port, which it tells.
fn driver() -> (Child, u16) {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut driver = match command.spawn() {
        Ok(driver) => driver,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "there is no chromedriver: install the Debian packages chromium and chromium-driver, or set \
             PORTCULLIS_NO_BROWSER=1 to leave this test out"
        ),
        Err(error) => panic!("chromedriver: {error}"),
    };
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.into_iter().find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    (driver, port.expect("chromedriver tells its port"))
}
