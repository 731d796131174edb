//! The CloudWatch log groups. They are created before anything writes to them, so that they have a retention.

mod search;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types::LogGroup as Found;

use super::{Kind, exchange_tags, tag_index};
use crate::permission::{Condition, Permission};
use crate::stack::{FUNCTIONS, Stack};
use peersync_aws::retry::{Schedule, while_failing};
use peersync_aws::{Clients, Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Ownership, Progress,
    Resource, ResourceError, SharedReads, Tags, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::LogGroups) };
const NAME: &str = "log_group";

const RETENTION_DAYS: FieldName = FieldName::new("retention_days");
/// The error codes for a group that does not exist.
const ABSENT: &[&str] = &["ResourceNotFoundException"];
/// The error codes for a group that has just been created, or that somebody else is changing.
pub(super) const BUSY: &[&str] = &["ResourceNotFoundException", "OperationAbortedException"];

/// Returns the address of a log group; `part` is a function's name, `signal` or `api-access`.
pub fn address(part: &str) -> Address {
    Address::new(NAME, part)
}

/// Returns the address of the group that is deleted after everything that cannot carry tags: as long as something like
/// that is left, the tags of this group tell whose it is and when it expires.
pub(super) fn last() -> Address {
    address("signal")
}

/// Returns whether an address is that of a log group.
pub fn is_one(address: &Address) -> bool {
    address.kind == NAME
}

/// Returns its name.
pub fn last_name(stack: &Stack) -> String {
    stack.log_group("signal")
}

/// Returns whether a group of the stack exists, `signal` or `api-access`, as of the graph's shared read.
pub(super) async fn exists(stack: &Stack, reads: &SharedReads, part: &str) -> Result<bool, ResourceError> {
    let (name, prefix) = (stack.log_group(part), stack.log_group(""));
    let groups = reads.get(&prefix, list(&stack.clients, &prefix)).await?;
    Ok(groups.iter().any(|group| group.log_group_name() == Some(&name)))
}

/// Returns the name of a log group; `part` is a function's name, `signal` or `api-access`.
pub(super) fn name(stack: &Stack, part: &str) -> String {
    if FUNCTIONS.contains(&part) { stack.function_log_group(part) } else { stack.log_group(part) }
}

/// Returns whether a group of the stack has metric filters, as of the graph's shared read; `part` is a function's name or
/// `signal`.
pub(super) async fn has_metric_filters(stack: &Stack, reads: &SharedReads, part: &str) -> Result<bool, ResourceError> {
    let name = name(stack, part);
    let prefix = name.strip_suffix(part).unwrap_or(&name);
    let groups = reads.get(prefix, list(&stack.clients, prefix)).await?;
    let group = groups.into_iter().find(|group| group.log_group_name() == Some(&name));
    Ok(group.is_some_and(|group| group.metric_filter_count() != Some(0)))
}

struct LogGroup {
    stack: Arc<Stack>,
    address: Address,
    name: String,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let functions = FUNCTIONS.map(|function| (function, stack.function_log_group(function)));
    let others = ["api-access", "signal"].map(|part| (part, stack.log_group(part)));
    functions
        .into_iter()
        .chain(others)
        .map(|(part, name)| {
            Arc::new(LogGroup { stack: stack.clone(), address: address(part), name }) as Arc<dyn Resource>
        })
        .collect()
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let mut permissions = vec![
        Permission::anywhere(&["logs:DescribeLogGroups"]),
        Permission::new(&["logs:ListTagsForResource"], arns(stack)),
        Permission::new(&["logs:CreateLogGroup"], arns(stack)).only(Condition::Tagged),
        Permission::new(
            &["logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"],
            arns(stack),
        )
        .only(Condition::Named),
    ];
    // By these tags a stack is recognised that another version deployed.
    permissions.extend(stack.under_other_names().map(|other| {
        let last = stack.arn("logs", &format!("log-group:{}", last_name(&other)));
        Permission::new(&["logs:ListTagsForResource"], vec![last])
    }));
    permissions
}

/// Returns the ARNs of the groups for IAM policies: of the groups, and of their contents, to which some actions apply.
pub fn arns(stack: &Stack) -> Vec<String> {
    let functions = FUNCTIONS.into_iter().flat_map(|function| {
        let group = stack.arn("logs", &format!("log-group:{}", stack.function_log_group(function)));
        [format!("{group}:*"), group]
    });
    // No wildcard for the functions' groups: `{stack}-*` would match those of `{stack}-2` too.
    functions.chain([stack.arn("logs", &format!("log-group:{}", stack.log_group("*")))]).collect()
}

