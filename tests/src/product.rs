//! `peersync-deploy local` as a process: the whole product, in a folder of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use crate::deployer::{Run, command, ended, signal};
use crate::http::client;

/// The deadline for a start: the embedded product takes a fraction of a second, an emulator some seconds.
const START: Duration = Duration::from_secs(120);
/// The deadline for a line of the log whose cause has already happened.
const LOG: Duration = Duration::from_secs(30);
/// The deadline for a mail that was already sent.
const MAIL: Duration = Duration::from_secs(30);

/// A running product, which is killed when this is dropped.
#[derive(Debug)]
pub struct Product {
    /// The event that reports that everything is ready.
    pub ready: Value,
    /// The events before it.
    pub before: Vec<Value>,
    log: Arc<Mutex<String>>,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Product {
    /// Starts `local` in a folder and waits until it is ready.
    pub async fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["--output", "json", "local"];
        all.extend(arguments);
        Self::from(command(folder, &all)).await
    }

    /// Like [`Product::start`], with a complete command.
    pub async fn from(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the deployer can be started");
        let stdout = child.stdout.take().expect("its output is piped");
        let stderr = child.stderr.take().expect("its errors are piped");
        let log = Arc::new(Mutex::new(String::new()));
        tokio::spawn(keep(stderr, Arc::clone(&log)));
        let mut lines = BufReader::new(stdout).lines();
        let mut before = Vec::new();
        let ready = timeout(START, async {
            while let Some(line) = lines.next_line().await.expect("its output is text") {
                let event: Value = serde_json::from_str(&line).expect("its output is JSON");
                if event["event"] == "ready" {
                    return Some(event);
                }
                before.push(event);
            }
            None
        });
        let ready = ready.await.expect("local is ready in time").expect("local reports that it is ready");
        Self { ready, before, log, child, lines }
    }

    /// Returns the URL of the pages.
    pub fn url(&self) -> &str {
        self.ready["url"].as_str().expect("the event has a URL")
    }

    /// Its port.
    pub fn port(&self) -> String {
        self.url().rsplit(':').next().expect("the URL has a port").to_owned()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends it SIGINT, as Ctrl-C does, and waits until it has ended.
    pub async fn interrupt(self) -> Run {
        let started = Instant::now();
        let Self { child, lines, .. } = self;
        signal("-INT", &child.id().expect("it runs").to_string()).await;
        let run = ended(child, started).await;
        drop(lines);
        run
    }

    /// Waits until it has logged a line with all of these.
    pub async fn logged(&self, words: &[&str]) {
        let has_all = |line: &str| words.iter().all(|word| line.contains(word));
        let found = timeout(LOG, async {
            while !self.log().lines().any(has_all) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(found.await.is_ok(), "no line with {words:?}:\n{}", self.log());
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request, with the session's cookie if one is given.
    pub async fn call(&self, method: &str, path: &str, cookie: &str, body: Option<Value>) -> Answer {
        self.call_at(&client(), self.url(), method, (path, cookie), body).await
    }

    /// Like [`Product::call`], at another address of the product and with a client that trusts it.
    pub async fn call_at(
        &self,
        client: &reqwest::Client,
        site: &str,
        method: &str,
        (path, cookie): (&str, &str),
        body: Option<Value>,
    ) -> Answer {
        let method = method.parse().expect("a method");
        let mut request = client.request(method, format!("{site}{path}")).header("origin", site);
        if !cookie.is_empty() {
            request = request.header("cookie", cookie);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.expect("local answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the answer is text");
        Answer { status, headers, text }
    }

    /// A GET without a session.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "", None).await
    }

    /// Signs up, reads the mail, signs in with its link, and returns the session's cookie.
    pub async fn sign_in(&self, name: &str, email: &str) -> String {
        let body = json!({ "name": name, "email": email });
        let asked = self.call("POST", "/api/signup", "", Some(body)).await.expect(202);
        let text = self.mail_to(email).await;
        let token = text.split("#token=").nth(1).expect("the mail has a link");
        let token = token.split_whitespace().next().expect("the link has a token");
        let body = json!({ "token": token, "match": asked.json()["match"] });
        self.call("POST", "/api/login/verify", &asked.cookie(), Some(body)).await.expect(200).cookie()
    }

    /// Waits for a mail to this address, and returns the text of the newest one.
    pub async fn mail_to(&self, email: &str) -> String {
        let found = timeout(MAIL, async {
            loop {
                let mails = self.get("/_mail/messages.json").await.expect(200).json();
                let mails = mails.as_array().cloned().unwrap_or_default();
                if let Some(mail) = mails.iter().find(|mail| mail["to"] == email) {
                    return mail["text"].as_str().unwrap_or_default().to_owned();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        found.await.expect("the mail arrives")
    }
}

/// Reads what a child logs, because a full pipe would block it, keeps it, and prints it if the test fails.
async fn keep(stderr: ChildStderr, log: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        eprintln!("{line}");
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(&line);
        log.push('\n');
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body.
    pub text: String,
}

impl Answer {
    /// Panics with the body if the status is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Returns the cookies that it sets, in the form in which a client sends them.
    pub fn cookie(&self) -> String {
        let set = self.headers.get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
        let pairs = set.filter_map(|cookie| cookie.split(';').next()).filter(|pair| !pair.ends_with('='));
        pairs.collect::<Vec<_>>().join("; ")
    }
}
