//! `cargo xtask bench signal`: the signaling server and other relays, each a process of its own, under the same load
//! from this one, on loopback, in the same run. Everything is bounded: connections, seconds, processes.
//!
//! `--seconds N` per measurement (default 5), `--connections N` (default 20,000), `--matchbox` to build and measure
//! `matchbox_server` too, `--only-ours`.

use std::path::PathBuf;
use std::time::Duration;

use peersync_tests::signal_bench::bare;
use peersync_tests::signal_bench::load::{Latency, Throughput, connect, race, steady};
use peersync_tests::signal_bench::ours::{self, keys};
use peersync_tests::signal_bench::process::memory;
use peersync_tests::signal_bench::relays::{Kind, Relay};

/// Clients that send, two a pair.
const ACTIVE: usize = 200;
/// Idle clients of the slow references.
const FEW: usize = 5_000;
/// Open files of a process that are no connections.
const OTHER_FILES: usize = 300;

/// What was measured of one relay.
struct Row {
    kind: Kind,
    /// Idle connections, and bytes resident for each.
    idle: Vec<(usize, f64)>,
    connects: (f64, f64),
    throughput: Throughput,
    latency: Latency,
}

struct Options {
    seconds: Duration,
    connections: usize,
    matchbox: bool,
    only_ours: bool,
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("serve-ours") => return ours::run(port(&words)).await,
        Some("serve-bare") => {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port(&words))).await;
            return bare::serve(listener.expect("the port is free")).await;
        }
        _ => {}
    }
    let options = options(&words);
    let folder = folder();
    let mut rows = Vec::new();
    let others = [Kind::Bare, Kind::FastApi, Kind::PeerServer, Kind::Matchbox];
    for kind in [Kind::Ours].into_iter().chain(others.into_iter().filter(|_| !options.only_ours)) {
        if kind == Kind::Matchbox && !options.matchbox {
            continue;
        }
        eprintln!("measuring {} …", kind.name());
        match measure(kind, &options, &folder).await {
            Ok(row) => rows.push(row),
            Err(error) => println!("{}: not measured: {error}", kind.name()),
        }
    }
    table(&rows);
    if let Err(error) = drain(&options, &folder).await {
        println!("drain: not measured: {error}");
    }
    verdict(&rows);
}

async fn measure(kind: Kind, options: &Options, folder: &std::path::Path) -> Result<Row, String> {
    let keys = keys();
    let relay = Relay::start(kind, folder)?;
    let mut row_idle = Vec::new();
    let (mut clients, _, _) = connect(&relay, 0, ACTIVE, &keys).await?;
    let empty = memory(relay.pid()).ok_or("it is gone")?.resident;
    let steps = match kind {
        Kind::Ours | Kind::Bare => vec![options.connections / 2, options.connections],
        Kind::FastApi | Kind::PeerServer | Kind::Matchbox => vec![FEW.min(options.connections)],
    };
    let (mut idle, mut connects) = (Vec::new(), (0.0, 0.0));
    for step in steps {
        let from = ACTIVE + idle.len();
        let (more, per_second, per_core_second) = connect(&relay, from, step.max(from + 2), &keys).await?;
        if idle.is_empty() {
            connects = (per_second, per_core_second);
        }
        idle.extend(more);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let resident = memory(relay.pid()).ok_or("it is gone")?.resident;
        row_idle.push((idle.len() + ACTIVE, resident.saturating_sub(empty) as f64 * 1024.0 / idle.len() as f64));
    }
    drop(idle);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (throughput, raced) = race(&relay, std::mem::take(&mut clients), options.seconds).await;
    if raced.len() != ACTIVE {
        return Err(format!("{} of {ACTIVE} connections were lost in the race", ACTIVE - raced.len()));
    }
    let latency = steady(raced, throughput.per_second / 2.0, options.seconds).await;
    Ok(Row { kind, idle: row_idle, connects, throughput, latency })
}

