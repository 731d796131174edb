//! One connection: what is sent over it, and the answers as a strict client reads them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::requests::Planned;

/// How long to wait for more after the last byte, if the server rightly waits for the rest of a request.
const SILENCE: Duration = Duration::from_millis(300);
/// How long to wait for an answer to a complete request, at the very most.
const PATIENCE: Duration = Duration::from_secs(60);

/// One answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values.
    headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// Returns the values of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether a text is anywhere in it.
    pub fn contains(&self, text: &str) -> bool {
        self.body.contains(text) || self.headers.iter().any(|(_, value)| value.contains(text))
    }
}

/// Sends a request, and a plain one behind it on the same connection, and returns the answers.
pub async fn exchange(address: SocketAddr, planned: &Planned) -> Vec<Answer> {
    let mut stream = TcpStream::connect(address).await.expect("the port is open");
    let probe = format!("GET /config.json HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    // The server may have closed the connection before everything was sent.
    let _ = stream.write_all(&planned.bytes).await;
    let _ = stream.write_all(probe.as_bytes()).await;
    let mut bytes = Vec::new();
    let wait = if planned.is_complete { PATIENCE } else { SILENCE };
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(Ok(read @ 1..)) = timeout(wait, stream.read(&mut buffer)).await {
        bytes.extend_from_slice(&buffer[..read]);
        if bytes.starts_with(b"HTTP/1.1 101") {
            break;
        }
    }
    parse(&bytes, planned.is_head)
}

/// Reads all answers in these bytes. Every byte must belong to one.
pub fn parse(mut bytes: &[u8], first_is_head: bool) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
        let head = std::str::from_utf8(&bytes[..end]).expect("heads are text");
        bytes = &bytes[end + 4..];
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok());
        let status: u16 = status.unwrap_or_else(|| panic!("no status line: {head}"));
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap_or_else(|| panic!("no header: {line}")))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        if status == 101 {
            answers.push(Answer { status, headers, body: String::new() });
            return answers;
        }
        if status < 200 {
            continue;
        }
        let has_body = !(first_is_head && answers.is_empty()) && status != 204 && status != 304;
        let (body, rest) = if has_body { body(&headers, bytes) } else { (Vec::new(), bytes) };
        bytes = rest;
        answers.push(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() });
    }
    answers
}

fn body<'a>(headers: &[(String, String)], bytes: &'a [u8]) -> (Vec<u8>, &'a [u8]) {
    let value = |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    if let Some(length) = value("content-length") {
        let length: usize = length.parse().expect("a length");
        assert!(length <= bytes.len(), "the body is shorter than its length");
        return (bytes[..length].to_vec(), &bytes[length..]);
    }
    assert_eq!(value("transfer-encoding"), Some("chunked"), "a body without an end");
    let (mut body, mut rest) = (Vec::new(), bytes);
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").expect("the length of a chunk");
        let length = std::str::from_utf8(&rest[..line]).expect("a text");
        let length = usize::from_str_radix(length, 16).expect("a number");
        rest = &rest[line + 2..];
        body.extend_from_slice(&rest[..length]);
        assert_eq!(&rest[length..length + 2], b"\r\n", "the end of a chunk");
        rest = &rest[length + 2..];
        if length == 0 {
            return (body, rest);
        }
    }
}
