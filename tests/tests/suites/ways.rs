//! A change of the way in: at every moment pages are told a way that leads to a host which serves it, and nothing is left of
//! the former one.

mod hosts;
mod model;
mod rights;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use self::model::{Gap, Slow, gaps, is_relevant};
use peersync_tests::census::{census, difference};
use peersync_tests::cloudflare::Cloudflare;
use peersync_tests::deployer::{self, Run};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::{Behaviour, REFUSED, Times};
use peersync_tests::proxy::log::Record;
use peersync_tests::stage::{DOWN, Stage, UP};

const EDGE: &str = "";
const DIRECT: &str = "[signaling]\ningress = \"direct\"\ndomain = \"signal.example.org\"\n";
const QUICK: &str = "[signaling]\ningress = \"cloudflare\"\n";
const NAMED: &str = "[signaling]\ningress = \"cloudflare\"\ndomain = \"signal.example.org\"\n";
/// Like `EDGE`, but by TLS between edge and host.
const TLS: &str = "[signaling]\ndomain = \"signal.example.org\"\n";
/// A tunnel that somebody else has created.
const OWN: &str =
    "[signaling]\ningress = \"cloudflare\"\ndomain = \"signal.example.org\"\ntunnel_token = { env = \"PATH\" }\n";

/// The edge is slower than the host, so that whoever does not wait for it is early, and the certificate slower than both.
const SLOW: Slow = Slow {
    host: Duration::from_millis(500),
    certificate: Duration::from_millis(1500),
    edge: Duration::from_millis(1200),
};

/// A stage, and Cloudflare beside it.
struct World {
    stage: Stage,
    cloudflare: Cloudflare,
}

impl World {
    async fn new() -> Self {
        Self { stage: Stage::with(Emulator::shared(), settings()).await, cloudflare: Cloudflare::start().await }
    }

    async fn run(&self, arguments: &[&str]) -> Run {
        deployer::run(self.cloudflare.of(self.stage.command(arguments))).await
    }

    /// Changes the configuration and runs `up`.
    async fn up(&self, text: &str) {
        self.stage.configure(text);
        self.run(&UP).await.expect(0);
    }

    /// Returns the gaps of the runs since `began`.
    fn gaps(&self, records: &[Record], began: Instant) -> Vec<Gap> {
        gaps(records, &self.cloudflare.state().asked, &SLOW, began)
    }

    async fn parameter(&self, part: &str) -> bool {
        let name = format!("/peersync/{}/{part}", self.stage.stack());
        !self.stage.clients.ssm.get_parameters().names(name).send().await.unwrap().parameters().is_empty()
    }

    /// Returns the number of tunnels and of records at Cloudflare.
    fn left(&self) -> (usize, usize) {
        let state = self.cloudflare.state();
        (state.live_tunnels().len(), state.records.len())
    }
}

fn settings() -> Settings {
    let (host, certificate) = (SLOW.host, SLOW.certificate);
    let times = Times { host, certificate, distribution: SLOW.edge, ..Times::default() };
    let behaviours = vec![Behaviour::HostReports, Behaviour::DistributionInProgress, Behaviour::HeadersPolicies];
    Settings { kept: Some(is_relevant), behaviours, times, ..Settings::default() }
}

/// Checks the one gap that there may be: with the address the former way ends, and then nothing is waited for until the
/// functions tell the new one.
fn check_moved_address(gaps: &[Gap], records: &[Record], change: &str) {
    let [gap] = gaps else { panic!("{change}: {gaps:?}") };
    assert_eq!(gap.because, "AssociateAddress", "{change}: {}", gap.state);
    let meanwhile: BTreeSet<&str> = records
        .iter()
        .filter(|record| record.mutating && !record.of_lease && record.began >= gap.time.0 && record.began < gap.time.1)
        .map(|record| record.operation.as_str())
        .collect();
    for late in ["RunInstances", "TerminateInstances", "UpdateDistribution", "RevokeSecurityGroupIngress"] {
        assert!(!meanwhile.contains(late), "{change}: {late} came before the functions changed");
    }
}

/// Every pair of ways occurs in both orders.
#[tokio::test(flavor = "multi_thread")]
async fn ways_in_can_be_switched_in_any_order_without_a_gap_and_leave_nothing_behind() {
    let order = [
        ("edge", EDGE),
        ("named", NAMED),
        ("direct", DIRECT),
        ("quick", QUICK),
        ("edge", EDGE),
        ("direct", DIRECT),
        ("named", NAMED),
        ("quick", QUICK),
        ("direct", DIRECT),
        ("edge", EDGE),
        ("quick", QUICK),
        ("named", NAMED),
        ("own", OWN),
        ("named", NAMED),
        ("edge", EDGE),
        ("quick", QUICK),
        ("tls", TLS),
        ("named", NAMED),
        ("tls", TLS),
        ("quick", QUICK),
    ];
    let world = World::new().await;
    let before = census(&world.stage.clients).await;
    let mut former: Option<&str> = None;
    for (name, text) in order {
        let began = Instant::now();
        world.up(text).await;
        let tunnels = usize::from(name == "named");
        assert_eq!(world.left(), (tunnels, tunnels), "{name}");
        assert_eq!(world.parameter("tunnel-token").await, ["named", "own"].contains(&name), "{name}");
        assert_eq!(world.parameter("cloudflare").await, name == "named", "{name}");
        if let Some(former) = former {
            let records = world.stage.proxy().log.all();
            let change = format!("{former} to {name}");
            // Whose record leads to the tunnel of somebody else is not the stack's affair.
            if ![former, name].contains(&"own") {
                let found = world.gaps(&records, began);
                match change.as_str() {
                    "direct to edge" => check_moved_address(&found, &records, &change),
                    _ => assert!(found.is_empty(), "{change}: {found:?}"),
                }
            }
        }
        former = Some(name);
    }
    world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    world.run(&DOWN).await.expect(0);
    assert_eq!(difference(&before, &census(&world.stage.clients).await), Vec::<String>::new());
}

