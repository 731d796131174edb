//! Decides whether an existing resource is managed by this stack: by its tags, or for kinds without tags by its mark, a
//! text in its comment or description.

use super::{ACCOUNT_TAG, MANAGED_BY, MANAGED_BY_TAG, REGION_TAG, STACK_TAG, STAGE_TAG, Stack};
use peersync_engine::{Ownership, Tags};

/// What a mark begins with, before the stack's name.
const MARK: &str = "PeerSync stack ";

/// The description of what the stacks of an account share. It names none of them, so that no stack takes it for its own.
pub(crate) const SHARED_MARK: &str = "PeerSync: shared by the stacks of this account";

/// Returns what follows in a mark: the stack's name, and for what is global to the account the region.
pub(crate) fn marked(mark: &str) -> Option<&str> {
    mark.strip_prefix(MARK)
}

impl Stack {
    /// Returns the tags that tell this stack from every other one.
    pub(super) fn identity_tags(&self) -> [(&'static str, String); 4] {
        [
            (STACK_TAG, self.name()),
            (STAGE_TAG, self.config.stage.clone()),
            (REGION_TAG, self.clients.region.clone()),
            (ACCOUNT_TAG, self.identity.account.clone()),
        ]
    }

    /// Returns [`Ownership::Ours`] if the tags are those of this stack. Resources of earlier versions lack the tags with
    /// region and account; those that are not global to the account need neither.
    pub fn ownership(&self, tags: &Tags) -> Ownership {
        if tags.get(MANAGED_BY_TAG).is_none_or(|by| by != MANAGED_BY) || !tags.contains_key(STACK_TAG) {
            return Ownership::Foreign("it does not carry the tags of this stack".to_owned());
        }
        let differs = |(key, value): &(&str, String)| tags.get(*key).is_some_and(|found| found != value);
        // A stage with which no stack has this name is one that somebody has written by hand.
        let name = tags.get(STACK_TAG).map_or("", String::as_str);
        let is_possible =
            |key: &str| key != STAGE_TAG || tags.get(key).is_some_and(|stage| name.ends_with(&format!("-{stage}")));
        if self.identity_tags().iter().any(|tag| differs(tag) && is_possible(tag.0)) {
            return Ownership::Foreign(format!("it belongs to {}", owner(tags)));
        }
        Ownership::Ours
    }

    /// Does the same for kinds without tags: returns [`Ownership::Ours`] if `mark`, which is the resource's comment or
    /// description, begins with [`Stack::global_mark`].
    pub fn ownership_by_mark(&self, mark: Option<&str>) -> Ownership {
        let rest = mark.and_then(|mark| mark.strip_prefix(&self.global_mark()));
        // The mark of a stack in `eu-west-1` begins like that of one in `eu-west-12`.
        if rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-')) {
            Ownership::Ours
        } else {
            Ownership::Foreign("its description does not name this stack".to_owned())
        }
    }

    /// Returns the comment or description of the stack's resources.
    pub fn mark(&self) -> String {
        format!("{MARK}{}", self.name())
    }

    /// Returns the comment or description that identifies resources that are global to the account. Earlier versions
    /// used [`Stack::mark`], which does not tell the region.
    pub fn global_mark(&self) -> String {
        format!("{} in {}", self.mark(), self.clients.region)
    }
}

/// Describes the stack that these tags name.
fn owner(tags: &Tags) -> String {
    let tag = |key: &str| tags.get(key).map(String::as_str);
    let stack = tag(STACK_TAG).unwrap_or_default();
    let details = [("stage", tag(STAGE_TAG)), ("region", tag(REGION_TAG)), ("account", tag(ACCOUNT_TAG))];
    let details: Vec<String> =
        details.into_iter().filter_map(|(what, value)| Some(format!("{what} {}", value?))).collect();
    format!("the PeerSync stack {stack} ({})", details.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::NAME_TAG;
    use peersync_config::{Config, Naming};
    use std::sync::Arc;

    async fn stack(name: &str, stage: &str, region: &str) -> Arc<Stack> {
        let mut config = Config { stage: stage.to_owned(), ..Config::default() };
        config.stack.name = name.to_owned();
        let mut stack = Arc::unwrap_or_clone(Stack::for_tests(config).await);
        stack.clients.region = region.to_owned();
        Arc::new(stack)
    }

    fn tags_of_earlier_version(stack: &str, stage: &str) -> Tags {
        let tags = [(STACK_TAG, stack), (STAGE_TAG, stage), (MANAGED_BY_TAG, MANAGED_BY)];
        tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    #[tokio::test]
    async fn stack_owns_what_carries_its_tags() {
        let ours = stack("peersync", "dev", "eu-central-1").await;
        assert_eq!(ours.ownership(&ours.tags()), Ownership::Ours);
        assert_eq!(ours.tags().get(NAME_TAG).map(String::as_str), Some("peersync"));
        assert_eq!(ours.ownership(&tags_of_earlier_version("peersync-dev", "dev")), Ownership::Ours);
    }

    #[tokio::test]
    async fn stack_with_the_same_name_in_another_region_owns_nothing_of_ours() {
        let ours = stack("peersync", "dev", "eu-central-1").await;
        let other = stack("peersync", "dev", "eu-west-1").await;
        let expected =
            "it belongs to the PeerSync stack peersync-dev (stage dev, region eu-west-1, account 123456789012)";
        assert_eq!(ours.ownership(&other.tags()), Ownership::Foreign(expected.to_owned()));
        assert_ne!(ours.ownership_by_mark(Some(&other.global_mark())), Ownership::Ours);
        assert_eq!(ours.ownership_by_mark(Some(&ours.global_mark())), Ownership::Ours);
        assert_ne!(ours.ownership_by_mark(Some(&format!("{}2", ours.global_mark()))), Ownership::Ours);
    }

    #[tokio::test]
    async fn stage_tells_stacks_apart_that_earlier_versions_named_alike() {
        let mut ours = Arc::unwrap_or_clone(stack("peersync-dev", "2", "eu-central-1").await);
        ours.naming = Naming::OneHyphen;
        assert_eq!(ours.ownership(&tags_of_earlier_version("peersync-dev-2", "2")), Ownership::Ours);
        assert_ne!(ours.ownership(&tags_of_earlier_version("peersync-dev-2", "dev-2")), Ownership::Ours);
        assert_eq!(ours.ownership(&tags_of_earlier_version("peersync-dev-2", "by-hand")), Ownership::Ours);
    }
}