/// Our server with idle clients that are told to go.
async fn drain(options: &Options, folder: &std::path::Path) -> Result<(), String> {
    let mut relay = Relay::start(Kind::Ours, folder)?;
    let count = options.connections / 2;
    let (clients, _, _) = connect(&relay, 0, count, &keys()).await?;
    let before = memory(relay.pid()).ok_or("it is gone")?;
    let pid = relay.pid();
    let watching: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                let mut told = false;
                while let Ok(text) = client.receive().await {
                    told |= text.contains("\"draining\"");
                }
                told
            })
        })
        .collect();
    let peak = tokio::spawn(async move {
        let mut highest = 0;
        while let Some(memory) = memory(pid) {
            highest = memory.highest.max(highest);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        highest
    });
    let took = tokio::task::spawn_blocking(move || relay.terminate()).await.map_err(|error| error.to_string())?;
    let mut told = 0;
    for watched in watching {
        told += usize::from(watched.await.unwrap_or(false));
    }
    // The process is gone, and with it the watcher's reason to go on.
    let highest = peak.await.unwrap_or(before.highest);
    println!(
        "\ndrain of {count} clients: {:.1} s until the process was gone, {told} told before their goodbye; resident {} MiB \
         before, {} MiB at the highest",
        took.as_secs_f64(),
        before.resident / 1024,
        highest / 1024,
    );
    Ok(())
}

fn table(rows: &[Row]) {
    println!(
        "{:<20} {:>28} {:>11} {:>12} {:>10} {:>13} {:>10} {:>8} {:>8} {:>8}",
        "",
        "idle: bytes/connection",
        "connects/s",
        "per core-s",
        "msgs/s",
        "msgs/core-s",
        "at msgs/s",
        "p50 ms",
        "p99 ms",
        "p99.9"
    );
    for row in rows {
        let idle: Vec<_> = row.idle.iter().map(|(count, bytes)| format!("{bytes:.0} at {count}")).collect();
        println!(
            "{:<20} {:>28} {:>11.0} {:>12.0} {:>10.0} {:>13.0} {:>10.0} {:>8.2} {:>8.2} {:>8.2}",
            row.kind.name(),
            idle.join(", "),
            row.connects.0,
            row.connects.1,
            row.throughput.per_second,
            row.throughput.per_core_second,
            row.latency.rate,
            row.latency.p50,
            row.latency.p99,
            row.latency.p999,
        );
    }
}

/// Ours against what is to be reached.
fn verdict(rows: &[Row]) {
    let find = |kind: Kind| rows.iter().find(|row| row.kind == kind);
    let Some(ours) = find(Kind::Ours) else { return };
    let say = |what: &str, value: f64, reached: bool| {
        println!("{} {what}: {value:.1}", if reached { "reached" } else { "MISSED " });
    };
    println!();
    for (count, bytes) in &ours.idle {
        say(&format!("≤ 10 KB resident per idle connection at {count}"), bytes / 1000.0, *bytes <= 10_000.0);
    }
    say("p99 ≤ 5 ms at half load", ours.latency.p99, ours.latency.p99 <= 5.0);
    let ratio = |other: &Row| ours.throughput.per_core_second / other.throughput.per_core_second;
    if let Some(fastapi) = find(Kind::FastApi) {
        say("≥ 5 times FastAPI's messages per core-second", ratio(fastapi), ratio(fastapi) >= 5.0);
    }
    if let Some(bare) = find(Kind::Bare) {
        say("≥ 60 % of the bare relay's", ratio(bare) * 100.0, ratio(bare) >= 0.6);
    }
    for other in [Kind::PeerServer, Kind::Matchbox].into_iter().filter_map(find) {
        println!("        {} times {}'s", (ratio(other) * 10.0).round() / 10.0, other.kind.name());
    }
}

fn options(words: &[String]) -> Options {
    let number = |name: &str| words.iter().skip_while(|word| *word != name).nth(1).and_then(|word| word.parse().ok());
    let wanted = usize::try_from(number("--connections").unwrap_or(20_000_u64)).unwrap_or(20_000);
    let files = rlimit::increase_nofile_limit(wanted as u64 + OTHER_FILES as u64).unwrap_or(1024);
    let allowed = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES) & !1;
    if allowed < wanted {
        println!("{files} open files are allowed here: {allowed} connections instead of {wanted}");
    }
    Options {
        seconds: Duration::from_secs(number("--seconds").unwrap_or(5)),
        connections: wanted.min(allowed),
        matchbox: words.iter().any(|word| word == "--matchbox"),
        only_ours: words.iter().any(|word| word == "--only-ours"),
    }
}

/// Where the references are installed.
fn folder() -> PathBuf {
    let program = std::env::current_exe().expect("it has a path");
    let folder = program.parent().expect("it is in a folder").join("bench-signal-references");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn port(words: &[String]) -> u16 {
    words.get(1).and_then(|word| word.parse().ok()).expect("a port")
}