/// A host with a certificate serves the edge with and without TLS, and that of `direct` the browsers too.
#[tokio::test(flavor = "multi_thread")]
async fn tls_between_edge_and_host_and_its_domain_can_be_changed_without_a_gap() {
    let (other_tls, other_direct) = (TLS.replace("signal.", "ws."), DIRECT.replace("signal.", "ws."));
    let order = [
        ("tls", TLS),
        ("edge", EDGE),
        ("tls", TLS),
        ("other tls", other_tls.as_str()),
        ("direct", DIRECT),
        ("other direct", other_direct.as_str()),
        ("tls", TLS),
        ("direct", DIRECT),
    ];
    let world = World::new().await;
    let before = census(&world.stage.clients).await;
    world.up(EDGE).await;
    let mut former = "edge";
    for (name, text) in order {
        let (began, change) = (Instant::now(), format!("{former} to {name}"));
        world.up(text).await;
        let records = world.stage.proxy().log.all();
        let found = world.gaps(&records, began);
        match change.as_str() {
            "other direct to tls" => check_moved_address(&found, &records, &change),
            _ => assert!(found.is_empty(), "{change}: {found:?}"),
        }
        world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
        former = name;
    }
    world.run(&DOWN).await.expect(0);
    assert_eq!(difference(&before, &census(&world.stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_certificate_leaves_the_former_way_until_it_is_taken_back() {
    let world = World::new().await;
    world.up(EDGE).await;
    for text in [TLS, DIRECT] {
        let began = Instant::now();
        world.stage.configure(&text.replace("signal.", REFUSED));
        let failed = world.run(&UP).await;
        assert!(failed.printed().contains("CAA forbids issuance"), "{}", failed.printed());
        failed.expect(1);
        let records = world.stage.proxy().log.all();
        let found = world.gaps(&records, began);
        assert!(found.is_empty(), "the new host serves the former way: {found:?}");
        let since: Vec<Record> = records.into_iter().filter(|record| record.began > began).collect();
        for told in ["UpdateFunctionConfiguration", "TerminateInstances", "RevokeSecurityGroupIngress"] {
            assert_eq!(ends(&since, told).len(), 0, "{told} came without a certificate");
        }
        world.up(EDGE).await;
        let found = world.gaps(&world.stage.proxy().log.all(), began);
        assert!(found.is_empty(), "{found:?}");
        world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    }
}

/// Returns when the requests of an operation were answered.
fn ends(records: &[Record], operation: &str) -> Vec<Instant> {
    records.iter().filter(|record| record.operation == operation).map(|record| record.ended).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn former_way_serves_until_a_later_run_has_told_everybody_the_new_one() {
    let mut world = World::new().await;
    world.up(QUICK).await;
    let (mut all, began) = (world.stage.proxy().log.take(), Instant::now());
    let refused = ("UpdateFunctionConfiguration".to_owned(), 403, "AccessDeniedException".to_owned(), "no".to_owned());
    world.stage.change_proxy(Settings { refuse: vec![refused], ..settings() }).await;
    world.stage.configure(EDGE);
    world.run(&UP).await.expect(1);
    let records = world.stage.proxy().log.take();
    all.extend(records.iter().cloned());
    let found = world.gaps(&all, began);
    assert!(found.is_empty(), "what serves the former way stays as it was: {found:?}");
    assert_eq!(ends(&records, "RunInstances").len(), 1, "the new host is there");
    for ended in ["TerminateInstances", "RevokeSecurityGroupEgress"] {
        assert_eq!(ends(&records, ended).len(), 0, "{ended} ended the former way");
    }

    world.stage.change_proxy(settings()).await;
    world.run(&UP).await.expect(0);
    let records = world.stage.proxy().log.take();
    let told = ends(&records, "UpdateFunctionConfiguration").into_iter().max().expect("functions changed");
    for late in ["TerminateInstances", "RevokeSecurityGroupEgress"] {
        let record = records.iter().find(|record| record.operation == late);
        assert!(record.is_some_and(|record| record.began > told), "{late} came before functions had changed");
    }
    world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_change_of_tls_leaves_the_former_host_and_its_alarms() {
    let mut world = World::new().await;
    world.up(EDGE).await;
    let (mut all, began) = (world.stage.proxy().log.take(), Instant::now());
    for text in [TLS, EDGE] {
        let error = "UnauthorizedOperation".to_owned();
        let refused = ("RunInstances".to_owned(), 403, error, "no".to_owned());
        world.stage.change_proxy(Settings { refuse: vec![refused], ..settings() }).await;
        world.stage.configure(text);
        world.run(&UP).await.expect(1);
        let records = world.stage.proxy().log.take();
        for early in ["UpdateFunctionConfiguration", "DeleteAlarms", "TerminateInstances"] {
            assert_eq!(ends(&records, early).len(), 0, "{early} came before there was a host");
        }
        all.extend(records);

        world.stage.change_proxy(settings()).await;
        world.run(&UP).await.expect(0);
        let records = world.stage.proxy().log.take();
        let taken_over = ends(&records, "AssociateAddress").into_iter().max().expect("the host has taken over");
        let deleted = records.iter().find(|record| record.operation == "DeleteAlarms");
        assert_eq!(deleted.is_some(), text == EDGE, "the alarm about the certificate goes with it");
        assert!(deleted.is_none_or(|deleted| deleted.began > taken_over), "a host with a certificate had the address");
        all.extend(records);
        let found = world.gaps(&all, began);
        assert!(found.is_empty(), "{found:?}");
        world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
        all.extend(world.stage.proxy().log.take());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adopted_record_leads_to_the_tunnel_once_its_host_is_ready() {
    let world = World::new().await;
    world.up(DIRECT).await;
    world.cloudflare.state().add_record("A", "signal.example.org", "192.0.2.1");
    world.stage.configure(NAMED);
    world.stage.proxy().log.take();
    world.cloudflare.state().asked.clear();
    world.run(&[&UP[..], &["--adopt", "cloudflare_record.signal"]].concat()).await.expect(0);
    let records = world.stage.proxy().log.take();
    let ready = ends(&records, "RunInstances")[0] + SLOW.host / 2;
    let asked = world.cloudflare.state().asked.clone();
    let changed = asked.iter().find(|asked| asked.changes() && asked.what.contains("/dns_records/"));
    assert!(changed.is_some_and(|changed| changed.at > ready), "the record led to a tunnel without a host: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn former_domain_of_a_tunnel_leads_to_the_host_until_functions_tell_the_new_one() {
    let world = World::new().await;
    world.up(NAMED).await;
    world.stage.proxy().log.take();
    world.cloudflare.state().asked.clear();
    world.up(&NAMED.replace("signal.", "ws.")).await;
    let told = ends(&world.stage.proxy().log.take(), "UpdateFunctionConfiguration").into_iter().max();
    let asked = world.cloudflare.state().asked.clone();
    let rules: Vec<Instant> = asked
        .iter()
        .filter(|asked| asked.what.ends_with("/configurations") && asked.changes())
        .map(|asked| asked.at)
        .collect();
    let [both, new] = rules.as_slice() else { panic!("{asked:?}") };
    assert!(told.is_some_and(|told| *both < told && told < *new), "{asked:?}");
    assert_eq!(world.cloudflare.state().live_tunnels()[0].config["ingress"][0]["hostname"], "ws.example.org");
    assert_eq!(world.cloudflare.state().live_tunnels()[0].config["ingress"].as_array().map(Vec::len), Some(2));
}

/// Returns when changes of this parameter began and ended.
fn changes_of(records: &[Record], operation: &str, parameter: &str) -> Vec<(Instant, Instant)> {
    let is_of = |record: &&Record| {
        let text = record.kept.as_ref().map(|(call, _)| call.text()).unwrap_or_default();
        record.operation == operation && text.contains(&format!("/{parameter}\""))
    };
    records.iter().filter(is_of).map(|record| (record.began, record.ended)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_never_sign_for_one_relay_with_the_secret_of_another() {
    const SERVER: &str = "[turn]\nurls = [\"turn:turn.example.org\"]\nsecret = { env = \"PATH\" }\n";
    let world = World::new().await;
    world.up(EDGE).await;
    for (text, new, former) in
        [(SERVER, "turn-server-secret", "turn-secret"), (EDGE, "turn-secret", "turn-server-secret")]
    {
        world.stage.proxy().log.take();
        world.up(text).await;
        let records = world.stage.proxy().log.take();
        let told = || records.iter().filter(|record| record.operation == "UpdateFunctionConfiguration");
        let first = told().map(|record| record.began).min().expect("functions tell another relay");
        let last = told().map(|record| record.ended).max().expect("functions tell another relay");
        let [(_, stored)] = changes_of(&records, "PutParameter", new)[..] else { panic!("{new} is not stored once") };
        assert!(stored < first, "{new} was stored after functions needed it");
        assert!(changes_of(&records, "PutParameter", former).is_empty(), "{former} has another value");
        let [(deleted, _)] = changes_of(&records, "DeleteParameters", former)[..] else { panic!("{former} is kept") };
        assert!(deleted > last, "{former} was deleted while functions signed with it");
        world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    }
}
