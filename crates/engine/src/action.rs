//! What is done to a resource.

use serde::Serialize;

/// What is done to one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Create a resource that is enabled but missing.
    Create,
    /// Change the resource in place.
    Update,
    /// Recreate the resource, because a field cannot be changed in place.
    Replace,
    /// Delete a resource that exists but is not enabled.
    Delete,
    /// Do nothing: the resource matches the desired state.
    NoChange,
}
