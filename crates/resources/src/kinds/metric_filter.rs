//! The metrics that come from the logs: errors, one for all functions together and one for the host, and what the relay
//! does.
//!
//! Every log group has its own filter for errors. The filters of one metric are a single resource, because CloudWatch Logs
//! lists filters by metric with one call; those of the relay are one too, which are listed by their log group.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types::{MetricFilter as Found, MetricTransformation};
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{Kind, log_group};
use crate::permission::{Condition, Permission};
use crate::stack::{FUNCTIONS, Stack};
use peersync_aws::retry::{Schedule, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, Fields, Live, LiveField, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "metric_filter";

/// The error codes for a log group or a filter that does not exist.
const ABSENT: &[&str] = &["ResourceNotFoundException"];
/// The parts of the stack that have a metric of errors: `functions` and `signal`.
pub const PARTS: [&str; 2] = ["functions", "signal"];
/// The lines that count: errors of the programs, panics, and Lambda's messages about a timeout or crash.
const PATTERN: &str = "?ERROR ?panicked ?\"Task timed out\" ?\"Runtime exited\"";

/// Returns the namespace of the stack's metrics.
pub fn namespace(stack: &Stack) -> String {
    format!("PeerSync/{}", stack.name())
}

/// Returns the name of the metric of errors of a part.
pub fn metric(part: &str) -> String {
    format!("{part}-errors")
}

/// The metrics of the relay, from the line `usage` that it logs every minute, with the value of each. `relay-budget-spent`
/// counts the minutes in which it refused new calls because the month's traffic was used up.
const RELAY: [(&str, &str); 4] = [
    (RELAY_ALLOCATIONS, "$.allocations"),
    (RELAY_BYTES, "$.relayed_bytes"),
    (RELAY_REFUSED, "$.refused"),
    (RELAY_BUDGET_SPENT, "$.budget_spent"),
];
/// The line with them.
const RELAY_PATTERN: &str = r#"{ $.target = "relay" && $.message = "usage" }"#;
/// The metric of the clients of the relay at present.
pub const RELAY_ALLOCATIONS: &str = "relay-allocations";
/// The metric of the bytes that were relayed.
pub const RELAY_BYTES: &str = "relay-bytes";
/// The metric of the requests that the relay refused.
pub const RELAY_REFUSED: &str = "relay-refused";
/// The metric of the minutes in which the traffic of the month was used up.
pub const RELAY_BUDGET_SPENT: &str = "relay-budget-spent";

/// Filters that are read with one call.
struct MetricFilters {
    stack: Arc<Stack>,
    address: Address,
    part: &'static str,
    filters: Vec<Filter>,
}

/// A filter of a log group.
struct Filter {
    /// The name of the field that shows it.
    field: String,
    group: String,
    group_address: Address,
    metric: String,
    pattern: &'static str,
    value: &'static str,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let node = |part: &'static str| {
        let filters = filters(stack, part);
        Arc::new(MetricFilters { stack: stack.clone(), address: Address::new(NAME, part), part, filters })
            as Arc<dyn Resource>
    };
    PARTS.into_iter().chain(["relay"]).map(node).collect()
}

fn filters(stack: &Stack, part: &'static str) -> Vec<Filter> {
    let signal = || (stack.log_group("signal"), log_group::address("signal"));
    let of_errors = |(group, group_address): (String, Address)| Filter {
        field: group.clone(),
        group,
        group_address,
        metric: metric(part),
        pattern: PATTERN,
        value: "1",
    };
    let of_relay = |(metric, value): (&str, _)| {
        let (group, group_address) = signal();
        let field = metric.to_owned();
        Filter { field, group, group_address, metric: metric.to_owned(), pattern: RELAY_PATTERN, value }
    };
    let of_function = |function| (stack.function_log_group(function), log_group::address(function));
    match part {
        "functions" => FUNCTIONS.map(of_function).map(of_errors).into(),
        "relay" => RELAY.map(of_relay).into(),
        _ => vec![of_errors(signal())],
    }
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
        Some(self.prefix())
    }

    fn dependencies(&self) -> Vec<Address> {
        let groups: BTreeSet<&Address> = self.filters.iter().map(|filter| &filter.group_address).collect();
        rule!("metric-filter-after-log-group", groups.into_iter().cloned().collect())
    }

    fn taggable(&self) -> bool {
        false
    }

    fn enabled(&self) -> bool {
        self.part != "relay" || self.stack.relay().is_some()
    }

    /// The filters are found by their names in the stack's log groups, so that no unmanaged filter is included.
    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let found = self.find().await?;
        let fields: LiveFields = self
            .filters
            .iter()
            .filter_map(|filter| {
                let is_it = |found: &&Found| {
                    found.filter_name() == Some(&self.filter_name(filter))
                        && found.log_group_name() == Some(&filter.group)
                };
                let found = found.iter().find(is_it)?;
                Some((filter.field.clone(), LiveField::Known(view(found))))
            })
            .collect();
        Ok((!fields.is_empty()).then(|| Live { id: self.prefix(), fields, ..Live::default() }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let view = |filter: &Filter| Field::known(json!({ "pattern": filter.pattern, "value": filter.value }));
        self.filters.iter().map(|filter| (filter.field.clone(), view(filter))).collect()
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        try_join_all(self.filters.iter().map(|filter| self.put(filter, context.progress))).await?;
        Ok(OutputMap::new())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let changed = self.filters.iter().filter(|filter| changes.has_named(&filter.field));
        try_join_all(changed.map(|filter| self.put(filter, context.progress))).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        let existing = self.filters.iter().filter(|filter| live.fields.keys().any(|field| *field == filter.field));
        let deletions = existing.map(|filter| async move {
            let call = self.stack.clients.logs.delete_metric_filter().log_group_name(&filter.group);
            let answer = call.filter_name(self.filter_name(filter)).send().await;
            answer.found(ABSENT, "failed to delete a metric filter").map(|_| ())
        });
        try_join_all(deletions).await.map(|_| ())
    }
}

impl MetricFilters {
    /// Returns what the names of the filters begin with: the whole name if they are those of one metric.
    fn prefix(&self) -> String {
        if self.part == "relay" { self.stack.named("relay") } else { self.stack.named(&metric(self.part)) }
    }

    fn filter_name(&self, filter: &Filter) -> String {
        self.stack.named(&filter.metric)
    }

    async fn find(&self) -> Result<Vec<Found>, ResourceError> {
        let call = self.stack.clients.logs.describe_metric_filters();
        let call = match self.filters.first().filter(|_| self.part == "relay") {
            Some(filter) => call.log_group_name(&filter.group).filter_name_prefix(self.prefix()),
            None => call.metric_namespace(namespace(&self.stack)).metric_name(metric(self.part)),
        };
        let found = call.into_paginator().items().send().collect::<Result<Vec<Found>, _>>().await;
        Ok(found.found(ABSENT, "failed to list the metric filters")?.unwrap_or_default())
    }

    async fn put(&self, filter: &Filter, progress: &Progress) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to set a metric filter";
        let transformation = MetricTransformation::builder()
            .metric_namespace(namespace(&self.stack))
            .metric_name(&filter.metric)
            .metric_value(filter.value)
            .default_value(0.0)
            .build()
            .context(SUMMARY)?;
        let call = self.stack.clients.logs.put_metric_filter().log_group_name(&filter.group);
        let call = call.filter_name(self.filter_name(filter)).filter_pattern(filter.pattern);
        let call = call.metric_transformations(transformation);
        let is_transient = |error: &ResourceError| rule!("metric-filter-of-new-log-group", error.is(log_group::BUSY));
        while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            call.clone().send().await.context(SUMMARY).map(|_| ())
        })
        .await
    }
}

fn view(filter: &Found) -> Value {
    let value = filter.metric_transformations().first().map(MetricTransformation::metric_value);
    json!({ "pattern": filter.filter_pattern(), "value": value })
}
