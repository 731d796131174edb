//! What `bench api` stands on: Lambda's surroundings for one function, and the functions that run in them.

pub mod function;
pub mod surroundings;
