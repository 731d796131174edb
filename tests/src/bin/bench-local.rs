//! `cargo xtask bench local`: how soon `local` is ready, what memory it takes, and how soon a saved page reaches the
//! browser, beside MiniStack, which a developer would start in its place, in the same run.
//!
//! `--starts N` (default 11).

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use peersync_tests::bench::{median, verdict};
use peersync_tests::deployer::command;
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::http::client;
use peersync_tests::product::Product;
use peersync_tests::signal_bench::process::memory;

/// From the start of the process to the first page.
const READY: Duration = Duration::from_secs(1);
/// The most memory, in KB.
const MEMORY: u64 = 80 * 1024;
/// From a saved file to the event that reloads the browser.
const RELOAD: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> ExitCode {
    let starts: usize =
        env::args().skip_while(|word| word != "--starts").nth(1).and_then(|word| word.parse().ok()).unwrap_or(11);
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    // The first start creates the tables; the others are what a developer waits for every day.
    let (fresh, _) = start(folder.path()).await;
    let mut ready = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..starts {
        let (elapsed, peak) = start(folder.path()).await;
        ready.push(elapsed);
        memory.push(peak);
    }
    let reload = reloads(folder.path(), starts).await;
    let (theirs, their_memory) = ministack();
    let (ready, peak, reload) = (median(ready), memory.into_iter().max().unwrap_or_default(), median(reload));

    println!("{:12} {:>12} {:>12} {:>12}", "", "first start", "first page", "peak memory");
    println!("{:12} {:>9.0} ms {:>9.0} ms {:>9} KB", "local", milliseconds(fresh), milliseconds(ready), peak);
    println!("{:12} {:>12} {:>9.0} ms {:>9} KB", "MiniStack", "", milliseconds(theirs), their_memory);
    println!(
        "{:12} {:>12} {:>11.1}x {:>11.1}x",
        "ratio",
        "",
        milliseconds(theirs) / milliseconds(ready),
        ratio(their_memory, peak)
    );
    println!();
    let reached = [
        verdict("first page", ready.max(fresh) <= READY, &format!("{:.0?} of {READY:?}", ready.max(fresh))),
        verdict("peak memory", peak <= MEMORY, &format!("{peak} of {MEMORY} KB")),
        verdict("saved page to browser", reload <= RELOAD, &format!("{reload:.0?} of {RELOAD:?}")),
    ];
    if reached.into_iter().all(|reached| reached) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One start in a folder: the time from process to first page, and the most memory that it took, after somebody signed
/// up and in.
async fn start(folder: &Path) -> (Duration, u64) {
    let began = Instant::now();
    let product = running(folder, &[]).await;
    product.get("/").await.expect(200);
    let elapsed = began.elapsed();
    product.sign_in("Ada", &format!("ada{}@example.org", began.elapsed().as_nanos())).await;
    let peak = peak_kb(product.pid());
    product.interrupt().await.expect(0);
    (elapsed, peak)
}

/// Returns `local` with everything embedded; it logs only problems.
async fn running(folder: &Path, arguments: &[&str]) -> Product {
    let all = [&["--output", "json", "local", "--port", "0", "--embedded"], arguments].concat();
    let mut command = command(folder, &all);
    command.env("RUST_LOG", "error");
    Product::from(command).await
}

/// How long each saved page takes to the browser's event stream.
async fn reloads(folder: &Path, times: usize) -> Vec<Duration> {
    let assets = folder.join("pages");
    fs::create_dir(&assets).expect("the folder can be created");
    let page = assets.join("index.html");
    fs::write(&page, "<html></html>").expect("a page can be written");
    let product = running(folder, &["--ephemeral", "--assets", "pages"]).await;
    let events = client().get(format!("{}/_live/events", product.url())).send().await;
    let mut events = events.expect("the event stream opens");
    let mut all = Vec::new();
    for turn in 0..times {
        let began = Instant::now();
        fs::write(&page, format!("<html>{turn}</html>")).expect("a page can be written");
        loop {
            let event = events.chunk().await.expect("the stream stays open").expect("an event");
            if event.starts_with(b"data:") {
                break;
            }
        }
        all.push(began.elapsed());
        // Longer than the time within which several changes become one event.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    product.interrupt().await.expect(0);
    all
}

/// MiniStack until it answers, and the most memory it took for that.
fn ministack() -> (Duration, u64) {
    let began = Instant::now();
    let emulator = Emulator::start(Kind::MiniStack);
    (began.elapsed(), peak_kb(emulator.pid()))
}

/// The most memory that a process has held, in KB.
fn peak_kb(pid: u32) -> u64 {
    memory(pid).expect("the process runs").highest
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of two amounts of memory")]
fn ratio(theirs: u64, ours: u64) -> f64 {
    theirs as f64 / ours as f64
}
