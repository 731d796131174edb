//! What a route of the API is, for those that serve it and those that deploy it. The table itself is in the API's
//! crate.

/// The target of the log lines about connections that could not be made, by which the dashboard finds them.
pub const REPORTS_TARGET: &str = "reports";

/// One route of the API.
///
/// Its path has no `/api` prefix: that is the name of the gateway's stage. A segment in braces is a parameter, in the
/// gateway as in the router.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The HTTP method, such as `POST`.
    pub method: &'static str,
    /// The path, such as `/room/{id}`.
    pub path: String,
    /// The Lambda function that serves it, such as `rooms`.
    pub function: &'static str,
}

/// Returns each path once, in the order of `routes`, with the function that serves it. That function answers `OPTIONS`
/// on the path too.
pub fn paths(routes: &[Route]) -> Vec<(&str, &'static str)> {
    let mut paths: Vec<(&str, &str)> = Vec::new();
    for route in routes {
        if !paths.iter().any(|(path, _)| *path == route.path) {
            paths.push((&route.path, route.function));
        }
    }
    paths
}
