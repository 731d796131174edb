//! The pages as they are published: what every answer carries.

pub mod headers;
