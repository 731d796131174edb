//! What the commands do to a stack, apart from how they are called and shown: read it, plan, apply, check, back up,
//! rotate keys, keep other runs away, and find deployed stacks.

mod backup;
mod certificate;
mod check;
mod deployed_stacks;
mod error;
mod health;
mod interrupt;
mod lease;
mod leftovers;
pub mod logs;
mod naming;
mod observed_stack;
mod occupancy;
mod overview;
mod places;
mod relay_probe;
mod removal;
mod rotation;
mod tls;

pub use backup::{Backup, BackupLocation, back_up};
pub use certificate::certificate_end;
pub use check::{NeededDomain, Patience, check, is_on_its_way};
pub use deployed_stacks::{DeployedStack, find as find_stacks};
pub use error::DeployError;
pub use health::{PartHealth, health};
pub use interrupt::{asked_to_stop, until_stopped};
pub use lease::{Claim, HeldLease, clean_all_leases, clean_leases, lease_holder};
pub use naming::naming;
pub use observed_stack::ObservedStack;
pub use occupancy::{Occupancy, occupancy};
pub use overview::{Health, Overview, overview, raised_alarms};
pub use places::places;
pub use relay_probe::{RelayAnswer, probe_relay};
pub use removal::{Removal, Removed};
pub use rotation::Rotation;
