//! Every kind of resource keeps the promises that the documentation of `Resource` makes.
//!
//! A walk through the graph of a stack creates each resource twice, as after a lost answer, takes the tags of the
//! configuration off and puts them on again, and on the way back deletes each resource twice.
//!
//! Needs: python

mod artifacts;
mod never_wanted;

use std::collections::BTreeSet;
use std::sync::Arc;

use self::artifacts::ARTIFACTS;
use peersync_aws::Http;
use peersync_config::{Config, LoadOptions};
use peersync_engine::plan::{plan_step, tags_of};
use peersync_engine::{
    Action, Address, ApplyContext, Changes, FieldChange, Graph, Live, Outputs, Ownership, PlanOptions, Progress,
    Reason, Reporter, Resource, ResourceError, SharedReads, Silent, Step, Tags,
};
use peersync_resources::kinds::KINDS;
use peersync_resources::stack::{ExpirySource, Lifetime};
use peersync_resources::{Stack, catalog};
use peersync_tests::census::{Census, census, difference};
use peersync_tests::clients::{self, Clients};
use peersync_tests::cloudflare::{Cloudflare, TOKEN};
use peersync_tests::emulator::{Emulator, fresh_account};
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::{Proxy, Settings};

/// Kinds for which a repeated creation creates a second one, with the reason. The next plan must notice that, and its
/// update must remove the second one.
const MADE_TWICE: &[(&str, &str)] = &[
    ("elastic_ip", "EC2 takes neither a name nor a client token for an address"),
    ("rest_api", "API Gateway accepts several APIs with one name, and takes no client token"),
    (
        "signal_instance",
        "a replacement is created beside the old host, so that an existing host is no reason not to create one",
    ),
];

/// Kinds that are deleted together with another resource, so that they still exist after their own deletion.
const DELETED_WITH_OTHERS: &[(&str, &str)] = &[
    ("api_routes", "they are part of the REST API"),
    ("lambda_permission", "it is part of the function's policy"),
    ("s3_objects", "they are deleted with the bucket"),
    ("s3_program", "it is deleted with the bucket"),
];

/// The key of a tag that somebody else has put on a resource.
const STRANGER: &str = "stranger";

/// Every setting that makes a resource wanted, as far as they go together. `PATH` is a variable that is always set.
const EVERYTHING: &str = r#"
[stack]
expires = "48h"
tags = { owner = "Ada", "a/b:c=d+e@f Ö" = "1 + 1 = 2" }
[api]
allowed_origins = ["https://app.example.org"]
[mail]
provider = "smtp"
from = "PeerSync <peersync@example.org>"
[mail.smtp]
host = "smtp.example.org"
user = "peersync@example.org"
password = { env = "PATH" }
[alarms]
email = "ada@example.org"
topic_arn = "arn:aws:sns:eu-central-1:123456789012:alarms"
"#;

/// The settings that exclude some of [`EVERYTHING`].
const THE_OTHERS: &str = r#"
[signaling]
ingress = "cloudflare"
domain = "signal.example.org"
tunnel_token = { env = "PATH" }
[mail]
provider = "emailjs"
[mail.emailjs]
service_id = "service"
template_id = "template"
public_key = "public"
private_key = { env = "PATH" }
[turn]
provider = "cloudflare"
key_id = { env = "PATH" }
api_token = { env = "PATH" }
"#;

/// The settings with which the host keeps its certificate, and another server relays.
const DIRECT: &str = r#"
[signaling]
ingress = "direct"
domain = "signal.example.org"
[turn]
urls = ["turn:turn.example.org"]
secret = { env = "PATH" }
"#;
/// The settings with a tunnel that is created at Cloudflare.
const TUNNEL: &str = "[signaling]\ningress = \"cloudflare\"\ndomain = \"signal.example.org\"\n";

/// One walk through the graph of a stack: forwards, and back.
struct Walk {
    graph: Graph,
    /// The same graph of another instance of the same stack.
    twin: Graph,
    options: PlanOptions,
    /// The keys of the configuration's tags.
    configured_tags: Vec<String>,
    reporter: Arc<dyn Reporter>,
    /// Clients that go past the proxy.
    direct: Clients,
    _proxy: Proxy,
    _cloudflare: Cloudflare,
    outputs: Outputs,
    broken: Vec<String>,
}

