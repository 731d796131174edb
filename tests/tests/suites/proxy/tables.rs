//! DynamoDB's behaviours.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification, ScalarAttributeType,
    TableStatus,
};
use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use peersync_tests::clients::Clients;
use peersync_tests::proxy::behaviour::Behaviour;

use super::{until_ok, with};

pub(super) async fn table(clients: &Clients) {
    let key = AttributeDefinition::builder().attribute_name("k").attribute_type(ScalarAttributeType::S);
    let schema = KeySchemaElement::builder().attribute_name("k").key_type(KeyType::Hash);
    let call = clients.dynamodb.create_table().table_name("table").billing_mode(BillingMode::PayPerRequest);
    let call = call.attribute_definitions(key.build().unwrap()).key_schema(schema.build().unwrap());
    call.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn table_is_in_progress_and_continuous_backups_come_later() {
    let (_proxy, clients) = with(Behaviour::TableInProgress).await;
    let dynamodb = &clients.dynamodb;
    table(&clients).await;
    let status =
        async || dynamodb.describe_table().table_name("table").send().await.unwrap().table.unwrap().table_status;
    assert_eq!(status().await, Some(TableStatus::Creating));
    let (_, codes) = until_ok(async || {
        coded!(dynamodb.update_table().table_name("table").deletion_protection_enabled(false).send())
    })
    .await;
    assert_eq!(codes, ["ResourceInUseException"]);
    assert_eq!(status().await, Some(TableStatus::Updating));
    let (_, codes) = until_ok(async || coded!(dynamodb.delete_table().table_name("table").send())).await;
    assert_eq!(codes, ["ResourceInUseException"]);

    let (_proxy, clients) = with(Behaviour::ContinuousBackupsUnavailable).await;
    table(&clients).await;
    let on = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build().unwrap();
    let recovery = async || {
        let call = clients.dynamodb.update_continuous_backups().table_name("table");
        coded!(call.point_in_time_recovery_specification(on.clone()).send())
    };
    let (_, codes) = until_ok(recovery).await;
    assert_eq!(codes, ["ContinuousBackupsUnavailableException"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_created_one_at_a_time() {
    let (_proxy, clients) = with(Behaviour::SimultaneousTables).await;
    table(&clients).await;
    let delete = async || coded!(clients.dynamodb.delete_table().table_name("table").send());
    assert_eq!(until_ok(delete).await.1, ["LimitExceededException"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_is_refused_at_first_and_in_progress_for_a_while() {
    let (_proxy, clients) = with(Behaviour::BackupInProgress).await;
    table(&clients).await;
    let create = async || coded!(clients.dynamodb.create_backup().table_name("table").backup_name("backup").send());
    let (backup, refused) = until_ok(create).await;
    assert_eq!(refused, ["ContinuousBackupsUnavailableException", "TableInUseException"]);
    let details = backup.backup_details().unwrap();
    assert_eq!(details.backup_status().as_str(), "CREATING");
    let available = async || {
        let answer = clients.dynamodb.describe_backup().backup_arn(details.backup_arn()).send().await.unwrap();
        let status = answer.backup_description.unwrap().backup_details.unwrap().backup_status;
        status.as_str() == "AVAILABLE"
    };
    assert!(!available().await);
    while !available().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
