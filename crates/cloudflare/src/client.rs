//! The client: one request, its repetitions, and the form of all answers.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Refusal, Refused, is_transient, no_token, refused, unreachable};
use peersync_aws::retry::{Schedule, while_failing};
use peersync_aws::{Http, HttpClient, WriteGuard};
use peersync_config::CLOUDFLARE_API_TOKEN;
use peersync_engine::error::innermost_cause;
use peersync_engine::{Progress, ResourceError, Silent, rule};

/// Cloudflare's API.
const URL: &str = "https://api.cloudflare.com/client/v4";
/// The environment variable with another URL, for tests. Cloudflare's own libraries read it too.
const URL_VARIABLE: &str = "CLOUDFLARE_BASE_URL";
/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a request is repeated that fails for a passing reason. Cloudflare's limit of requests is one of five minutes,
/// which nobody waits for.
const SCHEDULE: Schedule =
    Schedule { first: Duration::from_millis(200), longest: Duration::from_secs(2), deadline: Duration::from_secs(8) };
/// The longest answer that is an error's whole text, in characters.
const LONGEST_TEXT: usize = 200;

/// Cloudflare's API with a token. Cheap to clone.
#[derive(Clone)]
pub struct Cloudflare {
    http: Http,
    guard: WriteGuard,
    token: Option<Arc<str>>,
    url: Arc<str>,
    client: Arc<OnceLock<HttpClient>>,
}

/// Without the token.
impl fmt::Debug for Cloudflare {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cloudflare").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The form of every answer.
#[derive(Debug, Deserialize)]
struct Envelope {
    success: bool,
    #[serde(default)]
    errors: Vec<Refusal>,
    #[serde(default)]
    result: Value,
}

impl Cloudflare {
    /// Creates the client with the token of the environment, if it has one. Calls nothing.
    pub fn from_environment(http: &Http, guard: &WriteGuard) -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.trim().is_empty());
        let url = variable(URL_VARIABLE).unwrap_or_else(|| URL.to_owned());
        Self::new(http, guard, variable(CLOUDFLARE_API_TOKEN).as_deref(), &url)
    }

    /// Creates the client. Calls nothing.
    pub fn new(http: &Http, guard: &WriteGuard, token: Option<&str>, url: &str) -> Self {
        let url = url.trim_end_matches('/').into();
        let token = token.map(|token| token.trim().into());
        Self { http: http.clone(), guard: guard.clone(), token, url, client: Arc::default() }
    }

    /// Returns whether it has a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Reads something. `path` has no slash at the beginning. `None` if it does not exist.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        summary: &'static str,
        path: &str,
    ) -> Result<Option<T>, ResourceError> {
        match self.call(summary, Method::GET, path, None).await {
            Ok(result) if result.is_null() => Ok(None),
            Ok(result) => parsed(summary, result).map(Some),
            Err(error) if error.is(&[Refused::ABSENT]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Changes something, and returns the result.
    pub(crate) async fn change<T: DeserializeOwned>(
        &self,
        summary: &'static str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<T, ResourceError> {
        parsed(summary, self.call(summary, method, path, Some(body)).await?)
    }

    /// Deletes something. Succeeds if it is already gone.
    pub(crate) async fn delete(&self, summary: &'static str, path: &str) -> Result<(), ResourceError> {
        match self.call(summary, Method::DELETE, path, None).await {
            Err(error) if rule!("cloudflare-delete-survives-absence", error.is(&[Refused::ABSENT])) => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    async fn call(
        &self,
        summary: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ResourceError> {
        let Some(token) = self.token.as_deref() else { return Err(no_token()) };
        let client = self.client()?;
        let progress = Progress::current().unwrap_or_else(|| Progress::of_nobody(Arc::new(Silent)));
        let is_transient = |error: &ResourceError| rule!("cloudflare-call-is-repeated", is_transient(error));
        while_failing(&progress, SCHEDULE, is_transient, || async {
            if method != Method::GET {
                self.guard.check_now().map_err(|error| {
                    let hint = "run the command again: it continues where it stopped";
                    ResourceError::new(summary).caused_by(error).hint(hint)
                })?;
            }
            let request = client.request(method.clone(), &format!("{}/{path}", self.url));
            let request = request.header("authorization", format!("Bearer {token}"));
            let request = match body {
                Some(body) => request.header("content-type", "application/json").body(body.to_string()),
                None => request,
            };
            let answer = request.send().await.map_err(|error| unreachable(summary, &innermost_cause(&error)))?;
            let status = answer.status().as_u16();
            let text = answer.text().await.map_err(|error| unreachable(summary, &innermost_cause(&error)))?;
            result_of(status, &text).map_err(|errors| refused(summary, status, &errors))
        })
        .await
    }

    fn client(&self) -> Result<&HttpClient, ResourceError> {
        match self.client.get() {
            Some(client) => Ok(client),
            None => {
                let client = self.http.client(DEADLINE)?;
                Ok(self.client.get_or_init(|| client))
            }
        }
    }
}

/// Returns the result of an answer, or the errors in it.
fn result_of(status: u16, text: &str) -> Result<Value, Vec<Refusal>> {
    let is_success = (200..300).contains(&status);
    match serde_json::from_str::<Envelope>(text) {
        Ok(envelope) if envelope.success && is_success => Ok(envelope.result),
        Ok(envelope) => Err(envelope.errors),
        // Something in front of the API, as a proxy of a company.
        Err(_) => {
            let message: String = text.chars().take(LONGEST_TEXT).filter(|c| !c.is_control()).collect();
            Err(vec![Refusal { code: 0, message: message.trim().to_owned(), error_chain: Vec::new() }])
        }
    }
}

fn parsed<T: DeserializeOwned>(summary: &'static str, result: Value) -> Result<T, ResourceError> {
    serde_json::from_value(result).map_err(|error| {
        ResourceError::new(summary).caused_by(format!("the answer has another form than Cloudflare documents: {error}"))
    })
}
