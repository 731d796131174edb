//! A person with a browser in the lab, by `tests/browser/lab/person.js`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::namespace::Namespace;

/// The deadline for one request; the program has its own, shorter one, which says more.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// The installed Chromium.
    Chromium,
    /// The installed Firefox.
    Firefox,
}

/// A person. The browser ends when this is dropped.
#[derive(Debug)]
pub struct Person {
    name: &'static str,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// One end of the way between two browsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// `host`, `srflx`, `prflx` or `relay`.
    pub kind: String,
    /// How the browser reaches the relay: `udp`, `tcp` or `tls`. Empty if this is not a relayed address, or the other
    /// side's.
    pub relay_protocol: String,
    /// The URL of the server from which the address is. Empty where a browser does not tell.
    pub url: String,
}

/// The way between two browsers, as one of them sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// This side.
    pub local: End,
    /// The other side.
    pub remote: End,
}

impl Person {
    /// Starts a browser on a computer.
    pub async fn arrive(computer: &Namespace, browser: Browser, name: &'static str) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/lab/person.js");
        let browser = match browser {
            Browser::Chromium => "chromium",
            Browser::Firefox => "firefox",
        };
        let mut command = computer.command("node");
        command.arg(program).args([browser, name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Command::from(command).spawn().expect("node can be started");
        let stdin = child.stdin.take().expect("it is piped");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut person = Self { name, stdin, lines, _child: child };
        person.answer().await;
        person
    }

    /// Sends a request and returns the answer. Panics with what the page shows if it failed.
    pub async fn ask(&mut self, request: Value) -> Value {
        let line = format!("{request}\n");
        self.stdin.write_all(line.as_bytes()).await.expect("the browser's program runs");
        self.answer().await
    }

    async fn answer(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{}'s browser does not answer", self.name));
        let line = line.expect("the answer is text").unwrap_or_else(|| panic!("{}'s browser has ended", self.name));
        let answer: Value = serde_json::from_str(&line).expect("the answer is JSON");
        assert!(answer.get("ok").is_some(), "{}: {answer:#}", self.name);
        answer["ok"].clone()
    }

    /// Joins a room.
    pub async fn join(&mut self, room: &str) {
        self.ask(json!({ "do": "join", "url": room })).await;
    }

    /// Waits for moving pictures of this many people, and returns the ways to them.
    pub async fn sees(&mut self, people: usize) -> Vec<Way> {
        let connections = self.ask(json!({ "do": "see", "people": people })).await;
        let connections = connections.as_array().expect("the answer is a list");
        let end = |end: &Value| {
            let text = |field: &str| end[field].as_str().unwrap_or_default().to_owned();
            End { kind: text("type"), relay_protocol: text("relayProtocol"), url: text("url") }
        };
        let ways = connections.iter().map(|one| Way { local: end(&one["local"]), remote: end(&one["remote"]) });
        let ways: Vec<Way> = ways.collect();
        eprintln!("{}: {ways:?}", self.name);
        ways
    }

    /// Starts to measure how long the picture stands still.
    pub async fn watch(&mut self) {
        self.ask(json!({ "do": "watch" })).await;
    }

    /// Returns the longest time that the picture stood still since [`Person::watch`].
    pub async fn longest_gap(&mut self) -> Duration {
        let gap = self.ask(json!({ "do": "gap" })).await;
        Duration::from_millis(gap.as_u64().expect("the answer is a number"))
    }
}
