//! What the bucket and the kinds of its contents know about each other's files.

use crate::pages::{CONFIG_KEY, release};
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

/// Returns whether a file with this key in the bucket is certainly one of the stack's. Of the names that earlier versions gave
/// to scripts and styles nobody can tell.
pub(super) fn is_ours(stack: &Stack, key: &str) -> bool {
    let of_release = release::release_of(key).is_some_and(|release| release != release::WITHOUT_FOLDER);
    let page = |key: &str| stack.artifacts.pages.iter().any(|page| page.key == key && release::keeps_name(key));
    key == CONFIG_KEY
        || key.starts_with(PROGRAMS)
        || of_release
        || key == release::mark_of(release::WITHOUT_FOLDER)
        || page(key)
}
