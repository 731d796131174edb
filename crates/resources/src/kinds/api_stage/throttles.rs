//! The limits of the routes of signing in, apart from the one of the stage.
//!
//! AWS applies a limit to each method that has one of its own, and the stage's to the others. So a flood of requests to sign in,
//! which anybody can send, takes nothing from those who are signed in, and a flood of anything else keeps nobody from signing
//! in. All of them together have half of the stage's rate.

use std::collections::HashMap;

use aws_sdk_apigateway::types::{MethodSetting, PatchOperation};

use super::super::rest_api::replace;
use crate::stack::Stack;

/// The routes that nobody needs who is signed in, with their shares of the stage's limits in percent. A school of 1000 that
/// signs in within a minute needs 17 requests a second of the first three; 15 and the burst of 150 are 1050 in a minute.
pub const SHARES: [(&str, &str, i32); 5] = [
    ("POST", "/signup", 15),
    ("POST", "/login", 15),
    ("POST", "/login/verify", 15),
    ("POST", "/look-friend-request", 3),
    ("GET", "/health", 2),
];

/// The limits of one method.
#[derive(Clone, Debug, PartialEq)]
struct Throttle {
    method: &'static str,
    path: &'static str,
    /// Requests per second.
    rate: f64,
    /// Requests at once beyond that.
    burst: i32,
}

impl Throttle {
    fn text(&self) -> String {
        format!("{} {}: {} and {}", self.method, self.path, self.rate, self.burst)
    }

    /// Returns the path of a setting of this method; slashes in the method's own path are escaped.
    fn setting(&self, name: &str) -> String {
        format!("/{}/{}/throttling/{name}", self.path.replace('/', "~1"), self.method)
    }
}

/// Returns the desired limits, as a field.
pub(super) fn wanted(stack: &Stack) -> String {
    text(&throttles(stack))
}

/// Returns the actual limits of the same methods, as a field.
pub(super) fn found(stack: &Stack, settings: &HashMap<String, MethodSetting>) -> String {
    let settings: HashMap<String, &MethodSetting> =
        settings.iter().map(|(key, setting)| (key.replace("~1", "/"), setting)).collect();
    let found = throttles(stack).into_iter().filter_map(|wanted| {
        let key = format!("{}/{}", wanted.path, wanted.method);
        let setting = settings.get(&key).or_else(|| settings.get(key.trim_start_matches('/')))?;
        Some(Throttle { rate: setting.throttling_rate_limit, burst: setting.throttling_burst_limit, ..wanted })
    });
    text(&found.collect::<Vec<_>>())
}

/// Returns what sets them.
pub(super) fn patches(stack: &Stack) -> Vec<PatchOperation> {
    let each = throttles(stack).into_iter().flat_map(|throttle| {
        [
            replace(&throttle.setting("rateLimit"), &throttle.rate.to_string()),
            replace(&throttle.setting("burstLimit"), &throttle.burst.to_string()),
        ]
    });
    each.collect()
}

fn throttles(stack: &Stack) -> Vec<Throttle> {
    let api = &stack.config.api;
    let routes = &stack.artifacts.routes;
    let exists = |method: &str, path: &str| routes.iter().any(|route| (route.method, &*route.path) == (method, path));
    let shares = SHARES.into_iter().filter(|(method, path, _)| exists(method, path));
    let throttle = |(method, path, percent)| Throttle {
        method,
        path,
        rate: api.requests_per_second * f64::from(percent) / 100.0,
        burst: (api.burst.saturating_mul(percent) / 100).max(1),
    };
    shares.map(throttle).collect()
}

fn text(throttles: &[Throttle]) -> String {
    throttles.iter().map(Throttle::text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::Config;

    #[test]
    fn signing_in_has_half_of_the_stages_rate() {
        assert_eq!(SHARES.iter().map(|(_, _, percent)| percent).sum::<i32>(), 50);
    }

    #[tokio::test]
    async fn limits_are_found_under_both_spellings_of_their_paths() {
        let stack = Stack::for_tests(Config::default()).await;
        assert!(wanted(&stack).contains("POST /login/verify: 15 and 150"), "{}", wanted(&stack));
        let setting = |throttle: &Throttle| {
            let setting = MethodSetting::builder().throttling_rate_limit(throttle.rate);
            setting.throttling_burst_limit(throttle.burst).build()
        };
        let keyed = |key: fn(&Throttle) -> String| {
            throttles(&stack).iter().map(|throttle| (key(throttle), setting(throttle))).collect::<HashMap<_, _>>()
        };
        for settings in [
            keyed(|throttle| format!("{}/{}", throttle.path.replace('/', "~1"), throttle.method)),
            keyed(|throttle| format!("{}/{}", throttle.path, throttle.method)),
            keyed(|throttle| format!("{}/{}", throttle.path.trim_start_matches('/'), throttle.method)),
        ] {
            assert_eq!(found(&stack, &settings), wanted(&stack), "{settings:?}");
        }
        assert_eq!(found(&stack, &HashMap::new()), "", "what somebody has removed is missed");
    }
}
