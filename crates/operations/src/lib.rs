//! What the commands do to a stack, apart from how they are called and shown: read it, plan, apply, check, back up, and
//! find expired stacks.

mod backup;
mod check;
mod error;
mod expired;
mod interrupt;
pub mod logs;
mod places;
mod removal;
mod survey;

pub use backup::{Backup, Place, back_up};
pub use check::check;
pub use error::DeployError;
pub use expired::{ExpiredStack, find as find_stacks};
pub use interrupt::{asked_to_stop, until_stopped};
pub use places::places;
pub use removal::{Removal, Removed};
pub use survey::Survey;
