//! The parts of `bench api`: an emulation of Lambda's environment for one function, and the functions that run in it.

pub mod function;
pub mod surroundings;
