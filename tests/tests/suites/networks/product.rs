//! The product on the server of the lab: `peersync-deploy local` with HTTPS.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command as Blocking, Stdio};

use peersync_tests::deployer::command;
use peersync_tests::product::Product;
use tempfile::TempDir;
use tokio::process::Command;

use super::lab::{Lab, PAGES, SERVER};
use super::namespace::Namespace;
use super::relay::{SECRET, SeparateRelay};

/// The product, reachable from everywhere in the lab.
#[derive(Debug)]
pub struct Service {
    /// The process.
    pub product: Product,
    _folder: TempDir,
}

impl Service {
    /// Starts it for IPv4, with these flags more.
    pub async fn start(lab: &Lab, more: &[&str]) -> Self {
        Self::run(lab, "", &[&["--host", "0.0.0.0"], more].concat()).await
    }

    /// Starts it for both protocols.
    pub async fn start_for_both_protocols(lab: &Lab) -> Self {
        Self::run(lab, "", &["--host", "::"]).await
    }

    /// Starts it for IPv4, without a relay in its process: [`SeparateRelay`] is one.
    pub async fn start_with_separate_relay(lab: &Lab) -> Self {
        Self::run(lab, &SeparateRelay::configuration(), &["--host", "0.0.0.0"]).await
    }

    async fn run(lab: &Lab, configuration: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        fs::write(folder.path().join("peersync.toml"), configuration).expect("a configuration");
        let port = PAGES.to_string();
        let mut arguments = vec!["--output", "json", "local", "--embedded", "--https", "--port", &port];
        arguments.extend(more);
        // Pages to serve in place of the embedded ones, so that work on them needs no build.
        let assets = env::var("PEERSYNC_ASSETS").ok();
        arguments.extend(assets.iter().flat_map(|assets| ["--assets", assets]));
        let product = Product::from(inside(&lab.server, command(folder.path(), &arguments))).await;
        Self { product, _folder: folder }
    }

    /// Creates a room, and returns its URL.
    pub fn room(&self, lab: &Lab) -> String {
        format!("https://{SERVER}:{PAGES}{}", self.clerk(lab, &["room"]))
    }

    /// Asks the program that works at the product's own computer.
    pub fn clerk(&self, lab: &Lab, request: &[&str]) -> String {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/lab/clerk.js");
        let mut command = lab.server.command("node");
        command.env("NODE_TLS_REJECT_UNAUTHORIZED", "0").env("NODE_NO_WARNINGS", "1");
        lab.server.output(command.arg(program).arg(self.product.url()).args(request))
    }
}

/// Returns the same command in a namespace.
fn inside(namespace: &Namespace, command: Command) -> Command {
    let command: Blocking = command.into_std();
    let mut inside = namespace.command(command.get_program());
    inside.args(command.get_args()).env_clear().env("TURN_SECRET", SECRET);
    inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        inside.current_dir(folder);
    }
    inside.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut inside = Command::from(inside);
    inside.kill_on_drop(true);
    inside
}
