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

    let moment = async || {
        let tags = stage.clients.s3.get_bucket_tagging().bucket(stage.bucket()).send().await.unwrap().tag_set;
        tags.into_iter().find(|tag| tag.key() == TAG).map(|tag| tag.value().to_owned())
    };
    let first = moment().await.expect("the bucket has the moment");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    stage.run(&["up", "--yes", "--no-check", "--expires", "72h"]).await.expect(0);
    let second = moment().await.expect("the bucket has the moment");
    assert!(second > first, "{first} is followed by {second}");
    stage.plan(0).await;
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
