//! Every request is as AWS's own models of its services have it, which emulators do not look at.

use std::path::Path;

use peersync_tests::emulator::{Emulator, python};
use peersync_tests::proxy::Settings;
use peersync_tests::stage::Stage;
use tokio::process::Command;

/// All that is optional, and characters that somebody may use.
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
topic_arn = "arn:aws:sns:eu-central-1:123456789012:alarms"
"#;

/// The other ways for the WebSocket to come in.
const INGRESSES: [&str; 2] = [
    "[signaling]\ningress = \"direct\"\ndomain = \"signal.example.org\"\nacme_email = \"a@example.org\"\n",
    "[signaling]\ningress = \"cloudflare\"\ndomain = \"signal.example.org\"\n\
     tunnel_token = { env = \"TUNNEL_TOKEN\" }\n",
];

async fn run(stage: &Stage, arguments: &[&str]) {
    let mut command = stage.command(arguments);
    command.env("SMTP_PASS", "one secret").env("TURN_SECRET", "another").env("TUNNEL_TOKEN", "a third");
    peersync_tests::deployer::run(command).await.expect(0);
}

/// What the script says; it must have found nothing.
async fn check(recording: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/check_requests.py");
    let output = Command::new(python()).arg(script).arg(recording).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_fits() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("requests.jsonl");
    let settings = Settings { recording: Some(recording.clone()), ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.configure(EVERYTHING);
    run(&stage, &["up", "--yes", "--no-check"]).await;
    for ingress in INGRESSES {
        stage.configure(ingress);
        run(&stage, &["up", "--yes", "--no-check"]).await;
    }
    run(&stage, &["down", "--yes"]).await;
    println!("{}", check(&recording).await);
}

/// The script itself: a name that IAM does not allow, and an instance without what it must have.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_fit_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("requests.jsonl");
    let settings = Settings { recording: Some(recording.clone()), ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    let clients = peersync_tests::clients::of_account(&stage.proxy().url, &stage.account).await;
    let call = clients.iam.create_role().role_name("no spaces").assume_role_policy_document("{}");
    // What the emulator makes of it does not matter.
    let _ = call.send().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/check_requests.py");
    let output = Command::new(python()).arg(script).arg(&recording).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("iam:CreateRole RoleName: 'no spaces' does not fit"), "{said}");
}
