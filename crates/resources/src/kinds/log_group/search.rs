//! Finds the log groups of PeerSync's stacks.

use async_trait::async_trait;
use aws_smithy_types::DateTime;

use super::read_tags;
use crate::search::{Candidate, Scope, Search};
use crate::stack::{FUNCTIONS, stack_of};
use peersync_aws::Context as _;
use peersync_engine::{ResourceError, Tags};

pub(super) struct LogGroups;

#[async_trait]
impl Search for LogGroups {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let lists = ["/peersync/", "/aws/lambda/"].map(|prefix| async move {
            let groups = scope.clients.logs.describe_log_groups().log_group_name_prefix(prefix);
            let groups = groups.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            groups.context("failed to list the log groups")
        });
        let groups = futures::future::try_join_all(lists).await?.into_iter().flatten();
        let candidate = |group: aws_sdk_cloudwatchlogs::types::LogGroup| {
            let name = group.log_group_name?;
            let candidate = Candidate::named(name.clone(), owner(&name)?);
            Some(candidate.created(group.creation_time.map(DateTime::from_millis).as_ref()))
        };
        Ok(groups.filter_map(candidate).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        read_tags(scope.clients, scope.arn("logs", &format!("log-group:{id}"))).await
    }

    fn actions(&self) -> &'static [&'static str] {
        &["logs:DescribeLogGroups", "logs:ListTagsForResource"]
    }
}

/// Returns the name of the stack that the name of a log group tells.
fn owner(name: &str) -> Option<&str> {
    match name.strip_prefix("/peersync/") {
        Some(rest) => rest.split_once('/').map(|(stack, _)| stack),
        None => stack_of(name.strip_prefix("/aws/lambda/")?, FUNCTIONS),
    }
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn name_of_a_log_group_tells_its_stack() {
        assert_eq!(owner("/peersync/peersync-dev/signal"), Some("peersync-dev"));
        assert_eq!(owner("/aws/lambda/peersync-dev-2-signup"), Some("peersync-dev-2"));
        assert_eq!(owner("/aws/lambda/billing"), None);
        assert_eq!(owner("/aws/lambda/-signup"), None);
    }
}
