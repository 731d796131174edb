//! Expiry: every resource is tagged with it, `up` renews it, `teardown --expired` deletes only expired stacks.

use peersync_tests::census::{Census, census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::Stage;
use peersync_tests::unmanaged;

const TAG: &str = "peersync:expires-at";

/// Returns the expiry of every resource whose tags the census shows.
fn moments(census: &Census) -> Vec<(String, bool)> {
    let tagged = ["s3:bucket", "dynamodb:table", "iam:role", "ec2:instance", "ec2:security-group", "ec2:address"];
    let ours = census
        .iter()
        .filter(|(key, seen)| tagged.iter().any(|kind| key.starts_with(kind)) && seen.contains("peersync:stack"));
    ours.map(|(key, seen)| (key.clone(), seen.contains(TAG))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_is_tagged_on_every_resource_and_renewed() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.run(&["up", "--yes", "--no-check", "--expires", "48h"]).await.expect(0);
    let seen = moments(&census(&stage.clients).await);
    assert!(seen.len() >= 9, "{seen:?}");
    assert!(seen.iter().all(|(_, has)| *has), "{seen:?}");

    let first = expiry_of(&stage).await.expect("the bucket has the moment");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    stage.run(&["up", "--yes", "--no-check", "--expires", "72h"]).await.expect(0);
    let second = expiry_of(&stage).await.expect("the bucket has the moment");
    assert!(second > first, "{first} is followed by {second}");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_shows_what_up_would_do_with_an_expiry() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let plan = stage.run(&["plan", "--detailed-exitcode", "--expires", "48h"]).await.expect(3);
    let steps = plan.steps();
    let is_expiry = |field: &String| field.starts_with("tags.peersync:expires-");
    assert!(steps.iter().all(|step| step.action == "update" && step.fields.iter().all(is_expiry)), "{steps:#?}");
    assert!(steps.iter().any(|step| step.address == "s3_bucket.site"), "{steps:#?}");
    stage.plan(0).await;
    stage.run(&["plan", "--expires", "2001-01-01"]).await.expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn teardown_deletes_only_expired_stacks() {
    let stage = Stage::new(Emulator::shared()).await;
    unmanaged::plant(&stage.clients, &stage.account).await;
    // One without expiry, one that has not expired, one that has.
    stage.up().await;
    stage.run(&["--stage", "later", "up", "--yes", "--no-check", "--expires", "48h"]).await.expect(0);
    let before = census(&stage.clients).await;
    stage.run(&["--stage", "over", "up", "--yes", "--no-check", "--expires", "2s"]).await.expect(0);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;

    let with_over = census(&stage.clients).await;
    stage.proxy().log.take();
    let dry = stage.run(&["teardown", "--expired", "--dry-run", "--yes"]).await.expect(0);
    assert!(dry.stdout.contains("peersync-over"), "{}", dry.stdout);
    assert!(!dry.stdout.contains("peersync-later"), "{}", dry.stdout);
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new(), "a dry run changes nothing");
    assert_eq!(difference(&with_over, &census(&stage.clients).await), Vec::<String>::new());

    stage.run(&["teardown", "--expired", "--yes"]).await.expect(0);
    let left: Vec<String> = difference(&before, &census(&stage.clients).await)
        .into_iter()
        // By design, the backup of the users' data is left.
        .filter(|line| !line.starts_with("left: dynamodb:backup"))
        .collect();
    assert!(left.is_empty(), "{}", left.join("\n"));
    stage.run(&["teardown", "--expired", "--yes"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn teardown_skips_protected_stage() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("[stack]\nprotect = true\n");
    stage.up().await;
    let before = census(&stage.clients).await;
    let refused = stage.run(&["down", "--yes", "--no-backup"]).await;
    assert!(matches!(refused.code, Some(1 | 2)), "{}\n{}", refused.stdout, refused.stderr);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("protect"), "{}", refused.stderr);
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn teardown_keeps_expired_stack_that_is_protected() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.run(&["up", "--yes", "--no-check", "--expires", "2s"]).await.expect(0);
    stage.configure("[stack]\nprotect = true\n");
    stage.up().await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let before = census(&stage.clients).await;
    stage.remove_configuration();
    let run = stage.run(&["teardown", "--expired", "--yes"]).await.expect(0);
    assert!(run.printed().contains("protected"), "{}", run.printed());
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

/// Returns the expiry on the stack's bucket.
async fn expiry_of(stage: &Stage) -> Option<String> {
    let tags = stage.clients.s3.get_bucket_tagging().bucket(stage.bucket()).send().await.unwrap().tag_set;
    tags.into_iter().find(|tag| tag.key() == TAG).map(|tag| tag.value().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_in_the_file_is_set_shortened_and_lifted_like_any_other_change() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("");
    stage.up().await;
    assert_eq!(expiry_of(&stage).await, None);
    for (text, now) in [("2099-01-02", "2099-01-03T00:00:00Z"), ("2098-01-02", "2098-01-03T00:00:00Z")] {
        stage.configure(&format!("[stack]\nexpires = \"{text}\"\n"));
        stage.plan(3).await;
        stage.up().await;
        assert_eq!(expiry_of(&stage).await.as_deref(), Some(now));
        stage.plan(0).await;
    }
    // Taken out of the file, it no longer holds.
    stage.configure("");
    stage.plan(3).await;
    stage.up().await;
    assert_eq!(expiry_of(&stage).await.as_deref(), Some("never"));
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn teardown_keeps_stack_whose_expiry_was_lifted() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.run(&["up", "--yes", "--no-check", "--expires", "2s"]).await.expect(0);
    stage.configure("[stack]\nexpires = \"never\"\n");
    stage.up().await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let before = census(&stage.clients).await;
    let dry = stage.run(&["teardown", "--expired", "--dry-run"]).await.expect(0);
    assert!(!dry.stdout.contains(stage.stack()), "{}", dry.stdout);
    stage.run(&["teardown", "--expired", "--yes"]).await.expect(0);
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_in_the_past_and_expiry_of_protected_stage_are_refused() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("[stack]\nexpires = \"2020-01-01\"\n");
    for command in [&["up", "--yes"][..], &["plan"]] {
        let refused = stage.run(command).await.expect(2);
        assert!(refused.printed().contains("in the past"), "{}", refused.printed());
    }
    stage.configure("");
    let refused = stage.run(&["up", "--yes", "--expires", "2020-01-01"]).await.expect(2);
    assert!(refused.printed().contains("in the past"), "{}", refused.printed());
    stage.configure("[stack]\nprotect = true\n");
    let refused = stage.run(&["up", "--yes", "--expires", "48h"]).await.expect(2);
    assert!(refused.printed().contains("protected stage"), "{}", refused.printed());
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn down_without_the_file_keeps_protected_stack() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("[stack]\nprotect = true\n");
    stage.up().await;
    let before = census(&stage.clients).await;
    stage.remove_configuration();
    let refused = stage.run(&["down", "--yes", "--no-backup"]).await.expect(1);
    assert!(refused.printed().contains("peersync:protect"), "{}", refused.printed());
    // Without the file, `up` would replace the configuration by the defaults.
    let refused = stage.run(&["up", "--yes", "--no-check"]).await.expect(2);
    assert!(refused.printed().contains("configuration file"), "{}", refused.printed());
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());

    stage.configure("[stack]\nprotect = false\n");
    let refused = stage.run(&["down", "--yes", "--no-backup"]).await.expect(1);
    assert!(
        refused.printed().contains(" up`, then run `peersync-deploy "),
        "only `up` takes protection off: {}",
        refused.printed()
    );
    stage.up().await;
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn down_keeps_stack_with_table_protected_by_hand() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let before = census(&stage.clients).await;
    let table = format!("{}-Users", stage.stack());
    let protect = async |on: bool| {
        let call = stage.clients.dynamodb.update_table().table_name(&table).deletion_protection_enabled(on);
        call.send().await.unwrap();
    };
    protect(true).await;
    let refused = stage.run(&["down", "--yes", "--no-backup"]).await.expect(1);
    assert!(refused.printed().contains("dynamodb_table.Users"), "{}", refused.printed());
    protect(false).await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn teardown_of_a_stage_leaves_other_expired_stacks() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.run(&["up", "--yes", "--no-check", "--expires", "1s"]).await.expect(0);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let before = census(&stage.clients).await;
    let other = stage.run(&["--stage", "prod", "teardown", "--expired", "--yes"]).await.expect(0);
    assert_eq!(other.result()["expired"].as_array().map(Vec::len), Some(0), "{}", other.stdout);
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
    let named = stage.run(&["--stage", "dev", "teardown", "--expired", "--yes"]).await.expect(0);
    assert_eq!(named.result()["expired"].as_array().map(Vec::len), Some(1), "{}", named.stdout);
}
