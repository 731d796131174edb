//! Every attribute that can be written to AWS about a resource is either watched by a field of its kind, or
//! `attributes.toml` says why not. The attributes are those of AWS's own models of its services.
//!
//! Needs: python

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, LazyLock};

use peersync_config::{Architecture, Config};
use peersync_engine::Outputs;
use peersync_resources::kinds::KINDS;
use peersync_resources::{Artifacts, Page, Programs, Stack};
use peersync_server::routes::Route;
use peersync_tests::clients;
use peersync_tests::emulator::{Emulator, fresh_account, python};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The kinds at Cloudflare, which is no service of AWS's. The suite `cloudflare` changes what they watch.
const NOT_OF_AWS: [&str; 2] = ["cloudflare_record", "cloudflare_tunnel"];
/// In place of all fields of a kind that are named at run time.
const DYNAMIC: &str = "dynamic";

static ARTIFACTS: LazyLock<Artifacts> = LazyLock::new(|| Artifacts {
    pages: vec![Page { key: "index.html", content: b"<!doctype html>" }],
    programs: vec![Programs::none(Architecture::X86_64)],
    routes: vec![Route { method: "GET", path: "/me".to_owned(), function: "login" }],
});

/// What the table says about a kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    service: String,
    pattern: String,
    members: Vec<String>,
    /// Why fields have names that are known at run time only.
    dynamic: Option<String>,
    #[serde(default)]
    elsewhere: BTreeMap<String, String>,
    watched: BTreeMap<String, String>,
    unwatched: BTreeMap<String, String>,
    /// Fields that no single member sets, each with the reason.
    #[serde(default)]
    derived: BTreeMap<String, String>,
}

/// The table: the reasons that several attributes share, and the kinds.
#[derive(Debug, Deserialize)]
struct Table {
    reasons: BTreeMap<String, String>,
    #[serde(flatten)]
    kinds: BTreeMap<String, Listed>,
}

/// The members of the inputs of each kind's operations.
type Members = BTreeMap<String, BTreeMap<String, Vec<String>>>;

fn table() -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("attributes.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Asks AWS's models for the members of all operations of the kinds.
async fn members(table: &Table) -> Members {
    let kind = |listed: &Listed| serde_json::json!({ "service": listed.service, "pattern": listed.pattern, "members": listed.members });
    let kinds: BTreeMap<_, _> = table.kinds.iter().map(|(name, listed)| (name, kind(listed))).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/writable_attributes.py");
    let mut command = Command::new(python());
    let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(serde_json::to_string(&kinds).unwrap().as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Listed {
    /// Returns the entry that covers a member: itself if it is watched, or else the longest that begins it.
    fn entry(&self, operation: &str, member: &str) -> Option<String> {
        let names = |member: &str| [format!("{operation}.{member}"), format!("*.{member}")];
        if let Some(watched) = names(member).into_iter().find(|name| self.watched.contains_key(name)) {
            return Some(watched);
        }
        let mut member = Some(member);
        while let Some(begin) = member {
            if let Some(name) = names(begin).into_iter().find(|name| self.unwatched.contains_key(name)) {
                return Some(name);
            }
            member = begin.rsplit_once('.').map(|(begin, _)| begin);
        }
        self.unwatched.contains_key(operation).then(|| operation.to_owned())
    }

    /// Compares the entries with the operations of AWS's model, in both directions.
    fn compare(&self, kind: &str, operations: &BTreeMap<String, Vec<String>>) -> Vec<String> {
        let mut used = BTreeSet::new();
        let mut wrong = Vec::new();
        for (operation, members) in operations {
            if self.elsewhere.contains_key(operation) {
                used.insert(operation.clone());
                continue;
            }
            for member in members {
                match self.entry(operation, member) {
                    Some(entry) => drop(used.insert(entry)),
                    None => wrong.push(format!("{kind}: {operation}.{member} is not listed")),
                }
            }
        }
        let listed = self.elsewhere.keys().chain(self.watched.keys()).chain(self.unwatched.keys());
        let stale = listed.filter(|entry| !used.contains(*entry));
        wrong.extend(stale.map(|entry| format!("{kind}: {entry} does not exist")));
        wrong
    }

    /// Compares the entries with the fields of the kind, in both directions.
    fn compare_fields(&self, kind: &str, fields: &BTreeSet<String>) -> Vec<String> {
        let listed: BTreeSet<&String> = self.watched.values().chain(self.derived.keys()).collect();
        let unlisted = fields.iter().filter(|field| self.dynamic.is_none() && !listed.contains(field));
        let stale = listed.iter().filter(|field| **field != DYNAMIC && !fields.contains(field.as_str()));
        unlisted
            .map(|field| format!("{kind}: the field {field} is not listed"))
            .chain(stale.map(|field| format!("{kind}: the field {field} does not exist")))
            .collect()
    }
}

#[tokio::test]
async fn every_writable_attribute_is_watched_or_has_a_reason() {
    let table = table();
    let members = members(&table).await;
    let wrong: Vec<String> =
        table.kinds.iter().flat_map(|(kind, listed)| listed.compare(kind, &members[kind.as_str()])).collect();
    assert!(wrong.is_empty(), "{} entries of attributes.toml:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn every_field_of_a_kind_is_listed() {
    let table = table();
    let kinds: BTreeSet<&str> = table.kinds.keys().map(String::as_str).collect();
    let of_aws = || KINDS.iter().filter(|kind| !NOT_OF_AWS.contains(&kind.name));
    assert_eq!(kinds, of_aws().map(|kind| kind.name).collect(), "every kind is in attributes.toml");
    let clients = clients::of_account(&Emulator::shared().url, &fresh_account()).await;
    let identity = clients.identity().await.unwrap();
    let mut config = Config { stage: "test".to_owned(), ..Config::default() };
    // Without a value it is no field.
    config.stack.permissions_boundary = Some("arn:aws:iam::123456789012:policy/boundary".to_owned());
    config.signaling.subnet = Some("subnet-00000001".to_owned());
    let stack = Arc::new(Stack::new(config, clients, identity, &ARTIFACTS));
    stack.find_network().await;
    let fields_of = |kind: &peersync_resources::kinds::Kind| {
        let resources = (kind.instances)(&stack).into_iter();
        resources.flat_map(|resource| resource.desired(&Outputs::default())).map(|(name, _)| name).collect()
    };
    let wrong: Vec<String> =
        of_aws().flat_map(|kind| table.kinds[kind.name].compare_fields(kind.name, &fields_of(kind))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A reason is a sentence, or the name of one.
#[test]
fn reasons_are_sentences() {
    let table = table();
    for (kind, listed) in &table.kinds {
        let reasons = listed.elsewhere.values().chain(listed.unwatched.values()).chain(listed.derived.values());
        for reason in reasons.chain(&listed.dynamic) {
            let sentence = table.reasons.get(reason).unwrap_or(reason);
            assert!(sentence.ends_with('.') && sentence.contains(' '), "{kind}: {reason}");
        }
    }
}
