//! One test's account at an emulator, its configuration, and the deployer that works on it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::clients::{self, Clients, REGION};
use crate::deployer::{self, Run, Running};
use crate::emulator::{Emulator, Kind, fresh_account};
use crate::proxy::{Proxy, Settings};

/// `up`, unasked and without a look at the page, which no emulator serves.
pub const UP: [&str; 3] = ["up", "--yes", "--no-check"];
/// `down`, unasked and without a backup.
pub const DOWN: [&str; 3] = ["down", "--yes", "--no-backup"];
/// `teardown`, unasked.
pub const TEARDOWN: [&str; 3] = ["teardown", "--expired", "--yes"];
/// A configuration that changes resources of many kinds.
pub const CHANGED: &str = "[api]\nmemory_mb = 512\n[signaling]\ninstance_type = \"t3.small\"\n[alarms]\nenabled = false\n\
     [site]\nold_version_days = 7\nprice_class = \"PriceClass_200\"\n[logs]\nretention_days = 30\n";

/// One test's account.
#[derive(Debug)]
pub struct Stage {
    /// Its number.
    pub account: String,
    /// Clients that go straight to the emulator.
    pub clients: Clients,
    /// The emulator's URL.
    pub emulator: String,
    /// The proxy between the deployer and the emulator, if one runs.
    pub proxy: Option<Proxy>,
    folder: TempDir,
}

impl Stage {
    /// Creates a stage in a new account of an emulator. The deployer uses a proxy that only records.
    pub async fn new(emulator: &Emulator) -> Self {
        Self::with(emulator, Settings::default()).await
    }

    /// A new account, and the proxy in front of it as the settings say.
    pub async fn with(emulator: &Emulator, settings: Settings) -> Self {
        // moto keeps accounts apart by roles only; a test has a moto of its own.
        let account = if emulator.kind == Kind::Moto { "123456789012".to_owned() } else { fresh_account() };
        Self::in_account(emulator, settings, account).await
    }

    /// MiniStack's own account, the one whose data planes it serves to requests that nobody signed. For one test alone.
    pub async fn in_served_account(emulator: &Emulator) -> Self {
        Self::in_account(emulator, Settings::default(), "000000000000".to_owned()).await
    }

    async fn in_account(emulator: &Emulator, settings: Settings, account: String) -> Self {
        let clients = clients::of_account(&emulator.url, &account).await;
        let folder = TempDir::new().expect("a temporary folder can be created");
        let proxy = Proxy::start(&emulator.url, settings).await.expect("the proxy starts");
        let stage = Self { account, clients, emulator: emulator.url.clone(), proxy: Some(proxy), folder };
        stage.configure("");
        stage
    }

    /// Puts another proxy in place of the present one.
    pub async fn change_proxy(&mut self, settings: Settings) {
        self.proxy = Some(self.proxy().replaced(&self.emulator, settings).await.expect("the proxy starts"));
    }

    /// The proxy.
    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("this stage has a proxy")
    }

    /// Writes `peersync.toml`.
    pub fn configure(&self, text: &str) {
        fs::write(self.folder.path().join("peersync.toml"), text).expect("the configuration can be written");
    }

    /// Removes the configuration, as in a folder that has none.
    pub fn remove_configuration(&self) {
        fs::remove_file(self.folder.path().join("peersync.toml")).expect("the configuration exists");
    }

    /// The folder in which the deployer runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the stack's name, unless the configuration sets another one.
    pub fn stack(&self) -> &'static str {
        "peersync-dev"
    }

    /// The name of the site's bucket.
    pub fn bucket(&self) -> String {
        format!("{}-{}-{REGION}", self.stack(), self.account)
    }

    /// Returns the keys of all objects in the site's bucket.
    pub async fn keys(&self) -> Vec<String> {
        let pages = self.clients.s3.list_objects_v2().bucket(self.bucket()).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.expect("the bucket can be listed");
        pages.iter().flat_map(|page| page.contents()).filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// Returns the key of a file of the pages in the only release of the bucket.
    pub async fn key_of(&self, name: &str) -> String {
        let mut keys = self.keys().await;
        keys.retain(|key| {
            key.starts_with("r/")
                && key.ends_with(&format!("/{name}"))
                && key.split('/').count() == 2 + name.split('/').count()
        });
        let [key] = keys.try_into().unwrap_or_else(|keys| panic!("{name} in one release: {keys:?}"));
        key
    }

    /// The deployer's command line: JSON events, this account, this endpoint.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut all = vec!["--output", "json"];
        all.extend(arguments);
        self.command_for_people(&all)
    }

    /// The deployer's command line: text, this account, this endpoint.
    pub fn command_for_people(&self, arguments: &[&str]) -> Command {
        let mut command = deployer::command(self.folder.path(), arguments);
        let endpoint = self.proxy.as_ref().map_or(&self.emulator, |proxy| &proxy.url);
        command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", &self.account).env("AWS_SECRET_ACCESS_KEY", "secret");
        command
    }

    /// Runs the deployer to its end.
    pub async fn run(&self, arguments: &[&str]) -> Run {
        deployer::run(self.command(arguments)).await
    }

    /// Lets the minute pass at AWS after which the lease of a run that was killed has ended.
    pub fn outlast_lease(&self) {
        self.proxy().advance(Duration::from_secs(60));
    }

    /// Returns what a person reads on stdout, of a command that must end with this code.
    pub async fn shown(&self, arguments: &[&str], code: i32) -> String {
        deployer::run(self.command_for_people(arguments)).await.expect(code).stdout
    }

    /// Starts the deployer.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// `up`, which must succeed.
    pub async fn up(&self) -> Run {
        self.run(&UP).await.expect(0)
    }

    /// `plan --detailed-exitcode`, which must end with this code.
    pub async fn plan(&self, code: i32) -> Run {
        self.run(&["plan", "--detailed-exitcode"]).await.expect(code)
    }

    /// `down` without a backup, which must succeed.
    pub async fn down(&self) -> Run {
        self.run(&DOWN).await.expect(0)
    }
}
