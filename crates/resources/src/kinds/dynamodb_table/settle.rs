//! The changes of a table, each in a call of its own and each waited for: DynamoDB takes one at a time, and refuses a
//! setting that is there already.

use aws_sdk_dynamodb::types::{
    BillingMode, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, IndexStatus, PointInTimeRecoverySpecification, TableDescription, TableStatus,
    TimeToLiveSpecification,
};

use super::{ABSENT, Table, layout, sdk_tags};
use peersync_aws::retry::{Schedule, until, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{ApplyContext, Failure, LiveField, Progress, ResourceError};

/// The account changes too many tables at once; other limits do not pass by themselves.
const TOO_MANY_AT_ONCE: &str = "simultaneous";

impl Table {
    pub(super) async fn create_table(&self, context: &ApplyContext<'_>) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to create the table";
        let keys = layout::schema(self.layout.keys).context(SUMMARY)?;
        let attributes = layout::attributes(self.layout).context(SUMMARY)?;
        let tags = sdk_tags(context.tags).context(SUMMARY)?;
        let index = self.layout.index.map(|index| self.new_index(index)).transpose()?;
        let passes = |error: &ResourceError| is_crowded(error) || error.is(&["ResourceInUseException"]);
        while_failing(context.progress, Schedule::STATE, passes, || async {
            let call = self.stack.clients.dynamodb.create_table().table_name(&self.name);
            let call = call.set_key_schema(Some(keys.clone())).set_attribute_definitions(Some(attributes.clone()));
            let call = call.set_global_secondary_indexes(index.clone().map(|index| vec![index]));
            let call = call.billing_mode(BillingMode::PayPerRequest).set_tags(Some(tags.clone()));
            // Only where asked for: the default is off, and not every endpoint knows it.
            let call = call.set_deletion_protection_enabled(self.stack.config.stack.protect.then_some(true));
            match call.send().await.context(SUMMARY) {
                // A repeated call had already succeeded, or the last table of that name is still being deleted.
                Err(error) if error.is(&["ResourceInUseException"]) => match self.describe().await? {
                    Some(table) if table.table_status != Some(TableStatus::Deleting) => Ok(()),
                    _ => Err(error),
                },
                result => result.map(|_| ()),
            }
        })
        .await
    }

    fn new_index(&self, index: layout::Index) -> Result<GlobalSecondaryIndex, ResourceError> {
        const SUMMARY: &str = "failed to describe the index";
        let keys = layout::schema(index.keys).context(SUMMARY)?;
        let builder = GlobalSecondaryIndex::builder().index_name(index.name).set_key_schema(Some(keys));
        builder.projection(layout::projection()).build().context(SUMMARY)
    }

    async fn describe(&self) -> Result<Option<TableDescription>, ResourceError> {
        let answer = self.stack.clients.dynamodb.describe_table().table_name(&self.name).send().await;
        Ok(answer.found(ABSENT, "failed to read the table")?.and_then(|answer| answer.table))
    }

    /// Waits until the table and its index are active. A table that is not there yet, just after it was created, is
    /// waited for as well.
    pub(super) async fn wait_until_active(&self, progress: &Progress) -> Result<(), ResourceError> {
        until(progress, Schedule::STATE, "the table to become active", || async {
            Ok(self.describe().await?.filter(is_settled).map(|_| ()))
        })
        .await
    }

    pub(super) async fn put_deletion_protection(&self, progress: &Progress, on: bool) -> Result<(), ResourceError> {
        let call = self.stack.clients.dynamodb.update_table().table_name(&self.name).deletion_protection_enabled(on);
        call.send().await.context("failed to change the deletion protection of the table")?;
        self.wait_until_active(progress).await
    }

    pub(super) async fn put_billing(&self, progress: &Progress) -> Result<(), ResourceError> {
        let call = self.stack.clients.dynamodb.update_table().table_name(&self.name);
        let call = call.billing_mode(BillingMode::PayPerRequest);
        call.send().await.context("failed to change the billing of the table")?;
        self.wait_until_active(progress).await
    }

    /// Makes the index anew: nothing of an index can be changed in place.
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
        self.wait_until_active(progress).await
    }

    /// Switches point-in-time recovery to what the table shall have. For some seconds after the table became active
    /// DynamoDB cannot yet; an endpoint that has no such thing is passed over.
    pub(super) async fn put_recovery(&self, progress: &Progress) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to change the backups of the table";
        let wanted = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(self.layout.recovery);
        let wanted = wanted.build().context(SUMMARY)?;
        let passes = |error: &ResourceError| error.is(&["ContinuousBackupsUnavailableException"]);
        let result = while_failing(progress, Schedule::STATE, passes, || async {
            let call = self.stack.clients.dynamodb.update_continuous_backups().table_name(&self.name);
            call.point_in_time_recovery_specification(wanted.clone()).send().await.context(SUMMARY)
        });
        match result.await {
            Err(error) if error.failure == Failure::NotOffered => Ok(()),
            result => result.map(|_| ()),
        }
    }

    /// Switches the expiry by this attribute on or off.
    pub(super) async fn put_expiry(&self, attribute: &str, on: bool) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to change the expiry of the table";
        let wanted =
            TimeToLiveSpecification::builder().attribute_name(attribute).enabled(on).build().context(SUMMARY)?;
        let call = self.stack.clients.dynamodb.update_time_to_live().table_name(&self.name);
        match call.time_to_live_specification(wanted).send().await.context(SUMMARY) {
            Err(error) if says(&error, "TimeToLive is already") => Ok(()),
            Err(error) if says(&error, "modified multiple times") => {
                Err(error.hint("DynamoDB takes one such change an hour: run the command again then"))
            }
            result => result.map(|_| ()),
        }
    }

    /// From the attribute that is there to the one that shall be.
    pub(super) async fn change_expiry(&self, live: Option<&LiveField>) -> Result<(), ResourceError> {
        if let Some(LiveField::Known(serde_json::Value::String(attribute))) = live {
            self.put_expiry(attribute, false).await?;
        }
        match self.layout.expiry {
            Some(attribute) => self.put_expiry(attribute, true).await,
            None => Ok(()),
        }
    }

    /// Deletes the table and waits until it is gone, so that its name is free.
    pub(super) async fn delete_table(&self, progress: &Progress) -> Result<(), ResourceError> {
        let passes = |error: &ResourceError| is_crowded(error) || error.is(&["ResourceInUseException"]);
        while_failing(progress, Schedule::STATE, passes, || async {
            let answer = self.stack.clients.dynamodb.delete_table().table_name(&self.name).send().await;
            answer.found(ABSENT, "failed to delete the table")
        })
        .await?;
        until(progress, Schedule::STATE, "the table to be gone", || async {
            Ok(self.describe().await?.is_none().then_some(()))
        })
        .await
    }
}

