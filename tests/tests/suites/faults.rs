//! One request in ten is throttled, fails, is dropped or is slow; `up` and `down` succeed and report that.
//!
//! Threads: 4. They wait for repetitions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::call::Call;
use peersync_tests::proxy::faults::{Fault, Faults};
use peersync_tests::proxy::operation::form;
use peersync_tests::stage::{CHANGED, DOWN, Stage, UP};
use peersync_tests::unmanaged;

/// One request in ten.
const RATE: f64 = 0.1;

async fn up_and_down_at_a_rate(kinds: &[Fault], seed: u64) {
    println!("{kinds:?} with seed {seed}");
    up_and_down_through(Faults::new(kinds, RATE, seed)).await;
}

async fn up_and_down_through(faults: Faults) {
    // After a lost answer the request is repeated with the same token.
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
        // After a lost answer an address is allocated twice, since AWS has no token for it. `plan` shows it, the next
        // `up` releases it.
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
async fn throttled_calls_are_retried() {
    up_and_down_at_a_rate(&[Fault::Throttled, Fault::TooManyRequests, Fault::SlowDown], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn service_errors_are_retried() {
    up_and_down_at_a_rate(&[Fault::Internal], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_dropped_before_the_call_are_retried() {
    up_and_down_at_a_rate(&[Fault::DroppedBefore], 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_dropped_after_the_call_are_retried() {
    up_and_down_at_a_rate(&[Fault::DroppedAfter], 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_are_waited_for() {
    up_and_down_at_a_rate(&[Fault::Slow], 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_at_once() {
    for seed in [6, 7] {
        up_and_down_at_a_rate(&Fault::ALL, seed).await;
    }
}

/// So many that runs give up. What each says is true, and once the faults are over, one run finishes.
#[tokio::test(flavor = "multi_thread")]
async fn two_answers_in_five_are_faulty() {
    let kinds = [Fault::Throttled, Fault::TooManyRequests, Fault::SlowDown, Fault::Internal, Fault::DroppedAfter];
    let behaviours = || vec![Behaviour::ClientToken, Behaviour::AlreadyThere];
    let faulty = |seed| Settings {
        faults: Some(Faults::new(&kinds, 0.4, seed)),
        behaviours: behaviours(),
        ..Settings::default()
    };
    let mut stage = Stage::with(Emulator::shared(), faulty(8)).await;
    unmanaged::plant(&stage.clients, &stage.account).await;
    let before = census(&stage.clients).await;
    for (seed, command) in [(8, &UP[..]), (9, &CHANGE), (10, &DOWN)] {
        stage.change_proxy(faulty(seed)).await;
        let run = stage.run(command).await;
        let said = run.result()["status"].clone();
        assert_eq!(run.code == Some(0), said == "done", "{}", run.printed());
        stage.change_proxy(Settings { behaviours: behaviours(), ..Settings::default() }).await;
        // A lease that could not be given back is over.
        stage.outlast_lease();
        if run.code == Some(0) && command != DOWN {
            only_duplicates_are_left(&stage).await;
        }
        stage.run(command).await.expect(0);
        if command != DOWN {
            stage.plan(0).await;
        }
    }
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

const CHANGE: [&str; 5] = ["up", "--yes", "--no-check", "--expires", "48h"];

/// After a lost answer an address or an API is created twice, since AWS has no token for it; the next `up` deletes it.
async fn only_duplicates_are_left(stage: &Stage) {
    let steps = stage.run(&["plan"]).await.expect(0).steps();
    let known = |field: &String| field.starts_with("duplicates:") || field.starts_with("surplus:");
    assert!(steps.iter().flat_map(|step| &step.fields).all(known), "{steps:#?}");
}

/// Every change is repeated: creation, update and deletion must accept that they were already done. For APIs see below.
#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_to_each_change() {
    let changes = |call: &Call| call.mutating() && call.operation != "CreateRestApi";
    up_and_down_through(Faults::of_each_first(Fault::DroppedAfter, changes)).await;
}

/// Updates and deletions because of a changed configuration and of drift accept that they were already done.
#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_to_each_update() {
    let mut stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let gateway = &stage.clients.api_gateway;
    let apis = gateway.get_rest_apis().send().await.unwrap();
    let (id, root) = (apis.items()[0].id().unwrap(), apis.items()[0].root_resource_id().unwrap());
    let path = gateway.create_resource().rest_api_id(id).parent_id(root).path_part("theirs").send().await.unwrap();
    let method = gateway.put_method().rest_api_id(id).resource_id(path.id().unwrap()).http_method("GET");
    method.authorization_type("NONE").send().await.unwrap();
    let method = gateway.put_method().rest_api_id(id).resource_id(root).http_method("GET");
    method.authorization_type("NONE").send().await.unwrap();
    let object = stage.clients.s3.put_object().bucket(stage.bucket()).key("theirs.html");
    object.body(b"theirs".to_vec().into()).send().await.unwrap();
    stage.configure(&format!("{CHANGED}[stack]\nprotect = true\n"));
    let faults = Some(Faults::of_each_first(Fault::DroppedAfter, Call::mutating));
    stage.change_proxy(Settings { faults, behaviours: vec![Behaviour::ClientToken], ..Settings::default() }).await;
    stage.up().await;
    stage.plan(0).await;
}

/// The answer to a HEAD has no body that could name the reason.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_without_a_message() {
    let mut stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let faults = Some(Faults::of_each_first(Fault::TooManyRequests, |call| call.operation == "HeadObject"));
    stage.change_proxy(Settings { faults, ..Settings::default() }).await;
    stage.plan(0).await;
    assert!(stage.proxy().log.all().iter().any(|record| record.by.is_some()), "it was met");
}

/// GetCallerIdentity is called first, and with a shorter deadline than the rest.
#[tokio::test(flavor = "multi_thread")]
async fn first_call_is_retried() {
    for fault in [Fault::Throttled, Fault::Internal, Fault::DroppedBefore] {
        let faults = Some(Faults::of_each_first(fault, |call| call.operation == "GetCallerIdentity"));
        let stage = Stage::with(Emulator::shared(), Settings { faults, ..Settings::default() }).await;
        stage.plan(3).await;
    }
}

/// EC2 may not yet list an instance of an earlier run: the same launch has the same token, so that it is launched once.
#[tokio::test(flavor = "multi_thread")]
async fn instance_is_launched_once_across_runs() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("requests.jsonl");
    let refused = ("RunInstances".to_owned(), 400, "VcpuLimitExceeded".to_owned(), "none left".to_owned());
    let settings = Settings { recording: Some(recording.clone()), refuse: vec![refused], ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    // Three runs, because a token is valid for ten minutes and these may end in between.
    for _ in 0..3 {
        stage.run(&["up", "--yes", "--no-check"]).await.expect(1);
    }
    let text = std::fs::read_to_string(&recording).unwrap();
    let requests = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let bodies = requests.map(|request| STANDARD.decode(request["body"].as_str().unwrap()).unwrap());
    let token = |body: Vec<u8>| {
        let fields: Vec<(String, String)> = form(&body).collect();
        let has = |key: &str, value: &str| fields.iter().any(|field| field.0 == key && field.1 == value);
        let order = has("Action", "RunInstances");
        fields.iter().find(|(key, _)| order && key == "ClientToken").map(|(_, value)| value.clone())
    };
    let tokens: Vec<String> = bodies.filter_map(token).collect();
    assert_eq!(tokens.len(), 3, "{tokens:?}");
    assert!(tokens[0] == tokens[1] || tokens[1] == tokens[2], "{tokens:?}");
}

/// APIs have no unique names: after a lost answer, one stays beside the one that the other resources use.
#[tokio::test(flavor = "multi_thread")]
async fn api_created_twice() {
    let faults = Faults::of_each_first(Fault::DroppedAfter, |call| call.operation == "CreateRestApi");
    // AWS creates one in three seconds, so that their dates differ.
    let behaviours = vec![Behaviour::Rates];
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
