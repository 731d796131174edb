//! What the bucket and the kinds of its contents know about each other's files.

use crate::pages::CONFIG_KEY;
use crate::stack::Stack;
use peersync_engine::Address;

/// The name of the kind of the pages.
pub(super) const PAGES_KIND: &str = "s3_objects";
/// The prefix of the programs in the bucket, which the distribution does not serve.
pub(super) const PROGRAMS: &str = "programs/";

/// Returns the address of the pages.
pub fn pages_address() -> Address {
    Address::new(PAGES_KIND, "site")
}

/// Returns whether a file with this key in the bucket is one of the stack's.
pub(super) fn is_ours(stack: &Stack, key: &str) -> bool {
    key == CONFIG_KEY || key.starts_with(PROGRAMS) || stack.artifacts.pages.iter().any(|page| page.key == key)
}
