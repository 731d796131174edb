//! Every single call is denied at least once: the run says so, does everything else, and the next run continues.
//!
//! Threads: 4. Each command runs once for every call that it makes.

use std::collections::BTreeSet;

use peersync_tests::census::{census, difference};
use peersync_tests::deployer::Run;
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::call::Call;
use peersync_tests::proxy::log::Record;
use peersync_tests::proxy::{DENIED, Denied, Settings};
use peersync_tests::stage::{CHANGED, DOWN, Stage, TEARDOWN, UP};
use peersync_tests::unmanaged;

/// Runs a command with all meant calls denied but some operations. Returns it and the operations that were denied.
async fn with_denied(
    stage: &mut Stage,
    meant: fn(&Call) -> bool,
    allowed: &BTreeSet<String>,
    arguments: &[&str],
) -> (Run, BTreeSet<String>) {
    let denied = Some(Denied { meant, allowed: allowed.clone() });
    stage.change_proxy(Settings { denied, ..Settings::default() }).await;
    let run = stage.run(arguments).await;
    let records = stage.proxy().log.take().into_iter();
    (run, records.filter(is_denied).map(|record| record.operation).collect())
}

/// Runs a command, first with all meant calls denied, and then each time with one more of those allowed that it has made,
/// until it succeeds. Returns the operations that were denied.
async fn until_allowed(stage: &mut Stage, meant: fn(&Call) -> bool, arguments: &[&str]) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    loop {
        let (run, met) = with_denied(stage, meant, &allowed, arguments).await;
        let Some(next) = met.first() else {
            assert_eq!(run.code, Some(0), "nothing was denied, and it failed:\n{}", run.printed());
            return allowed;
        };
        tells_of_the_denial(&run, &met);
        assert!(allowed.insert(next.clone()), "{next} is allowed");
    }
}

fn is_denied(record: &Record) -> bool {
    record.by.as_deref() == Some(DENIED)
}

/// Checks that a run failed, names a call that was denied, and tells how to allow it.
fn tells_of_the_denial(run: &Run, met: &BTreeSet<String>) {
    let printed = run.printed();
    assert!(matches!(run.code, Some(1 | 4)), "{met:?} were denied, and it ended with {:?}\n{printed}", run.code);
    assert!(met.iter().any(|operation| printed.contains(operation.as_str())), "none of {met:?} is named:\n{printed}");
    assert!(printed.contains("peersync-deploy policy"), "no hint about {met:?}:\n{printed}");
}

fn changes(call: &Call) -> bool {
    call.mutating() && !call.is_of_lease()
}

fn reads(call: &Call) -> bool {
    !call.mutating() && !call.is_of_lease()
}

#[tokio::test(flavor = "multi_thread")]
async fn denial_of_each_change_is_named_and_the_next_run_continues() {
    let mut stage = Stage::new(Emulator::shared()).await;
    unmanaged::plant(&stage.clients, &stage.account).await;
    let before = census(&stage.clients).await;
    let created = until_allowed(&mut stage, changes, &UP).await;
    assert!(created.len() > 30, "{created:?}");
    stage.plan(0).await;
    stage.configure(CHANGED);
    let changed = until_allowed(&mut stage, changes, &UP).await;
    assert!(changed.len() > 8, "{changed:?}");
    stage.plan(0).await;
    let deleted = until_allowed(&mut stage, changes, &DOWN).await;
    assert!(deleted.len() > 15, "{deleted:?}");
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn denial_of_each_removal_leaves_a_stack_that_teardown_finds() {
    let mut stage = Stage::new(Emulator::shared()).await;
    unmanaged::plant(&stage.clients, &stage.account).await;
    let before = census(&stage.clients).await;
    stage.run(&[&UP[..], &["--expires", "1s"]].concat()).await.expect(0);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let denied = until_allowed(&mut stage, changes, &TEARDOWN).await;
    assert!(denied.len() > 15, "{denied:?}");
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

/// Without knowing what is there, nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn denial_of_each_read_is_named_and_nothing_is_changed() {
    let mut stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let before = census(&stage.clients).await;
    stage.configure("[api]\nmemory_mb = 512\n");
    let mut allowed = BTreeSet::new();
    loop {
        let (run, met) = with_denied(&mut stage, reads, &allowed, &["plan"]).await;
        let Some(next) = met.first() else { break };
        tells_of_the_denial(&run, &met);
        stage.run(&UP).await.expect(1);
        allowed.insert(next.clone());
        assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new(), "{met:?} were denied");
    }
    assert!(allowed.len() > 30, "{allowed:?}");
}
