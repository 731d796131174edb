// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

/// Supporting types for the `table_exists` waiter.
pub mod table_exists;

/// Supporting types for the `table_not_exists` waiter.
pub mod table_not_exists;

#[allow(clippy::needless_lifetimes)]
#[allow(clippy::let_and_return)]
pub(crate) mod matchers;
