//! SMTP against an independent server: `aiosmtpd` with STARTTLS and authentication.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use peersync_api::mail::{Language, Letter, Mailer};
use peersync_server::email_address::Email;
use peersync_server::secrets::{Secret, Secrets};
use peersync_server::settings::{MailProvider, MailSettings, SmtpSettings, SmtpTls};
use peersync_server::store::SignIn;
use serde_json::Value;

use crate::support::site;

pub struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
    certificate: String,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the server. Returns `None` without the Python environment of the tests.
pub fn start() -> Option<Server> {
    let Some(python) = std::env::var_os("PEERSYNC_PYTHON") else {
        println!("skipped: PEERSYNC_PYTHON does not name the Python of `tests/requirements.txt`");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/smtp_server.py");
    let mut child = Command::new(python)
        .arg(script)
        .args([&certificate, &key])
        .args(["ada", "secret"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut port = String::new();
    lines.read_line(&mut port).unwrap();
    let port = port.trim().parse().unwrap();
    Some(Server { child, lines, port, certificate: made.cert.pem(), _folder: folder })
}

pub fn mail_settings(server: &Server, tls: SmtpTls, trusted: bool) -> MailSettings {
    let smtp = SmtpSettings {
        host: "localhost".to_owned(),
        port: server.port,
        tls,
        user: Some("ada".to_owned()),
        root_certificate: trusted.then(|| server.certificate.clone()),
    };
    MailSettings {
        provider: MailProvider::Smtp,
        from: "PeerSync <you@example.org>".to_owned(),
        smtp,
        ..MailSettings::default()
    }
}

fn mailer(server: &Server, tls: SmtpTls, password: &str, trusted: bool) -> Mailer {
    let mail = mail_settings(server, tls, trusted);
    let secrets = Secrets { smtp_pass: Some(Secret::new(password)), ..Secrets::default() };
    Mailer::new(&mail, &secrets, None)
}

fn letter(to: &str) -> Letter {
    let to = Email::parse(to).unwrap();
    Letter::sign_in(Language::German, &site(), &to, &SignIn::random())
}

#[tokio::test]
async fn letter_is_sent_over_starttls_with_authentication() {
    let Some(mut server) = start() else { return };
    assert!(mailer(&server, SmtpTls::Starttls, "secret", true).send(&letter("bob@example.org")).await);
    let mut line = String::new();
    server.lines.read_line(&mut line).unwrap();
    let mail: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&mail["from"], &mail["to"][0], &mail["tls"]),
        (&"you@example.org".into(), &"bob@example.org".into(), &true.into())
    );
    let text = mail["text"].as_str().unwrap();
    for header in ["Message-ID: <", "Date: ", "Subject: Bei PeerSync anmelden", "multipart/alternative"] {
        assert!(text.contains(header), "{header} in {text}");
    }
}

#[tokio::test]
async fn nothing_is_sent_without_tls_trust_or_right_password() {
    let Some(server) = start() else { return };
    assert!(!mailer(&server, SmtpTls::Starttls, "wrong", true).send(&letter("bob@example.org")).await);
    assert!(!mailer(&server, SmtpTls::Starttls, "secret", false).send(&letter("bob@example.org")).await);
    assert!(!mailer(&server, SmtpTls::None, "secret", true).send(&letter("bob@example.org")).await);
    assert!(!mailer(&server, SmtpTls::Starttls, "secret", true).send(&letter("refused@example.org")).await);
}
