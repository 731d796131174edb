//! The routes of the API, once: the router answers them, the deployer makes them in the gateway, tests compare both.
//!
//! Paths have no `/api` prefix: that is the name of the gateway's stage. A segment in braces is a parameter, in the
//! gateway as in the router.

/// One route of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The HTTP method, `POST`.
    pub method: &'static str,
    /// The path, `/room/{id}`.
    pub path: &'static str,
    /// The function that answers it, `rooms`.
    pub function: &'static str,
}

const fn route(method: &'static str, path: &'static str, function: &'static str) -> Route {
    Route { method, path, function }
}

/// All routes. Every path belongs to one function, which answers `OPTIONS` on it too.
pub const ROUTES: &[Route] = &[
    route("POST", "/signup", "signup"),
    route("GET", "/health", "signup"),
    route("POST", "/login", "login"),
    route("POST", "/login/verify", "login"),
    route("POST", "/logout", "login"),
    route("GET", "/me", "login"),
    route("PATCH", "/me", "login"),
    route("DELETE", "/me", "login"),
    route("GET", "/users", "friends"),
    route("POST", "/send-friend-request", "friends"),
    route("POST", "/respond-friend-request", "friends"),
    route("GET", "/friends", "friends"),
    route("DELETE", "/friends/{email}", "friends"),
    route("GET", "/friend-requests", "friends"),
    route("POST", "/block", "friends"),
    route("POST", "/create-room", "rooms"),
    route("GET", "/room/{id}", "rooms"),
    route("POST", "/ticket", "rooms"),
];

/// The paths, each once and in the order of the routes, with the function that answers it.
pub fn paths(routes: &[Route]) -> Vec<(&'static str, &'static str)> {
    let mut paths: Vec<(&str, &str)> = Vec::new();
    for route in routes {
        if !paths.iter().any(|(path, _)| *path == route.path) {
            paths.push((route.path, route.function));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::{ROUTES, paths};

    #[test]
    fn no_route_is_there_twice() {
        for (index, route) in ROUTES.iter().enumerate() {
            let twin =
                ROUTES.iter().skip(index + 1).find(|other| (other.method, other.path) == (route.method, route.path));
            assert_eq!(twin, None);
        }
    }

    #[test]
    fn a_path_belongs_to_one_function() {
        for (path, function) in paths(ROUTES) {
            assert!(ROUTES.iter().filter(|route| route.path == path).all(|route| route.function == function), "{path}");
        }
    }
}
