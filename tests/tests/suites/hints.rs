//! Commands that messages name mean the same stack wherever they are pasted, also where `PEERSYNC_STAGE` is not set.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use peersync_tests::census::{census, difference};
use peersync_tests::clients::REGION;
use peersync_tests::deployer::{self, Run};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::stage::{DOWN, Stage, TEARDOWN, UP};

/// Runs a command as a pipeline does whose environment names the stage.
async fn in_pipeline(stage: &Stage, arguments: &[&str]) -> Run {
    let mut command = stage.command_for_people(arguments);
    command.env("PEERSYNC_STAGE", "pr-7");
    deployer::run(command).await
}

/// Returns the commands of this program that a run has named, without the name of the program.
fn named(run: &Run) -> BTreeSet<String> {
    let printed = run.printed();
    let quoted = printed.split('`').skip(1).step_by(2);
    quoted.filter_map(|command| command.strip_prefix("peersync-deploy ").map(str::to_owned)).collect()
}

/// Runs a command where no variable names the stage.
async fn pasted(stage: &Stage, command: &str) -> Run {
    let words: Vec<&str> = command.split(' ').collect();
    deployer::run(stage.command_for_people(&words)).await
}

fn denied(operation: &str) -> Settings {
    let refusal = (operation.to_owned(), 403, "AccessDenied".to_owned(), "not today".to_owned());
    Settings { refuse: vec![refusal], ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn command_to_run_again_works_in_another_environment() {
    let mut stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    let [up, down, policy] =
        ["up", "down --yes --no-backup", "policy"].map(|command| format!("--stage pr-7 {command}"));
    stage.configure("[stack]\nprotect = true\n");
    in_pipeline(&stage, &UP).await.expect(0);
    stage.configure("");
    let refused = in_pipeline(&stage, &DOWN).await.expect(1);
    assert_eq!(named(&refused), BTreeSet::from([up.clone(), down.clone()]));
    pasted(&stage, &format!("{up} --yes --no-check")).await.expect(0);

    stage.change_proxy(denied("ReleaseAddress")).await;
    let incomplete = in_pipeline(&stage, &DOWN).await.expect(4);
    assert_eq!(named(&incomplete), BTreeSet::from([policy.clone(), down.clone()]));
    stage.change_proxy(denied("DescribeAddresses")).await;
    let doctor = in_pipeline(&stage, &["doctor"]).await.expect(1);
    assert!(named(&doctor).contains(&policy), "{}", doctor.printed());

    stage.change_proxy(Settings::default()).await;
    pasted(&stage, &down).await.expect(0);
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

/// A teardown has no configuration, and removes stacks of any stage.
#[tokio::test(flavor = "multi_thread")]
async fn backup_of_a_teardown_is_restored_into_its_stage_and_region() {
    let stage = Stage::new(Emulator::shared()).await;
    let table = "peersync-pr-7-Users";
    stage.run(&[&["--stage", "pr-7"], &UP[..], &["--expires", "1s"]].concat()).await.expect(0);
    let item = stage.clients.dynamodb.put_item().table_name(table);
    item.item("email", AttributeValue::S("ada@example.org".to_owned())).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let printed = deployer::run(stage.command_for_people(&TEARDOWN)).await.expect(0).printed();
    let restore = format!("`aws dynamodb restore-table-from-backup --region {REGION} --target-table-name {table} ");
    let adopt = "`peersync-deploy --stage pr-7 up --adopt dynamodb_table.Users`";
    assert!(printed.contains(&restore) && printed.contains(adopt), "{printed}");
}