fn configuration(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("peersync.toml");
    std::fs::write(&file, text).unwrap();
    let options = LoadOptions { file: Some(file), ..LoadOptions::default() };
    peersync_config::load(&options).unwrap_or_else(|error| panic!("{error:?}")).config
}

impl Walk {
    /// Prepares a walk in an account of its own. The proxy refuses what exists already, as AWS does.
    async fn new(text: &str) -> Self {
        let (emulator, account) = (Emulator::shared(), fresh_account());
        let behaviours = vec![Behaviour::AlreadyThere, Behaviour::ClientToken];
        let proxy = Proxy::start(&emulator.url, Settings { behaviours, ..Settings::default() }).await.unwrap();
        let clients = clients::of_account(&proxy.url, &account).await;
        let identity = clients.identity().await.unwrap();
        let cloudflare = Cloudflare::start().await;
        let stack = || {
            let api = peersync_cloudflare::Cloudflare::new(
                &Http::default(),
                &clients.write_guard,
                Some(TOKEN),
                &cloudflare.url,
            );
            let stack = Stack::new(configuration(text), clients.clone(), identity.clone(), &ARTIFACTS);
            Arc::new(Stack { cloudflare: api, ..stack })
        };
        let (first, second) = (stack(), stack());
        let moment = "2099-01-01T00:00:00Z".to_owned();
        let lifetime = Lifetime::Until { moment, by: ExpirySource::File, is_duration: true };
        let tags = first.tags().into_iter().chain(lifetime.tags(None)).collect();
        let configured_tags = first.config.stack.tags.keys().cloned().collect();
        Self {
            graph: catalog::graph(&first).unwrap(),
            twin: catalog::graph(&second).unwrap(),
            options: PlanOptions { tags, ..PlanOptions::default() },
            configured_tags,
            reporter: Arc::new(Silent),
            direct: clients::of_account(&emulator.url, &account).await,
            _proxy: proxy,
            _cloudflare: cloudflare,
            outputs: Outputs::default(),
            broken: Vec::new(),
        }
    }

    /// The resources that the configuration wants, each after its dependencies.
    fn wanted(&self) -> Vec<Arc<dyn Resource>> {
        let all = self.graph.order().iter().filter_map(|address| self.graph.resource(address)).cloned();
        all.filter(|resource| resource.enabled()).collect()
    }

    fn expect(&mut self, holds: bool, address: &Address, promise: &str) {
        if !holds {
            self.broken.push(format!("{address}: {promise}"));
        }
    }

    /// Reads a resource, with reads that nobody shares.
    async fn observe(&self, resource: &dyn Resource) -> Option<Live> {
        let live = resource.observe(&SharedReads::default()).await;
        live.unwrap_or_else(|error| panic!("{}: observe: {error}: {:?}", resource.address(), error.causes()))
    }

    fn visible(&self, address: &Address) -> Outputs {
        self.outputs.only(self.graph.dependencies(address))
    }

    fn step(&self, resource: &dyn Resource, live: Option<&Live>) -> Step {
        plan_step(resource, live, &self.visible(resource.address()), &self.options)
    }

    async fn create(&mut self, resource: &dyn Resource) {
        let outputs = self.visible(resource.address());
        let tags = tags_of(resource, &outputs, &self.options.tags);
        let progress = Progress::new(resource.address().clone(), self.reporter.clone());
        let context = ApplyContext { outputs: &outputs, tags: &tags, progress: &progress };
        match progress.clone().scope(resource.create(&context)).await {
            Ok(outputs) => self.outputs.insert(resource.address().clone(), outputs),
            Err(error) => panic!("{}: create: {error}: {:?}", resource.address(), error.causes()),
        }
    }

    async fn update(&mut self, resource: &dyn Resource, live: &Live, step: &Step) {
        let tags = tags_of(resource, &self.visible(resource.address()), &self.options.tags);
        self.update_with(resource, live, &step.changes, &tags).await;
    }

