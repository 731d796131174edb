//! One run at a time changes a stack: runs that begin together, that are killed or stopped, and whose requests are lost.
//!
//! Threads: 8. They wait for leases to end.

use std::time::{Duration, Instant};

use peersync_tests::census::{census, difference};
use peersync_tests::deployer::{Run, Running};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::call::Call;
use peersync_tests::proxy::faults::{Fault, Faults};
use peersync_tests::proxy::log::{Record, changing, mutating};
use peersync_tests::proxy::{Proxy, Settings};
use peersync_tests::stage::Stage;
use serde_json::Value;

/// A run with a proxy of its own, so that its requests are known.
struct Runner {
    proxy: Proxy,
    running: Running,
}

/// What a run has done.
struct Ended {
    run: Run,
    records: Vec<Record>,
}

impl Runner {
    /// Starts a command whose requests take a little, so that the others meet it at work.
    async fn start(stage: &Stage, arguments: &[&str]) -> Self {
        Self::with(stage, Settings::default(), arguments).await
    }

    /// Starts a command that changes nothing but the lease before [`Proxy::release`], and waits until it has that.
    async fn holder(stage: &Stage, arguments: &[&str]) -> Self {
        let held: fn(&Call) -> bool = |call| call.mutating() && !call.is_of_lease();
        let runner = Self::with(stage, Settings { held: Some(held), ..Settings::default() }, arguments).await;
        runner.until(2, |record| record.of_lease && record.operation == "PutParameter").await;
        runner
    }

    async fn with(stage: &Stage, settings: Settings, arguments: &[&str]) -> Self {
        let settings = Settings { latency: Duration::from_millis(20), ..settings };
        let proxy = Proxy::start(&stage.emulator, settings).await.unwrap();
        let mut command = stage.command(arguments);
        command.env("AWS_ENDPOINT_URL", &proxy.url);
        Self { proxy, running: Running::start(command) }
    }

    /// Waits until it has sent this number of changes.
    async fn at_work(&self, changes: usize) {
        self.until(changes, |record| record.mutating && !record.of_lease).await;
    }

    /// Waits until it has looked at the lease again.
    async fn waits(&self) {
        self.until(2, |record| record.of_lease).await;
    }

