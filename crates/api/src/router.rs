//! The router.

use axum::Router;
use axum::extract::State as FromState;
use axum::middleware::from_fn_with_state;

use crate::error::ApiError;
use crate::guard::guard;
use crate::routes::handlers;
use crate::state::State;

/// Returns the API's router. Its paths have no `/api` prefix.
pub fn router(state: State) -> Router {
    handlers()
        .fallback(|| async { ApiError::no_route() })
        .method_not_allowed_fallback(|| async { ApiError::method() })
        .layer(from_fn_with_state(state.clone(), |FromState(state): FromState<State>, request, next| {
            guard(state, request, next)
        }))
        .with_state(state)
}
