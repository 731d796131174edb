//! The three DynamoDB tables. A table with other keys is never replaced, because that would delete the users' data.

mod layout;
mod search;
mod settle;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::list_tags_of_resource::ListTagsOfResourceError;
use aws_sdk_dynamodb::types::{BillingMode, TableDescription, TableStatus, Tag};

pub use self::layout::{INDEX, TABLES};
use self::layout::{Layout, index_view, key_view};
use super::{Kind, exchange_tags};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, Failure, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Progress, Resource, ResourceError, SharedReads, Tags, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Tables) };
const NAME: &str = "dynamodb_table";

/// The partition key and the sort key.
const KEYS: FieldName = FieldName::new("keys");
const BILLING: FieldName = FieldName::new("billing");
const DELETION_PROTECTION: FieldName = FieldName::new("deletion_protection");
/// The managed index, with its keys and its projection.
const SECONDARY_INDEX: FieldName = FieldName::new("index");
const POINT_IN_TIME_RECOVERY: FieldName = FieldName::new("point_in_time_recovery");
/// The attribute with the time after which an item is deleted.
const EXPIRY_ATTRIBUTE: FieldName = FieldName::new("expiry_attribute");

/// The error codes for a table that does not exist.
const ABSENT: &[&str] = &["ResourceNotFoundException", "TableNotFoundException"];

/// Returns the address of a table: `Users`, `UserConnections` or `Ephemeral`.
pub fn address(part: &str) -> Address {
    Address::new(NAME, part)
}

/// Returns whether a table's deletion protection is on.
pub fn is_protected(live: &Live) -> bool {
    live.fields.field(DELETION_PROTECTION) == Some(&true.into())
}

struct Table {
    stack: Arc<Stack>,
    address: Address,
    name: String,
    layout: &'static Layout,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let resource = |layout: &'static Layout| {
        let (address, name) = (address(layout.part), stack.named(layout.part));
        Arc::new(Table { stack: stack.clone(), address, name, layout }) as Arc<dyn Resource>
    };
    TABLES.iter().map(resource).collect()
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let tables: Vec<String> = TABLES.iter().map(|layout| table_arn(stack, layout.part)).collect();
    // By these tags a stack is recognised that another version deployed.
    let others = stack.under_other_names().map(|other| {
        let users = vec![table_arn(&other, "Users")];
        Permission::new(&["dynamodb:DescribeTable", "dynamodb:ListTagsOfResource"], users)
    });
    let own = [
        Permission::new(
            &[
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:DescribeTable",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:ListTagsOfResource",
            ],
            tables.clone(),
        ),
        Permission::new(&["dynamodb:CreateTable"], tables.clone()).only(Condition::Tagged),
        Permission::new(
            &[
                "dynamodb:DeleteTable",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTable",
                "dynamodb:UpdateTimeToLive",
            ],
            tables,
        )
        .only(Condition::Named),
    ];
    others.into_iter().chain(own).collect()
}

/// Returns the ARN of a table.
pub fn table_arn(stack: &Stack, part: &str) -> String {
    stack.arn("dynamodb", &format!("table/{}", stack.named(part)))
}

