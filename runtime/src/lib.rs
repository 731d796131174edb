//! What the server programs share, their log, and what of theirs can be tested without running them.

mod certificate_days;
pub mod log;

pub use certificate_days::certificate_days;
