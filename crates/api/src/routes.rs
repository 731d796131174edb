//! The routes of the API, one file each, and the table that says which function serves them.
//!
//! Method and path of a route are in its handler's `#[utoipa::path]` and nowhere else. From the table come the router,
//! the paths of the OpenAPI document, and the routes that the deployer creates in the gateway.

use std::sync::LazyLock;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use peersync_server::routes::Route;
use utoipa::OpenApi;
use utoipa::openapi::path::HttpMethod;

use crate::state::State;

mod block;
mod change_me;
mod create_room;
mod delete_me;
mod friend_requests;
mod friends;
mod health;
mod login;
mod logout;
mod look_friend_request;
mod me;
mod remove_friend;
mod reports;
mod respond_friend_request;
mod room;
mod send_friend_request;
mod signup;
mod ticket;
mod users;
mod verify;

/// Lists the routes of each function. A route is the module that has its `handle`.
macro_rules! routes {
    ($($function:ident: $($module:ident),+;)+) => {
        /// The paths of the OpenAPI document.
        #[derive(OpenApi)]
        #[openapi(paths($($($module::handle),+),+))]
        pub(crate) struct Paths;

        static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
            vec![$($(route::<$module::__path_handle>(stringify!($function))),+),+]
        });

        /// Returns a router with every handler at its method and path.
        pub(crate) fn handlers() -> Router<State> {
            let router = Router::new();
            $($(let router = add::<$module::__path_handle, _, _>(router, $module::handle);)+)+
            router
        }
    };
}

routes! {
    signup: signup, health;
    login: login, verify, logout, me, change_me, delete_me;
    friends: users, send_friend_request, look_friend_request, respond_friend_request, friends, remove_friend,
        friend_requests, block;
    rooms: create_room, room, ticket, reports;
}

/// Returns all routes. Each path belongs to one function, which answers `OPTIONS` on it too.
pub fn routes() -> &'static [Route] {
    &ROUTES
}

fn route<P: utoipa::Path>(function: &'static str) -> Route {
    Route { method: method::<P>().0, path: P::path(), function }
}

fn add<P: utoipa::Path, H: Handler<T, State>, T: 'static>(router: Router<State>, handler: H) -> Router<State> {
    router.route(&P::path(), on(method::<P>().1, handler))
}

/// Returns the method of a route, as the gateway and the router name it. A handler has one.
fn method<P: utoipa::Path>() -> (&'static str, MethodFilter) {
    match P::methods().first() {
        Some(HttpMethod::Post) => ("POST", MethodFilter::POST),
        Some(HttpMethod::Put) => ("PUT", MethodFilter::PUT),
        Some(HttpMethod::Patch) => ("PATCH", MethodFilter::PATCH),
        Some(HttpMethod::Delete) => ("DELETE", MethodFilter::DELETE),
        _ => ("GET", MethodFilter::GET),
    }
}

#[cfg(test)]
mod tests {
    use peersync_server::routes::paths;

    use super::routes;

    #[test]
    fn no_route_is_listed_twice() {
        for (index, route) in routes().iter().enumerate() {
            let twin = routes()
                .iter()
                .skip(index + 1)
                .find(|other| (other.method, &other.path) == (route.method, &route.path));
            assert_eq!(twin, None);
        }
    }

    #[test]
    fn each_path_belongs_to_one_function() {
        for (path, function) in paths(routes()) {
            let mut same = routes().iter().filter(|route| route.path == path);
            assert!(same.all(|route| route.function == function), "{path}");
        }
    }
}
