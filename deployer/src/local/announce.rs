//! What a person sees once everything is ready: the URLs of the pages and the mail, what runs where, and what is
//! missing.

use std::fmt::Write as _;
use std::time::Duration;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};

/// One part of the product, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name, such as `pages`, `API` or `DynamoDB`.
    pub name: &'static str,
    /// Where it runs, such as `in this process` or `at http://127.0.0.1:4566`.
    pub place: String,
}

impl Part {
    /// Creates a part with its place.
    pub fn embedded(name: &'static str, place: impl Into<String>) -> Self {
        Self { name, place: place.into() }
    }
}

/// A running `local`.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The URL of the pages on this computer.
    pub url: String,
    /// The URL of the mailbox, which only this computer can open, with its key if it needs one.
    pub mailbox: String,
    /// The URLs of the pages in the network, the most likely one first; empty if they are not reachable from there.
    pub network_urls: Vec<String>,
    /// Whether the pages are served over HTTPS.
    pub https: bool,
    /// How long the start took.
    pub elapsed: Duration,
    /// What runs where.
    pub parts: Vec<Part>,
    /// What the product has in AWS but not on this computer, each with the reason.
    pub missing: Vec<String>,
}

impl Ready {
    /// Returns the text for people.
    pub fn text(&self) -> String {
        let mut text = format!("PeerSync is ready after {:.1} s\n\n", self.elapsed.as_secs_f64());
        line(&mut text, "Pages", &self.url);
        line(&mut text, "Mailbox", &self.mailbox);
        for (position, url) in self.network_urls.iter().enumerate() {
            line(&mut text, if position == 0 { "Network" } else { "" }, url);
        }
        if let Some(url) = self.network_urls.first() {
            if !self.https {
                line(&mut text, "", "cameras work there only over HTTPS: start with --https");
            }
            if let Some(code) = qr_code(url) {
                text.push('\n');
                text.push_str(&code);
                text.push_str("\n\n");
            }
        }
        text.push('\n');
        for part in &self.parts {
            line(&mut text, part.name, &part.place);
        }
        for missing in &self.missing {
            line(&mut text, "Missing", missing);
        }
        text.push_str("\nPress Ctrl-C to stop.\n");
        text
    }

    /// Returns the event for programs.
    pub fn event(&self) -> Value {
        let parts: serde_json::Map<String, Value> =
            self.parts.iter().map(|part| (part.name.to_owned(), Value::from(part.place.as_str()))).collect();
        json!({
            "event": "ready",
            "url": self.url,
            "mailbox": self.mailbox,
            "network_url": self.network_urls.first(),
            "network_urls": self.network_urls,
            "elapsed_ms": u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            "parts": parts,
            "missing": self.missing,
        })
    }
}

fn line(text: &mut String, label: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {label:<11}{value}");
}

fn qr_code(url: &str) -> Option<String> {
    let code = QrCode::new(url).ok()?;
    // Most terminals are dark, so the light modules are the blocks.
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(network_urls: &[&str], https: bool) -> Ready {
        Ready {
            url: "http://localhost:8080".to_owned(),
            mailbox: "http://localhost:8080/_mail".to_owned(),
            network_urls: network_urls.iter().map(|url| (*url).to_owned()).collect(),
            https,
            elapsed: Duration::from_millis(340),
            parts: vec![Part::embedded("DynamoDB", "in this process, data in .peersync")],
            missing: vec!["TURN".to_owned()],
        }
    }

    #[test]
    fn text_names_pages_mailbox_and_parts() {
        let text = ready(&[], false).text();
        for expected in ["http://localhost:8080\n", "http://localhost:8080/_mail\n", "data in .peersync", "Missing"] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(!text.contains("--https"), "{text}");
    }

    #[test]
    fn network_urls_come_with_a_qr_code_and_a_camera_warning() {
        let text = ready(&["http://192.168.1.7:8080", "http://10.0.0.5:8080"], false).text();
        assert!(text.contains("Network    http://192.168.1.7:8080\n             http://10.0.0.5:8080\n"), "{text}");
        assert!(text.contains("--https") && text.contains('█'), "{text}");
        assert!(!ready(&["https://192.168.1.7:8080"], true).text().contains("--https"));
    }

    #[test]
    fn json_is_one_event() {
        let event = ready(&["http://192.168.1.7:8080"], false).event();
        assert_eq!(event.get("event"), Some(&Value::from("ready")));
        assert_eq!(event.get("network_url"), Some(&Value::from("http://192.168.1.7:8080")));
        assert_eq!(event.get("network_urls"), Some(&json!(["http://192.168.1.7:8080"])));
        assert_eq!(event.get("mailbox"), Some(&Value::from("http://localhost:8080/_mail")));
        assert!(!event.to_string().contains('\n'));
    }
}
