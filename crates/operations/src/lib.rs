//! What the commands do to a stack, apart from how they are called and shown: read it, plan, apply, check, back up,
//! keep other runs away, and find deployed stacks.

mod backup;
mod check;
mod deployed_stacks;
mod error;
mod interrupt;
mod lease;
pub mod logs;
mod observed_stack;
mod places;
mod removal;

pub use backup::{Backup, BackupLocation, back_up};
pub use check::check;
pub use deployed_stacks::{DeployedStack, find as find_stacks};
pub use error::DeployError;
pub use interrupt::{asked_to_stop, until_stopped};
pub use lease::{Claim, HeldLease, clean_leases, lease_holder};
pub use observed_stack::ObservedStack;
pub use places::places;
pub use removal::{Removal, Removed};
