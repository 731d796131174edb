//! The deployer is killed at random moments of `up` and of `down`; the next run finishes the job.

use std::time::Duration;

use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::Stage;
use peersync_tests::unmanaged;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The number of times that each command is killed.
const KILLS: usize = 10;

/// Returns the seed: `PEERSYNC_SEED`, or a fixed one.
fn random() -> StdRng {
    let seed = std::env::var("PEERSYNC_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_125);
    println!("seed {seed}; another by PEERSYNC_SEED");
    StdRng::seed_from_u64(seed)
}

/// A stage with some latency, so that a kill meets requests in flight, and with client tokens.
async fn stage() -> Stage {
    let latency = Duration::from_millis(10);
    let behaviours = vec![Behaviour::ClientToken];
    Stage::with(Emulator::shared(), Settings { latency, behaviours, ..Settings::default() }).await
}

/// Starts a command and kills it after this number of mutating calls; returns whether it was killed.
async fn killed_after(stage: &Stage, arguments: &[&str], calls: usize) -> bool {
    stage.proxy().log.take();
    let running = stage.start(arguments);
    loop {
        if running.is_over() {
            return false;
        }
        if mutating(&stage.proxy().log.all()).len() >= calls {
            running.kill().await;
            // Requests in flight still reach AWS.
            tokio::time::sleep(Duration::from_millis(300)).await;
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_up_is_finished_by_the_next_up() {
    let mut random = random();
    let reference = stage().await;
    reference.up().await;
    let whole = mutating(&reference.proxy().log.take()).len();
    let same: Vec<String> = census(&reference.clients).await.into_keys().map(|key| kind(&key)).collect();
    for kill in 1..=KILLS {
        let calls = random.random_range(1..whole);
        println!("up: kill {kill} of {KILLS} after {calls} of {whole} changing calls");
        let stage = stage().await;
        unmanaged::log_group(&stage.clients, "/theirs").await;
        let before = census(&stage.clients).await;
        assert!(killed_after(&stage, &["up", "--yes", "--no-check"], calls).await, "it ended before {calls} calls");
        stage.outlast_lease();
        stage.up().await;
        stage.plan(0).await;
        let mut now: Vec<String> = census(&stage.clients)
            .await
            .into_keys()
            .filter(|key| key != "logs:group//theirs")
            .map(|key| kind(&key))
            .collect();
        let mut same = same.clone();
        now.sort();
        same.sort();
        assert_eq!(now, same, "as many of each kind as an undisturbed run makes");
        stage.down().await;
        let left = difference(&before, &census(&stage.clients).await);
        assert!(left.is_empty(), "after a kill at {calls}:\n{}", left.join("\n"));
    }
}

fn kind(key: &str) -> String {
    key.split('/').next().unwrap_or(key).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_down_is_finished_by_the_next_down() {
    let mut random = random();
    let reference = stage().await;
    reference.up().await;
    reference.proxy().log.take();
    reference.down().await;
    let whole = mutating(&reference.proxy().log.take()).len();
    for kill in 1..=KILLS {
        let stage = stage().await;
        let before = census(&stage.clients).await;
        stage.up().await;
        let calls = random.random_range(1..whole);
        println!("down: kill {kill} of {KILLS} after {calls} of {whole} changing calls");
        killed_after(&stage, &["down", "--yes", "--no-backup"], calls).await;
        stage.outlast_lease();
        stage.down().await;
        let left = difference(&before, &census(&stage.clients).await);
        assert!(left.is_empty(), "after a kill at {calls}:\n{}", left.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_up_lists_remaining_resources_and_is_continued() {
    let stage = stage().await;
    stage.proxy().log.take();
    let running = stage.start(&["up", "--yes", "--no-check"]);
    while mutating(&stage.proxy().log.all()).len() < 5 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    running.signal("-INT").await;
    let run = running.ended().await;
    assert_eq!(run.code, Some(1), "{}\n{}", run.stdout, run.stderr);
    assert_eq!(run.result()["status"], "interrupted", "{}", run.stdout);
    assert!(!run.result()["remaining"].as_array().unwrap().is_empty(), "{}", run.stdout);
    stage.up().await;
    stage.plan(0).await;
}
