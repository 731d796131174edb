//! The deployer against emulators of AWS. One program, because it takes its time to link; each module is a suite.
//!

mod addresses;
mod adopting;
mod attributes;
mod behaviours;
mod boot;
mod boundary;
mod certificate;
mod changes;
mod contract;
mod crash;
mod denials;
mod drift;
mod emulator;
mod errors;
mod expiry;
mod faults;
mod finding;
mod host;
mod identity;
mod lease;
mod local;
mod local_endpoint;
mod localstack;
mod meanwhile;
mod models;
mod moto;
mod networks;
mod operating;
mod order;
mod policy;
mod proxy;
mod ready;
mod relay;
mod secrets;
mod tags;
