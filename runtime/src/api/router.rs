//! The router.

use axum::Router;
use axum::extract::State as FromState;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, patch, post};

use super::error::ApiError;
use super::guard::guard;
use super::routes;
use super::state::State;

/// Every path with its handlers.
fn handlers() -> Vec<(&'static str, MethodRouter<State>)> {
    vec![
        ("/health", get(routes::health::handle)),
        ("/signup", post(routes::signup::handle)),
        ("/login", post(routes::login::handle)),
        ("/login/verify", post(routes::verify::handle)),
        ("/logout", post(routes::logout::handle)),
        ("/me", get(routes::me::show).merge(patch(routes::me::change)).merge(delete(routes::me::remove))),
        ("/users", get(routes::users::handle)),
        ("/send-friend-request", post(routes::send_friend_request::handle)),
        ("/respond-friend-request", post(routes::respond_friend_request::handle)),
        ("/friends", get(routes::friends::list)),
        ("/friends/{email}", delete(routes::friends::remove)),
        ("/friend-requests", get(routes::friend_requests::handle)),
        ("/block", post(routes::block::handle)),
        ("/create-room", post(routes::create_room::handle)),
        ("/room/{id}", get(routes::room::handle)),
        ("/ticket", post(routes::ticket::handle)),
    ]
}

/// The API. Paths have no `/api` prefix.
pub fn router(state: State) -> Router {
    handlers()
        .into_iter()
        .fold(Router::new(), |router, (path, handler)| router.route(path, handler))
        .fallback(|| async { ApiError::no_route() })
        .method_not_allowed_fallback(|| async { ApiError::method() })
        .layer(from_fn_with_state(state.clone(), |FromState(state): FromState<State>, request, next| {
            guard(state, request, next)
        }))
        .with_state(state)
}
