//! Whose a found resource is.

use super::{MANAGED_BY, MANAGED_BY_TAG, STACK_TAG, Stack};
use peersync_engine::{Ownership, Tags};

impl Stack {
    /// Ours where the tags of this stack are on it.
    pub fn ownership(&self, tags: &Tags) -> Ownership {
        match (tags.get(STACK_TAG), tags.get(MANAGED_BY_TAG).map(String::as_str)) {
            (Some(stack), Some(MANAGED_BY)) if *stack == self.name() => Ownership::Ours,
            (Some(stack), Some(MANAGED_BY)) => Ownership::Foreign(format!("it belongs to the PeerSync stack {stack}")),
            _ => Ownership::Foreign("it does not carry the tags of this stack".to_owned()),
        }
    }

    /// For kinds without tags: ours where `mark` (a comment or description) begins as we write it.
    pub fn ownership_by_mark(&self, mark: Option<&str>) -> Ownership {
        let rest = mark.and_then(|mark| mark.strip_prefix(&self.mark()));
        // `peersync-dev` is not `peersync-dev2`.
        if rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-')) {
            Ownership::Ours
        } else {
            Ownership::Foreign("its description is not that of this stack".to_owned())
        }
    }

    /// The comment or description of resources that cannot be tagged.
    pub fn mark(&self) -> String {
        format!("PeerSync stack {}", self.name())
    }
}