fn is_settled(table: &TableDescription) -> bool {
    let indexes = table.global_secondary_indexes.as_deref().unwrap_or_default();
    // An endpoint that does not say how an index is doing has it at once.
    let is_ready = |status: Option<&IndexStatus>| status.is_none_or(|status| *status == IndexStatus::Active);
    table.table_status == Some(TableStatus::Active) && indexes.iter().all(|index| is_ready(index.index_status.as_ref()))
}

fn is_crowded(error: &ResourceError) -> bool {
    error.is(&["LimitExceededException"]) && says(error, TOO_MANY_AT_ONCE)
}

fn says(error: &ResourceError, text: &str) -> bool {
    error.causes().iter().any(|cause| cause.contains(text))
}

#[cfg(test)]
mod tests {
    use super::is_crowded;
    use peersync_engine::ResourceError;

    /// The SDK tries both again for half a minute; what goes on for minutes is only what passes by itself.
    #[test]
    fn only_the_limit_of_changes_at_once_is_waited_for() {
        let error =
            |cause: &str| ResourceError::new("failed").code(Some("LimitExceededException")).caused_by(cause.to_owned());
        assert!(is_crowded(&error("Only 500 tables can be created, updated, or deleted simultaneously")));
        assert!(!is_crowded(&error("This account may have no more than 2,500 tables in this region")));
    }
}
