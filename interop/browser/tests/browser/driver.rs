//! Chromium and its windows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::server::fresh_directory;

/// The most that anything here may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// What the browser runs on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Device {
    Desk,
    Phone,
}

/// A separate browser; it ends with the test.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    profile: PathBuf,
}

impl Browser {
    pub(crate) async fn start(device: Device) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver is missing: apt-get install chromium chromium-driver");
        let stdout = BufReader::new(driver.stdout.take().unwrap());
        let port: u16 = stdout
            .lines()
            .find_map(|line| {
                let line = line.unwrap();
                line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver names its port");
        let profile = fresh_directory();
        let connected = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(device, &profile))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await;
        match connected {
            Ok(client) => Self { client, driver, profile },
            Err(error) => {
                let _ = driver.kill();
                let _ = driver.wait();
                panic!("Chromium does not start: {error}");
            }
        }
    }

    /// The window that is there.
    pub(crate) async fn window(&self, url: &str) -> Window<'_> {
        let window = Window { browser: self, handle: self.client.window().await.unwrap() };
        self.client.goto(url).await.unwrap();
        window
    }

    pub(crate) async fn another_window(&self, url: &str) -> Window<'_> {
        let handle = self.client.new_window(false).await.unwrap().handle;
        self.client.switch_to_window(handle.clone()).await.unwrap();
        self.client.goto(url).await.unwrap();
        Window { browser: self, handle }
    }

    /// What the console has shown since it was asked the last time.
    pub(crate) async fn console(&self) -> Vec<String> {
        let log = self.client.issue_cmd(BrowserLog).await.unwrap();
        let text = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        log.as_array().unwrap().iter().map(text).collect()
    }

    pub(crate) async fn end(self) {
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // After a test that failed Chromium is still there, and it outlives its driver.
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

fn capabilities(device: Device, profile: &std::path::Path) -> Capabilities {
    let mut options = json!({
        "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--ignore-certificate-errors", "--window-size=900,640",
            format!("--user-data-dir={}", profile.display()),
        ],
    });
    if device == Device::Phone {
        options["mobileEmulation"] =
            json!({ "deviceMetrics": { "width": 360, "height": 640, "pixelRatio": 2.0 } });
    }
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".into(), options);
    capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
    capabilities
}

/// One window of the browser. There is one keyboard: each call is to the window it is made on.
pub(crate) struct Window<'b> {
    browser: &'b Browser,
    handle: WindowHandle,
}

impl Window<'_> {
    async fn client(&self) -> &Client {
        self.browser.client.switch_to_window(self.handle.clone()).await.unwrap();
        &self.browser.client
    }

    /// Types where the focus is.
    pub(crate) async fn types(&self, keys: &str) {
        self.client().await.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    pub(crate) async fn clicks(&self, selector: &str) {
        let client = self.client().await;
        client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// What a script returns.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.client().await.execute(script, Vec::new()).await.unwrap()
    }

    /// The texts of all elements that match, as they are in the document.
    pub(crate) async fn texts(&self, selector: &str) -> Vec<String> {
        let script =
            "return Array.from(document.querySelectorAll(arguments[0]), (e) => e.textContent)";
        let texts = self.client().await.execute(script, vec![selector.into()]).await.unwrap();
        serde_json::from_value(texts).unwrap()
    }

    /// Waits until one of the elements has a text with these words.
    pub(crate) async fn shows(&self, selector: &str, words: &str) {
        self.until(selector, |texts| texts.iter().any(|text| text.contains(words)), words).await;
    }

    /// Waits until the elements have these texts.
    pub(crate) async fn shows_all(&self, selector: &str, expected: &[&str]) {
        self.until(selector, |texts| texts == expected, expected).await;
    }

    async fn until(
        &self,
        selector: &str,
        is_it: impl Fn(&[String]) -> bool,
        expected: impl std::fmt::Debug,
    ) {
        let start = Instant::now();
        loop {
            let texts = self.texts(selector).await;
            if is_it(&texts) {
                return;
            }
            assert!(start.elapsed() < TIMEOUT, "{selector} shows {texts:?}, not {expected:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        self.client().await.screenshot().await.unwrap()
    }

    pub(crate) async fn closes(self) {
        self.client().await.close_window().await.unwrap();
    }
}

/// Chromedriver's own command.
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/se/log", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}
