//! The named tunnel that `up` creates at Cloudflare: tunnel, ingress rules and DNS record, against a double of its API.

mod midway;
mod standby;

use std::time::Duration;

use peersync_tests::census::{census, difference};
use peersync_tests::clients::REGION;
use peersync_tests::cloudflare::{ACCOUNT, Cloudflare, Fault, NARROW_TOKEN, OTHER_ACCOUNT, Record, TOKEN};
use peersync_tests::deployer::{self, Run};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::log::mutating;
use peersync_tests::proxy::{Late, Settings};
use peersync_tests::stage::{DOWN, Stage, UP};

const DOMAIN: &str = "signal.example.org";
const NAMED: &str = "[signaling]\ningress = \"cloudflare\"\ndomain = \"signal.example.org\"\n";
const TUNNEL: &str = "cloudflare_tunnel.signal";
const RECORD: &str = "cloudflare_record.signal";

/// A stage with a configuration, and Cloudflare beside it.
struct World {
    stage: Stage,
    cloudflare: Cloudflare,
}

impl World {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let world =
            Self { stage: Stage::with(Emulator::shared(), settings).await, cloudflare: Cloudflare::start().await };
        world.stage.configure(NAMED);
        world
    }

    async fn run(&self, arguments: &[&str], code: i32) -> Run {
        deployer::run(self.cloudflare.of(self.stage.command(arguments))).await.expect(code)
    }

    async fn up(&self) -> Run {
        self.run(&UP, 0).await
    }

    /// `plan`, which must show changes; returns them as `action address field: reason`.
    async fn changes(&self) -> Vec<String> {
        let steps = self.run(&["plan", "--detailed-exitcode"], 3).await.steps();
        steps.iter().map(|step| format!("{} {} {}", step.action, step.address, step.fields.join(", "))).collect()
    }

    /// Checks that nothing is left to do.
    async fn settled(&self) {
        self.run(&["plan", "--detailed-exitcode"], 0).await;
    }

    async fn parameter(&self, part: &str) -> Option<String> {
        let name = format!("/peersync/{}/{part}", self.stage.stack());
        let call = self.stage.clients.ssm.get_parameters().names(name).with_decryption(true);
        call.send().await.unwrap().parameters().first().and_then(|found| found.value().map(str::to_owned))
    }

    /// The number of tunnels and of records at Cloudflare.
    fn left(&self) -> (usize, usize) {
        let state = self.cloudflare.state();
        (state.live_tunnels().len(), state.records.len())
    }

    fn tunnel_name(&self) -> String {
        format!("{}-{REGION}-{}", self.stage.stack(), self.stage.account)
    }

    /// Runs `up` with this API token, which must be refused without changing anything, and returns the error.
    async fn refused(&self, token: &str) -> String {
        self.stage.proxy().log.take();
        self.cloudflare.state().asked.clear();
        let mut command = self.cloudflare.of(self.stage.command(&UP));
        command.env("CLOUDFLARE_API_TOKEN", token);
        let run = deployer::run(command).await.expect(1);
        assert_eq!(mutating(&self.stage.proxy().log.take()), Vec::<String>::new(), "AWS is not changed");
        assert_eq!(self.cloudflare.state().take_changes(), Vec::<String>::new(), "nor is Cloudflare");
        assert!(token.is_empty() || !run.printed().contains(token), "the token is not shown");
        let error = &run.result()["error"];
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let causes = error["causes"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join("; ");
        format!("{}\n  {causes}\n  {}", text(&error["summary"]), text(&error["hint"]))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.cloudflare.state().mistakes, Vec::<String>::new(), "Cloudflare documents no such request");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_creates_tunnel_rules_and_record_once_and_down_removes_them() {
    let world = World::new().await;
    let before = census(&world.stage.clients).await;
    let up = world.up().await;
    let [tunnel] = world.cloudflare.state().live_tunnels().try_into().expect("one tunnel");
    assert_eq!((tunnel.name.as_str(), tunnel.account.as_str()), (world.tunnel_name().as_str(), ACCOUNT));
    assert_eq!(
        tunnel.config["ingress"],
        serde_json::json!([{ "hostname": DOMAIN, "service": "http://127.0.0.1:8081" }, { "service": "http_status:404" }])
    );
    let [record]: [Record; 1] = world.cloudflare.state().records.clone().try_into().expect("one record");
    assert_eq!((record.kind.as_str(), record.name.as_str(), record.proxied), ("CNAME", DOMAIN, true));
    assert_eq!(record.content, format!("{}.cfargotunnel.com", tunnel.id));
    assert!(record.comment.contains(world.stage.stack()) && record.comment.contains(&world.stage.account));
    assert_eq!(world.parameter("tunnel-token").await, Some(tunnel.token()), "the host reads it there");
    assert_eq!(up.output("signaling_url").as_deref(), Some("wss://signal.example.org/ws"));
    let listed = world.run(&["secrets", "list"], 0).await;
    assert!(listed.stdout.contains("\"source\":\"cloudflare\""), "{}", listed.stdout);

    world.cloudflare.state().asked.clear();
    world.stage.proxy().log.take();
    let again = world.up().await;
    assert_eq!(world.cloudflare.state().take_changes(), Vec::<String>::new());
    assert_eq!(mutating(&world.stage.proxy().log.take()), Vec::<String>::new());

    let down = world.run(&DOWN, 0).await;
    assert_eq!(world.left(), (0, 0));
    assert_eq!(difference(&before, &census(&world.stage.clients).await), Vec::<String>::new());
    for run in [up, again, listed, down] {
        for secret in [TOKEN, &tunnel.token()] {
            assert!(!run.printed().contains(secret), "a secret is shown: {}", run.printed());
        }
    }
}

/// A connector counts as connected for minutes after its host has ended.
#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_passing_failures_and_connected_tunnels_are_no_trouble() {
    let world = World::new().await;
    world.cloudflare.state().faults = vec![Fault::LostAnswers(Vec::new()), Fault::Passing(2)];
    world.up().await;
    assert_eq!(world.left(), (1, 1));
    world.settled().await;
    for tunnel in &mut world.cloudflare.state().tunnels {
        tunnel.is_connected = true;
    }
    world.run(&DOWN, 0).await;
    assert_eq!(world.left(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnel_is_recorded_before_it_is_created_and_its_token_stored_before_the_host_starts() {
    let settings = Settings {
        late: Some(Late {
            meant: |call| {
                let body = String::from_utf8_lossy(&call.body);
                call.operation == "PutParameter"
                    && ["cloudflare\"", "tunnel-token\""].iter().any(|one| body.contains(one))
            },
            time: Duration::from_secs(2),
        }),
        ..Settings::default()
    };
    let world = World::with(settings).await;
    world.up().await;
    let records = world.stage.proxy().log.all();
    let mut late: Vec<_> = records.iter().filter(|record| record.by.is_some()).map(|record| record.ended).collect();
    late.sort_unstable();
    let [recorded, stored] = late.try_into().expect("two parameters were late");
    let created = world.cloudflare.state().asked.iter().find(|asked| asked.changes()).map(|asked| asked.at);
    assert!(created.is_some_and(|created| created > recorded), "the tunnel did not wait for its record");
    let launched = records.iter().find(|record| record.operation == "RunInstances").map(|record| record.began);
    assert!(launched.is_some_and(|launched| launched > stored), "the host did not wait for the token");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_at_cloudflare_is_seen_and_repaired() {
    let world = World::new().await;
    world.up().await;
    world.cloudflare.state().tunnels[0].config = serde_json::json!({ "ingress": [{ "service": "http://10.0.0.1" }] });
    world.cloudflare.state().records[0].content = "elsewhere.example.com".to_owned();
    world.cloudflare.state().records[0].proxied = false;
    let expected =
        [format!("update {RECORD} content: drift, proxied: drift"), format!("update {TUNNEL} ingress: drift")];
    assert_eq!(world.changes().await, expected);
    world.up().await;
    world.settled().await;
    // By the tunnel that it leads to, the record is still known.
    world.cloudflare.state().records[0].comment = "mine".to_owned();
    assert_eq!(world.changes().await, [format!("update {RECORD} comment: drift")]);
    world.up().await;

    world.cloudflare.state().tunnels[0].is_deleted = true;
    let first = world.parameter("tunnel-token").await;
    let changes = world.changes().await;
    let created = changes.iter().any(|change| change.starts_with(&format!("create {TUNNEL}")));
    assert!(created && changes.len() == 3, "tunnel, record and token: {changes:?}");
    world.up().await;
    world.settled().await;
    let [tunnel] = world.cloudflare.state().live_tunnels().try_into().expect("one tunnel");
    assert_eq!(world.parameter("tunnel-token").await, Some(tunnel.token()));
    assert_ne!(world.parameter("tunnel-token").await, first);
    world.cloudflare.state().records.clear();
    assert_eq!(world.changes().await.len(), 1);
    world.up().await;
    world.run(&DOWN, 0).await;
    assert_eq!(world.left(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnel_and_record_of_others_are_refused_until_they_are_adopted() {
    let world = World::new().await;
    world.cloudflare.state().add_tunnel(ACCOUNT, &world.tunnel_name());
    world.cloudflare.state().add_record("A", DOMAIN, "192.0.2.1");
    world.cloudflare.state().add_record("TXT", DOMAIN, "theirs");
    let error = world.refused(TOKEN).await;
    assert!(error.contains("it leads to 192.0.2.1") && error.contains("no record of having created it"), "{error}");
    for address in [RECORD, TUNNEL] {
        assert!(error.contains(&format!("--adopt {address}")), "{error}");
    }
    let down = world.run(&DOWN, 0).await;
    assert_eq!(world.cloudflare.state().records.len(), 2, "down leaves it: {}", down.printed());

    world.run(&[&UP[..], &["--adopt", RECORD, "--adopt", TUNNEL]].concat(), 0).await;
    let [tunnel] = world.cloudflare.state().live_tunnels().try_into().expect("one tunnel");
    let leads = format!("{}.cfargotunnel.com", tunnel.id);
    assert!(world.cloudflare.state().records.iter().any(|record| record.kind == "CNAME" && record.content == leads));
    world.settled().await;
    world.cloudflare.state().add_record("AAAA", DOMAIN, "2001:db8::1");
    world.run(&DOWN, 0).await;
    let left: Vec<String> = world.cloudflare.state().records.iter().map(|record| record.kind.clone()).collect();
    assert_eq!((left, world.cloudflare.state().live_tunnels().len()), (vec!["TXT".to_owned(), "AAAA".to_owned()], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_configuration_is_one_error_with_its_fix_and_changes_nothing() {
    let world = World::new().await;
    insta::assert_snapshot!("wrong_token", world.refused("a-token-that-cloudflare-does-not-know").await);
    insta::assert_snapshot!("token_without_the_zone", world.refused(NARROW_TOKEN).await);
    world.cloudflare.state().zones[0].status = "pending";
    insta::assert_snapshot!("inactive_zone", world.refused(TOKEN).await);
    world.cloudflare.state().zones[0].status = "active";
    world.cloudflare.state().faults = vec![Fault::Down];
    insta::assert_snapshot!("cloudflare_down", world.refused(TOKEN).await);
    world.cloudflare.state().faults = vec![Fault::TooMany];
    insta::assert_snapshot!("too_many_requests", world.refused(TOKEN).await);
    world.cloudflare.state().faults.clear();
    world.stage.configure(&NAMED.replace("example.org", "example.com"));
    insta::assert_snapshot!("no_zone", world.refused(TOKEN).await);
    let mut other = world.cloudflare.state().zones[0].clone();
    (other.id, other.account) = ("f".repeat(32), OTHER_ACCOUNT);
    world.cloudflare.state().zones.push(other);
    world.stage.configure(NAMED);
    insta::assert_snapshot!("two_accounts", world.refused(TOKEN).await);
    world.stage.configure(&format!("{NAMED}cloudflare_account = \"{OTHER_ACCOUNT}\"\n"));
    world.up().await;
    assert_eq!(world.cloudflare.state().live_tunnels()[0].account, OTHER_ACCOUNT);
    world.run(&DOWN, 0).await;

    // Without a token, nobody is asked at all.
    world.cloudflare.state().asked.clear();
    let missing = deployer::run(world.stage.command(&UP)).await.expect(2);
    assert!(missing.printed().contains("CLOUDFLARE_API_TOKEN") && missing.printed().contains("DNS / Edit"));
    assert_eq!(world.cloudflare.state().asked.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_domain_moves_the_record_and_another_account_the_tunnel() {
    let world = World::new().await;
    world.up().await;
    world.stage.configure(&NAMED.replace("signal.example.org", "ws.example.net"));
    world.up().await;
    world.settled().await;
    let names: Vec<String> = world.cloudflare.state().records.iter().map(|record| record.name.clone()).collect();
    assert_eq!((names, world.cloudflare.state().live_tunnels().len()), (vec!["ws.example.net".to_owned()], 1));
    world.cloudflare.state().zones[0].account = OTHER_ACCOUNT;
    world.stage.configure(NAMED);
    world.up().await;
    world.settled().await;
    let state = world.cloudflare.state();
    let accounts: Vec<String> = state.live_tunnels().into_iter().map(|tunnel| tunnel.account).collect();
    assert_eq!((accounts, state.records.len()), (vec![OTHER_ACCOUNT.to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_token_a_removal_names_what_remains_and_the_next_one_completes_it() {
    let world = World::new().await;
    let before = census(&world.stage.clients).await;
    world.up().await;
    // As a command without the configuration.
    world.stage.configure("");
    let up = deployer::run(world.stage.command(&UP)).await.expect(1);
    assert!(up.printed().contains("CLOUDFLARE_API_TOKEN"), "{}", up.printed());
    let down = deployer::run(world.stage.command(&DOWN)).await.expect(4);
    let remaining = down.result()["remaining"].to_string();
    assert!(remaining.contains(TUNNEL) && remaining.contains(RECORD), "{remaining}");
    for named in ["CLOUDFLARE_API_TOKEN", &world.tunnel_name(), "/peersync/peersync-dev/cloudflare"] {
        assert!(down.printed().contains(named), "{named}: {}", down.printed());
    }
    assert!(world.parameter("tunnel-token").await.is_none() && world.parameter("cloudflare").await.is_some());
    world.run(&DOWN, 0).await;
    assert_eq!(world.left(), (0, 0));
    assert_eq!(difference(&before, &census(&world.stage.clients).await), Vec::<String>::new());
}
