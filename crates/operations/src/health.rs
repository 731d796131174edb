//! Asks the parts of a deployed stack once whether they answer, as `status` shows it.

use std::time::{Duration, Instant};

use futures::future::{OptionFuture, join, join_all};
use serde_json::Value;

use super::check::{Target, quick_tunnel, targets};
use peersync_aws::HttpClient;
use peersync_engine::error::innermost_cause;
use peersync_engine::{Outputs, ResourceError};
use peersync_resources::stack::Stack;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes: what the API says about itself is short.
const LONGEST: usize = 4096;

/// How a part of a stack answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHealth {
    /// `page`, `api` or `signaling`.
    pub part: &'static str,
    /// The URL that was requested.
    pub url: String,
    /// How long the answer took, or why there was none.
    pub answered: Result<Duration, String>,
    /// The version that the API says it has.
    pub version: Option<String>,
    /// The SHA-256 of the program that the API says it runs.
    pub build: Option<String>,
}

/// Requests everything that `up` checks at its end, all at once.
///
/// # Errors
/// The HTTP client cannot be prepared.
pub async fn health(stack: &Stack, outputs: &Outputs) -> Result<Vec<PartHealth>, ResourceError> {
    let client = stack.clients.http.client(DEADLINE)?;
    // That the address cannot be read is no matter here: without one, nobody is asked.
    let behind_tunnel = async {
        let target = quick_tunnel(stack, outputs).await.ok().flatten();
        OptionFuture::from(target.map(|target| ask(&client, target))).await
    };
    let others = join_all(targets(stack, outputs).into_iter().map(|target| ask(&client, target)));
    let (parts, behind_tunnel) = join(others, behind_tunnel).await;
    Ok(parts.into_iter().chain(behind_tunnel).collect())
}

async fn ask(client: &HttpClient, target: Target) -> PartHealth {
    let begun = Instant::now();
    let answer = request(client, &target).await;
    let (answered, body) = match answer {
        Ok(body) => (Ok(begun.elapsed()), body),
        Err(reason) => (Err(reason), None),
    };
    let said = |field: &str| Some(body.as_ref()?.get(field)?.as_str()?.to_owned());
    PartHealth { part: target.part, version: said("version"), build: said("build"), url: target.url, answered }
}

/// Returns what the API says about itself, if the part answers.
async fn request(client: &HttpClient, target: &Target) -> Result<Option<Value>, String> {
    let Some(answer) = target.ask(client).await? else { return Ok(None) };
    if target.part != "api" || answer.content_length().is_some_and(|length| length > LONGEST as u64) {
        return Ok(None);
    }
    let body = answer.bytes().await.map_err(|error| innermost_cause(&error.without_url()))?;
    Ok(serde_json::from_slice(body.get(..body.len().min(LONGEST)).unwrap_or_default()).ok())
}

#[cfg(test)]
mod tests {
    use peersync_aws::Http;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn asked(part: &'static str, status: &'static str, body: &'static str) -> PartHealth {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            _ = stream.read(&mut [0; 1024]).await.unwrap();
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        ask(&Http::default().client(DEADLINE).unwrap(), Target::for_tests(part, url)).await
    }

    #[tokio::test]
    async fn api_tells_its_version_and_program() {
        let good = asked("api", "200 OK", r#"{"status":"ok","version":"0.1.0","build":"3f9a"}"#).await;
        assert!(good.answered.is_ok(), "{good:?}");
        assert_eq!((good.version.as_deref(), good.build.as_deref()), (Some("0.1.0"), Some("3f9a")));
        let odd = asked("api", "200 OK", "<html>").await;
        assert!(odd.answered.is_ok() && odd.version.is_none(), "{odd:?}");
        let bad = asked("api", "502 Bad Gateway", "{}").await;
        assert_eq!(bad.answered, Err("the answer has HTTP status 502 Bad Gateway".to_owned()));
    }

    #[tokio::test]
    async fn part_that_cannot_be_reached_says_why() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let away = ask(&Http::default().client(DEADLINE).unwrap(), Target::for_tests("page", url)).await;
        assert!(away.answered.as_ref().is_err_and(|reason| reason.contains("refused")), "{away:?}");
    }
}
