//! Nothing of a stack is forgotten: what its configuration no longer describes is found by its tags.

use std::collections::BTreeSet;

use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::{Denied, Settings};
use peersync_tests::stage::Stage;
use peersync_tests::unmanaged;

#[tokio::test(flavor = "multi_thread")]
async fn renamed_bucket_is_deleted_after_the_distribution_has_left_it() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    let old = stage.bucket();
    stage.configure("[site]\nbucket = \"another-name-for-the-pages\"\n");
    let steps = stage.plan(3).await.steps();
    let gone = steps.iter().find(|step| step.address == format!("s3_bucket.{old}"));
    assert_eq!(gone.map(|step| step.action.as_str()), Some("delete"), "{steps:#?}");

    stage.proxy().log.take();
    stage.up().await;
    let records = stage.proxy().log.take();
    let at = |operation: &str| records.iter().position(|record| record.operation == operation);
    assert!(at("UpdateDistribution") < at("DeleteBucket"), "the site never points to a bucket that anybody can take");
    assert!(at("DeleteBucket").is_some());
    stage.plan(0).await;
    stage.down().await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn down_without_the_file_removes_a_bucket_with_a_name_of_its_own() {
    let stage = Stage::new(Emulator::shared()).await;
    unmanaged::plant(&stage.clients, &stage.account).await;
    let before = census(&stage.clients).await;
    stage.configure("[site]\nbucket = \"a-name-of-its-own\"\n");
    stage.up().await;
    stage.remove_configuration();
    let status = stage.run(&["status"]).await.expect(0);
    assert!(status.stdout.contains("a-name-of-its-own"), "{}", status.stdout);

    stage.proxy().log.take();
    stage.down().await;
    let records = stage.proxy().log.take();
    let at = |operation: &str| records.iter().position(|record| record.operation == operation);
    assert!(at("DeleteDistribution") < at("DeleteBucket"), "the bucket is the distribution's origin until the end");
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

/// Whatever the last thing that a removal left, the next one finds it.
#[tokio::test(flavor = "multi_thread")]
async fn teardown_finds_an_expired_stack_by_any_resource_that_is_left() {
    for operation in [
        "DeleteRole",
        "DeleteInstanceProfile",
        "ReleaseAddress",
        "DeleteSecurityGroup",
        "DeleteParameters",
        "DeleteOriginAccessControl",
        "DeleteResponseHeadersPolicy",
        "DeleteAlarms",
        "DeleteFunction",
        "DeleteRestApi",
        "DeleteTable",
        "DeleteLogGroup",
        "DeleteBucket",
        "DeleteDashboards",
    ] {
        let mut stage = Stage::new(Emulator::shared()).await;
        let before = census(&stage.clients).await;
        stage.run(&["up", "--yes", "--no-check", "--expires", "1s"]).await.expect(0);
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        let denied = (operation.to_owned(), 403, "AccessDenied".to_owned(), "not today".to_owned());
        stage.change_proxy(Settings { refuse: vec![denied], ..Settings::default() }).await;
        stage.run(&["teardown", "--expired", "--yes"]).await.expect(4);

        stage.change_proxy(Settings::default()).await;
        // Without the right to delete parameters, the lease was not given back.
        stage.outlast_lease();
        let listed = stage.run(&["list"]).await.expect(0).result();
        assert_eq!(listed["stacks"][0]["stack"], stage.stack(), "{operation}: {listed:#}");
        let second = stage.run(&["teardown", "--expired", "--yes"]).await.expect(0);
        assert_eq!(second.result()["expired"][0]["stack"], stage.stack(), "{operation}");
        assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new(), "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn list_shows_every_stack_with_its_stage_expiry_protection_and_creator() {
    let stage = Stage::new(Emulator::shared()).await;
    assert_eq!(stage.run(&["list"]).await.expect(0).result()["stacks"].as_array().map(Vec::len), Some(0));
    unmanaged::plant(&stage.clients, &stage.account).await;
    stage.run(&["--stage", "pr-7", "up", "--yes", "--no-check", "--expires", "48h"]).await.expect(0);
    stage.configure("[stack]\nprotect = true\n");
    stage.run(&["--stage", "prod", "up", "--yes", "--no-check"]).await.expect(0);

    for command in [&["list"][..], &["teardown", "--expired", "--dry-run"]] {
        let place = first_note(&stage, command).await;
        assert!(place.starts_with("Region: eu-central-1 (from AWS_REGION), account "), "{place}");
    }
    let listed = stage.run(&["list"]).await.expect(0).result();
    let [branch, prod] = listed["stacks"].as_array().expect("a list").as_slice() else { panic!("{listed:#}") };
    assert_eq!((&branch["stack"], &branch["stage"]), (&"peersync-pr-7".into(), &"pr-7".into()), "{branch:#}");
    assert!(branch["expires_at"].is_string() && branch["protected"] == false, "{branch:#}");
    assert!(prod["expires_at"].is_null() && prod["protected"] == true, "{prod:#}");
    for stack in [branch, prod] {
        assert_eq!((&stack["health"], &stack["region"]), (&"ok".into(), &"eu-central-1".into()), "{stack:#}");
        assert!(stack["created_by"].as_str().is_some_and(|arn| arn.starts_with("arn:aws:")), "{stack:#}");
        assert!(stack["created_at"].is_string() && stack["build"].is_string(), "{stack:#}");
    }

    stage.run(&["--stage", "pr-7", "--region", "us-east-1", "up", "--yes", "--no-check"]).await.expect(0);
    assert_eq!(stage.run(&["list"]).await.expect(0).result()["stacks"].as_array().map(Vec::len), Some(2));
    stage.configure("[stack]\nregion = \"us-east-1\"\n");
    let place = first_note(&stage, &["list"]).await;
    assert!(place.starts_with("Region: us-east-1 (from stack.region in peersync.toml), account "), "{place}");
    stage.proxy().log.take();
    let everywhere = stage.run(&["list", "--all-regions"]).await.expect(0).result();
    let records = stage.proxy().log.take();
    for global in ["ListRoles", "ListInstanceProfiles", "ListDistributions"] {
        let number = records.iter().filter(|record| record.operation == global).count();
        assert_eq!(number, 1, "{global}: the account has one list, whatever the number of regions");
    }
    assert_eq!(everywhere["stacks"].as_array().map(Vec::len), Some(3), "{everywhere:#}");
}

/// Organisations forbid regions that their accounts have.
#[tokio::test(flavor = "multi_thread")]
async fn region_that_cannot_be_read_keeps_no_stack_of_another_from_the_list() {
    let denied = Some(Denied { meant: |call| call.region() == "eu-west-3", allowed: BTreeSet::new() });
    let stage = Stage::with(Emulator::shared(), Settings { denied, ..Settings::default() }).await;
    stage.up().await;
    let list = stage.run(&["list", "--all-regions"]).await.expect(1);
    let result = list.result();
    assert_eq!((&result["status"], &result["unread_regions"]), (&"failed".into(), &serde_json::json!(["eu-west-3"])));
    assert_eq!(result["stacks"][0]["stack"], stage.stack(), "{result:#}");
    let warned = list.events_of("warning");
    assert!(
        warned[0]["text"].as_str().is_some_and(|text| text.starts_with("eu-west-3 could not be read")),
        "{warned:?}"
    );
    let alone = stage.run(&["--region", "eu-west-3", "list"]).await.expect(1).result();
    assert!(alone["error"]["summary"].is_string(), "{alone:#}");
}

/// Returns the first line of a command that is no data.
async fn first_note(stage: &Stage, command: &[&str]) -> String {
    let run = stage.run(command).await.expect(0);
    run.events_of("note").first().and_then(|note| note["text"].as_str()).unwrap_or_default().to_owned()
}
