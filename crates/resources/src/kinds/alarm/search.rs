//! Finds the alarms of PeerSync's stacks.

use async_trait::async_trait;
use aws_sdk_cloudwatch::types::{AlarmType, MetricAlarm, Tag};

use super::deletion::GONE;
use super::watches::parts;
use crate::search::{Candidate, Scope, Search};
use crate::stack::stack_of;
use peersync_aws::{Clients, Context as _, NotFound as _};
use peersync_engine::{ResourceError, Tags};

pub(super) struct Alarms;

#[async_trait]
impl Search for Alarms {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let call = scope.clients.cloudwatch.describe_alarms().alarm_types(AlarmType::MetricAlarm);
        let pages = call.into_paginator().send().collect::<Result<Vec<_>, _>>().await;
        let alarms = pages.context("failed to list the alarms")?.into_iter().flat_map(|page| page.metric_alarms);
        let candidate = |alarm: MetricAlarm| {
            let name = alarm.alarm_name()?;
            Some(Candidate::named(name, owner(name)?))
        };
        Ok(alarms.flatten().filter_map(candidate).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        read_tags(scope.clients, scope.arn("cloudwatch", &format!("alarm:{id}"))).await
    }

    fn actions(&self) -> &'static [&'static str] {
        &["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"]
    }
}

/// Returns the name of the stack that the name of an alarm tells.
pub fn owner(name: &str) -> Option<&str> {
    stack_of(name, parts())
}

/// Reads the tags of an alarm; `None` if it does not exist.
pub(super) async fn read_tags(clients: &Clients, arn: String) -> Result<Option<Tags>, ResourceError> {
    let answer = clients.cloudwatch.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = answer.found(GONE, "failed to read the tags of an alarm")?;
    let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().filter_map(pair).collect()))
}
