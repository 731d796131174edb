//! Finds the stacks in an account and region by the tags on their resources, without any configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use futures::future::try_join_all;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::leftovers::PARALLEL;
use peersync_aws::{Clients, Identity};
use peersync_config::{Config, Naming};
use peersync_engine::{ResourceError, SharedReads, Tags};
use peersync_resources::Artifacts;
use peersync_resources::kinds::{KINDS, Kind, dynamodb_table, log_group, s3_bucket};
use peersync_resources::search::{Candidate, Scope, Search, with_tags};
use peersync_resources::stack::{
    CREATED_AT_TAG, CREATED_BY_TAG, EXPIRES_TAG, MANAGED_BY, MANAGED_BY_TAG, NAME_TAG, NO_EXPIRY, PROTECT_TAG,
    REGION_TAG, STACK_TAG, STAGE_TAG, Stack,
};

/// The kinds whose resources exist from a stack's first second to its last: they need nothing else, so they are created
/// first and deleted last. Their tags tell about a stack; those of another kind are read only if none of these is left.
const LASTING: [&str; 2] = [log_group::KIND.name, dynamodb_table::KIND.name];
/// The kinds that the configuration can turn off.
const OPTIONAL: [&str; 3] = ["alarm", "elastic_ip", "sns_topic"];

/// A stack, as its tags describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployedStack {
    /// The name, `{name}-{stage}`, which begins the names of its resources.
    pub name: String,
    /// The first part of the name; `None` if an earlier version deployed it.
    pub first_part: Option<String>,
    /// The stage.
    pub stage: String,
    /// The latest expiry that a resource names; `None` for stacks that do not expire.
    pub expires_at: Option<String>,
    /// Whether any resource has the tag for protection.
    pub protected: bool,
    /// When it was created; `None` if nothing tells.
    pub created: Option<SystemTime>,
    /// The ARN of the caller who created it; `None` if an earlier version deployed it.
    pub created_by: Option<String>,
    /// The bucket that carries the stack's tags.
    pub bucket: Option<String>,
    /// The number of its resources of each kind that carries tags.
    pub resources: BTreeMap<&'static str, usize>,
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
        // Names of stacks end with their stage, and a first part does not end with a hyphen.
        let first_part = self.name.strip_suffix(&self.stage).unwrap_or(&self.name).trim_end_matches('-');
        config.stack.name = self.first_part.clone().unwrap_or_else(|| first_part.to_owned());
        config.stack.protect = self.protected;
        config.site.bucket = self.bucket.clone();
        let mut stack = Stack::new(config, clients.clone(), identity.clone(), artifacts);
        if stack.name() != self.name {
            stack.naming = Naming::OneHyphen;
        }
        stack
    }

    /// Returns the kinds that a deployed stack always has and this one lacks.
    pub fn missing_kinds(&self) -> Vec<&'static str> {
        let always = searched_kinds().map(|(kind, _)| kind.name).filter(|kind| !OPTIONAL.contains(kind));
        always.filter(|kind| !self.resources.contains_key(kind)).collect()
    }

    fn add(&mut self, kind: &'static Kind, candidate: Candidate) {
        *self.resources.entry(kind.name).or_default() += 1;
        let tags = candidate.tags.unwrap_or_default();
        let tag = |key: &str| tags.get(key).cloned();
        self.first_part = self.first_part.take().or(tag(NAME_TAG));
        self.created_by = self.created_by.take().or(tag(CREATED_BY_TAG));
        self.protected |= tag(PROTECT_TAG).is_some_and(|value| value == "true");
        // RFC 3339 in UTC sorts as text, and an expiry that was lifted after every moment.
        self.expires_at = self.expires_at.take().max(tag(EXPIRES_TAG));
        let created_at = tag(CREATED_AT_TAG).and_then(|at| humantime::parse_rfc3339(&at).ok());
        self.created = [self.created, candidate.created, created_at].into_iter().flatten().min();
        if kind.name == s3_bucket::KIND.name {
            self.bucket = self.bucket.take().or(Some(candidate.id));
        }
    }
}

