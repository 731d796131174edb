//! The changes of a table. Each is a separate call that waits until the table is active again, because DynamoDB accepts
//! one change at a time and rejects a setting that is already in effect.

use aws_sdk_dynamodb::types::{
    BillingMode, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, IndexStatus, PointInTimeRecoverySpecification, TableDescription, TableStatus, Tag,
    TimeToLiveSpecification,
};

use super::{ABSENT, Table, is_deleting, layout};
use peersync_aws::retry::{Schedule, until, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{ApplyContext, Failure, LiveField, Progress, ResourceError, rule};

/// The error codes for a table that exists, or that is being changed.
const IN_USE: &[&str] = &["ResourceInUseException"];
/// Part of the message of the only transient limit: the account changes too many tables at once.
const TOO_MANY_AT_ONCE: &str = "simultaneous";

impl Table {
    pub(super) async fn create_table(&self, context: &ApplyContext<'_>) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to create the table";
        let keys = layout::schema(self.layout.keys).context(SUMMARY)?;
        let attributes = layout::attributes(self.layout).context(SUMMARY)?;
        let tags = sdk_tags!(try Tag, context.tags).context(SUMMARY)?;
        let index = self.layout.index.map(|index| self.new_index(index)).transpose()?;
        let is_new =
            |table: &TableDescription| rule!("table-name-free-after-delete", !is_deleting(table), without: true);
        let is_transient = |error: &ResourceError| is_crowded(error) || error.is(IN_USE);
        while_failing(context.progress, Schedule::STATE, is_transient, || async {
            let call = self.stack.clients.dynamodb.create_table().table_name(&self.name);
            let call = call.set_key_schema(Some(keys.clone())).set_attribute_definitions(Some(attributes.clone()));
            let call = call.set_global_secondary_indexes(index.clone().map(|index| vec![index]));
            let call = call.billing_mode(BillingMode::PayPerRequest).set_tags(Some(tags.clone()));
            // Set only if enabled: the default is off, and not every emulator supports it.
            let call = call.set_deletion_protection_enabled(self.stack.config.stack.protect.then_some(true));
            match call.send().await.context(SUMMARY) {
                // An earlier attempt succeeded but its response was lost, or an old table is still being deleted.
                Err(error) if error.is(IN_USE) => match self.describe().await? {
                    Some(table) if rule!("table-create-survives-lost-answer", is_new(&table)) => Ok(()),
                    _ => Err(error),
                },
                result => result.map(|_| ()),
            }
        })
        .await
    }

    fn new_index(&self, index: layout::Index) -> Result<GlobalSecondaryIndex, ResourceError> {
        const SUMMARY: &str = "failed to build the definition of the index";
        let keys = layout::schema(index.keys).context(SUMMARY)?;
        let builder = GlobalSecondaryIndex::builder().index_name(index.name).set_key_schema(Some(keys));
        builder.projection(layout::projection()).build().context(SUMMARY)
    }

    async fn describe(&self) -> Result<Option<TableDescription>, ResourceError> {
        let answer = self.stack.clients.dynamodb.describe_table().table_name(&self.name).send().await;
        Ok(answer.found(ABSENT, "failed to read the table")?.and_then(|answer| answer.table))
    }

    /// Waits until the table and its index are active. A new table may not be found at first, which is not an error.
    pub(super) async fn wait_until_active(&self, progress: &Progress) -> Result<(), ResourceError> {
        until(progress, Schedule::STATE, "the table to become active", || async {
            Ok(self.describe().await?.filter(is_settled).map(|_| ()))
        })
        .await
    }

    pub(super) async fn put_deletion_protection(&self, progress: &Progress, on: bool) -> Result<(), ResourceError> {
        let call = self.stack.clients.dynamodb.update_table().table_name(&self.name).deletion_protection_enabled(on);
        call.send().await.context("failed to change the deletion protection of the table")?;
        rule!("table-active-after-protection", self.wait_until_active(progress).await, without: Ok(()))
    }

    pub(super) async fn put_billing(&self, progress: &Progress) -> Result<(), ResourceError> {
        let call = self.stack.clients.dynamodb.update_table().table_name(&self.name);
        let call = call.billing_mode(BillingMode::PayPerRequest);
        call.send().await.context("failed to change the billing of the table")?;
        rule!("table-active-after-billing", self.wait_until_active(progress).await, without: Ok(()))
    }

    /// Re-creates the index, because DynamoDB cannot change an index in place.
    pub(super) async fn put_index(&self, progress: &Progress, live: Option<&LiveField>) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to change the index of the table";
        if !matches!(live, None | Some(LiveField::Known(serde_json::Value::Null))) {
            let old = DeleteGlobalSecondaryIndexAction::builder().index_name(layout::INDEX).build().context(SUMMARY)?;
            self.update_index(GlobalSecondaryIndexUpdate::builder().delete(old).build(), progress).await?;
        }
        let Some(index) = self.layout.index else { return Ok(()) };
        let keys = layout::schema(index.keys).context(SUMMARY)?;
        let new = CreateGlobalSecondaryIndexAction::builder().index_name(index.name).set_key_schema(Some(keys));
        let new = new.projection(layout::projection()).build().context(SUMMARY)?;
        self.update_index(GlobalSecondaryIndexUpdate::builder().create(new).build(), progress).await
    }

    async fn update_index(&self, change: GlobalSecondaryIndexUpdate, progress: &Progress) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to change the index of the table";
        let attributes = layout::attributes(self.layout).context(SUMMARY)?;
        let call = self.stack.clients.dynamodb.update_table().table_name(&self.name);
        let call = call.set_attribute_definitions(Some(attributes)).global_secondary_index_updates(change);
        call.send().await.context(SUMMARY)?;
        rule!("table-active-after-index", self.wait_until_active(progress).await, without: Ok(()))
    }

    /// Sets point-in-time recovery to the desired state. DynamoDB is not ready for that until some seconds after the
    /// table became active. An emulator that does not offer it is ignored.
    pub(super) async fn put_recovery(&self, progress: &Progress) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to change the backups of the table";
        let wanted = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(self.layout.recovery);
        let wanted = wanted.build().context(SUMMARY)?;
        let is_unavailable = |error: &ResourceError| error.is(&["ContinuousBackupsUnavailableException"]);
        let is_transient = |error: &ResourceError| rule!("table-recovery-available", is_unavailable(error));
        let result = while_failing(progress, Schedule::STATE, is_transient, || async {
            let call = self.stack.clients.dynamodb.update_continuous_backups().table_name(&self.name);
            call.point_in_time_recovery_specification(wanted.clone()).send().await.context(SUMMARY)
        });
        match result.await {
            Err(error) if error.failure == Failure::NotOffered => Ok(()),
            result => result.map(|_| ()),
        }
    }

    /// Enables or disables expiry by this attribute.
    pub(super) async fn put_expiry(&self, attribute: &str, on: bool) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to change the expiry of the table";
        let wanted =
            TimeToLiveSpecification::builder().attribute_name(attribute).enabled(on).build().context(SUMMARY)?;
        let call = self.stack.clients.dynamodb.update_time_to_live().table_name(&self.name);
        match call.time_to_live_specification(wanted).send().await.context(SUMMARY) {
            Err(error) if rule!("table-expiry-already-enabled", error.mentions("TimeToLive is already")) => Ok(()),
            Err(error) if error.mentions("modified multiple times") => {
                Err(error.hint("DynamoDB allows one such change per hour: run the command again in an hour"))
            }
            result => result.map(|_| ()),
        }
    }

    /// Changes the expiry from the actual attribute to the desired one.
    pub(super) async fn change_expiry(&self, live: Option<&LiveField>) -> Result<(), ResourceError> {
        if let Some(LiveField::Known(serde_json::Value::String(attribute))) = live {
            self.put_expiry(attribute, false).await?;
        }
        match self.layout.expiry {
            Some(attribute) => self.put_expiry(attribute, true).await,
            None => Ok(()),
        }
    }

    /// Deletes the table and waits until it no longer exists, so that its name is available again.
    pub(super) async fn delete_table(&self, progress: &Progress) -> Result<(), ResourceError> {
        let is_transient =
            |error: &ResourceError| is_crowded(error) || rule!("table-delete-while-busy", error.is(IN_USE));
        while_failing(progress, Schedule::STATE, is_transient, || async {
            let answer = self.stack.clients.dynamodb.delete_table().table_name(&self.name).send().await;
            answer.found(rule!("table-delete-survives-absence", ABSENT), "failed to delete the table")
        })
        .await?;
        until(progress, Schedule::STATE, "the table to be deleted", || async {
            let is_gone = rule!("table-gone-after-delete", self.describe().await?.is_none(), without: true);
            Ok(is_gone.then_some(()))
        })
        .await
    }
}

