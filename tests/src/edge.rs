//! A double of CloudFront that follows the configuration of a distribution: which origin answers a path, what is cached
//! and for how long, and what is done with errors.
//!
//! It does what the developer guide says under "Manage how long content stays in the cache" and "Control how long CloudFront
//! caches errors". Its clock stands still until a test moves it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_cloudfront::types::{CustomErrorResponse, DistributionConfig, Origin};

use crate::clients::Clients;
use crate::http::client;

/// The managed cache policies, by their ids: the shortest, the default and the longest time in the cache, in seconds ("Use
/// managed cache policies"). The keys of both are the path alone.
const POLICIES: [(&str, [u64; 3]); 2] = [
    ("658327ea-f89d-4fab-a63d-7e88639e58f6", [1, 86_400, 31_536_000]),
    ("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", [0, 0, 0]),
];
/// The errors that are always cached, and for how many seconds unless the configuration says otherwise.
const CACHED_ERRORS: [u16; 7] = [404, 414, 500, 501, 502, 503, 504];
const ERROR_SECONDS: u64 = 10;

/// An answer, and whether it came from the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
    /// Its `cache-control` header.
    pub cache_control: String,
    /// Whether the edge had it.
    pub from_cache: bool,
}

/// The edge. Origins that are no buckets are named by their ids.
#[derive(Debug)]
pub struct Edge<'a> {
    config: DistributionConfig,
    clients: &'a Clients,
    origins: HashMap<&'static str, String>,
    cache: Mutex<HashMap<String, (Served, Duration)>>,
    now: Mutex<Duration>,
}

impl<'a> Edge<'a> {
    /// Creates an edge with an empty cache. `origins` has the URLs at which the custom origins are reached here.
    pub fn new(
        config: DistributionConfig,
        clients: &'a Clients,
        origins: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let (cache, now) = (Mutex::default(), Mutex::default());
        Self { config, clients, origins: origins.into_iter().collect(), cache, now }
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    /// Answers a GET.
    pub async fn get(&self, path: &str) -> Served {
        let path = if path == "/" {
            format!("/{}", self.config.default_root_object().unwrap_or_default())
        } else {
            path.to_owned()
        };
        let answer = self.answer(&path).await;
        let Some(error) = self.error(answer.status) else { return answer };
        let Some(page) = error.response_page_path().filter(|page| !page.is_empty()) else { return answer };
        let page = self.answer(page).await;
        let status = error.response_code().and_then(|status| status.parse().ok()).unwrap_or(answer.status);
        Served { status, ..page }
    }

    /// Answers with what an origin says about the path, or has said.
    async fn answer(&self, path: &str) -> Served {
        let now = *self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some((served, _)) = cached.filter(|(_, until)| now < *until) {
            return Served { from_cache: true, ..served };
        }
        let (origin, policy) = self.behavior(path);
        let served = match origin.s3_origin_config() {
            Some(_) => self.ask_bucket(origin, path).await,
            None => self.ask_server(origin, path).await,
        };
        let seconds = self.seconds(&served, policy);
        if seconds > 0 {
            let kept = (served.clone(), now + Duration::from_secs(seconds));
            self.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), kept);
        }
        served
    }

    fn error(&self, status: u16) -> Option<&CustomErrorResponse> {
        let errors = self.config.custom_error_responses().map(|errors| errors.items()).unwrap_or_default();
        errors.iter().find(|error| error.error_code() == i32::from(status))
    }

    fn seconds(&self, served: &Served, [least, usual, most]: [u64; 3]) -> u64 {
        if served.status >= 400 {
            let configured = self.error(served.status).map(|error| error.error_caching_min_ttl());
            return match configured {
                Some(seconds) => seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(ERROR_SECONDS),
                None if CACHED_ERRORS.contains(&served.status) => ERROR_SECONDS,
                None => 0,
            };
        }
        let directives = || served.cache_control.split(',').map(str::trim);
        let age = directives().find_map(|directive| directive.strip_prefix("max-age=")?.parse().ok());
        let never = directives().any(|directive| ["no-cache", "no-store", "private"].contains(&directive));
        let wanted = if never { 0 } else { age.unwrap_or(usual) };
        wanted.clamp(least, most)
    }

    /// Returns the origin of a path, and how long its answers are cached.
    fn behavior(&self, path: &str) -> (&Origin, [u64; 3]) {
        let all = self.config.cache_behaviors().map(|behaviors| behaviors.items()).unwrap_or_default();
        let default = self.config.default_cache_behavior().expect("a distribution has a default behaviour");
        let (target, policy) = match all.iter().find(|behavior| matches(behavior.path_pattern(), path)) {
            Some(behavior) => (behavior.target_origin_id(), behavior.cache_policy_id()),
            None => (default.target_origin_id(), default.cache_policy_id()),
        };
        let policy = POLICIES.iter().find(|(id, _)| Some(*id) == policy).expect("a managed cache policy");
        let mut origins = self.config.origins().into_iter().flat_map(|origins| origins.items());
        (origins.find(|origin| origin.id() == target).expect("the behaviour's origin exists"), policy.1)
    }

    /// Reads as the bucket's policy lets the distribution: who may not list gets 403 for what does not exist.
    async fn ask_bucket(&self, origin: &Origin, path: &str) -> Served {
        let bucket = origin.domain_name().split(".s3.").next().unwrap_or_default();
        let key = path.trim_start_matches('/');
        let answer = self.clients.s3.get_object().bucket(bucket).key(key).send().await;
        let Ok(object) = answer else {
            return Served { status: 403, body: "<Error>".to_owned(), cache_control: String::new(), from_cache: false };
        };
        let cache_control = object.cache_control().unwrap_or_default().to_owned();
        let body = object.body.collect().await.expect("the object can be read").into_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Served { status: 200, body, cache_control, from_cache: false }
    }

    /// Asks a server. One that does not answer is a bad gateway.
    async fn ask_server(&self, origin: &Origin, path: &str) -> Served {
        let server = self.origins.get(origin.id()).unwrap_or_else(|| panic!("no server for {}", origin.id()));
        let Ok(answer) = client().get(format!("{server}{path}")).send().await else {
            return Served { status: 502, body: String::new(), cache_control: String::new(), from_cache: false };
        };
        let header = answer.headers().get("cache-control").and_then(|value| value.to_str().ok());
        let (status, cache_control) = (answer.status().as_u16(), header.unwrap_or_default().to_owned());
        Served { status, cache_control, body: answer.text().await.unwrap_or_default(), from_cache: false }
    }
}

/// Returns whether a path has the pattern, in which an asterisk at the end means anything.
fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path == pattern,
    }
}
