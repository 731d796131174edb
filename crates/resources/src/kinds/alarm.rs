//! The alarms: failures and floods of the API, errors in the logs, mails that fail, a host or program that does not run, and
//! a relay whose traffic is nearly used up.
//!
//! CloudWatch moves a host to other hardware if its own fails, and reboots one that hangs, without anybody's help.

mod deletion;
mod search;
mod watches;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudwatch::types::builders::MetricAlarmBuilder;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, Statistic, Tag};
use serde_json::json;

use self::deletion::Deletions;
pub use self::search::owner;
use self::search::read_tags;
use self::watches::{DimensionValue, Missing, Watch, parts, watches};
use super::{Kind, exchange_tags, signal_instance, sns_topic, tag_index};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::Context as _;
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Progress, Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Alarms) };
const NAME: &str = "alarm";

/// The metric and how it is aggregated.
const MEASURE: FieldName = FieldName::new("measure");
/// The threshold, and for how many periods it must be reached.
const LIMIT: FieldName = FieldName::new("limit");
const ACTIONS: FieldName = FieldName::new("actions");
/// Whether the alarm triggers its actions.
const ACTIONS_ENABLED: FieldName = FieldName::new("actions_enabled");

/// The role with which CloudWatch restarts hosts; see "Using Amazon CloudWatch alarms", EC2 actions.
const SERVICE_ROLE: &str = "aws-service-role/events.amazonaws.com/AWSServiceRoleForCloudWatchEvents";

struct Alarm {
    stack: Arc<Stack>,
    address: Address,
    name: String,
    watch: Watch,
    deletions: Arc<Deletions>,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let deletions = Arc::<Deletions>::default();
    let alarm = |watch: Watch| {
        let (address, name) = (Address::new(NAME, watch.part.clone()), stack.named(&watch.part));
        let deletions = deletions.clone();
        Arc::new(Alarm { stack: stack.clone(), address, name, watch, deletions }) as Arc<dyn Resource>
    };
    watches(stack).into_iter().map(alarm).collect()
}

fn names(stack: &Stack) -> Vec<String> {
    parts().map(|part| stack.named(&part)).collect()
}

/// Returns the ARNs of the alarms that a stack is to have.
pub(super) fn wanted_arns(stack: &Stack) -> Vec<String> {
    let wanted = watches(stack).into_iter().filter(|watch| watch.is_wanted);
    wanted.map(|watch| arn(stack, &stack.named(&watch.part))).collect()
}

fn arn(stack: &Stack, name: &str) -> String {
    stack.arn("cloudwatch", &format!("alarm:{name}"))
}

/// Returns the alarms that have the stack's names.
async fn find(stack: &Stack) -> Result<Vec<MetricAlarm>, ResourceError> {
    let call = stack.clients.cloudwatch.describe_alarms().set_alarm_names(Some(names(stack)));
    let pages = call.into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.context("failed to list the alarms")?;
    Ok(pages.into_iter().flat_map(|page| page.metric_alarms.unwrap_or_default()).collect())
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let ours: Vec<String> = names(stack).iter().map(|name| arn(stack, name)).collect();
    vec![
        Permission::new(&["cloudwatch:DescribeAlarms"], vec![arn(stack, "*")]),
        Permission::new(&["cloudwatch:ListTagsForResource"], ours.clone()),
        Permission::new(
            &[
                "cloudwatch:DeleteAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
            ],
            ours,
        )
        .only(Condition::Named),
        // The first alarm in an account that restarts a host creates the role with which CloudWatch does so.
        Permission::new(&["iam:CreateServiceLinkedRole"], vec![stack.iam_arn(&format!("role/{SERVICE_ROLE}"))]),
    ]
}