    async fn update_with(&mut self, resource: &dyn Resource, live: &Live, changes: &Changes, tags: &Tags) {
        let outputs = self.visible(resource.address());
        let progress = Progress::new(resource.address().clone(), self.reporter.clone());
        let context = ApplyContext { outputs: &outputs, tags, progress: &progress };
        let update = async {
            let outputs = resource.update(&context, live, changes).await?;
            if resource.keeps_former(changes) {
                resource.finish(&context, live, changes).await?;
            }
            Ok::<_, ResourceError>(outputs)
        };
        match progress.clone().scope(update).await {
            Ok(outputs) => self.outputs.insert(resource.address().clone(), outputs),
            Err(error) => panic!("{}: update: {error}: {:?}", resource.address(), error.causes()),
        }
    }

    async fn delete(&mut self, resource: &dyn Resource, live: &Live, promise: &str) {
        let progress = Progress::new(resource.address().clone(), self.reporter.clone());
        if let Err(error) = progress.clone().scope(resource.delete(&progress, live)).await {
            self.expect(false, resource.address(), &format!("{promise}: {error}: {:?}", error.causes()));
        }
    }

    /// Checks that the desired state is the same again, and in another instance of the same stack.
    fn check_desired(&mut self, resource: &dyn Resource) {
        let (address, visible) = (resource.address(), self.visible(resource.address()));
        let desired = resource.desired(&visible);
        let again = desired == resource.desired(&visible);
        let twin = self.twin.resource(address).is_some_and(|twin| twin.desired(&visible) == desired);
        self.expect(again, address, "the desired state differs when it is asked for again");
        self.expect(twin, address, "the desired state differs in another instance of the stack");
    }

    async fn forwards(&mut self) {
        for resource in self.wanted() {
            let (resource, address) = (resource.as_ref(), resource.address());
            self.check_desired(resource);
            let found = self.observe(resource).await;
            self.expect(found.is_none(), address, &format!("it exists before it was created: {found:?}"));
            self.create(resource).await;
            let once = census(&self.direct).await;
            // As after an answer that was lost.
            self.create(resource).await;
            self.check_created(resource, &once).await;
            if resource.taggable() {
                self.check_tags(resource).await;
            }
        }
    }

    /// Checks that tags which are taken out of the configuration are gone, that a stranger's stays, and that they can be
    /// put on again.
    async fn check_tags(&mut self, resource: &dyn Resource) {
        let address = resource.address();
        let live = self.observe(resource).await.unwrap_or_default();
        let mut tags = tags_of(resource, &self.visible(address), &self.options.tags);
        // Put by the same call, but not in the record: as if somebody else had put it.
        tags.insert(STRANGER.to_owned(), "stays".to_owned());
        let (field, new) = (format!("tags.{STRANGER}"), "stays".into());
        let change = FieldChange { field, old: serde_json::Value::Null, new, reason: Reason::Unknown };
        self.update_with(resource, &live, &Changes::from_iter([change]), &tags).await;
        let all = self.options.clone();
        for (options, wanted) in [(self.without_configured_tags(), false), (all, true)] {
            self.options = options;
            let live = self.observe(resource).await.unwrap_or_default();
            let step = self.step(resource, Some(&live));
            self.update(resource, &live, &step).await;
            let live = self.observe(resource).await.unwrap_or_default();
            let found = live.tags.clone().unwrap_or_default();
            let right = self.configured_tags.iter().all(|key| found.contains_key(key) == wanted);
            self.expect(right, address, &format!("the tags of the configuration should be there: {wanted}: {found:?}"));
            self.expect(found.contains_key(STRANGER), address, &format!("a stranger's tag is gone: {found:?}"));
            let step = self.step(resource, Some(&live));
            self.expect(step.action == Action::NoChange, address, &format!("its tags differ: {step:?}"));
        }
    }

    fn without_configured_tags(&self) -> PlanOptions {
        let mut options = self.options.clone();
        options.tags.retain(|key, _| !self.configured_tags.contains(key));
        options
    }

