//! Decides whether an existing resource is managed by this stack.

use super::{MANAGED_BY, MANAGED_BY_TAG, STACK_TAG, Stack};
use peersync_engine::{Ownership, Tags};

impl Stack {
    /// Returns [`Ownership::Ours`] if the tags are those of this stack.
    pub fn ownership(&self, tags: &Tags) -> Ownership {
        match (tags.get(STACK_TAG), tags.get(MANAGED_BY_TAG).map(String::as_str)) {
            (Some(stack), Some(MANAGED_BY)) if *stack == self.name() => Ownership::Ours,
            (Some(stack), Some(MANAGED_BY)) => Ownership::Foreign(format!("it belongs to the PeerSync stack {stack}")),
            _ => Ownership::Foreign("it does not carry the tags of this stack".to_owned()),
        }
    }

    /// Does the same for kinds without tags: returns [`Ownership::Ours`] if `mark`, which is the resource's comment or
    /// description, begins with [`Stack::mark`].
    pub fn ownership_by_mark(&self, mark: Option<&str>) -> Ownership {
        let rest = mark.and_then(|mark| mark.strip_prefix(&self.mark()));
        // The mark of `peersync-dev2` begins with that of `peersync-dev`.
        if rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-')) {
            Ownership::Ours
        } else {
            Ownership::Foreign("its description does not name this stack".to_owned())
        }
    }

    /// Returns the comment or description that identifies resources that cannot be tagged.
    pub fn mark(&self) -> String {
        format!("PeerSync stack {}", self.name())
    }
}
