//! One request in ten fails by throttling, errors, dropped or slow connections; `up` and `down` succeed and say so.

use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::faults::{Fault, Faults};
use peersync_tests::stage::Stage;

/// One request in ten.
const RATE: f64 = 0.1;

async fn up_and_down_through(kinds: &[Fault], seed: u64) {
    println!("{kinds:?} with seed {seed}");
    let settings = || Settings {
        faults: Some(Faults::new(kinds, RATE, seed)),
        // An answer that is lost is asked for again with the same token.
        behaviours: vec![Behaviour::ClientToken],
        ..Settings::default()
    };
    let stage = Stage::with(Emulator::shared(), settings()).await;
    let before = census(&stage.clients).await;
    let up = stage.up().await;
    let faults: Vec<String> = stage.proxy().log.take().iter().filter_map(|record| record.by.clone()).collect();
    assert!(!faults.is_empty(), "no fault was injected");
    if faults.iter().any(|fault| fault != "Slow") {
        let retried = up.result()["retried"].as_u64().unwrap_or_default();
        assert!(retried > 0, "{faults:?} were injected, and the result tells of no retry:\n{}", up.stdout);
        assert!(!up.events_of("retrying").is_empty(), "{}", up.stdout);
    }
    let plan = stage.run(&["plan", "--detailed-exitcode"]).await;
    if plan.code == Some(3) {
        // An address whose answer was lost was had twice: AWS has no token for it. It is seen, and the next `up` gives
        // it back.
        let fields: Vec<String> = plan.steps().into_iter().flat_map(|step| step.fields).collect();
        assert!(fields.iter().all(|field| field.starts_with("duplicates:")), "{fields:?}");
        stage.up().await;
    }
    stage.plan(0).await;
    stage.down().await;
    let left = difference(&before, &census(&stage.clients).await);
    assert!(left.is_empty(), "{kinds:?} with seed {seed}:\n{}", left.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling() {
    up_and_down_through(&[Fault::Throttled, Fault::TooManyRequests, Fault::SlowDown], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_service() {
    up_and_down_through(&[Fault::Internal], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_dropped_before_the_work() {
    up_and_down_through(&[Fault::DroppedBefore], 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_dropped_after_the_work() {
    up_and_down_through(&[Fault::DroppedAfter], 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_answers() {
    up_and_down_through(&[Fault::Slow], 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once() {
    for seed in [6, 7] {
        up_and_down_through(&Fault::ALL, seed).await;
    }
}
