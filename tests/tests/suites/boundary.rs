//! The permissions boundary of the roles, `stack.permissions_boundary`.

use std::collections::BTreeSet;

use peersync_tests::clients::REGION;
use peersync_tests::emulator::Emulator;
use peersync_tests::iam::{actions, named};
use peersync_tests::stage::Stage;

const NARROW: &str = "arn:aws:iam::123456789012:policy/teams/narrow";
const WIDE: &str = "arn:aws:iam::aws:policy/PowerUserAccess";
/// The parts of a stack that have a role.
const PARTS: [&str; 5] = ["friends", "login", "rooms", "signal", "signup"];

fn role(stage: &Stage, part: &str) -> String {
    format!("{}-{REGION}-{part}", stage.stack())
}

/// Returns the boundary of each role, in the order of [`PARTS`].
async fn boundaries(stage: &Stage) -> Vec<Option<String>> {
    let mut found = Vec::new();
    for part in PARTS {
        let answer = stage.clients.iam.get_role().role_name(role(stage, part)).send().await.unwrap();
        let boundary = answer.role.and_then(|role| role.permissions_boundary);
        found.push(boundary.and_then(|boundary| boundary.permissions_boundary_arn));
    }
    found
}

/// Sets the boundary of every role to what the configuration says, and checks that the plan names nothing else and the
/// printed policy allows it.
async fn change(stage: &Stage, boundary: Option<&str>) {
    stage.configure(&boundary.map(configured).unwrap_or_default());
    let steps = stage.plan(3).await.steps();
    let seen: Vec<&str> = steps.iter().map(|step| step.address.trim_start_matches("iam_role.")).collect();
    assert_eq!(seen, PARTS, "{steps:#?}");
    assert!(steps.iter().all(|step| step.fields == ["permissions_boundary: configuration"]), "{steps:#?}");
    let granted = named(&stage.run(&["policy"]).await.expect(0).stdout);
    stage.proxy().log.take();
    stage.up().await;
    let called: BTreeSet<String> = stage.proxy().log.take().iter().flat_map(actions).collect();
    assert!(called.is_subset(&granted), "{:?}", called.difference(&granted));
    assert_eq!(boundaries(stage).await, vec![boundary.map(str::to_owned); PARTS.len()]);
    stage.plan(0).await;
}

fn configured(boundary: &str) -> String {
    format!("[stack]\npermissions_boundary = \"{boundary}\"\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn boundary_of_every_role_is_set_changed_restored_and_removed() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    change(&stage, Some(NARROW)).await;
    change(&stage, Some(WIDE)).await;
    let call = stage.clients.iam.delete_role_permissions_boundary().role_name(role(&stage, "login"));
    call.send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    let [step] = steps.as_slice() else { panic!("one role differs, not {steps:#?}") };
    assert_eq!(step.address, "iam_role.login");
    assert_eq!(step.fields, ["permissions_boundary: drift"]);
    stage.up().await;
    assert_eq!(boundaries(&stage).await, vec![Some(WIDE.to_owned()); PARTS.len()]);
    change(&stage, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_roles_have_the_boundary_from_the_beginning() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure(&configured(NARROW));
    stage.up().await;
    assert_eq!(boundaries(&stage).await, vec![Some(NARROW.to_owned()); PARTS.len()]);
    let set = stage.proxy().log.all().into_iter().filter(|record| record.operation == "PutRolePermissionsBoundary");
    assert_eq!(set.count(), 0, "they were never without it");
    stage.plan(0).await;
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boundary_that_somebody_else_has_set_stays() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let call = stage.clients.iam.put_role_permissions_boundary().role_name(role(&stage, "rooms"));
    call.permissions_boundary(NARROW).send().await.unwrap();
    stage.plan(0).await;
    stage.configure("[api]\nmemory_mb = 512\n");
    stage.up().await;
    assert_eq!(boundaries(&stage).await.into_iter().flatten().collect::<Vec<_>>(), [NARROW]);
}
