//! `cargo xtask bench deploy`: the deployer and a straight script, through the same proxy that adds 50 ms to each
//! request, on the same emulator, in the same run. `--runs N` (default 1); the last one counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use peersync_tests::allowed::{allowed, explained};
use peersync_tests::bench::{median, verdict};
use peersync_tests::clients::REGION;
use peersync_tests::deployer::{program, target};
use peersync_tests::emulator::{Emulator, Kind, fresh_account};
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::log::{Record, changing, longest_chain, mutating, span};
use peersync_tests::proxy::{Proxy, Settings};
use peersync_tests::usage::{Usage, measure};
use serde_json::Value;
use tempfile::TempDir;

/// Added to each request: a round trip to a region on the same continent, with AWS's own time.
const LATENCY: Duration = Duration::from_millis(50);
/// Added to each request where waves are counted. A request can begin after the end of another without having waited for it;
/// with answers as late as this, everything that could be sent has been.
const SLOW: Duration = Duration::from_millis(600);
/// How often `--version` is started.
const STARTS: usize = 20;

/// The maximum length of the longest chain of requests in a second `up`,
const WAVES: usize = 3;
/// and the maximum time that it takes; the shortest of some counts.
const SECOND_UP: Duration = Duration::from_millis(400);
/// The maximum time from the first change of a first `up` to its last, as a multiple of its own longest chain,
const TIMES_CHAIN: f64 = 1.5;
/// and the maximum time before that: reading, taking the lease, and reading again what may have changed before it was
/// taken, each a few round trips.
const BEFORE: Duration = Duration::from_millis(900);
/// The number of second `up`s.
const SECONDS: usize = 3;
/// The maximum time of a second `up` at AWS's rates,
const PACED_SECOND_UP: Duration = Duration::from_millis(1500);
/// and of a first one and of `down`, as a multiple of what the rates allow.
const TIMES_ALLOWED: f64 = 1.3;
/// The maximum memory of a command, in KB.
const MEMORY: u64 = 80 * 1024;
/// The maximum time that `--version` takes.
const START: Duration = Duration::from_millis(20);

