//! Finds the stacks in the account and region by the tags on their resources.
//!
//! The tags are read service by service: the tagging API shows deleted resources for hours and new ones late. Of the
//! kinds read here, log groups and tables exist from a stack's first second to its last: they need nothing else, so
//! they are created first and deleted last. Functions, buckets and gateways are read too, for stacks that are partly
//! gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use futures::future::{BoxFuture, try_join_all};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use peersync_aws::{Clients, Context as _, Identity, NotFound as _};
use peersync_config::Config;
use peersync_engine::{Failure, ResourceError, Tags};
use peersync_resources::Artifacts;
use peersync_resources::stack::{
    EXPIRES_TAG, FUNCTIONS, MANAGED_BY, MANAGED_BY_TAG, NO_EXPIRY, PROTECT_TAG, STACK_TAG, STAGE_TAG, Stack,
};

/// The maximum number of tag reads that run at once for each service.
const PARALLEL: usize = 16;

/// A stack, as its tags describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployedStack {
    /// The name, `{name}-{stage}`.
    pub name: String,
    /// The stage.
    pub stage: String,
    /// The latest expiry that a resource names; `None` for stacks that do not expire.
    pub expires_at: Option<String>,
    /// Whether any resource has the tag for protection.
    pub protected: bool,
    /// The bucket that carries the stack's tags.
    pub bucket: Option<String>,
}

impl DeployedStack {
    /// Returns whether the stack has expired. An expiry that cannot be parsed never comes.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        let moment = self.expires_at.as_deref().and_then(|moment| humantime::parse_rfc3339(moment).ok());
        moment.is_some_and(|moment| moment <= now)
    }

    /// Returns the stack, with what its tags tell in place of a configuration.
    pub fn to_stack(&self, clients: &Clients, identity: &Identity, artifacts: &'static Artifacts) -> Stack {
        let mut config = Config { stage: self.stage.clone(), ..Config::default() };
        let name = self.name.strip_suffix(&format!("-{}", self.stage)).unwrap_or(&self.name);
        config.stack.name = name.to_owned();
        config.stack.protect = self.protected;
        config.site.bucket = self.bucket.clone();
        Stack::new(config, clients.clone(), identity.clone(), artifacts)
    }
}

/// A resource's tags, and its name if it is a bucket.
struct Tagged {
    tags: Tags,
    bucket: Option<String>,
}

/// Returns all stacks in the account and region, sorted by name.
///
/// # Errors
/// Fails if a service cannot be read, because a stack might be overlooked.
pub async fn find(clients: &Clients) -> Result<Vec<DeployedStack>, ResourceError> {
    let reads: Vec<BoxFuture<'_, Result<Vec<Tagged>, ResourceError>>> = vec![
        Box::pin(offered(clients, log_groups(clients))),
        Box::pin(offered(clients, tables(clients))),
        Box::pin(offered(clients, functions(clients))),
        Box::pin(offered(clients, buckets(clients))),
        Box::pin(offered(clients, gateways(clients))),
    ];
    let found = try_join_all(reads).await?;
    Ok(merge(found.into_iter().flatten()))
}

/// Treats a service that an AWS emulator does not offer as empty.
async fn offered(
    clients: &Clients,
    read: impl Future<Output = Result<Vec<Tagged>, ResourceError>>,
) -> Result<Vec<Tagged>, ResourceError> {
    match read.await {
        Err(error) if error.failure == Failure::NotOffered && clients.endpoint_url.is_some() => Ok(Vec::new()),
        result => result,
    }
}

/// Merges the tags of each stack's resources.
fn merge(found: impl Iterator<Item = Tagged>) -> Vec<DeployedStack> {
    let mut stacks: BTreeMap<String, DeployedStack> = BTreeMap::new();
    for Tagged { tags, bucket } in found {
        let ours = tags.get(MANAGED_BY_TAG).is_some_and(|by| by == MANAGED_BY);
        let (Some(name), Some(stage), true) = (tags.get(STACK_TAG), tags.get(STAGE_TAG), ours) else { continue };
        let stack = stacks.entry(name.clone()).or_default();
        stack.name.clone_from(name);
        stack.stage.clone_from(stage);
        stack.protected |= tags.get(PROTECT_TAG).is_some_and(|value| value == "true");
        // RFC 3339 in UTC sorts as text, and an expiry that was lifted after every moment.
        stack.expires_at = stack.expires_at.take().max(tags.get(EXPIRES_TAG).cloned());
        stack.bucket = stack.bucket.take().or(bucket);
    }
    for stack in stacks.values_mut() {
        stack.expires_at = stack.expires_at.take().filter(|at| at != NO_EXPIRY);
    }
    stacks.into_values().collect()
}

