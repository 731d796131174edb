//! One request in ten fails by throttling, errors, dropped or slow connections; `up` and `down` succeed and say so.

use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::faults::{Fault, Faults};
use peersync_tests::stage::Stage;

/// One request in ten.
const RATE: f64 = 0.1;

async fn up_and_down_at_a_rate(kinds: &[Fault], seed: u64) {
    println!("{kinds:?} with seed {seed}");
    up_and_down_through(Faults::new(kinds, RATE, seed)).await;
}

async fn up_and_down_through(faults: Faults) {
    // An answer that is lost is asked for again with the same token.
    let behaviours = vec![Behaviour::ClientToken, Behaviour::AlreadyThere];
    let settings = Settings { faults: Some(faults), behaviours, ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
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
    assert!(left.is_empty(), "{}", left.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling() {
    up_and_down_at_a_rate(&[Fault::Throttled, Fault::TooManyRequests, Fault::SlowDown], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_service() {
    up_and_down_at_a_rate(&[Fault::Internal], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_dropped_before_the_work() {
    up_and_down_at_a_rate(&[Fault::DroppedBefore], 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_dropped_after_the_work() {
    up_and_down_at_a_rate(&[Fault::DroppedAfter], 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_answers() {
    up_and_down_at_a_rate(&[Fault::Slow], 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once() {
    for seed in [6, 7] {
        up_and_down_at_a_rate(&Fault::ALL, seed).await;
    }
}

/// Everything is done twice: whatever makes, changes or deletes must find its work done and go on. Of APIs see below.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_each_change_lost_once() {
    up_and_down_through(Faults::of_each_change(Fault::DroppedAfter, |operation| operation != "CreateRestApi")).await;
}

/// APIs have no unique names: one whose answer was lost stays beside the one that everything else was built on.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_was_made_twice() {
    let faults = Faults::of_each_change(Fault::DroppedAfter, |operation| operation == "CreateRestApi");
    // AWS makes one in three seconds: so the dates of the two differ.
    let behaviours = vec![Behaviour::ApiGatewayQuota];
    let settings = Settings { faults: Some(faults), behaviours, ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    let steps = stage.plan(3).await.steps();
    let [step] = steps.as_slice() else { panic!("only the API has one too many: {steps:#?}") };
    assert_eq!(
        (step.address.as_str(), step.fields.as_slice()),
        ("rest_api.api", ["surplus: drift".to_owned()].as_slice())
    );
    stage.up().await;
    stage.plan(0).await;
    let left = stage.clients.api_gateway.get_rest_apis().send().await.unwrap();
    assert_eq!(left.items().len(), 1, "{left:?}");
}
