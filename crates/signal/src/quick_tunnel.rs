//! The address of the quick tunnel, which Cloudflare chooses at each start of `cloudflared`: read from its metrics on the
//! same host, and published for `POST /ticket`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use peersync_server::clock::Clock;
use peersync_server::store::{CONFIRM, Publication, SILENT, Store, StoreError, random_token};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

/// How long the answer of `cloudflared` may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const LONGEST: u64 = 16 * 1024;
/// The file beside that of the token with the name by which the item in the database is known to be this host's. A restart of the
/// program must not change it.
const HOST_FILE: &str = "host";

/// What `cloudflared` says about its quick tunnel.
#[derive(Debug, Deserialize)]
struct QuickTunnel {
    /// Empty until it has one, and for a named tunnel.
    hostname: String,
}

/// How often something is done. Tests have shorter times.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The pause between two questions to `cloudflared`, and between two attempts to publish while the address of another host
    /// counts. Once that host has given it up, nobody is told an address until the next attempt.
    pub pause: Duration,
    /// How often the address is confirmed.
    pub confirm: Duration,
    /// How long another host must not have confirmed its address.
    pub silent: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { pause: Duration::from_secs(1), confirm: CONFIRM, silent: SILENT }
    }
}

/// Follows the address until `end`, and publishes it when it changes, and at intervals. At the end it gives it up, so that the
/// next host publishes its own at once.
pub async fn follow(
    store: Arc<Store>,
    metrics: SocketAddr,
    folder: &Path,
    clock: Clock,
    times: Times,
    end: impl Future,
) {
    let host = host(folder).await;
    let mut publisher = Publisher { store: &store, host: &host, times, published: None, other: None };
    let mut end = std::pin::pin!(end);
    loop {
        if let Some(url) = address(metrics).await
            && let Err(error) = publisher.publish(&url, clock.now()).await
        {
            warn!(target: "tunnel", %error, "the address of the quick tunnel is not published");
        }
        // Nothing is on its way to the database then.
        if timeout(times.pause, end.as_mut()).await.is_ok() {
            break;
        }
    }
    if let Err(error) = store.give_up_signal_address(&host).await {
        warn!(target: "tunnel", %error, "the address of the quick tunnel is not given up");
    }
}

/// What a host knows about the address that is told.
struct Publisher<'a> {
    store: &'a Store,
    host: &'a str,
    times: Times,
    /// The address that this host has published, and when.
    published: Option<(String, Instant)>,
    /// The mark of another host, whose address counts, and since when it is the same.
    other: Option<(String, Instant)>,
}

impl Publisher<'_> {
    /// Publishes the address if it is not published, or was not confirmed for long enough.
    async fn publish(&mut self, url: &str, now: i64) -> Result<(), StoreError> {
        let is_known = self.published.as_ref().is_some_and(|(known, _)| known == url);
        if is_known && self.published.as_ref().is_some_and(|(_, at)| at.elapsed() < self.times.confirm) {
            return Ok(());
        }
        let silent = self.other.as_ref().filter(|(_, since)| since.elapsed() >= self.times.silent);
        let silent = silent.map(|(mark, _)| mark.as_str());
        let answer = self.store.publish_signal_address(url, self.host, silent, now).await;
        if answer.is_err() {
            // While nothing is seen of the database, nobody is seen to be silent.
            self.other = None;
        }
        match answer? {
            Publication::Published => {
                if !is_known {
                    info!(target: "tunnel", url, "the address of the quick tunnel is published");
                }
                self.published = Some((url.to_owned(), Instant::now()));
                self.other = None;
            }
            Publication::Taken { mark } => {
                if self.other.is_none() {
                    info!(target: "tunnel", url, "another host serves: the address of the quick tunnel is published later");
                }
                self.published = None;
                if self.other.as_ref().is_none_or(|(known, _)| *known != mark) {
                    self.other = Some((mark, Instant::now()));
                }
            }
        }
        Ok(())
    }
}

/// Returns the URL of the WebSocket behind the quick tunnel; `None` if `cloudflared` does not run or has no address.
pub async fn address(metrics: SocketAddr) -> Option<String> {
    let answer = timeout(DEADLINE, ask(metrics)).await.ok()?.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split_whitespace().nth(1).filter(|status| *status == "200")?;
    let QuickTunnel { hostname } = serde_json::from_str(body).ok()?;
    let hostname = hostname.strip_prefix("https://").unwrap_or(&hostname);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    (hostname.contains('.') && hostname.chars().all(is_name)).then(|| format!("wss://{hostname}/ws"))
}

/// Sends one request. In HTTP 1.0 the answer ends with the connection, and is not in chunks.
async fn ask(metrics: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(metrics).await?;
    let request = format!("GET /quicktunnel HTTP/1.0\r\nHost: {metrics}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Returns the name of the host. In a folder that cannot be written, each start of the program is another host: then the item is
/// known by its address.
async fn host(folder: &Path) -> String {
    let file = folder.join(HOST_FILE);
    if let Ok(known) = tokio::fs::read_to_string(&file).await
        && !known.is_empty()
    {
        return known;
    }
    let name = random_token();
    if let Err(error) = tokio::fs::write(&file, &name).await {
        warn!(target: "tunnel", %error, "the name of the host cannot be kept");
    }
    name
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use tokio::net::TcpListener;

    use super::*;

    /// Returns what is understood of this answer.
    async fn understood(status: &'static str, body: &'static str) -> Option<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 256];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request.get(..read).unwrap().starts_with(b"GET /quicktunnel HTTP/1.0\r\n"));
            let answer = format!("HTTP/1.0 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address(metrics).await
    }

    #[tokio::test]
    async fn address_is_what_cloudflared_says() {
        let known = understood("200 OK", r#"{"hostname":"a-b-c.trycloudflare.com"}"#).await;
        assert_eq!(known.as_deref(), Some("wss://a-b-c.trycloudflare.com/ws"));
        for (status, body) in [
            ("200 OK", r#"{"hostname":""}"#),
            ("200 OK", r#"{"hostname":"a.example/evil?"}"#),
            ("200 OK", "not yet"),
            ("404 Not Found", r#"{"hostname":"a.trycloudflare.com"}"#),
        ] {
            assert_eq!(understood(status, body).await, None, "{status} {body}");
        }
    }

    #[tokio::test]
    async fn host_keeps_its_name_and_no_other_has_it() {
        let folders = [tempdir("one"), tempdir("two")];
        let name = host(&folders[0]).await;
        assert_eq!(host(&folders[0]).await, name, "a restart does not change it");
        assert_ne!(host(&folders[1]).await, name);
        let nowhere = folders[0].join("does-not-exist");
        assert_ne!(host(&nowhere).await, host(&nowhere).await, "it cannot be kept");
        for folder in folders {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    fn tempdir(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("peersync-host-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }
}