#[async_trait]
impl Resource for Table {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn highlights(&self) -> &'static [FieldName] {
        &[KEYS]
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    fn refuse_on(&self) -> &'static [(FieldName, &'static str)] {
        &[(KEYS, "the keys of a table cannot be changed, and a table with data is never replaced")]
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let dynamodb = &self.stack.clients.dynamodb;
        let table = dynamodb.describe_table().table_name(&self.name).send().await;
        let table = table.found(ABSENT, "failed to read the table")?.and_then(|answer| answer.table);
        let is_absent = |table: &TableDescription| rule!("table-deleting-is-absent", is_deleting(table));
        let Some(table) = table.filter(|table| !is_absent(table)) else { return Ok(None) };
        let (recovery, ttl, tags) = futures::join!(
            self.point_in_time_recovery(),
            dynamodb.describe_time_to_live().table_name(&self.name).send(),
            read_tags(dynamodb, self.arn()),
        );
        let ttl = ttl.context("failed to read the expiry of the table")?.time_to_live_description;
        let tags = tags.context("failed to read the tags of the table")?;
        Ok(Some(Live {
            id: self.name.clone(),
            fields: table_fields(&table)
                .with(POINT_IN_TIME_RECOVERY, recovery?)
                .with(EXPIRY_ATTRIBUTE, layout::expiry_of(ttl.as_ref())),
            ownership: self.stack.ownership(&tags),
            tags: Some(tags),
            outputs: self.outputs(),
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let index = self.layout.index.map(|index| index_view(index.keys, layout::PROJECTION.as_str()));
        Fields::new()
            .with(KEYS, key_view(self.layout.keys))
            .with(BILLING, BillingMode::PayPerRequest.as_str())
            .with(DELETION_PROTECTION, self.stack.config.stack.protect)
            .with(SECONDARY_INDEX, index)
            .with(POINT_IN_TIME_RECOVERY, self.layout.recovery)
            .with(EXPIRY_ATTRIBUTE, self.layout.expiry)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        self.create_table(context).await?;
        rule!("table-active-after-create" => {
            self.wait_until_active(context.progress).await?;
        });
        let recovery = async {
            match self.layout.recovery {
                true => self.put_recovery(context.progress).await,
                false => Ok(()),
            }
        };
        let expiry = async {
            match self.layout.expiry {
                Some(attribute) => self.put_expiry(attribute, true).await,
                None => Ok(()),
            }
        };
        futures::try_join!(recovery, expiry)?;
        Ok(self.outputs())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        rule!("table-active-before-update" => {
            self.wait_until_active(context.progress).await?;
        });
        if changes.has(DELETION_PROTECTION) {
            self.put_deletion_protection(context.progress, self.stack.config.stack.protect).await?;
        }
        if changes.has(BILLING) {
            self.put_billing(context.progress).await?;
        }
        if changes.has(SECONDARY_INDEX) {
            self.put_index(context.progress, live.fields.field(SECONDARY_INDEX)).await?;
        }
        if changes.has(POINT_IN_TIME_RECOVERY) {
            self.put_recovery(context.progress).await?;
        }
        if changes.has(EXPIRY_ATTRIBUTE) {
            self.change_expiry(live.fields.field(EXPIRY_ATTRIBUTE)).await?;
        }
        let dynamodb = &self.stack.clients.dynamodb;
        let remove = |keys| async {
            let call = dynamodb.untag_resource().resource_arn(self.arn()).set_tag_keys(Some(keys));
            call.send().await.context("failed to remove tags of the table").map(|_| ())
        };
        let put = async {
            let tags = sdk_tags!(try Tag, context.tags).context("failed to tag the table")?;
            let call = dynamodb.tag_resource().resource_arn(self.arn()).set_tags(Some(tags));
            call.send().await.context("failed to tag the table").map(|_| ())
        };
        exchange_tags(changes, remove, put).await?;
        Ok(live.outputs.clone())
    }

    /// A table whose deletion protection is on stays: `up` takes off what `up` has put on, and a removal is refused
    /// before it begins if somebody else has put it on.
    async fn delete(&self, progress: &Progress, _: &Live) -> Result<(), ResourceError> {
        self.delete_table(progress).await
    }
}

impl Table {
    fn arn(&self) -> String {
        table_arn(&self.stack, self.layout.part)
    }

    fn outputs(&self) -> OutputMap {
        OutputMap::new().with("name", &self.name).with("arn", self.arn())
    }

    /// Returns whether point-in-time recovery is enabled. The field is unreadable on an emulator that does not offer
    /// backups.
    async fn point_in_time_recovery(&self) -> Result<LiveField, ResourceError> {
        let answer = self.stack.clients.dynamodb.describe_continuous_backups().table_name(&self.name).send().await;
        let answer = match answer.found(ABSENT, "failed to read the backups of the table") {
            Err(error) if error.failure == Failure::NotOffered => return Ok(LiveField::Unreadable),
            answer => answer?,
        };
        let backups = answer.and_then(|answer| answer.continuous_backups_description);
        let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description);
        let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
        Ok(LiveField::known(status.is_some_and(|status| status.as_str() == "ENABLED")))
    }
}

/// Reads the tags of a table. DynamoDB returns them in pages of its own size.
async fn read_tags(dynamodb: &Client, arn: impl Into<String>) -> Result<Tags, SdkError<ListTagsOfResourceError>> {
    let call = dynamodb.list_tags_of_resource().resource_arn(arn);
    let (mut tags, mut token) = (Tags::new(), None);
    loop {
        let page = call.clone().set_next_token(token).send().await?;
        tags.extend(page.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)));
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(tags);
        }
    }
}

fn table_fields(table: &TableDescription) -> LiveFields {
    let billing = table.billing_mode_summary.as_ref().and_then(|billing| billing.billing_mode.as_ref());
    let index = table.global_secondary_indexes.as_deref().and_then(layout::live_index);
    LiveFields::new()
        .with(KEYS, layout::live_keys(table.key_schema.as_deref(), table.attribute_definitions.as_deref()))
        .with(BILLING, billing.unwrap_or(&BillingMode::Provisioned).as_str())
        .with(DELETION_PROTECTION, table.deletion_protection_enabled.unwrap_or(false))
        .with(SECONDARY_INDEX, index)
}

fn is_deleting(table: &TableDescription) -> bool {
    table.table_status == Some(TableStatus::Deleting)
}