#[async_trait]
impl Resource for Alarm {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn dependencies(&self) -> Vec<Address> {
        // Whose silence is an alarm must have begun to speak.
        let is_about_host = matches!(self.watch.dimension, Some((_, DimensionValue::SignalInstance)))
            || self.watch.missing == Missing::Breaching;
        if is_about_host { rule!("alarm-after-signal-instance", vec![signal_instance::address()]) } else { Vec::new() }
    }

    fn enabled(&self) -> bool {
        self.watch.is_wanted
    }

    /// One about what only the former host does is deleted once the next one has taken over.
    fn leads_to(&self) -> Vec<Address> {
        let is_of_host = rule!("alarm-deleted-after-takeover", self.watch.is_of_host());
        is_of_host.then(signal_instance::address).into_iter().collect()
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (found, index) = futures::join!(reads.get(NAME, find(&self.stack)), tag_index::read(&self.stack, reads));
        let Some(found) = found?.into_iter().find(|alarm| alarm.alarm_name() == Some(&self.name)) else {
            return Ok(None);
        };
        let changed = found.alarm_configuration_updated_timestamp().map(|time| format!("{time:?}"));
        let read = read_tags(&self.stack.clients, self.arn());
        let tags = reads.tags(&self.address, changed, index.of(self.arn()), read).await?;
        let Some(tags) = tags else { return Ok(None) };
        Ok(Some(Live {
            id: self.name.clone(),
            fields: LiveFields::new()
                .with(MEASURE, readable(&found, || measure_of(&found).into()))
                .with(LIMIT, limit_of(&found))
                .with(ACTIONS, readable(&found, || actions_of(&found)))
                .with(ACTIONS_ENABLED, found.actions_enabled().map_or(LiveField::Unreadable, LiveField::known)),
            ownership: self.stack.ownership(&tags),
            tags: Some(tags),
            outputs: OutputMap::new().with("name", &self.name),
        }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let alarm = self.alarm(outputs);
        Fields::new()
            .with(MEASURE, Field::known_or_unknown(alarm.as_ref().map(measure_of)))
            .with(LIMIT, limit_of(&self.limit().build()))
            .with(ACTIONS, self.actions())
            .with(ACTIONS_ENABLED, true)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        self.put(context.outputs, Some(sdk_tags!(Tag, context.tags))).await?;
        Ok(OutputMap::new().with("name", &self.name))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if changes.fields() {
            self.put(context.outputs, None).await?;
        }
        let cloudwatch = &self.stack.clients.cloudwatch;
        let remove = |keys| async {
            let call = cloudwatch.untag_resource().resource_arn(self.arn()).set_tag_keys(Some(keys));
            call.send().await.context("failed to remove tags of an alarm").map(|_| ())
        };
        let put = async {
            let call = cloudwatch.tag_resource().resource_arn(self.arn());
            let call = call.set_tags(Some(sdk_tags!(Tag, context.tags)));
            call.send().await.context("failed to tag an alarm").map(|_| ())
        };
        exchange_tags(changes, remove, put).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.deletions.delete(&self.stack.clients.cloudwatch, &live.id).await
    }
}

impl Alarm {
    fn arn(&self) -> String {
        arn(&self.stack, &self.name)
    }

    /// Returns the desired alarm without name and actions; `None` until the host that it watches exists.
    fn alarm(&self, outputs: &Outputs) -> Option<MetricAlarm> {
        let watch = &self.watch;
        let dimensions = match &watch.dimension {
            None => Vec::new(),
            Some((name, value)) => {
                let value = match value {
                    DimensionValue::Known(value) => value,
                    DimensionValue::SignalInstance => outputs.get(&signal_instance::address(), "id")?,
                };
                vec![Dimension::builder().name(*name).value(value).build()]
            }
        };
        let alarm = self
            .limit()
            .namespace(&watch.namespace)
            .metric_name(&watch.metric)
            .set_dimensions(Some(dimensions))
            .statistic(watch.statistic.clone())
            .period(watch.period);
        Some(alarm.build())
    }

    fn limit(&self) -> MetricAlarmBuilder {
        MetricAlarm::builder()
            .evaluation_periods(self.watch.periods)
            .threshold(self.watch.threshold)
            .comparison_operator(self.watch.comparison.clone())
            .treat_missing_data(self.watch.missing.as_str())
    }

    /// Returns the ARNs of the actions that the alarm triggers, sorted.
    fn actions(&self) -> Vec<String> {
        let (partition, region) = (&self.stack.identity.partition, &self.stack.clients.region);
        let remedy = self.watch.remedy.map(|remedy| format!("arn:{partition}:automate:{region}:ec2:{remedy}"));
        let mut actions: Vec<String> = remedy.into_iter().chain(sns_topic::notified(&self.stack)).collect();
        actions.sort();
        actions
    }

    /// Creates or changes the alarm. CloudWatch ignores the tags if the alarm already exists.
    async fn put(&self, outputs: &Outputs, tags: Option<Vec<Tag>>) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to set an alarm";
        let alarm = self
            .alarm(outputs)
            .ok_or_else(|| ResourceError::new(SUMMARY).caused_by("the host that it watches is not known"))?;
        let call = self.stack.clients.cloudwatch.put_metric_alarm().alarm_name(&self.name);
        call.alarm_description(self.stack.mark())
            .actions_enabled(true)
            .set_alarm_actions(Some(self.actions()))
            .set_namespace(alarm.namespace)
            .set_metric_name(alarm.metric_name)
            .set_dimensions(alarm.dimensions)
            .set_statistic(alarm.statistic)
            .set_period(alarm.period)
            .set_evaluation_periods(alarm.evaluation_periods)
            .set_threshold(alarm.threshold)
            .set_comparison_operator(alarm.comparison_operator)
            .set_treat_missing_data(alarm.treat_missing_data)
            .set_tags(tags)
            .send()
            .await
            .context(SUMMARY)
            .map(|_| ())
    }
}

/// Returns a field of an alarm. AWS always returns a period or an expression; an emulator that omits both makes the
/// field unreadable.
fn readable(alarm: &MetricAlarm, field: impl FnOnce() -> serde_json::Value) -> LiveField {
    if alarm.period().is_none() && alarm.metrics().is_empty() {
        return LiveField::Unreadable;
    }
    LiveField::Known(field())
}

/// Returns the metric and how it is aggregated, in one line.
fn measure_of(alarm: &MetricAlarm) -> String {
    let dimensions: Vec<String> = alarm
        .dimensions()
        .iter()
        .map(|one| format!("{}={}", one.name().unwrap_or_default(), one.value().unwrap_or_default()))
        .collect();
    format!(
        "{} of {}/{}{{{}}} in {} s, missing data {}",
        alarm.statistic().map_or("-", Statistic::as_str),
        alarm.namespace().unwrap_or("-"),
        alarm.metric_name().unwrap_or("-"),
        dimensions.join(","),
        alarm.period().unwrap_or_default(),
        alarm.treat_missing_data().unwrap_or("-"),
    )
}

/// Returns the threshold and the number of periods, in one line.
fn limit_of(alarm: &MetricAlarm) -> String {
    format!(
        "{} {}, {} times",
        alarm.comparison_operator().map_or("-", ComparisonOperator::as_str),
        alarm.threshold().unwrap_or_default(),
        alarm.evaluation_periods().unwrap_or_default(),
    )
}

fn actions_of(alarm: &MetricAlarm) -> serde_json::Value {
    let mut actions = alarm.alarm_actions().to_vec();
    actions.sort();
    json!(actions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::Config;

    #[tokio::test]
    async fn name_of_every_alarm_tells_its_stack() {
        let stack = Stack::for_tests(Config { stage: "signup-errors".to_owned(), ..Config::default() }).await;
        for name in names(&stack) {
            assert_eq!(owner(&name), Some("peersync-signup-errors"), "{name}");
        }
        assert_eq!(owner("billing-errors"), None);
    }
}
