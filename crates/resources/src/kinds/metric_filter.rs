//! The metric filters of earlier versions, which are deleted: the programs write their metrics themselves.
//!
//! A log group tells how many filters it has, so that nothing is asked about them once they are gone.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::try_join_all;

use super::{Kind, log_group};
use crate::permission::{Condition, Permission};
use crate::stack::{FUNCTIONS, Stack};
use peersync_aws::NotFound as _;
use peersync_engine::{
    Address, ApplyContext, Changes, Fields, Live, LiveField, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "metric_filter";

/// The error codes for a log group or a filter that does not exist.
const ABSENT: &[&str] = &["ResourceNotFoundException"];
/// The last parts of the names that filters of functions had.
const OF_FUNCTIONS: &[&str] = &["functions-errors"];
/// The last parts of the names that filters of the host had.
const OF_HOST: &[&str] = &["signal-errors", "relay-allocations", "relay-bytes", "relay-refused", "relay-budget-spent"];

struct FormerFilters {
    stack: Arc<Stack>,
    address: Address,
}

/// A filter: the part of the stack whose log group it is in, and the last part of its name.
type Filter = (&'static str, &'static str);

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(FormerFilters { stack: stack.clone(), address: Address::new(NAME, "former") })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    vec![
        Permission::new(&["logs:DescribeMetricFilters"], vec![stack.arn("logs", "log-group:*")]),
        Permission::new(&["logs:DeleteMetricFilter"], log_group::arns(stack)).only(Condition::Named),
    ]
}

/// Returns the name of the field that shows a filter.
fn field((part, filter): Filter) -> String {
    format!("{part}/{filter}")
}

#[async_trait]
impl Resource for FormerFilters {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.stack.name())
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    fn taggable(&self) -> bool {
        false
    }

    fn enabled(&self) -> bool {
        false
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let found = try_join_all(parts().map(|part| self.find(reads, part))).await?.concat();
        let fields: LiveFields = found.into_iter().map(|one| (field(one), LiveField::Known(true.into()))).collect();
        Ok((!fields.is_empty()).then(|| Live { id: self.stack.name(), fields, ..Live::default() }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new()
    }

    async fn create(&self, _: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        Ok(OutputMap::new())
    }

    async fn update(&self, _: &ApplyContext<'_>, live: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        Ok(live.outputs.clone())
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        let ours = parts().flat_map(|part| names(part).iter().map(move |name| (part, *name)));
        let existing = ours.filter(|filter| live.fields.contains_key(&field(*filter)));
        let deletions = existing.map(|(part, filter)| async move {
            let call =
                self.stack.clients.logs.delete_metric_filter().log_group_name(log_group::name(&self.stack, part));
            let answer = call.filter_name(self.stack.named(filter)).send().await;
            answer.found(ABSENT, "failed to delete a metric filter").map(|_| ())
        });
        try_join_all(deletions).await.map(|_| ())
    }
}

/// Returns the parts of the stack whose log groups had filters.
fn parts() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.into_iter().chain(["signal"])
}

/// Returns the last parts of the names that filters in a log group had.
fn names(part: &str) -> &'static [&'static str] {
    if part == "signal" { OF_HOST } else { OF_FUNCTIONS }
}

impl FormerFilters {
    /// Returns the filters of a log group. They are found by their names, so that no unmanaged filter is included.
    async fn find(&self, reads: &SharedReads, part: &'static str) -> Result<Vec<Filter>, ResourceError> {
        if !log_group::has_metric_filters(&self.stack, reads, part).await? {
            return Ok(Vec::new());
        }
        let call = self.stack.clients.logs.describe_metric_filters().log_group_name(log_group::name(&self.stack, part));
        let found = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = found.found(ABSENT, "failed to list the metric filters")?.unwrap_or_default();
        let is_found = |filter: &str| {
            let name = self.stack.named(filter);
            found.iter().any(|one| one.filter_name() == Some(&name))
        };
        Ok(names(part).iter().filter(|filter| is_found(filter)).map(|filter| (part, *filter)).collect())
    }
}
