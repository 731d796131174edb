//! Every request conforms to AWS's own models of its services, which emulators do not check.

use std::path::{Path, PathBuf};

use peersync_tests::emulator::{Emulator, python};
use peersync_tests::proxy::Settings;
use peersync_tests::stage::Stage;
use peersync_tests::{clients, deployer};
use tempfile::TempDir;
use tokio::process::Command;

/// Every optional setting, and unusual characters.
const EVERYTHING: &str = r#"
[stack]
expires = "48h"
tags = { owner = "Ada née Ö.", "cost-center" = "a/b:c=d+e@f" }
[mail]
provider = "smtp"
from = "PeerSync <peersync@example.org>"
[mail.smtp]
host = "smtp.example.org"
user = "peersync@example.org"
password = { env = "SMTP_PASS" }
[turn]
urls = ["turn:turn.example.org:3478", "turns:turn.example.org:5349"]
secret = { env = "TURN_SECRET" }
[alarms]
email = "ada@example.org"
topic_arn = "arn:aws:sns:eu-central-1:123456789012:alarms"
"#;

/// The other values of the WebSocket's ingress.
const INGRESSES: [&str; 3] = [
    "[signaling]\ndomain = \"signal.example.org\"\n",
    "[signaling]\ningress = \"direct\"\ndomain = \"signal.example.org\"\nacme_email = \"a@example.org\"\n",
    "[signaling]\ningress = \"cloudflare\"\ndomain = \"signal.example.org\"\n\
     tunnel_token = { env = \"TUNNEL_TOKEN\" }\n[turn]\nprovider = \"cloudflare\"\n\
     key_id = { env = \"TURN_SECRET\" }\napi_token = { env = \"TURN_SECRET\" }\n",
];

/// A stage whose requests are recorded.
struct Recorded {
    stage: Stage,
    folder: TempDir,
}

impl Recorded {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { recording: Some(recording(&folder)), ..Settings::default() };
        Self { stage: Stage::with(Emulator::shared(), settings).await, folder }
    }

    /// Runs a command with every secret that the configurations name.
    async fn run(&self, arguments: &[&str]) {
        let mut command = self.stage.command(arguments);
        command.env("SMTP_PASS", "one secret").env("TURN_SECRET", "another").env("TUNNEL_TOKEN", "a third");
        deployer::run(command).await.expect(0);
    }

    /// Returns whether all requests conform, and the output of the script.
    async fn check(&self) -> (bool, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/check_requests.py");
        let output = Command::new(python()).arg(script).arg(recording(&self.folder)).output().await.unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
    }
}

fn recording(folder: &TempDir) -> PathBuf {
    folder.path().join("requests.jsonl")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_matches_the_aws_models() {
    let recorded = Recorded::new().await;
    recorded.stage.configure(EVERYTHING);
    recorded.run(&["up", "--yes", "--no-check"]).await;
    recorded.run(&["secrets", "list"]).await;
    for _ in 0..2 {
        // The second one overwrites the previous key.
        recorded.run(&["secrets", "rotate", "ticket-key", "--yes"]).await;
    }
    for ingress in INGRESSES {
        recorded.stage.configure(ingress);
        recorded.run(&["up", "--yes", "--no-check"]).await;
    }
    recorded.run(&["down", "--yes"]).await;
    let (fits, printed) = recorded.check().await;
    assert!(fits, "{printed}");
    println!("{printed}");
}

/// Tests the script itself: IAM does not allow such a name.
#[tokio::test(flavor = "multi_thread")]
async fn invalid_request_is_found() {
    let recorded = Recorded::new().await;
    let clients = clients::of_account(&recorded.stage.proxy().url, &recorded.stage.account).await;
    let call = clients.iam.create_role().role_name("no spaces").assume_role_policy_document("{}");
    // The emulator's answer does not matter.
    let _ = call.send().await;
    let (fits, printed) = recorded.check().await;
    assert!(!fits && printed.contains("iam:CreateRole RoleName: 'no spaces' does not fit"), "{printed}");
}
