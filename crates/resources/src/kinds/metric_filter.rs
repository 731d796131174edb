//! The metrics that count errors in the logs: one for all functions together, one for the signaling server.
//!
//! Every log group has its own filter. The filters of one metric are a single resource, because CloudWatch Logs lists
//! filters by metric with one call.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types::{MetricFilter as Found, MetricTransformation};
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{Kind, log_group};
use crate::permission::{Condition, Permission};
use crate::stack::{FUNCTIONS, Stack};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, Fields, Live, LiveField, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "metric_filter";

/// The parts of the stack that have a metric: `functions` and `signal`.
pub const PARTS: [&str; 2] = ["functions", "signal"];
/// The lines that count: errors of the programs, panics, and Lambda's messages about a timeout or crash.
const PATTERN: &str = "?ERROR ?panicked ?\"Task timed out\" ?\"Runtime exited\"";

/// Returns the namespace of the stack's metrics.
pub fn namespace(stack: &Stack) -> String {
    format!("PeerSync/{}", stack.name())
}

/// Returns the name of the metric of a part.
pub fn metric(part: &str) -> String {
    format!("{part}-errors")
}

struct MetricFilters {
    stack: Arc<Stack>,
    address: Address,
    part: &'static str,
    /// The names and addresses of the log groups that have the filter.
    groups: Vec<(String, Address)>,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let node = |part: &'static str| {
        let groups = match part {
            "functions" => {
                FUNCTIONS.map(|function| (stack.function_log_group(function), log_group::address(function))).to_vec()
            }
            _ => vec![(stack.log_group(part), log_group::address(part))],
        };
        Arc::new(MetricFilters { stack: stack.clone(), address: Address::new(NAME, part), part, groups })
            as Arc<dyn Resource>
    };
    PARTS.map(node).to_vec()
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    vec![
        Permission::new(&["logs:DescribeMetricFilters"], vec![stack.arn("logs", "log-group:*")]),
        Permission::new(&["logs:DeleteMetricFilter", "logs:PutMetricFilter"], log_group::arns(stack))
            .only(Condition::Named),
    ]
}

#[async_trait]
impl Resource for MetricFilters {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.filter_name())
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("metric-filter-after-log-group", self.groups.iter().map(|(_, address)| address.clone()).collect())
    }

    fn taggable(&self) -> bool {
        false
    }

    /// The filters are found by their metric in the stack's log groups, so that no unmanaged filter is included.
    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let call = self.stack.clients.logs.describe_metric_filters();
        let call = call.metric_namespace(namespace(&self.stack)).metric_name(metric(self.part));
        let found = call.into_paginator().items().send().collect::<Result<Vec<Found>, _>>().await;
        let found = found.context("failed to list the metric filters")?;
        let fields: LiveFields = found
            .iter()
            .filter(|filter| filter.filter_name() == Some(&self.filter_name()))
            .filter_map(|filter| Some((filter.log_group_name()?.to_owned(), LiveField::Known(view(filter)))))
            .filter(|(group, _)| self.groups.iter().any(|(ours, _)| ours == group))
            .collect();
        Ok((!fields.is_empty()).then(|| Live { id: self.filter_name(), fields, ..Live::default() }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let value = json!({ "pattern": PATTERN, "value": "1" });
        self.groups.iter().map(|(group, _)| (group.clone(), Field::known(value.clone()))).collect()
    }

    async fn create(&self, _: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        try_join_all(self.groups.iter().map(|(group, _)| self.put(group))).await?;
        Ok(OutputMap::new())
    }

    async fn update(&self, _: &ApplyContext<'_>, live: &Live, changes: &Changes) -> Result<OutputMap, ResourceError> {
        let changed = self.groups.iter().filter(|(group, _)| changes.has_named(group));
        try_join_all(changed.map(|(group, _)| self.put(group))).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        let deletions = live.fields.keys().map(|group| async move {
            let call =
                self.stack.clients.logs.delete_metric_filter().log_group_name(group).filter_name(self.filter_name());
            call.send().await.found(&["ResourceNotFoundException"], "failed to delete a metric filter").map(|_| ())
        });
        try_join_all(deletions).await.map(|_| ())
    }
}

impl MetricFilters {
    fn filter_name(&self) -> String {
        self.stack.named(&metric(self.part))
    }

    async fn put(&self, group: &str) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to set a metric filter";
        let transformation = MetricTransformation::builder()
            .metric_namespace(namespace(&self.stack))
            .metric_name(metric(self.part))
            .metric_value("1")
            .default_value(0.0)
            .build()
            .context(SUMMARY)?;
        let call = self.stack.clients.logs.put_metric_filter().log_group_name(group).filter_name(self.filter_name());
        call.filter_pattern(PATTERN).metric_transformations(transformation).send().await.context(SUMMARY).map(|_| ())
    }
}

fn view(filter: &Found) -> Value {
    let value = filter.metric_transformations().first().map(MetricTransformation::metric_value);
    json!({ "pattern": filter.filter_pattern(), "value": value })
}
