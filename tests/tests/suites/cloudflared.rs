//! The real cloudflared takes what `up` writes at Cloudflare and what a host runs. It never reaches Cloudflare.
//! Needs: python, cloudflared.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::routing::post;
use axum::{Json, Router};
use peersync_tests::cloudflare::Cloudflare;
use peersync_tests::deployer;
use peersync_tests::emulator::Emulator;
use peersync_tests::http::client;
use peersync_tests::proxy::Settings;
use peersync_tests::stage::{Stage, UP};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::host;

const TUNNEL_SCRIPT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/resources/src/kinds/signal_instance/host/tunnel.sh");
/// The address of the metrics in the script.
const METRICS: &str = "127.0.0.1:20241";
/// How long something may take that takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the program that `cargo xtask test` has prepared.
fn program() -> PathBuf {
    std::env::var_os("CLOUDFLARED").map(PathBuf::from).expect("CLOUDFLARED is the path of cloudflared")
}

/// The script of a host's tunnel, with the metrics at a free port and cloudflared without Cloudflare.
struct Tunnel {
    folder: tempfile::TempDir,
    metrics: SocketAddr,
}

impl Tunnel {
    /// Creates one whose cloudflared has these further options.
    fn new(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let metrics = socket.local_addr().unwrap();
        let script = std::fs::read_to_string(TUNNEL_SCRIPT).unwrap();
        assert!(script.contains(METRICS));
        std::fs::write(folder.path().join("tunnel"), script.replace(METRICS, &metrics.to_string())).unwrap();
        // Nobody listens there, so that it tries again and again to connect.
        let run = format!("TUNNEL_EDGE=127.0.0.1:1 exec '{}' \"$@\" {options}", program().display());
        host::program(&folder.path().join("cloudflared"), &run);
        Self { folder, metrics }
    }

    fn start(&self, variables: &[(&str, &str)]) -> Child {
        let programs = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.arg(self.folder.path().join("tunnel")).env("PATH", programs).env("HOME", self.folder.path());
        command.env("RUNTIME_DIRECTORY", self.folder.path()).envs(variables.iter().copied());
        command.kill_on_drop(true).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Returns status and body of an answer of its metrics, once there is one of which this holds.
    async fn answer(&self, path: &str, holds: impl Fn(&Value) -> bool) -> (u16, Value) {
        let (client, url) = (client(), format!("http://{}{path}", self.metrics));
        let asking = async {
            loop {
                if let Ok(answer) = client.get(&url).send().await {
                    let status = answer.status().as_u16();
                    let body = answer.json().await.unwrap_or(Value::Null);
                    if holds(&body) {
                        return (status, body);
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{url} does not answer so"))
    }
}

/// Runs cloudflared to its end, and returns whether it succeeded and what it printed.
async fn run(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program()).args(arguments).output().await.unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

/// Writes the configuration of a tunnel at Cloudflare as cloudflared reads it from a file. JSON is YAML.
fn write(path: &Path, mut config: Value) {
    config["tunnel"] = json!("00000000-0000-4000-8000-000000000001");
    std::fs::write(path, config.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_token_that_up_stores_are_those_of_cloudflared() {
    let stage = Stage::with(Emulator::shared(), Settings::default()).await;
    let cloudflare = Cloudflare::start().await;
    stage.configure("[signaling]\ningress = \"cloudflare\"\ndomain = \"signal.example.org\"\n");
    deployer::run(cloudflare.of(stage.command(&UP))).await.expect(0);
    let [tunnel] = cloudflare.state().live_tunnels().try_into().expect("one tunnel");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    let config = file.to_str().unwrap();
    write(&file, tunnel.config.clone());
    let (is_valid, printed) = run(&["tunnel", "--config", config, "ingress", "validate"]).await;
    assert!(is_valid, "{printed}");
    let leads = async |url: &str| run(&["tunnel", "--config", config, "ingress", "rule", url]).await.1;
    let signaling = leads("https://signal.example.org/ws").await;
    assert!(signaling.contains("http://127.0.0.1:8081"), "{signaling}");
    let other = leads("https://other.example.org/ws").await;
    assert!(other.contains("http_status:404"), "{other}");
    let mut without_last_rule = tunnel.config.clone();
    without_last_rule["ingress"].as_array_mut().unwrap().pop();
    write(&file, without_last_rule);
    assert!(!run(&["tunnel", "--config", config, "ingress", "validate"]).await.0, "it checks the rules");

    let host = Tunnel::new("");
    let _running = host.start(&[("TUNNEL_TOKEN", &tunnel.token())]);
    // What the installation waits for.
    let (status, ready) = host.answer("/ready", |body| body.is_object()).await;
    assert_eq!((status, &ready["readyConnections"]), (503, &json!(0)), "{ready}");
    let mut refused = Tunnel::new("").start(&[("TUNNEL_TOKEN", "not a token")]);
    assert!(!tokio::time::timeout(PATIENCE, refused.wait()).await.unwrap().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_tunnel_tells_its_address_at_the_metrics() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let service = format!("http://{}", listener.local_addr().unwrap());
    let tunnel = json!({
        "success": true, "errors": [],
        "result": {
            "id": "00000000-0000-4000-8000-000000000001", "name": "quick", "account_tag": "0a",
            "hostname": "some-words-here.trycloudflare.com", "secret": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=",
        },
    });
    let answers = Router::new().route("/tunnel", post(async move || Json(tunnel)));
    let _serving = tokio::spawn(async move { axum::serve(listener, answers).await });
    let host = Tunnel::new(&format!("--quick-service {service}"));
    let _running = host.start(&[]);
    let (status, body) = host.answer("/quicktunnel", |body| body["hostname"] != json!("")).await;
    assert_eq!((status, &body["hostname"]), (200, &json!("some-words-here.trycloudflare.com")));
}