/// One line of the table.
struct Row {
    name: &'static str,
    usage: Usage,
    records: Vec<Record>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let runs = std::env::args().skip_while(|word| word != "--runs").nth(1).and_then(|word| word.parse().ok());
    let emulator = Emulator::start(Kind::MiniStack);
    // The emulator loads the code of each service with the first request to it, which takes longer than the answer.
    deployer(&emulator).await;
    let mut reached = true;
    for run in 1..=runs.unwrap_or(1) {
        println!("Run {run}; MiniStack behind a proxy that adds {} ms to each request\n", LATENCY.as_millis());
        let (ours, waves) = deployer(&emulator).await;
        table("peersync-deploy", &ours);
        per_service(&ours);
        let paced = paced(&emulator).await;
        table("peersync-deploy at AWS's rates", &paced);
        let script = script(&emulator).await;
        table("a sequential boto3 script (fewer resources)", &script);
        compare(&ours, &script);
        reached = goals(&ours, &waves) & paced_goals(&ours, &paced);
    }
    let start = median_start();
    reached &= verdict("--version", start <= START, &format!("{start:.1?} of {START:?}, the median of {STARTS}"));
    if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the lines of the table, and the waves of requests that a second `up` sends.
async fn deployer(emulator: &Emulator) -> (Vec<Row>, Vec<Vec<String>>) {
    let proxy = |latency| async move {
        let proxy = Proxy::start(&emulator.url, Settings { latency, ..Settings::default() }).await;
        proxy.expect("the proxy starts")
    };
    let (proxy, slow) = (proxy(LATENCY).await, proxy(SLOW).await);
    let folder = TempDir::new().expect("a temporary folder can be created");
    let account = fresh_account();
    let command = |proxy: &Proxy, arguments: &[&str]| {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(folder.path()).env("HOME", folder.path());
        environment(command, &proxy.url, &account)
    };
    let first = run("first up", command(&proxy, &["--output", "json", "up", "--yes", "--no-check"]), &proxy).await;
    let mut seconds = Vec::new();
    for _ in 0..SECONDS {
        seconds.push(run("second up", command(&proxy, &["up", "--yes", "--no-check"]), &proxy).await);
    }
    let second = seconds.into_iter().min_by_key(|row| row.usage.wall).expect("there are several");
    let waves = waves(&run("second up", command(&slow, &["up", "--yes", "--no-check"]), &slow).await.records);
    let plan = run("plan", command(&proxy, &["plan"]), &proxy).await;
    let down = run("down", command(&proxy, &["down", "--yes", "--no-backup"]), &proxy).await;
    (vec![first, second, plan, down], waves)
}

/// Returns the requests by how many others they had to wait for, one after the other.
fn waves(records: &[Record]) -> Vec<Vec<String>> {
    let chain = longest_chain(records);
    let mut waves = vec![Vec::new(); chain.len()];
    for record in records {
        let before = chain.iter().filter(|one| one.ended <= record.began).count();
        waves.get_mut(before).into_iter().for_each(|wave| wave.push(record.action()));
    }
    waves
}

/// The same commands, each at a time when the account has not been used for a while, by a double of AWS that refuses what
/// comes faster than AWS documents.
async fn paced(emulator: &Emulator) -> Vec<Row> {
    let folder = TempDir::new().expect("a temporary folder can be created");
    let account = fresh_account();
    let mut rows = Vec::new();
    for (name, arguments) in [
        ("first up", ["up", "--yes", "--no-check"]),
        ("second up", ["up", "--yes", "--no-check"]),
        ("down", ["down", "--yes", "--no-backup"]),
    ] {
        let settings = Settings { latency: LATENCY, behaviours: vec![Behaviour::Rates], ..Settings::default() };
        let proxy = Proxy::start(&emulator.url, settings).await.expect("the proxy starts");
        let mut command = Command::new(program());
        command.args(arguments).current_dir(folder.path()).env("HOME", folder.path()).env("PEERSYNC_PACED", "1");
        rows.push(run(name, environment(command, &proxy.url, &account), &proxy).await);
    }
    rows
}

/// Whether every goal at AWS's rates is reached.
fn paced_goals(ours: &[Row], paced: &[Row]) -> bool {
    let refused = paced.iter().flat_map(|row| &row.records).filter(|record| record.by.is_some()).count();
    let mut reached = verdict("at AWS's rates, refused requests", refused == 0, &format!("{refused} of 0"));
    for row in paced {
        let Some(unhindered) = ours.iter().find(|other| other.name == row.name) else { continue };
        let (wall, allowed) = (row.usage.wall, allowed(&unhindered.records));
        let ratio = wall.as_secs_f64() / allowed.as_secs_f64();
        let text =
            format!("{} ms, {ratio:.2} times what the rates allow, {} ms", wall.as_millis(), allowed.as_millis());
        let is_reached = if row.name == "second up" { wall <= PACED_SECOND_UP } else { ratio <= TIMES_ALLOWED };
        reached &= verdict(&format!("at AWS's rates, {}", row.name), is_reached, &text);
        explained(&row.records, &unhindered.records).iter().for_each(|line| println!("    {line}"));
    }
    reached
}

async fn script(emulator: &Emulator) -> Vec<Row> {
    let proxy = Proxy::start(&emulator.url, Settings { latency: LATENCY, ..Settings::default() }).await;
    let proxy = proxy.expect("the proxy starts");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let zip = target().join("bench-function.zip");
    // An empty zip: the script's function is never called.
    std::fs::write(&zip, [b"PK\x05\x06".as_slice(), &[0; 18]].concat()).expect("the zip can be written");
    let account = fresh_account();
    let mut rows = Vec::new();
    for (name, verb) in [("first up", "up"), ("second up", "up"), ("down", "down")] {
        let mut command = Command::new(peersync_tests::emulator::python());
        command.arg(format!("{root}/tests/bench/deploy_boto3.py")).arg(verb).arg(format!("{root}/assets")).arg(&zip);
        rows.push(run(name, environment(command, &proxy.url, &account), &proxy).await);
    }
    rows
}

fn environment(mut command: Command, endpoint: &str, account: &str) -> Command {
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", REGION).env("AWS_DEFAULT_REGION", REGION);
    command
        .env("AWS_ACCESS_KEY_ID", account)
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("NO_PROXY", "*").env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

async fn run(name: &'static str, command: Command, proxy: &Proxy) -> Row {
    let usage = tokio::task::spawn_blocking(move || measure(&command)).await.expect("the measurement ends");
    assert_eq!(usage.code, 0, "{name} failed\n{}\n{}", usage.stdout, usage.stderr);
    Row { name, usage, records: proxy.log.take() }
}

fn table(title: &str, rows: &[Row]) {
    println!("{title}");
    println!("{:12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "wall", "requests", "mutating", "chain", "CPU", "memory");
    for Row { name, usage, records } in rows {
        println!(
            "{name:12} {:>6} ms {:>9} {:>9} {:>9} {:>6} ms {:>6} MB",
            usage.wall.as_millis(),
            records.len(),
            mutating(records).len(),
            longest_chain(records).len(),
            usage.processor.as_millis(),
            usage.peak_kb / 1024
        );
    }
    println!();
}

/// The requests of each command by service and operation.
fn per_service(rows: &[Row]) {
    for Row { name, records, .. } in rows {
        let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for record in records {
            *counts.entry(&record.service).or_default().entry(&record.operation).or_default() += 1;
        }
        println!("{name}");
        for (service, operations) in counts {
            let each: Vec<_> = operations.iter().map(|(operation, count)| format!("{operation} {count}")).collect();
            println!("  {service} {}: {}", operations.values().sum::<usize>(), each.join(", "));
        }
    }
    println!();
}

/// How much faster than the script.
fn compare(ours: &[Row], script: &[Row]) {
    let by =
        |rows: &[Row], name: &str| rows.iter().find(|row| row.name == name).map(|row| row.usage.wall.as_secs_f64());
    for name in ["first up", "second up", "down"] {
        if let Some((ours, script)) = by(ours, name).zip(by(script, name)) {
            println!("{name}: {:.1} times as fast as the script", script / ours);
        }
    }
    println!();
}

/// Whether every goal is reached.
fn goals(rows: &[Row], waves: &[Vec<String>]) -> bool {
    let [first, second, ..] = rows else { return false };
    let chain = longest_dependency_chain(&first.usage.stdout);
    let (whole, changes) = (span(&first.records), span(&changing(&first.records)));
    let before = whole.saturating_sub(changes);
    let ratio = changes.as_secs_f64() / chain.as_secs_f64();
    println!("first up: {} ms from the first request to the last answer", whole.as_millis());
    let wall = second.usage.wall;
    let memory = rows.iter().map(|row| row.usage.peak_kb).max().unwrap_or_default();
    let of_chain =
        format!("{ratio:.2} of {TIMES_CHAIN} times its longest chain of resources, {} ms", chain.as_millis());
    let last: BTreeSet<&str> = waves.last().into_iter().flatten().map(String::as_str).collect();
    let last: Vec<&str> = last.into_iter().collect();
    let of_waves = format!("{} of {WAVES}, the last one of {}", waves.len(), last.join(", "));
    [
        verdict("first up, changes", ratio <= TIMES_CHAIN, &of_chain),
        verdict("first up, before and after", before <= BEFORE, &format!("{} of {BEFORE:?}", before.as_millis())),
        verdict("second up, waves", waves.len() <= WAVES, &of_waves),
        verdict("second up", wall <= SECOND_UP, &format!("{} of {SECOND_UP:?}", wall.as_millis())),
        verdict("peak memory", memory <= MEMORY, &format!("{memory} of {MEMORY} KB")),
    ]
    .into_iter()
    .all(|reached| reached)
}

/// Returns the time of the longest chain of dependent resources, from the events of the run and the graph.
fn longest_dependency_chain(events: &str) -> Duration {
    let events: Vec<Value> = events.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let finished = events.iter().filter(|event| event["event"] == "finished");
    let took: HashMap<&str, u64> =
        finished.filter_map(|event| Some((event["address"].as_str()?, event["elapsed_ms"].as_u64()?))).collect();
    let graph =
        Command::new(program()).args(["--output", "json", "graph"]).output().expect("the deployer can be started");
    let graph: Value = serde_json::from_slice(&graph.stdout).expect("the graph is JSON");
    let texts = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let edges: Vec<(String, String)> = texts(&graph["edges"])
        .iter()
        .filter_map(|edge| Some((edge["from"].as_str()?.to_owned(), edge["needs"].as_str()?.to_owned())))
        .collect();
    let mut until: HashMap<String, u64> = HashMap::new();
    // The nodes come in the order in which they can be created.
    for node in texts(&graph["nodes"]).iter().filter_map(Value::as_str) {
        let needed = edges.iter().filter(|(from, _)| from == node).filter_map(|(_, needs)| until.get(needs));
        let before = needed.max().copied().unwrap_or(0);
        until.insert(node.to_owned(), before + took.get(node).copied().unwrap_or(0));
    }
    Duration::from_millis(until.values().copied().max().unwrap_or(0))
}

fn median_start() -> Duration {
    let times = (0..STARTS)
        .map(|_| {
            let started = Instant::now();
            let status = Command::new(program()).arg("--version").stdout(Stdio::null()).status();
            assert!(status.is_ok_and(|status| status.success()), "--version failed");
            started.elapsed()
        })
        .collect();
    median(times)
}