    /// Checks that exactly one exists, in its desired state.
    async fn check_created(&mut self, resource: &dyn Resource, once: &Census) {
        let address = resource.address();
        let Some(mut live) = self.observe(resource).await else {
            return self.expect(false, address, "it does not exist after it was created");
        };
        if MADE_TWICE.iter().any(|(kind, _)| *kind == address.kind) {
            let step = self.step(resource, Some(&live));
            self.expect(
                step.action == Action::Update,
                address,
                &format!("its second one is not planned away: {step:?}"),
            );
            self.update(resource, &live, &step).await;
            live = self.observe(resource).await.unwrap_or_default();
        }
        let kinds = |census: &Census| census.keys().map(|key| kind_of(key)).collect::<Vec<_>>();
        let twice = census(&self.direct).await;
        let same = kinds(once) == kinds(&twice);
        let differences = difference(once, &twice);
        self.expect(same, address, &format!("a second creation left a second one: {differences:?}"));
        let step = self.step(resource, Some(&live));
        self.expect(step.action == Action::NoChange, address, &format!("it differs once created: {step:?}"));
        self.expect(live.ownership == Ownership::Ours, address, &format!("it is not ours: {:?}", live.ownership));
        let outputs = self.outputs.only([address].into_iter());
        let same = outputs.iter().all(|(_, created)| *created == live.outputs);
        self.expect(same, address, &format!("created with {outputs:?}, observed with {:?}", live.outputs));
    }

    async fn backwards(&mut self) {
        for resource in self.wanted().iter().rev() {
            let (resource, address) = (resource.as_ref(), resource.address());
            let Some(live) = self.observe(resource).await else {
                self.expect(false, address, "it is gone before it was deleted");
                continue;
            };
            self.delete(resource, &live, "it cannot be deleted").await;
            self.delete(resource, &live, "it cannot be deleted again").await;
            let with_others = DELETED_WITH_OTHERS.iter().any(|(kind, _)| *kind == address.kind);
            let gone = self.observe(resource).await.is_none();
            self.expect(gone || with_others, address, "it exists after it was deleted");
        }
        for resource in self.wanted() {
            let found = self.observe(resource.as_ref()).await;
            self.expect(found.is_none(), resource.address(), &format!("it was left: {found:?}"));
        }
    }

    /// Does the whole walk and returns the addresses of the resources that it has seen.
    async fn walk(mut self) -> BTreeSet<Address> {
        let before = census(&self.direct).await;
        self.forwards().await;
        self.backwards().await;
        self.broken.extend(difference(&before, &census(&self.direct).await));
        assert!(self.broken.is_empty(), "{} broken promises:\n{}", self.broken.len(), self.broken.join("\n"));
        self.wanted().iter().map(|resource| resource.address().clone()).collect()
    }
}

/// The kind of an entry of the census, `ec2:address`.
fn kind_of(key: &str) -> String {
    key.split('/').next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_keeps_its_promises() {
    for (kind, reason) in MADE_TWICE.iter().chain(DELETED_WITH_OTHERS) {
        println!("{kind}: {reason}");
    }
    let mut walked = Walk::new(EVERYTHING).await.walk().await;
    walked.extend(Walk::new(TUNNEL).await.walk().await);
    walked.extend(never_wanted::addresses());
    let kinds: BTreeSet<&str> = walked.iter().map(|address| address.kind).collect();
    assert_eq!(kinds, KINDS.iter().map(|kind| kind.name).collect(), "every kind is walked");
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_of_other_settings_keep_their_promises() {
    let walk = Walk::new(THE_OTHERS).await;
    let mut everything = Walk::new(EVERYTHING).await.wanted();
    everything.extend(Walk::new(TUNNEL).await.wanted());
    let mut seen: BTreeSet<Address> = everything.iter().map(|resource| resource.address().clone()).collect();
    let all: BTreeSet<Address> = walk.graph.order().iter().cloned().collect();
    seen.extend(walk.walk().await.into_iter().chain(Walk::new(DIRECT).await.walk().await));
    seen.extend(never_wanted::addresses());
    assert_eq!(seen, all, "every resource of the graph is walked with one of the configurations");
}

/// The lists of exceptions name kinds that exist.
#[test]
fn exceptions_are_kinds() {
    let kinds: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
    for (kind, _) in MADE_TWICE.iter().chain(DELETED_WITH_OTHERS) {
        assert!(kinds.contains(kind), "{kind}");
    }
}