#[async_trait]
impl Resource for LogGroup {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn highlights(&self) -> &'static [FieldName] {
        &[RETENTION_DAYS]
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        // One shared call lists the log groups of all functions, another one lists all others.
        let prefix = self.name.strip_suffix(&self.address.name).unwrap_or(&self.name);
        let groups = reads.get(prefix, list(&self.stack.clients, prefix));
        let (groups, index) = futures::join!(groups, tag_index::read(&self.stack, reads));
        let Some(group) = groups?.into_iter().find(|group| group.log_group_name() == Some(&self.name)) else {
            return Ok(None);
        };
        let (created, arn) = (group.creation_time().map(|time| time.to_string()), self.arn());
        let read = read_tags(&self.stack.clients, arn.clone());
        let tags = reads.tags(&self.address, created, index.of(arn), read).await?;
        let Some(tags) = tags else { return Ok(None) };
        Ok(Some(Live {
            id: self.name.clone(),
            fields: LiveFields::new().with(RETENTION_DAYS, group.retention_in_days()),
            ownership: self.ownership(&tags),
            tags: Some(tags),
            outputs: self.outputs(),
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new().with(RETENTION_DAYS, self.retention())
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let tags = context.tags.clone().into_iter().collect();
        let answer =
            self.stack.clients.logs.create_log_group().log_group_name(&self.name).set_tags(Some(tags)).send().await;
        // It exists if the response to an earlier attempt was lost; observe has ruled out an unmanaged one.
        let exists: &[&str] = rule!("log-group-create-survives-lost-answer", &["ResourceAlreadyExistsException"]);
        answer.found(exists, "failed to create the log group")?;
        self.put_retention(context.progress).await?;
        Ok(self.outputs())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if changes.has(RETENTION_DAYS) {
            self.put_retention(context.progress).await?;
        }
        let logs = &self.stack.clients.logs;
        let remove = |keys| async {
            let call = logs.untag_resource().resource_arn(self.arn()).set_tag_keys(Some(keys));
            call.send().await.context("failed to remove tags of the log group").map(|_| ())
        };
        let put = async {
            let tags = context.tags.clone().into_iter().collect();
            let call = logs.tag_resource().resource_arn(self.arn()).set_tags(Some(tags));
            call.send().await.context("failed to tag the log group").map(|_| ())
        };
        exchange_tags(changes, remove, put).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        let answer = self.stack.clients.logs.delete_log_group().log_group_name(&live.id).send().await;
        let absent = rule!("log-group-delete-survives-absence", ABSENT);
        answer.found(absent, "failed to delete the log group").map(|_| ())
    }
}

/// Lists the log groups whose names have this prefix.
async fn list(clients: &Clients, prefix: &str) -> Result<Vec<Found>, ResourceError> {
    let groups = clients.logs.describe_log_groups().log_group_name_prefix(prefix);
    let groups = groups.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    groups.context("failed to list the log groups")
}

/// Reads the tags of a log group; `None` if it does not exist.
async fn read_tags(clients: &Clients, arn: String) -> Result<Option<Tags>, ResourceError> {
    let answer = clients.logs.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = answer.found(ABSENT, "failed to read the tags of a log group")?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

impl LogGroup {
    /// Returns whose the group is. One without any tags below the stack's own prefix is one that API Gateway has created
    /// again, for lines that were late.
    fn ownership(&self, tags: &Tags) -> Ownership {
        let is_below_prefix = self.name.starts_with(&self.stack.log_group(""));
        if rule!("group-of-late-lines-is-ours", tags.is_empty() && is_below_prefix) {
            return Ownership::Ours;
        }
        self.stack.ownership(tags)
    }

    fn outputs(&self) -> OutputMap {
        OutputMap::new().with("name", &self.name).with("arn", self.arn())
    }

    fn arn(&self) -> String {
        self.stack.arn("logs", &format!("log-group:{}", self.name))
    }

    fn retention(&self) -> i32 {
        self.stack.config.logs.retention_days
    }

    async fn put_retention(&self, progress: &Progress) -> Result<(), ResourceError> {
        let call = self.stack.clients.logs.put_retention_policy().log_group_name(&self.name);
        let call = call.retention_in_days(self.retention());
        let is_transient = |error: &ResourceError| rule!("retention-of-new-log-group", error.is(BUSY));
        while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            call.clone().send().await.context("failed to set the retention of the log group").map(|_| ())
        })
        .await
    }
}
