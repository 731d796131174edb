//! The deployer is killed at random moments of `up`, of a change, of `down` and of `teardown`; what the next commands say is
//! true, and the next run finishes the job.
//!
//! Threads: 3. Each kill has a stack of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use peersync_tests::census::{Census, census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::{CHANGED, DOWN, Stage, TEARDOWN, UP};
use peersync_tests::unmanaged;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The path of leases.
const LEASES: &str = "/peersync-lease/";
/// The beginning of a difference: the account has got a role for the logs of API Gateway.
const LOG_ROLE: &str = "changed: apigateway:account/role of the logs\n  was None\n";

/// Returns the number of times that each command is killed: `PEERSYNC_KILLS`, or a few.
fn kills() -> usize {
    std::env::var("PEERSYNC_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3)
}

/// Returns the seed: `PEERSYNC_SEED`, or a fixed one.
fn random() -> StdRng {
    let seed = std::env::var("PEERSYNC_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_125);
    println!("seed {seed}; another by PEERSYNC_SEED, more kills by PEERSYNC_KILLS");
    StdRng::seed_from_u64(seed)
}

/// A stage with some latency, so that a kill meets requests in flight, and with client tokens. Next to it are resources of
/// somebody else.
async fn stage() -> (Stage, Census) {
    let latency = Duration::from_millis(10);
    let behaviours = vec![Behaviour::ClientToken];
    let stage = Stage::with(Emulator::shared(), Settings { latency, behaviours, ..Settings::default() }).await;
    unmanaged::plant(&stage.clients, &stage.account).await;
    let before = census(&stage.clients).await;
    (stage, before)
}

/// The number of changing calls of a command that ends undisturbed.
async fn calls_of(stage: &Stage, arguments: &[&str]) -> usize {
    stage.proxy().log.take();
    stage.run(arguments).await.expect(0);
    mutating(&stage.proxy().log.take()).len()
}

/// Starts a command and kills it after a random number of changing calls out of `whole`. Returns whether it was killed.
async fn killed(stage: &Stage, arguments: &[&str], whole: usize, random: &mut StdRng) -> bool {
    let calls = random.random_range(1..whole);
    println!("{} is killed after {calls} of {whole} changing calls", arguments[0]);
    stage.proxy().log.take();
    let running = stage.start(arguments);
    while mutating(&stage.proxy().log.all()).len() < calls {
        if running.is_over() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.kill().await;
    // Requests in flight still reach AWS.
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.outlast_lease();
    true
}

/// Checks that `list` and `status` know of the stack if anything is left of it, and not if nothing is.
async fn is_not_lost(stage: &Stage, before: &Census) {
    let left = difference(before, &census(&stage.clients).await);
    // The stacks of a region share the role for the logs of API Gateway.
    let is_stacks = |line: &&String| !line.contains(LEASES) && !line.starts_with(LOG_ROLE);
    let left: Vec<&String> = left.iter().filter(is_stacks).collect();
    assert!(left.iter().all(|line| line.starts_with("left: ")), "what is not ours was touched: {left:#?}");
    let listed = stage.run(&["list"]).await.expect(0).result();
    let listed = listed["stacks"].as_array().is_some_and(|stacks| !stacks.is_empty());
    let status = stage.run(&["status"]).await;
    let deployed = status.result()["deployed"] == true;
    assert_eq!((listed, deployed), (!left.is_empty(), !left.is_empty()), "{left:#?}\n{}", status.stdout);
}

/// Counts the resources of each kind. What a killed run leaves of its lease is deleted by the next run that takes it.
fn of_kinds(census: &Census) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for key in census.keys().filter(|key| !key.contains(LEASES)) {
        *kinds.entry(key.split('/').next().unwrap_or(key).to_owned()).or_default() += 1;
    }
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_up_is_finished_by_the_next_up() {
    let mut random = random();
    let (reference, _) = stage().await;
    let whole = calls_of(&reference, &UP).await;
    let same = of_kinds(&census(&reference.clients).await);
    for _ in 0..kills() {
        let (stage, before) = stage().await;
        assert!(killed(&stage, &UP, whole, &mut random).await, "it ended before");
        is_not_lost(&stage, &before).await;
        stage.up().await;
        stage.plan(0).await;
        assert_eq!(of_kinds(&census(&stage.clients).await), same, "as many of each kind as an undisturbed run makes");
        stage.down().await;
        assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_change_is_finished_by_the_next_up() {
    let mut random = random();
    let (reference, _) = stage().await;
    reference.up().await;
    reference.configure(CHANGED);
    let whole = calls_of(&reference, &UP).await;
    let same = of_kinds(&census(&reference.clients).await);
    for _ in 0..kills() {
        let (stage, before) = stage().await;
        stage.up().await;
        stage.configure(CHANGED);
        killed(&stage, &UP, whole, &mut random).await;
        is_not_lost(&stage, &before).await;
        stage.up().await;
        stage.plan(0).await;
        assert_eq!(of_kinds(&census(&stage.clients).await), same);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_down_is_finished_by_the_next_down() {
    let mut random = random();
    let (reference, _) = stage().await;
    reference.up().await;
    let whole = calls_of(&reference, &DOWN).await;
    for _ in 0..kills() {
        let (stage, before) = stage().await;
        stage.up().await;
        killed(&stage, &DOWN, whole, &mut random).await;
        is_not_lost(&stage, &before).await;
        stage.down().await;
        assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_teardown_is_finished_by_the_next_teardown() {
    let mut random = random();
    let expiring = [&UP[..], &["--expires", "1s"]].concat();
    let (reference, _) = stage().await;
    reference.run(&expiring).await.expect(0);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let whole = calls_of(&reference, &TEARDOWN).await;
    for _ in 0..kills() {
        let (stage, before) = stage().await;
        stage.run(&expiring).await.expect(0);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        killed(&stage, &TEARDOWN, whole, &mut random).await;
        is_not_lost(&stage, &before).await;
        stage.run(&TEARDOWN).await.expect(0);
        assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_up_lists_remaining_resources_and_is_continued() {
    let (stage, _) = stage().await;
    stage.proxy().log.take();
    let running = stage.start(&UP);
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
