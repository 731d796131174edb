//! What the server programs share: their log.

pub mod log;