async fn log_groups(clients: &Clients) -> Result<Vec<Tagged>, ResourceError> {
    let groups = clients.logs.describe_log_groups().log_group_name_prefix("/peersync/").into_paginator().items().send();
    let groups = groups.collect::<Result<Vec<_>, _>>().await.context("failed to list log groups")?;
    // An ARN that ends with `:*` is that of the streams; tags belong to the group.
    let arns = groups.into_iter().filter_map(|group| Some(group.arn?.trim_end_matches(":*").to_owned()));
    read_tags(arns, |arn| async move {
        let answer = clients.logs.list_tags_for_resource().resource_arn(&arn).send().await;
        let answer = answer.found(&["ResourceNotFoundException"], "failed to read the tags of a log group")?;
        Ok(answer.and_then(|answer| answer.tags).unwrap_or_default().into_iter().collect())
    })
    .await
}

async fn tables(clients: &Clients) -> Result<Vec<Tagged>, ResourceError> {
    let names = clients.dynamodb.list_tables().into_paginator().items().send();
    let names = names.collect::<Result<Vec<_>, _>>().await.context("failed to list tables")?;
    let suffixes = ["-Users", "-UserConnections", "-Ephemeral"];
    let names = names.into_iter().filter(|name| suffixes.iter().any(|suffix| name.ends_with(suffix)));
    read_tags(names, |name| async move {
        let answer = clients.dynamodb.describe_table().table_name(name).send().await;
        let answer = answer.found(&["ResourceNotFoundException"], "failed to read a table")?;
        let Some(arn) = answer.and_then(|answer| answer.table?.table_arn) else { return Ok(Tags::new()) };
        let answer = clients.dynamodb.list_tags_of_resource().resource_arn(arn).send().await;
        let answer = answer.found(&["ResourceNotFoundException"], "failed to read the tags of a table")?;
        let tags = answer.and_then(|answer| answer.tags).unwrap_or_default();
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    })
    .await
}

async fn functions(clients: &Clients) -> Result<Vec<Tagged>, ResourceError> {
    let found = clients.lambda.list_functions().into_paginator().items().send();
    let found = found.collect::<Result<Vec<_>, _>>().await.context("failed to list functions")?;
    let ours = |name: &str| FUNCTIONS.iter().any(|function| name.ends_with(&format!("-{function}")));
    let arns = found
        .into_iter()
        .filter(|function| function.function_name().is_some_and(ours))
        .filter_map(|function| function.function_arn);
    read_tags(arns, |arn| async move {
        let answer = clients.lambda.list_tags().resource(arn).send().await;
        let answer = answer.found(&["ResourceNotFoundException"], "failed to read the tags of a function")?;
        Ok(answer.and_then(|answer| answer.tags).unwrap_or_default().into_iter().collect())
    })
    .await
}

async fn buckets(clients: &Clients) -> Result<Vec<Tagged>, ResourceError> {
    let found = clients.s3.list_buckets().bucket_region(&clients.region).into_paginator().send();
    let pages = found.collect::<Result<Vec<_>, _>>().await.context("failed to list buckets")?;
    let names: BTreeSet<String> =
        pages.into_iter().flat_map(|page| page.buckets.unwrap_or_default()).filter_map(|bucket| bucket.name).collect();
    let tagged = stream::iter(names).map(|name| async move {
        let answer = clients.s3.get_bucket_tagging().bucket(&name).send().await;
        // Buckets of others may deny the read; ours do not.
        let absent = ["NoSuchTagSet", "NoSuchTagSetError", "NoSuchBucket", "AccessDenied", "PermanentRedirect"];
        let answer = answer.found(&absent, "failed to read the tags of a bucket")?;
        let tags = answer.map(|answer| answer.tag_set).unwrap_or_default();
        let tags = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        Ok::<_, ResourceError>(Tagged { tags, bucket: Some(name) })
    });
    tagged.buffer_unordered(PARALLEL).try_collect().await
}

