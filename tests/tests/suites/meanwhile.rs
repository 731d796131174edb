//! Operations that are in progress at AWS when a command runs, and changes by others that block it.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    BillingMode, DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, IndexStatus,
    PointInTimeRecoverySpecification, ProvisionedThroughput,
};
use aws_sdk_ec2::types::InstanceStateName;
use aws_sdk_lambda::types::LastUpdateStatus;
use peersync_tests::census::{census, difference};
use peersync_tests::clients::{self, Clients};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::{Behaviour, Times};
use peersync_tests::stage::Stage;
use peersync_tests::unmanaged::empty_zip;

/// Longer than a command takes to reach the resource in progress.
const LONG: Duration = Duration::from_secs(4);

/// Creates a stage, and clients whose calls go through the proxy too.
async fn stage(behaviours: &[Behaviour], times: Times) -> (Stage, Clients) {
    let settings = Settings { behaviours: behaviours.to_vec(), times, ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    let seen = clients::of_account(&stage.proxy().url, &stage.account).await;
    (stage, seen)
}

/// Returns what refused calls of this operation.
fn refused(stage: &Stage, operation: &str) -> Vec<String> {
    let records = stage.proxy().log.all();
    records.into_iter().filter(|record| record.operation == operation).filter_map(|record| record.by).collect()
}

/// Returns how many calls of this operation conflicted with another change.
fn conflicts(stage: &Stage, operation: &str) -> usize {
    let records = stage.proxy().log.all();
    records.iter().filter(|record| record.operation == operation && record.status == Some(409)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn table_being_deleted_is_recreated() {
    let times = Times { table: LONG, ..Times::default() };
    let (stage, seen) = stage(&[Behaviour::TableInProgress], times).await;
    stage.up().await;
    seen.dynamodb.delete_table().table_name(format!("{}-Ephemeral", stage.stack())).send().await.unwrap();
    stage.up().await;
    assert!(refused(&stage, "CreateTable").contains(&"TableInProgress".to_owned()), "its name was not free");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn table_being_updated_is_deleted_before_down_ends() {
    let times = Times { table: LONG, ..Times::default() };
    let (stage, seen) = stage(&[Behaviour::TableInProgress], times).await;
    stage.up().await;
    let table = format!("{}-Users", stage.stack());
    let change = || seen.dynamodb.update_table().table_name(&table).deletion_protection_enabled(false).send();
    change().await.unwrap();
    stage.down().await;
    assert!(refused(&stage, "DeleteTable").contains(&"TableInProgress".to_owned()), "it was being changed");
    let gone = seen.dynamodb.describe_table().table_name(&table).send().await.unwrap_err();
    assert!(gone.into_service_error().is_resource_not_found_exception(), "it is deleted when `down` ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn table_being_updated_is_updated_afterwards() {
    let times = Times { table: LONG, ..Times::default() };
    let (stage, seen) = stage(&[Behaviour::TableInProgress], times).await;
    stage.up().await;
    let table = format!("{}-Users", stage.stack());
    let change = seen.dynamodb.update_table().table_name(&table).deletion_protection_enabled(false);
    change.send().await.unwrap();
    stage.configure("[stack]\nprotect = true\n");
    stage.up().await;
    stage.plan(0).await;
    let refused = stage
        .proxy()
        .log
        .all()
        .into_iter()
        .any(|record| record.operation == "UpdateTable" && record.status == Some(400));
    assert!(!refused, "none was tried too early");
}

/// DynamoDB accepts one change of a table at a time, and an index takes longer than its table.
#[tokio::test(flavor = "multi_thread")]
async fn table_settings_are_updated_one_at_a_time() {
    let (stage, seen) = stage(&[Behaviour::TableInProgress], Times::default()).await;
    stage.up().await;
    let table = format!("{}-Users", stage.stack());
    let dynamodb = &stage.clients.dynamodb;
    let units = ProvisionedThroughput::builder().read_capacity_units(1).write_capacity_units(1).build().unwrap();
    let billing = dynamodb.update_table().table_name(&table).billing_mode(BillingMode::Provisioned);
    billing.provisioned_throughput(units).send().await.unwrap();
    let index = DeleteGlobalSecondaryIndexAction::builder().index_name("byName").build().unwrap();
    let index = GlobalSecondaryIndexUpdate::builder().delete(index).build();
    dynamodb.update_table().table_name(&table).global_secondary_index_updates(index).send().await.unwrap();
    let off = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(false).build().unwrap();
    let recovery = dynamodb.update_continuous_backups().table_name(&table);
    recovery.point_in_time_recovery_specification(off).send().await.unwrap();
    stage.configure("[stack]\nprotect = true\n");
    stage.up().await;
    let described = seen.dynamodb.describe_table().table_name(&table).send().await.unwrap();
    let index = described.table().unwrap().global_secondary_indexes()[0].index_status();
    assert_eq!(index, Some(&IndexStatus::Active), "it is active when `up` ends");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bucket_deleted_just_now_is_recreated() {
    let times = Times { fresh: LONG, ..Times::default() };
    let (stage, seen) = stage(&[Behaviour::OperationAborted], times).await;
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("eu-central-1".into());
    let bucket = seen.s3.create_bucket().bucket(stage.bucket()).create_bucket_configuration(place.build());
    bucket.send().await.unwrap();
    // The behaviour refuses the first deletion.
    seen.s3.delete_bucket().bucket(stage.bucket()).send().await.unwrap_err();
    seen.s3.delete_bucket().bucket(stage.bucket()).send().await.unwrap();
    stage.up().await;
    assert!(refused(&stage, "CreateBucket").contains(&"OperationAborted".to_owned()), "its name was not free");
}

#[tokio::test(flavor = "multi_thread")]
async fn function_being_updated_is_updated_afterwards() {
    let times = Times { function: LONG, ..Times::default() };
    let (stage, seen) = stage(&[Behaviour::FunctionInProgress], times).await;
    stage.up().await;
    let name = format!("{}-signup", stage.stack());
    let code = aws_sdk_lambda::primitives::Blob::new(empty_zip());
    stage.clients.lambda.update_function_code().function_name(&name).zip_file(code).send().await.unwrap();
    let change = || seen.lambda.update_function_configuration().function_name(&name).memory_size(1024).send();
    // The behaviour refuses the first one, and all until the function has been created.
    while change().await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage.proxy().log.take();
    stage.up().await;
    assert!(refused(&stage, "GetFunctionConfiguration").len() > 1, "it was in progress");
    assert_eq!(conflicts(&stage, "UpdateFunctionConfiguration"), 0, "it waited for the other change");
    assert_eq!(conflicts(&stage, "UpdateFunctionCode"), 1, "and for its own; one other change came first");
    let function = seen.lambda.get_function_configuration().function_name(&name).send().await.unwrap();
    assert_eq!(function.last_update_status, Some(LastUpdateStatus::Successful), "it is done when `up` ends");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn function_being_created_is_updated_afterwards() {
    let times = Times { function: 2 * LONG, ..Times::default() };
    let (stage, _) = stage(&[Behaviour::FunctionInProgress], times).await;
    stage.up().await;
    stage.configure("[api]\nmemory_mb = 512\n");
    stage.up().await;
    let conflicts = conflicts(&stage, "UpdateFunctionConfiguration");
    assert_eq!(conflicts, 4, "one other change came before each, and none was tried too early");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_host_is_started_again() {
    let times = Times { instance: LONG, ..Times::default() };
    let (stage, seen) = stage(&[Behaviour::DependencyViolation], times).await;
    stage.up().await;
    let answer = stage.clients.ec2.describe_instances().send().await.unwrap();
    let host = answer.reservations()[0].instances()[0].instance_id().unwrap().to_owned();
    seen.ec2.stop_instances().instance_ids(&host).send().await.unwrap();
    stage.up().await;
    assert!(refused(&stage, "StartInstances").contains(&"DependencyViolation".to_owned()), "it was still stopping");
    let answer = seen.ec2.describe_instances().instance_ids(&host).send().await.unwrap();
    let state = answer.reservations()[0].instances()[0].state().and_then(|state| state.name());
    assert_eq!(state, Some(&InstanceStateName::Running), "it is running when `up` ends");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn down_releases_associated_address() {
    let (stage, seen) = stage(&[Behaviour::DependencyViolation], Times::default()).await;
    let run = seen.ec2.run_instances().image_id("ami-12345678").min_count(1).max_count(1).send().await.unwrap();
    let theirs = run.instances()[0].instance_id().unwrap();
    let before = census(&stage.clients).await;
    stage.up().await;
    let addresses = seen.ec2.describe_addresses().send().await.unwrap();
    let address = addresses.addresses()[0].allocation_id().unwrap();
    let call = seen.ec2.associate_address().allocation_id(address).instance_id(theirs).allow_reassociation(true);
    call.send().await.unwrap();
    stage.down().await;
    let left = difference(&before, &census(&stage.clients).await);
    assert!(left.is_empty(), "{}", left.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn host_terminated_by_somebody_else_is_recreated() {
    let times = Times { instance: LONG, ..Times::default() };
    let (stage, seen) = stage(&[Behaviour::DependencyViolation], times).await;
    stage.up().await;
    let answer = seen.ec2.describe_instances().send().await.unwrap();
    let ids = answer.reservations().iter().flat_map(|reservation| reservation.instances());
    let ids: Vec<String> = ids.filter_map(|instance| Some(instance.instance_id()?.to_owned())).collect();
    seen.ec2.terminate_instances().set_instance_ids(Some(ids)).send().await.unwrap();
    stage.down().await;
    for operation in ["DeleteSecurityGroup", "ReleaseAddress"] {
        let by = refused(&stage, operation);
        assert!(by.contains(&"DependencyViolation".to_owned()), "the host held it: {operation} {by:?}");
    }
}