fn is_settled(table: &TableDescription) -> bool {
    let indexes = table.global_secondary_indexes.as_deref().unwrap_or_default();
    // An emulator that returns no status of an index has it ready at once.
    let is_ready = |status: Option<&IndexStatus>| status.is_none_or(|status| *status == IndexStatus::Active);
    let are_ready = || indexes.iter().all(|index| is_ready(index.index_status.as_ref()));
    table.table_status == Some(TableStatus::Active) && rule!("table-index-is-active", are_ready(), without: true)
}

fn is_crowded(error: &ResourceError) -> bool {
    let is_crowded = error.is(&["LimitExceededException"]) && error.mentions(TOO_MANY_AT_ONCE);
    rule!("table-limit-is-transient", is_crowded)
}

#[cfg(test)]
mod tests {
    use super::is_crowded;
    use peersync_engine::ResourceError;

    /// The SDK retries both errors for half a minute; only the transient one is worth minutes.
    #[test]
    fn only_limit_of_concurrent_changes_is_transient() {
        let error =
            |cause: &str| ResourceError::new("failed").code(Some("LimitExceededException")).caused_by(cause.to_owned());
        assert!(is_crowded(&error("Only 500 tables can be created, updated, or deleted simultaneously")));
        assert!(!is_crowded(&error("This account may have no more than 2,500 tables in this region")));
    }
}
