//! `cargo xtask bench api`: size, start and warm call of the API's program as Lambda runs it, and beside it a Python
//! handler with boto3, in the same run and the same surroundings.
//!
//! `--starts N` (default 21), `--calls N` (default 300).

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use peersync_deploy::artifacts;
use peersync_tests::api_bench::function::{Costs, Program};
use peersync_tests::api_bench::surroundings::Surroundings;
use peersync_tests::bench::verdict;

/// The maximum size of the zip, in bytes.
const ZIP: usize = 5_000_000;
/// The maximum time until the first answer.
const FIRST_ANSWER: Duration = Duration::from_millis(25);
/// The maximum processor time of a warm call.
const WARM_CALL: Duration = Duration::from_millis(2);

#[tokio::main]
async fn main() -> ExitCode {
    let (starts, calls) = (number("--starts", 21), number("--calls", 300));
    let folder = env::temp_dir().join(format!("peersync-bench-api-{}", std::process::id()));
    let programs = artifacts::programs(|| {}).expect("the deployer carries its programs");
    let zip = programs.iter().map(|programs| programs.api.package.len()).max().expect("the deployer carries an API");
    // The deployer carries it packed; this is the folder that it was packed from.
    let built = env::var("PEERSYNC_RUNTIME_DIR").expect("PEERSYNC_RUNTIME_DIR is set: run `cargo xtask bench api`");
    let program = copied(&folder, &PathBuf::from(built).join("api"));
    // Each has its own store, so that the rate limits of one do not affect the other.
    let ours = Program::Ours(program).measure(&mut Surroundings::start(calls + 20).await, starts, calls).await;
    let python = Program::Python.measure(&mut Surroundings::start(calls + 20).await, starts, calls).await;
    let _ = std::fs::remove_dir_all(&folder);

    println!("{:18} {:>14} {:>16} {:>12} {:>10}", "", "first answer", "CPU, POST /login", "wall", "resident");
    row("ours", ours);
    row("Python, boto3", python);
    let ratio = |theirs: Duration, ours: Duration| theirs.as_secs_f64() / ours.as_secs_f64();
    println!(
        "{:18} {:>13.1}x {:>15.1}x {:>11.1}x {:>9.1}x",
        "ratio",
        ratio(python.start, ours.start),
        ratio(python.processor, ours.processor),
        ratio(python.wall, ours.wall),
        ratio(Duration::from_millis(python.resident), Duration::from_millis(ours.resident)),
    );
    println!();
    let reached = [
        verdict("zip", zip <= ZIP, &format!("{zip} of {ZIP} bytes")),
        verdict("first answer", ours.start <= FIRST_ANSWER, &format!("{:.1?} of {FIRST_ANSWER:?}", ours.start)),
        verdict("CPU of a warm call", ours.processor <= WARM_CALL, &format!("{:.2?} of {WARM_CALL:?}", ours.processor)),
    ];
    if reached.into_iter().all(|reached| reached) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn row(name: &str, costs: Costs) {
    println!(
        "{name:18} {:>11.1} ms {:>13.2} ms {:>9.2} ms {:>7} KB",
        costs.start.as_secs_f64() * 1e3,
        costs.processor.as_secs_f64() * 1e3,
        costs.wall.as_secs_f64() * 1e3,
        costs.resident
    );
}

fn number(flag: &str, default: usize) -> usize {
    env::args().skip_while(|word| word != flag).nth(1).and_then(|word| word.parse().ok()).unwrap_or(default)
}

/// A copy of the program under the name that Lambda calls it by.
fn copied(folder: &std::path::Path, program: &std::path::Path) -> PathBuf {
    std::fs::create_dir_all(folder).expect("the folder for temporary files can be written");
    let copy = folder.join("bootstrap");
    std::fs::copy(program, &copy).expect("the program can be copied");
    copy
}