async fn gateways(clients: &Clients) -> Result<Vec<Tagged>, ResourceError> {
    let found = clients.api_gateway.get_rest_apis().limit(500).into_paginator().items().send();
    let found = found.collect::<Result<Vec<_>, _>>().await.context("failed to list REST APIs")?;
    let tags = found.into_iter().map(|api| api.tags.unwrap_or_default().into_iter().collect());
    Ok(tags.map(|tags| Tagged { tags, bucket: None }).collect())
}

/// Reads the tags of all these resources, a limited number at a time.
async fn read_tags<F>(
    names: impl Iterator<Item = String>,
    read: impl Fn(String) -> F,
) -> Result<Vec<Tagged>, ResourceError>
where
    F: Future<Output = Result<Tags, ResourceError>>,
{
    let tags: Vec<Tags> = stream::iter(names.map(read)).buffer_unordered(PARALLEL).try_collect().await?;
    Ok(tags.into_iter().map(|tags| Tagged { tags, bucket: None }).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tagged(stack: &str, more: &[(&str, &str)]) -> Tagged {
        let own = [(STACK_TAG, stack), (STAGE_TAG, "ci-7"), (MANAGED_BY_TAG, MANAGED_BY)];
        let tags = own.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Tagged { tags, bucket: None }
    }

    #[test]
    fn latest_expiry_of_a_stack_counts() {
        let early = tagged("peersync-ci-7", &[(EXPIRES_TAG, "2026-01-01T00:00:00Z")]);
        let late = tagged("peersync-ci-7", &[(EXPIRES_TAG, "2026-01-03T00:00:00Z")]);
        let bucket = Tagged { bucket: Some("pages".to_owned()), ..tagged("peersync-ci-7", &[]) };
        let found = merge([late, bucket, early].into_iter());
        let [stack] = found.as_slice() else { panic!("one stack, not {found:?}") };
        assert_eq!((stack.name.as_str(), stack.stage.as_str()), ("peersync-ci-7", "ci-7"));
        assert_eq!(stack.bucket.as_deref(), Some("pages"));
        let moment = |text| humantime::parse_rfc3339(text).unwrap_or(SystemTime::UNIX_EPOCH);
        assert!(!stack.is_expired(moment("2026-01-02T23:59:59Z")), "it was renewed until the third");
        assert!(stack.is_expired(moment("2026-01-03T00:00:00Z")));
    }

    #[test]
    fn lifted_expiry_outlasts_what_an_interrupted_change_has_left() {
        let old = tagged("peersync-ci-7", &[(EXPIRES_TAG, "2020-01-01T00:00:00Z")]);
        let lifted = tagged("peersync-ci-7", &[(EXPIRES_TAG, NO_EXPIRY)]);
        let found = merge([lifted, old].into_iter());
        assert_eq!(found.first().map(|stack| stack.expires_at.clone()), Some(None), "{found:?}");
    }

    #[test]
    fn resources_managed_by_others_are_ignored() {
        let mut other = tagged("peersync-dev", &[(EXPIRES_TAG, "2020-01-01T00:00:00Z")]);
        other.tags.insert(MANAGED_BY_TAG.to_owned(), "terraform".to_owned());
        assert_eq!(merge([other].into_iter()), []);
    }

    #[test]
    fn one_protected_resource_protects_the_stack() {
        let found = merge(
            [tagged("a-ci-7", &[(PROTECT_TAG, "true")]), tagged("a-ci-7", &[(PROTECT_TAG, "false")])].into_iter(),
        );
        assert!(found.iter().all(|stack| stack.protected));
    }

    #[test]
    fn stacks_without_a_valid_expiry_do_not_expire() {
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        for expires_at in [None, Some("soon".to_owned())] {
            let stack = DeployedStack { expires_at, ..DeployedStack::default() };
            assert!(!stack.is_expired(later));
        }
    }
}
