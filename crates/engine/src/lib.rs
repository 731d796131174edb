//! The engine: a graph of resources, a plan as pure data, and a parallel apply. It knows no provider and never prints.
//!
//! Data flows this way: [`observe`] reads everything at once, [`plan`](plan::plan) compares it with the desired state,
//! and [`apply`] walks the graph. No state file exists: what was last applied is known from the [`digest`] that each
//! resource carries as a tag.

mod action;
mod address;
mod apply;
pub mod diff;
pub mod digest;
pub mod error;
mod fields;
mod graph;
mod observe;
pub mod plan;
mod progress;
mod resource;
pub mod rule;
mod shared_reads;
pub mod simulation;
pub mod tag_record;
pub mod text;
mod value;

pub use action::Action;
pub use address::Address;
pub use apply::{ApplyOptions, Failed, Interrupt, Outcome, Skipped, apply};
pub use diff::{Changes, FieldChange, Reason};
pub use error::{Failure, Problem, ResourceError};
pub use fields::{FieldMap, FieldName};
pub use graph::{Graph, GraphError};
pub use observe::{Observation, observe, observe_after};
pub use plan::{Plan, PlanOptions, Step};
pub use progress::{Event, Progress, Reporter, Silent};
pub use resource::{ApplyContext, Resource};
pub use shared_reads::{KnownTags, SharedReads};
pub use value::{Field, Fields, Live, LiveField, LiveFields, Output, OutputMap, Outputs, Ownership, Tags};
