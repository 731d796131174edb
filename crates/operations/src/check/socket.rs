//! Opens the WebSocket as browsers do: whoever answers anything else has not let a page in.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use peersync_aws::HttpClient;
use peersync_engine::error::innermost_cause;

/// A frame that closes the connection, from a client (RFC 6455, 5.5.1).
const CLOSE: [u8; 6] = [0x88, 0x80, 0, 0, 0, 0];
/// The longest refusal that is read, in bytes: that of the signaling server is short.
const LONGEST: u64 = 4096;
/// How much of the text of a refusal is shown, in characters.
const SHOWN: usize = 200;

/// Opens the WebSocket for a page of this origin, and closes it.
///
/// # Errors
/// It is not opened; the text says what came instead.
pub(super) async fn open(client: &HttpClient, url: &str, origin: &str) -> Result<(), String> {
    // It only has to differ from those before it.
    let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let request = client
        .get(url)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", STANDARD.encode(moment.to_be_bytes()))
        .header("origin", origin);
    let answer = request.send().await.map_err(|error| innermost_cause(&error.without_url()))?;
    if answer.status() == reqwest::StatusCode::SWITCHING_PROTOCOLS {
        // The server notices also if nobody says goodbye.
        if let Ok(mut socket) = answer.upgrade().await {
            _ = socket.write_all(&CLOSE).await;
        }
        return Ok(());
    }
    let status = answer.status();
    let said = refusal(answer).await.map(|said| format!(": {said}")).unwrap_or_default();
    Err(format!("the WebSocket is not opened, the answer has HTTP status {status}{said}"))
}

/// Returns what the signaling server says about its refusal, without control characters.
async fn refusal(answer: reqwest::Response) -> Option<String> {
    answer.content_length().filter(|length| *length <= LONGEST)?;
    let body: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    let message = body.get("error")?.get("message")?.as_str()?;
    Some(message.chars().filter(|c| !c.is_control()).take(SHOWN).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peersync_aws::Http;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Opens it at a server that gives this answer, and returns the outcome, the request, and what came after the answer.
    async fn opened(answer: &'static str) -> (Result<(), String>, String, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ws", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            let mut after = Vec::new();
            _ = stream.read_to_end(&mut after).await;
            (String::from_utf8(request[..length].to_vec()).unwrap(), after)
        });
        let client = Http::default().client(Duration::from_secs(15)).unwrap();
        let outcome = open(&client, &url, "https://d111.cloudfront.net").await;
        drop(client);
        let (request, after) = server.await.unwrap();
        (outcome, request, after)
    }

    #[tokio::test]
    async fn web_socket_is_opened_as_a_page_does_and_closed() {
        let accepted = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let (outcome, request, after) = opened(accepted).await;
        outcome.unwrap();
        for header in [
            "GET /ws HTTP/1.1\r\n",
            "\r\nconnection: Upgrade\r\n",
            "\r\nupgrade: websocket\r\n",
            "\r\nsec-websocket-version: 13\r\n",
            "\r\norigin: https://d111.cloudfront.net\r\n",
        ] {
            assert!(request.contains(header), "{header}: {request}");
        }
        let key = request.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
        assert_eq!(STANDARD.decode(key).unwrap().len(), 16, "{key}");
        assert_eq!(after, CLOSE);
    }

    #[tokio::test]
    async fn every_other_answer_is_none_and_a_refusal_is_told() {
        let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 54\r\nconnection: close\r\n\r\n\
                       {\"error\":{\"code\":\"origin\",\"message\":\"not \\u001bhere\"}}";
        let prefix = "the WebSocket is not opened, the answer has HTTP status";
        for (answer, expected) in [
            (refusal, "403 Forbidden: not here"),
            ("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "426 Upgrade Required"),
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhtml", "404 Not Found"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "200 OK"),
            ("HTTP/1.1 302 Found\r\nlocation: /in\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "302 Found"),
        ] {
            assert_eq!(opened(answer).await.0, Err(format!("{prefix} {expected}")));
        }
    }
}