    async fn until(&self, number: usize, meant: fn(&Record) -> bool) {
        while self.proxy.log.all().iter().filter(|record| meant(record)).count() < number {
            assert!(!self.running.is_over(), "it ended before");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn ended(self) -> Ended {
        let run = self.running.ended().await;
        Ended { run, records: self.proxy.log.all() }
    }
}

/// Waits until all have ended, and checks that they have succeeded.
async fn all_succeed(runners: Vec<Runner>) -> Vec<Ended> {
    let mut all = Vec::new();
    for runner in runners {
        let Ended { run, records } = runner.ended().await;
        all.push(Ended { run: run.expect(0), records });
    }
    all
}

/// Asserts that each run had ended its changes before the next one began with its own.
#[track_caller]
fn never_interleaved(all: &[Ended]) {
    let span = |ended: &Ended| {
        let changes = changing(&ended.records);
        let first = changes.iter().map(|record| record.began).min()?;
        Some((first, changes.iter().map(|record| record.ended).max()?))
    };
    let mut spans: Vec<(Instant, Instant)> = all.iter().filter_map(span).collect();
    assert!(!spans.is_empty(), "none changed anything");
    spans.sort();
    for pair in spans.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two runs changed the stack at once: {pair:?}");
    }
}

fn status(ended: &Ended) -> Value {
    ended.run.result()["status"].clone()
}

const UP: [&str; 5] = ["up", "--yes", "--no-check", "--wait", "4m"];

/// Several runs of `up` begin at once: one creates the stack, and the others find it.
async fn at_once(runs: usize, ahead: Duration) {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    let mut runners = Vec::new();
    for _ in 0..runs {
        let runner = Runner::start(&stage, &UP).await;
        runner.proxy.advance(ahead);
        runners.push(runner);
    }
    let all = all_succeed(runners).await;
    never_interleaved(&all);
    let count = |wanted: &str| all.iter().filter(|ended| status(ended) == wanted).count();
    assert_eq!((count("done"), count("nothing_to_do")), (1, runs - 1), "one did everything");
    let hosts = stage.clients.ec2.describe_instances().send().await.unwrap();
    assert_eq!(hosts.reservations().iter().map(|one| one.instances().len()).sum::<usize>(), 1);
    stage.proxy().advance(ahead);
    stage.plan(0).await;
    stage.down().await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new(), "no lease is left either");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_take_turns() {
    at_once(2, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_runs_at_once_take_turns() {
    at_once(5, Duration::ZERO).await;
}

/// Leases go by AWS's clock alone; that computers differ among each other is part of the simulation in `peersync-aws`. From
/// four minutes on, the SDK itself takes refusals for a consequence of the wrong clock and repeats the calls.
#[tokio::test(flavor = "multi_thread")]
async fn two_runs_take_turns_on_computers_that_are_minutes_slow() {
    at_once(2, Duration::from_secs(200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_run_is_refused_at_once_and_names_the_first() {
    let stage = Stage::new(Emulator::shared()).await;
    let first = Runner::holder(&stage, &["up", "--yes", "--no-check"]).await;
    for command in [&["up", "--yes", "--no-check"][..], &["down", "--yes", "--no-backup"]] {
        stage.proxy().log.take();
        let refused = stage.run(command).await.expect(1);
        let error = &refused.result()["error"];
        assert_eq!(error["summary"], "another run is changing the stack");
        let cause = error["causes"][0].as_str().unwrap();
        let process = format!("(process {})", first.running.id());
        for part in ["peersync-dev is being changed by `up`, run by ", &stage.account, &process, " since 20"] {
            assert!(cause.contains(part), "{part} in {cause}");
        }
        assert!(error["hint"].as_str().unwrap().contains("--wait 5m"), "{error}");
        assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new());
    }
    // What changes nothing needs no lease.
    stage.plan(3).await;
    stage.run(&["status"]).await.expect(0);
    stage.run(&["outputs"]).await;
    stage.run(&["logs"]).await;
    assert!(stage.proxy().log.take().iter().all(|record| !record.of_lease), "it is not even looked at");
    let waited = Runner::start(&stage, &["down", "--yes", "--no-backup", "--wait", "4m"]).await;
    waited.waits().await;
    first.proxy.release();
    let all = all_succeed(vec![first, waited]).await;
    never_interleaved(&all);
    let waiting = all[1].run.events_of("lease");
    assert_eq!(waiting[0]["state"], "waiting", "{waiting:?}");
    assert_eq!(waiting[0]["holder"]["command"], "up", "{waiting:?}");
    assert_eq!(waiting.last().unwrap()["state"], "taken", "{waiting:?}");
    assert_eq!(all[1].run.undocumented(), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_has_an_end() {
    let stage = Stage::new(Emulator::shared()).await;
    let first = Runner::holder(&stage, &["up", "--yes", "--no-check"]).await;
    let late = stage.run(&["up", "--yes", "--no-check", "--wait", "1s"]).await.expect(1);
    let error = &late.result()["error"];
    assert_eq!(error["summary"], "timed out waiting for another run that is changing the stack");
    assert!(error["causes"][0].as_str().unwrap().ends_with("(waited 1s)"), "{error}");
    first.proxy.release();
    let _ = all_succeed(vec![first]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_run_is_followed_within_a_minute_by_those_that_wait_one_at_a_time() {
    let stage = Stage::new(Emulator::shared()).await;
    let first = Runner::start(&stage, &UP).await;
    first.at_work(5).await;
    let mut runners = Vec::new();
    for _ in 0..4 {
        runners.push(Runner::start(&stage, &UP).await);
    }
    first.running.signal("-KILL").await;
    let killed = Instant::now();
    let all = all_succeed(runners).await;
    never_interleaved(&all);
    let began = all.iter().flat_map(|ended| changing(&ended.records)).map(|record| record.began).min().unwrap();
    assert!(began.duration_since(killed) < Duration::from_secs(60), "{:?}", began.duration_since(killed));
    assert_eq!(all.iter().filter(|ended| status(ended) == "done").count(), 1, "one finished the work");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_was_stopped_past_its_lease_changes_nothing_more() {
    let stage = Stage::new(Emulator::shared()).await;
    let first = Runner::start(&stage, &["up", "--yes", "--no-check"]).await;
    first.at_work(10).await;
    first.running.signal("-STOP").await;
    let second = Runner::start(&stage, &UP).await;
    let second = all_succeed(vec![second]).await;
    assert_eq!(status(&second[0]), "done", "it finished the work");
    let resumed = Instant::now();
    first.running.signal("-CONT").await;
    let Ended { run, records } = first.ended().await;
    let result = run.expect(1).result();
    assert_eq!(result["error"]["summary"], "this run has lost its lease on the stack", "{result:#}");
    let late: Vec<Record> = changing(&records).into_iter().filter(|record| record.began > resumed).collect();
    assert!(late.is_empty(), "{late:#?}");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn up_beside_down_take_turns() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    stage.configure("[api]\nmemory_mb = 512\n");
    let down = Runner::start(&stage, &["down", "--yes", "--no-backup", "--wait", "4m"]).await;
    let up = Runner::start(&stage, &UP).await;
    let all = all_succeed(vec![down, up]).await;
    never_interleaved(&all);
    let last = |ended: &Ended| changing(&ended.records).iter().map(|record| record.ended).max();
    let is_up = last(&all[1]) > last(&all[0]);
    let plan = stage.run(&["plan"]).await.expect(0);
    let pending = plan.steps();
    assert!(if is_up { pending.is_empty() } else { pending.iter().all(|step| step.action == "create") }, "{pending:?}");
    assert_eq!(plan.result()["status"], if is_up { "nothing_to_do" } else { "changes_pending" });
}

#[tokio::test(flavor = "multi_thread")]
async fn up_beside_teardown_take_turns() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.run(&["up", "--yes", "--no-check", "--expires", "2s"]).await.expect(0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let teardown = Runner::start(&stage, &["teardown", "--expired", "--yes", "--wait", "4m"]).await;
    let up = Runner::start(&stage, &[&UP[..], &["--expires", "48h"]].concat()).await;
    let all = all_succeed(vec![teardown, up]).await;
    never_interleaved(&all);
    // Whichever came first: what `up` left is there, since its expiry counts.
    stage.plan(0).await;
}

/// Without a terminal and without `-y`, only creations are allowed: what they have become in the meantime is not.
#[tokio::test(flavor = "multi_thread")]
async fn plan_that_has_changed_while_waiting_is_not_applied_unasked() {
    let stage = Stage::new(Emulator::shared()).await;
    std::fs::write(stage.folder().join("other.toml"), "[api]\nmemory_mb = 512\n").unwrap();
    let first = Runner::holder(&stage, &["up", "--yes", "--no-check"]).await;
    let other = Runner::start(&stage, &["-c", "other.toml", "up", "--no-check", "--wait", "4m"]).await;
    other.waits().await;
    first.proxy.release();
    let _ = all_succeed(vec![first]).await;
    let Ended { run, records } = other.ended().await;
    let result = run.expect(2).result();
    assert!(result["error"]["hint"].as_str().unwrap().contains("add `-y`"), "{result:#}");
    assert!(changing(&records).is_empty());
    stage.plan(0).await;
}

/// Tags that are slow to read are not read again under the lease, unless another run has changed something meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn tags_that_another_run_has_put_while_waiting_are_known() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    std::fs::write(stage.folder().join("other.toml"), "[api]\nmemory_mb = 512\n").unwrap();
    let first = Runner::holder(&stage, &["up", "--yes", "--no-check", "--expires", "48h"]).await;
    let other = Runner::start(&stage, &[&["-c", "other.toml"], &UP[..]].concat()).await;
    other.waits().await;
    first.proxy.release();
    let all = all_succeed(vec![first, other]).await;
    let tagged = |ended: &Ended| changing(&ended.records).iter().filter(|record| is_of_alarms(record)).count();
    assert!(tagged(&all[0]) > 0, "the first run has put the expiry on the alarms");
    assert_eq!(tagged(&all[1]), 0, "the other knows that");
    let read = |ended: &Ended| {
        ended.records.iter().filter(|record| record.action() == "monitoring:ListTagsForResource").count()
    };
    assert!(read(&all[0]) > 0, "who has something to do asks the alarms themselves");
    assert_eq!(read(&all[1]), 2 * read(&all[0]), "the first has read the tags once");
}

fn is_of_alarms(record: &Record) -> bool {
    record.service == "monitoring"
}

fn takes(call: &Call) -> bool {
    call.is_of_lease() && call.operation == "PutParameter"
}

fn gives_back(call: &Call) -> bool {
    call.is_of_lease() && call.operation == "DeleteParameters"
}

async fn up_and_down_with(fault: Fault, meant: fn(&Call) -> bool) {
    let faults = Some(Faults::of_each_first(fault, meant));
    let stage = Stage::with(Emulator::shared(), Settings { faults, ..Settings::default() }).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    stage.down().await;
    assert!(stage.proxy().log.all().iter().any(|record| record.by.is_some()), "no fault was injected");
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_to_taking_the_lease_is_recognized() {
    up_and_down_with(Fault::DroppedAfter, takes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_to_giving_the_lease_back_is_recognized() {
    up_and_down_with(Fault::DroppedAfter, gives_back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_return_of_the_lease_is_repeated() {
    up_and_down_with(Fault::Throttled, gives_back).await;
}

/// It may still be on its way, and must not be repeated while another run could have the lease.
#[tokio::test(flavor = "multi_thread")]
async fn lost_return_of_the_lease_is_repeated_once_the_lease_is_over() {
    up_and_down_with(Fault::DroppedBefore, gives_back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permission_for_the_lease_is_reported_before_any_change() {
    let refuse = vec![(
        "GetParametersByPath".to_owned(),
        400,
        "AccessDeniedException".to_owned(),
        "not authorized to perform: ssm:GetParametersByPath".to_owned(),
    )];
    let stage = Stage::with(Emulator::shared(), Settings { refuse, ..Settings::default() }).await;
    let refused = stage.run(&["up", "--yes", "--no-check"]).await.expect(1);
    let error = &refused.result()["error"];
    assert_eq!(error["summary"], "failed to read the lease on the stack");
    assert!(error["hint"].as_str().unwrap().contains("peersync-deploy policy"), "{error}");
    assert_eq!(mutating(&stage.proxy().log.all()), Vec::<String>::new());
}

/// What a killed run leaves of its lease is gone after the next `down`, even if that finds no stack.
#[tokio::test(flavor = "multi_thread")]
async fn lease_of_a_killed_run_is_cleaned_up() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    let slot = "/peersync-lease/peersync-dev/71000000";
    let call = stage.clients.ssm.put_parameter().name(slot).value("{}");
    call.r#type(aws_sdk_ssm::types::ParameterType::String).send().await.unwrap();
    let down = stage.down().await;
    assert_eq!(down.result()["status"], "nothing_to_do");
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}
