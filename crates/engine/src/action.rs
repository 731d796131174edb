//! What is done to a resource.

use serde::Serialize;

/// What is done to one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It does not exist and shall.
    Create,
    /// It is changed in place.
    Update,
    /// It is made anew, because a field cannot be changed in place.
    Replace,
    /// It exists and shall not.
    Delete,
    /// It is as it shall be.
    NoChange,
}
