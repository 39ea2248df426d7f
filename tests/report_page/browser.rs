//! A real browser, driven through the W3C WebDriver protocol by its chromedriver.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// Keys as WebDriver names them.
pub const TAB: &str = "\u{E004}";
pub const ENTER: &str = "\u{E007}";
pub const RIGHT: &str = "\u{E014}";
pub const END: &str = "\u{E010}";
pub const ESCAPE: &str = "\u{E00C}";

/// A browser session. Both processes end with it.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: PathBuf,
}

/// The first of these programs that is in the PATH.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let files = std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    files.into_iter().find(|file| file.is_file())
}

/// Every session has a profile of its own, empty at first.
fn new_profile() -> PathBuf {
    static SESSIONS: AtomicU32 = AtomicU32::new(0);
    let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("vbus-report-{}-{number}", std::process::id()))
}

impl Browser {
    /// Starts a browser; `None` with a word on how to get one, where there is none.
    pub fn start() -> Option<Browser> {
        let found = program(&["chromium", "chromium-browser", "google-chrome"]).zip(program(&["chromedriver"]));
        let Some((browser, driver)) = found else {
            eprintln!("skipped: no chromium with chromedriver here (apt-get install chromium chromium-driver)");
            return None;
        };
        let mut driver = Command::new(driver).arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| line.unwrap().split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        let profile = new_profile();
        let mut session =
            Browser { driver, port: port.expect("chromedriver says its port"), session: String::new(), profile };
        let profile = format!("--user-data-dir={}", session.profile.display());
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1440,1000",
            &profile,
        ];
        let options = json!({ "binary": browser, "args": flags });
        let logs = json!({ "browser": "ALL", "performance": "ALL" });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs
        } } });
        let answer = session.request("POST", "/session", &wanted);
        session.session = format!("/session/{}", answer["sessionId"].as_str().expect("a session"));
        Some(session)
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        // A command without parameters has no body at all: chromedriver refuses `null`, and would leave the browser running.
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap()
                }
                _ if line.trim().is_empty() => break,
                _ => {}
            }
        }
        let mut content = vec![0; length];
        answer.read_exact(&mut content).unwrap();
        let value: Value = serde_json::from_slice(&content).expect("chromedriver answers with JSON");
        value["value"].clone()
    }

    fn post(&self, command: &str, body: Value) -> Value {
        let answer = self.request("POST", &format!("{}{command}", self.session), &body);
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer
    }

    fn get(&self, command: &str) -> Value {
        self.request("GET", &format!("{}{command}", self.session), &Value::Null)
    }

    /// Opens a page of this content.
    pub fn open(&self, name: &str, page: &str) {
        let file = self.profile.join(format!("{name}.html"));
        fs::write(&file, page).unwrap();
        self.post("/url", json!({ "url": format!("file://{}", file.display()) }));
    }

    /// What an expression of JavaScript gives.
    pub fn eval(&self, expression: &str) -> Value {
        self.post("/execute/sync", json!({ "script": format!("return ({expression});"), "args": [] }))
    }

    /// The same as text.
    pub fn text(&self, expression: &str) -> String {
        self.eval(expression).as_str().unwrap_or_default().to_owned()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        format!("/element/{}", id.expect("an element"))
    }

    /// Scrolls to an element as a person would, out from under the log, and clicks with the mouse: fails where something
    /// lies above it.
    pub fn click(&self, selector: &str) {
        self.eval(&format!(
            "document.querySelector({}).scrollIntoView({{ block: 'center', behavior: 'instant' }})",
            json!(selector)
        ));
        self.post(&format!("{}/click", self.element(selector)), json!({}));
    }

    /// Types into an element.
    pub fn type_into(&self, selector: &str, text: &str) {
        self.post(&format!("{}/value", self.element(selector)), json!({ "text": text }));
    }

    /// Presses keys, wherever the focus is.
    pub fn press(&self, keys: &[&str]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })])
            .collect();
        self.post("/actions", json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }));
    }

    /// What a screen reader is told that an element is, and is called.
    pub fn role_and_name(&self, selector: &str) -> (String, String) {
        let element = self.element(selector);
        let ask = |what: &str| self.get(&format!("{element}/{what}")).as_str().unwrap_or_default().to_owned();
        (ask("computedrole"), ask("computedlabel"))
    }

    /// As if the system were dark, or the page were printed.
    pub fn emulate(&self, media: &str, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let parameters = json!({ "media": media, "features": features });
        self.post("/goog/cdp/execute", json!({ "cmd": "Emulation.setEmulatedMedia", "params": parameters }));
    }

    /// Sets the size of the window's content.
    pub fn resize(&self, width: u32, height: u32) {
        let parameters = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.post("/goog/cdp/execute", json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": parameters }));
    }

    /// Prints; how many bytes the PDF has.
    pub fn print(&self) -> usize {
        self.post("/print", json!({ "orientation": "landscape" })).as_str().unwrap_or_default().len() * 3 / 4
    }

    /// What the page wrote to the console since the last call.
    pub fn console(&self) -> Vec<Value> {
        let log = self.post("/se/log", json!({ "type": "browser" }));
        log.as_array().cloned().unwrap_or_default()
    }

    /// What pages from files asked for since the last call; what the browser's own first page asks for is its business.
    pub fn requests(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "performance" }));
        let messages = log.as_array().cloned().unwrap_or_default();
        let events = messages.iter().filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let sent = events.map(|mut event| event["message"].take());
        let sent = sent.filter(|event| event["method"] == "Network.requestWillBeSent");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of_file = sent.filter(|event| text(&event["params"]["documentURL"]).starts_with("file://"));
        of_file.map(|event| text(&event["params"]["request"]["url"])).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            self.request("DELETE", &self.session, &Value::Null);
        }
        _ = self.driver.kill();
        _ = self.driver.wait();
        _ = fs::remove_dir_all(&self.profile);
    }
}
