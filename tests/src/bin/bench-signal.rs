//! `cargo xtask bench signal`: the signaling server and other relays, each a process of its own, under the same load
//! from this one, on loopback, in the same run. Everything is bounded: connections, seconds, processes. It fails if
//! a goal is missed or something could not be measured.
//!
//! `cargo xtask bench signal -- --help` shows the options.

use std::process::ExitCode;

use peersync_tests::signal_bench::machine::Machine;
use peersync_tests::signal_bench::measure::{Row, drain, measure};
use peersync_tests::signal_bench::options::{Options, Part, USAGE};
use peersync_tests::signal_bench::references::References;
use peersync_tests::signal_bench::relays::Kind;
use peersync_tests::signal_bench::report::{Goal, goals, ratio, table};
use peersync_tests::signal_bench::{bare, host, moving, ours, states};

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [role, port] = words.as_slice()
        && let Ok(port) = port.parse()
    {
        match role.as_str() {
            "serve-ours" => {
                ours::run(port).await;
                return ExitCode::SUCCESS;
            }
            "serve-bare" => {
                bare::run(port).await;
                return ExitCode::SUCCESS;
            }
            _ => {}
        }
    }
    if words == ["--help"] {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match Options::read(words) {
        Ok(options) if run(&options).await => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything that was measured reached what it should.
async fn run(options: &Options) -> bool {
    let machine = Machine::prepare(options.connections);
    println!("{}\n", machine.describe(options.connections));
    let references = References::new(options.matchbox.clone());
    let mut reached = true;
    if options.has(Part::Idle) || options.has(Part::Relay) {
        let mut rows = Vec::new();
        for kind in options.relays.iter().copied() {
            eprintln!("measuring {} …", kind.name());
            match measure(kind, options, &machine, &references).await {
                Ok(row) => rows.push(row),
                Err(error) => {
                    println!("{} left out: {error}", kind.name());
                    reached &= !needed(kind);
                }
            }
        }
        println!("{}", table(&rows));
        reached &= verdict(&rows);
    }
    if options.has(Part::Drain) && options.relays.contains(&Kind::Ours) {
        match drain(options, &machine, &references).await {
            Ok(drain) => {
                println!("{}", drain.line());
                reached &= drain.reached();
            }
            Err(error) => {
                println!("drain left out: {error}");
                reached = false;
            }
        }
    }
    if options.has(Part::Move) && options.relays.contains(&Kind::Ours) {
        match moving::measure(options, &machine, &references).await {
            Ok(moved) => {
                println!("{}", moved.line());
                reached &= moved.reached();
            }
            Err(error) => {
                println!("move left out: {error}");
                reached = false;
            }
        }
    }
    if options.has(Part::States) && options.relays.contains(&Kind::Ours) {
        reached &= states(&references).await;
    }
    if options.has(Part::Host) && options.relays.contains(&Kind::Ours) {
        reached &= small_host(&references).await;
    }
    reached
}

/// Whether a small host holds what it should.
async fn small_host(references: &References) -> bool {
    match host::measure(references).await {
        Ok(host) => {
            println!("\n{}", host.table());
            host.fits()
        }
        Err(error) => {
            println!("host left out: {error}");
            false
        }
    }
}

/// Whether connections in every state cost as little as the limits assume.
async fn states(references: &References) -> bool {
    match states::measure(references).await {
        Ok(states) => {
            println!("\n{}", states.table());
            let missed = states.missed();
            missed.iter().for_each(|missed| println!("MISSED  {missed}"));
            missed.is_empty()
        }
        Err(error) => {
            println!("states left out: {error}");
            false
        }
    }
}

/// The relays that the goals need; the others are for comparison only.
fn needed(kind: Kind) -> bool {
    matches!(kind, Kind::Ours | Kind::Bare | Kind::FastApi)
}

fn verdict(rows: &[Row]) -> bool {
    let goals = goals(rows);
    goals.iter().for_each(|goal| println!("{}", goal.line()));
    let ours = rows.iter().find(|row| row.kind == Kind::Ours);
    for other in rows.iter().filter(|row| !needed(row.kind)) {
        if let Some(ratio) = ours.and_then(|ours| ratio(ours, Some(other))) {
            println!("        times {}'s messages per core-second: {ratio:.1}", other.kind.name());
        }
    }
    goals.iter().all(|goal: &Goal| goal.reached)
}
