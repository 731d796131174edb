//! The address of the quick tunnel, which Cloudflare chooses at each start of `cloudflared`: read from its metrics on the
//! same host, and published for `POST /ticket`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use peersync_server::clock::Clock;
use peersync_server::store::{CONFIRM_SECONDS, Store};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{info, warn};

/// How often `cloudflared` is asked. It answers on loopback.
const PAUSE: Duration = Duration::from_secs(2);
/// How long its answer may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const LONGEST: u64 = 16 * 1024;
/// The file beside that of the token with the moment at which the host began, which a restart of the program must not
/// change.
const SINCE_FILE: &str = "since";

/// What `cloudflared` says about its quick tunnel.
#[derive(Debug, Deserialize)]
struct QuickTunnel {
    /// Empty until it has one, and for a named tunnel.
    hostname: String,
}

/// Follows the address as long as this runs, and publishes it when it changes, and at intervals.
pub async fn follow(store: Arc<Store>, metrics: SocketAddr, folder: &Path, clock: Clock) {
    let since = since(folder, clock.now()).await;
    let mut published: Option<(String, i64)> = None;
    loop {
        if let Some(url) = address(metrics).await {
            let now = clock.now();
            let is_known = published.as_ref().is_some_and(|(known, _)| *known == url);
            let is_due = published.as_ref().is_none_or(|(_, at)| now < *at || now - at >= CONFIRM_SECONDS);
            if !is_known || is_due {
                match store.publish_signal_address(&url, since, now).await {
                    Ok(counts) => {
                        if !is_known {
                            info!(target: "tunnel", url, counts, "the quick tunnel has an address");
                        }
                        published = Some((url, now));
                    }
                    Err(error) => warn!(target: "tunnel", %error, "the address of the quick tunnel is not published"),
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
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

/// Returns when the host began. A folder that cannot be written makes every start of the program a new host.
async fn since(folder: &Path, now: i64) -> i64 {
    let file = folder.join(SINCE_FILE);
    let known = tokio::fs::read_to_string(&file).await.ok().and_then(|text| text.trim().parse().ok());
    if let Some(known) = known.filter(|known| *known <= now) {
        return known;
    }
    if let Err(error) = tokio::fs::write(&file, now.to_string()).await {
        warn!(target: "tunnel", %error, "the age of the host cannot be kept");
    }
    now
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
    async fn host_is_as_old_as_its_file_says() {
        let folder = std::env::temp_dir().join(format!("peersync-since-{}", std::process::id()));
        tokio::fs::create_dir_all(&folder).await.unwrap();
        assert_eq!(since(&folder, 100).await, 100);
        assert_eq!(since(&folder, 200).await, 100, "a restart does not change it");
        assert_eq!(since(&folder, 50).await, 50, "unless its clock was wrong");
        tokio::fs::remove_dir_all(&folder).await.unwrap();
    }
}