/// A resource that carries PeerSync's tags, or whose name tells its stack.
type Found = (&'static Kind, Candidate);

/// Returns all stacks in the account and region, sorted by name. `global` holds what has been read of the account as a
/// whole, for whoever asks about several regions.
///
/// # Errors
/// Fails if a service cannot be read, because a stack might be overlooked.
pub async fn find(
    clients: &Clients,
    identity: &Identity,
    global: &SharedReads,
) -> Result<Vec<DeployedStack>, ResourceError> {
    let scope = Scope { clients, identity, global };
    let lists = searched_kinds().map(|(kind, search)| {
        let list = offered(clients, search.candidates(&scope));
        async move { Ok::<_, ResourceError>(list.await?.into_iter().map(move |candidate| (kind, candidate))) }
    });
    let all: Vec<Found> = try_join_all(lists).await?.into_iter().flatten().collect();
    let (telling, others): (Vec<Found>, Vec<Found>) = all.into_iter().partition(|(kind, candidate)| {
        LASTING.contains(&kind.name) || candidate.tags.is_some() || candidate.stack.is_none()
    });
    let telling = tagged(&scope, telling).await?;
    let known: BTreeSet<String> =
        telling.iter().filter_map(|(_, one)| one.tags.as_ref()?.get(STACK_TAG).cloned()).collect();
    let (named, unknown): (Vec<Found>, Vec<Found>) =
        others.into_iter().partition(|(_, one)| one.stack.as_ref().is_some_and(|stack| known.contains(stack)));
    let unknown = tagged(&scope, unknown).await?;
    Ok(merge(telling.into_iter().chain(unknown), named, &clients.region))
}

fn searched_kinds() -> impl Iterator<Item = (&'static Kind, &'static dyn Search)> {
    KINDS.iter().filter_map(|kind| Some((kind, kind.search?)))
}

/// Treats a service that an AWS emulator does not offer as empty.
async fn offered(
    clients: &Clients,
    list: impl Future<Output = Result<Vec<Candidate>, ResourceError>>,
) -> Result<Vec<Candidate>, ResourceError> {
    match list.await {
        Err(error) if clients.lack(&error) => Ok(Vec::new()),
        result => result,
    }
}

/// Reads the tags of those that come without, a limited number at a time, and leaves out those that no longer exist.
async fn tagged(scope: &Scope<'_>, found: Vec<Found>) -> Result<Vec<Found>, ResourceError> {
    let reads = found.into_iter().map(|(kind, candidate)| async move {
        let Some(search) = kind.search else { return Ok(None) };
        let candidate = with_tags(search, scope, candidate).await?;
        Ok::<_, ResourceError>(candidate.map(|candidate| (kind, candidate)))
    });
    let all: Vec<Option<Found>> = stream::iter(reads).buffer_unordered(PARALLEL).try_collect().await?;
    Ok(all.into_iter().flatten().collect())
}

/// Merges what the tags of each stack's resources tell, and counts those that are known by name alone.
fn merge(tagged: impl Iterator<Item = Found>, named: Vec<Found>, region: &str) -> Vec<DeployedStack> {
    let mut stacks: BTreeMap<(String, String), DeployedStack> = BTreeMap::new();
    for (kind, candidate) in tagged {
        let tags = candidate.tags.clone().unwrap_or_default();
        let Some((name, stage)) = owner(&tags, region) else { continue };
        let stack = stacks.entry((name.clone(), stage.clone())).or_default();
        (stack.name, stack.stage) = (name, stage);
        stack.add(kind, candidate);
    }
    for (kind, candidate) in named {
        let mut owners = stacks.values_mut().filter(|stack| candidate.stack.as_ref() == Some(&stack.name));
        if let Some(stack) = owners.next() {
            stack.add(kind, candidate);
        }
    }
    for stack in stacks.values_mut() {
        stack.expires_at = stack.expires_at.take().filter(|at| at != NO_EXPIRY);
    }
    stacks.into_values().collect()
}

/// Returns the name and the stage of the stack that these tags name, if it is one in this region.
fn owner(tags: &Tags, region: &str) -> Option<(String, String)> {
    let ours = tags.get(MANAGED_BY_TAG).is_some_and(|by| by == MANAGED_BY);
    let here = tags.get(REGION_TAG).is_none_or(|found| found == region);
    (ours && here).then_some(())?;
    Some((tags.get(STACK_TAG)?.clone(), tags.get(STAGE_TAG)?.clone()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use peersync_resources::kinds::iam_role;

    fn found(stack: &str, more: &[(&str, &str)]) -> Found {
        let own = [(STACK_TAG, stack), (STAGE_TAG, "ci-7"), (MANAGED_BY_TAG, MANAGED_BY)];
        let tags = own.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        (&log_group::KIND, Candidate::tagged("one", tags))
    }

    fn merged<const N: usize>(found: [Found; N]) -> Vec<DeployedStack> {
        merge(found.into_iter(), Vec::new(), "eu-central-1")
    }

    #[test]
    fn latest_expiry_of_a_stack_counts() {
        let early = found("peersync-ci-7", &[(EXPIRES_TAG, "2026-01-01T00:00:00Z")]);
        let late = found("peersync-ci-7", &[(EXPIRES_TAG, "2026-01-03T00:00:00Z")]);
        let bucket = (&s3_bucket::KIND, Candidate { id: "pages".to_owned(), ..found("peersync-ci-7", &[]).1 });
        let found = merged([late, bucket, early]);
        let [stack] = found.as_slice() else { panic!("one stack, not {found:?}") };
        assert_eq!((stack.name.as_str(), stack.stage.as_str()), ("peersync-ci-7", "ci-7"));
        assert_eq!(stack.bucket.as_deref(), Some("pages"));
        let moment = |text| humantime::parse_rfc3339(text).unwrap_or(SystemTime::UNIX_EPOCH);
        assert!(!stack.is_expired(moment("2026-01-02T23:59:59Z")), "it was renewed until the third");
        assert!(stack.is_expired(moment("2026-01-03T00:00:00Z")));
    }

    #[test]
    fn lifted_expiry_outlasts_what_an_interrupted_change_has_left() {
        let old = found("peersync-ci-7", &[(EXPIRES_TAG, "2020-01-01T00:00:00Z")]);
        let lifted = found("peersync-ci-7", &[(EXPIRES_TAG, NO_EXPIRY)]);
        let found = merged([lifted, old]);
        assert_eq!(found.first().map(|stack| stack.expires_at.clone()), Some(None), "{found:?}");
    }

    #[test]
    fn resources_managed_by_others_are_ignored() {
        let mut other = found("peersync-dev", &[(EXPIRES_TAG, "2020-01-01T00:00:00Z")]);
        other.1.tags.get_or_insert_default().insert(MANAGED_BY_TAG.to_owned(), "terraform".to_owned());
        assert_eq!(merged([other]), []);
    }

    #[test]
    fn one_protected_resource_protects_the_stack() {
        let found = merged([found("a-ci-7", &[(PROTECT_TAG, "true")]), found("a-ci-7", &[(PROTECT_TAG, "false")])]);
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

    #[test]
    fn resources_of_stacks_in_other_regions_are_ignored() {
        assert_eq!(merged([found("a-ci-7", &[(REGION_TAG, "eu-west-1")])]), []);
        assert_eq!(merged([found("a-ci-7", &[(REGION_TAG, "eu-central-1")])]).len(), 1);
    }

    #[test]
    fn stacks_of_one_name_and_two_stages_are_two() {
        let other = found("a-ci-7", &[(STAGE_TAG, "7")]);
        assert_eq!(merged([found("a-ci-7", &[]), other]).len(), 2);
    }

    #[test]
    fn resource_that_only_its_name_tells_is_counted_for_its_stack() {
        let role = (&iam_role::KIND, Candidate::named("a-ci-7-eu-central-1-signup", "a-ci-7"));
        let found = merge([found("a-ci-7", &[])].into_iter(), vec![role], "eu-central-1");
        assert_eq!(
            found.first().map(|stack| stack.resources.clone()),
            Some([("iam_role", 1), ("log_group", 1)].into())
        );
    }
}
