//! A stack is name, stage, account and region: two different stacks share nothing, and one that an earlier version
//! deployed is recognised.

use peersync_tests::census::{Census, census, difference};
use peersync_tests::deployer::Run;
use peersync_tests::earlier;
use peersync_tests::emulator::Emulator;
use peersync_tests::shared;
use peersync_tests::stage::Stage;

const UP: [&str; 3] = ["up", "--yes", "--no-check"];
const DOWN: [&str; 3] = ["down", "--yes", "--no-backup"];

/// Runs a command of the stack in this region, which must succeed.
async fn in_region(stage: &Stage, region: &str, command: &[&str]) -> Run {
    stage.run(&[&["--region", region], command].concat()).await.expect(0)
}

/// Returns the ids of resources that would be lost if they were replaced.
fn ids(census: &Census) -> Vec<&String> {
    let lasting = [
        "cloudfront:distribution",
        "cloudfront:origin-access-control",
        "ec2:instance",
        "ec2:address",
        "dynamodb:table",
        "s3:bucket",
        "apigateway:api",
    ];
    census.keys().filter(|key| lasting.iter().any(|kind| key.starts_with(kind))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn same_stack_in_two_regions_is_two_stacks() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let first = census(&stage.clients).await;
    let url = in_region(&stage, "us-east-1", &UP).await.output("site_url");
    assert_ne!(url, stage.run(&["outputs"]).await.expect(0).result()["site_url"].as_str().map(str::to_owned));
    stage.plan(0).await;
    in_region(&stage, "us-east-1", &["plan", "--detailed-exitcode"]).await;

    in_region(&stage, "us-east-1", &DOWN).await;
    assert_eq!(difference(&first, &census(&stage.clients).await), Vec::<String>::new());
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hyphen_in_a_name_does_not_make_two_stacks_one() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("[stack]\nname = \"peersync\"\n");
    stage.run(&["--stage", "dev-2", "up", "--yes", "--no-check"]).await.expect(0);
    let first = census(&stage.clients).await;

    stage.configure("[stack]\nname = \"peersync-dev\"\n");
    let plan = stage.run(&["--stage", "2", "plan"]).await.expect(0);
    assert!(plan.steps().iter().all(|step| step.action == "create"), "{:#?}", plan.steps());
    stage.run(&["--stage", "2", "up", "--yes", "--no-check"]).await.expect(0);
    stage.run(&["--stage", "2", "plan", "--detailed-exitcode"]).await.expect(0);
    stage.run(&["--stage", "2", "down", "--yes", "--no-backup"]).await.expect(0);
    assert_eq!(difference(&first, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn stack_of_an_earlier_version_keeps_its_resources() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    earlier::tags(&stage, stage.stack(), "dev").await;
    earlier::global_names(&stage, stage.stack()).await;
    let before = census(&stage.clients).await;

    let steps = stage.plan(3).await.steps();
    // Earlier versions gave each stack a policy of its own.
    let replaced: Vec<_> = steps.iter().filter(|step| step.action != "update").map(|step| &step.address).collect();
    assert_eq!(replaced, ["response_headers_policy.site"], "{steps:#?}");
    stage.up().await;
    assert_eq!(shared::headers_policies(&stage.clients).await.len(), 1, "the one before is gone");
    assert_eq!(ids(&before), ids(&census(&stage.clients).await));
    stage.plan(0).await;
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_an_earlier_version_gave_are_kept() {
    let stage = Stage::new(Emulator::shared()).await;
    // The names that earlier versions gave to the stage 2 of peersync-dev.
    stage.run(&["--stage", "dev-2", "up", "--yes", "--no-check"]).await.expect(0);
    earlier::tags(&stage, "peersync-dev-2", "2").await;
    earlier::global_names(&stage, "peersync-dev-2").await;
    let before = census(&stage.clients).await;

    // It belongs to somebody else now.
    let refused = stage.run(&["--stage", "dev-2", "up", "--yes"]).await.expect(1);
    assert!(refused.printed().contains("stage 2"), "{}", refused.printed());

    stage.configure("[stack]\nname = \"peersync-dev\"\n");
    stage.run(&["--stage", "2", "up", "--yes", "--no-check"]).await.expect(0);
    let after = census(&stage.clients).await;
    // The host is another one because its settings name the stage, which only this test has changed.
    let lasting = |census| ids(census).into_iter().filter(|key| !key.starts_with("ec2:instance")).collect::<Vec<_>>();
    assert_eq!(lasting(&before), lasting(&after));
    stage.run(&["--stage", "2", "plan", "--detailed-exitcode"]).await.expect(0);
    stage.run(&["--stage", "2", "down", "--yes", "--no-backup"]).await.expect(0);
    let left = census(&stage.clients).await;
    assert!(ids(&left).is_empty(), "{:#?}", ids(&left));
}
