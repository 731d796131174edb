//! The generator: what a tunnel, another page, or a foreign name would send, with everything else at random.

use std::net::SocketAddr;

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

/// A request to send.
pub struct Planned {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Whether its answer has no body.
    pub is_head: bool,
    /// Whether it plainly asks for `/config.json`.
    pub is_config: bool,
    /// Whether the server has to answer without waiting for more.
    pub is_complete: bool,
}

impl Planned {
    /// Returns the beginning of the request as text, for the message of a failure.
    pub fn shown(&self) -> String {
        let beginning: String = String::from_utf8_lossy(&self.bytes).chars().take(2000).collect();
        format!("{beginning:?}")
    }
}

const METHODS: [&str; 14] = [
    "GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PRI",
];
const PATHS: [&str; 34] = [
    "/",
    "/index.html",
    "/config.json",
    "/config.json",
    "/login.html",
    "/style.css",
    "/nothing.html",
    "/secret.txt",
    "/../secret.txt",
    "/.secret",
    "/.hidden/secret.txt",
    "/_mail",
    "/_mail/messages.json",
    "/_mail/messages.json",
    "/_mail/message/1",
    "/_mail/events",
    "/_network",
    "/_network/kill-signaling",
    "/_live/reload.js",
    "/api",
    "/api/",
    "/api/health",
    "/api/me",
    "/api/signup",
    "/api/login",
    "/api/login/verify",
    "/api/users?query=quetzal",
    "/api/friends",
    "/api/friends/quetzal-victim@example.org",
    "/api/room/AAAAAAAAAAAAAAAAAAAAAA",
    "/api/ticket",
    "/api/create-room",
    "/ws",
    "*",
];
/// What is put into paths.
const PIECES: [&str; 20] = [
    "/..",
    "/../",
    "/./",
    "//",
    "\\",
    "..\\",
    "%2e%2e/",
    "%2e",
    "%2f",
    "%5c",
    "%252e%252e%252f",
    "%00",
    "%c0%ae",
    "%ff",
    "%",
    "%4",
    ";x=1",
    "?a=b",
    "/~",
    "%0d%0aset-cookie:a=b",
];
/// What marks a request as not the person's own: each of these alone keeps the mailbox shut.
const MARKS: [(&str, &str); 22] = [
    ("X-Forwarded-For", "203.0.113.9"),
    ("x-forwarded-for", ""),
    ("X-FORWARDED-HOST", "tunnel.example"),
    ("X-Forwarded-Proto", "https"),
    ("Forwarded", "for=203.0.113.9;host=tunnel.example"),
    ("Via", "1.1 tunnel"),
    ("X-Real-IP", "127.0.0.1"),
    ("CF-Connecting-IP", "127.0.0.1"),
    ("CF-Ray", "8f0"),
    ("CDN-Loop", "cloudflare"),
    ("True-Client-IP", "127.0.0.1"),
    ("Tailscale-Funnel-Request", "?1"),
    ("X-Original-Host", "localhost"),
    ("Origin", "https://evil.example"),
    ("Origin", "http://localhost:3000"),
    ("Origin", "null"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-site"),
    ("Host", "evil.example"),
    ("Host", "localhost.evil.example"),
    ("Host", "192.168.1.7"),
    ("Host", ""),
];
/// What else may be in a head.
const HEADERS: [(&str, &str); 44] = [
    ("Range", "bytes=0-0"),
    ("Range", "bytes=-1,0-,5-3"),
    ("Range", "bytes=999999999999999999999-"),
    ("If-Range", "\"x\""),
    ("If-None-Match", "*"),
    ("If-None-Match", "\"x\", W/\"y\",,"),
    ("If-Match", "*"),
    ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("If-Unmodified-Since", "no date"),
    ("Accept", "text/html;q=9"),
    ("Accept-Encoding", "gzip, br, zstd"),
    ("Accept-Language", "\u{e4}\u{f6}"),
    ("Cookie", "session=guess"),
    ("Cookie", "__Host-session=; session=a; session=b"),
    ("Cookie", "=;;=\"\\\""),
    ("Authorization", "Bearer guess"),
    ("Content-Type", "application/json"),
    ("Content-Type", "text/plain"),
    ("Content-Type", "multipart/form-data; boundary="),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Original-URL", "/_mail/messages.json"),
    ("X-Rewrite-URL", "/_mail/messages.json"),
    ("X-Peersync-Origin-Key", "guess"),
    ("CloudFront-Viewer-Address", "198.51.100.1:1"),
    ("Connection", "keep-alive"),
    ("Connection", "host, cookie, x-forwarded-for"),
    ("Connection", "Upgrade"),
    ("Upgrade", "h2c"),
    ("Upgrade", "websocket"),
    ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ("Sec-WebSocket-Version", "13"),
    ("Expect", "100-continue"),
    ("Expect", "a miracle"),
    ("TE", "trailers"),
    ("Trailer", "Host"),
    ("Keep-Alive", "timeout=0"),
    ("Max-Forwards", "0"),
    ("Referer", "https://evil.example/"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "iframe"),
    ("User-Agent", "Mozilla/5.0"),
    ("Access-Control-Request-Method", "PUT"),
    ("Access-Control-Request-Headers", "x-amz-target"),
];
/// Lines that are no headers, or odd ones.
const BROKEN: [&str; 9] = [
    "no colon\r\n",
    "Host : localhost\r\n",
    " folded: line\r\n",
    "X-A\u{0}: b\r\n",
    ": empty\r\n",
    "X_a: b\r\n",
    "X-A: b\rc\r\n",
    "X-A: b\n",
    "X-A:\t\u{b}\r\n",
];
const BODIES: [&str; 12] = [
    "",
    "{}",
    "[]",
    "null",
    "{\"email\":\"quetzal-victim@example.org\"}",
    "{\"name\":\"\\u0000\",\"email\":\"a@b.example\"}",
    "{\"name\":\"Eve\",\"email\":\"eve@example.org\"}",
    "{\"token\":\"AAAA\",\"match\":12}",
    "{\"email\":{}}",
    "{\"a\":1e999}",
    "{\"latency_ms\":1}",
    "not JSON",
];
/// A request that would be answered, if the end of the one before it were seen too early.
const SMUGGLED: &str = "GET /_mail/messages.json HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// How the end of the body is shown.
#[derive(Clone, Copy, PartialEq)]
enum Framing {
    Length,
    NoBody,
    Chunked,
    BadChunks,
    /// Both ways: the chunks end before the length.
    Both(bool),
    TwoLengths,
    OddLength(&'static str),
    OddEncoding(&'static str),
    /// More is promised than sent.
    Missing,
}

/// Returns a request.
pub fn plan(random: &mut StdRng, address: SocketAddr) -> Planned {
    // Half of the requests are odd in their framing and mark alone, so that they get as far as they can.
    let is_plain = random.random_bool(0.5);
    let plain_path = *PATHS.choose(random).unwrap();
    let method = match plain_path {
        "/api/signup" | "/api/login" | "/api/login/verify" | "/api/ticket" | "/api/create-room" if is_plain => "POST",
        _ if is_plain => ["GET", "GET", "HEAD", "DELETE"].choose(random).unwrap(),
        _ => METHODS.choose(random).unwrap(),
    };
    let path = if is_plain { plain_path.to_owned() } else { path(random, plain_path, address) };
    let version = if is_plain || random.random_bool(0.95) {
        "HTTP/1.1"
    } else {
        *["HTTP/1.0", "HTTP/2.0", "HTTP/9", ""].choose(random).unwrap()
    };
    let framing = framing(random, method);
    let mut body = body(random);
    let mut head = format!("{method} {path} {version}\r\n");
    headers(random, &mut head, address, is_plain);
    frame(framing, &mut head, &mut body);
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend(body);
    Planned {
        bytes,
        is_head: method == "HEAD",
        is_config: path == "/config.json" && plain_path == path,
        is_complete: !matches!(framing, Framing::Missing | Framing::BadChunks) && plain_path != "/ws",
    }
}

fn path(random: &mut StdRng, plain: &str, address: SocketAddr) -> String {
    let mut path = plain.to_owned();
    if random.random_bool(0.5) {
        for _ in 0..random.random_range(1..4) {
            let piece = *PIECES.choose(random).unwrap();
            let at = random.random_range(0..=path.len());
            path.insert_str(at, piece);
        }
    }
    if random.random_bool(0.15) {
        let at = random.random_range(0..path.len());
        let byte = path.as_bytes()[at];
        path.replace_range(at..=at, &format!("%{byte:02x}"));
    }
    match random.random_range(0..40) {
        0 => format!("http://{address}{path}"),
        1 => format!("http://evil.example{path}"),
        2 => path + &"a".repeat(random.random_range(1..9000)),
        _ => path,
    }
}

fn headers(random: &mut StdRng, head: &mut String, address: SocketAddr, is_plain: bool) {
    let (mark, value) = *MARKS.choose(random).unwrap();
    // A mark in the host is the only host, unless there are two.
    let hosts: &[String] = &match (mark, random.random_range(0..20)) {
        ("Host", 0..15) => vec![],
        ("Host", _) => vec![format!("localhost:{}", address.port())],
        (_, 0) => vec![],
        (_, 1) => vec![address.to_string(), "evil.example".to_owned()],
        (_, 2) => vec!["localhost".to_owned()],
        (_, _) => vec![format!("localhost:{}", address.port())],
    };
    let mut lines: Vec<String> = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
    lines.push(format!("{mark}: {value}\r\n"));
    for _ in 0..random.random_range(0..6) {
        let (name, value) = *HEADERS.choose(random).unwrap();
        lines.push(format!("{name}: {value}\r\n"));
    }
    if random.random_bool(0.1) {
        let line = lines.choose(random).unwrap().clone();
        lines.push(line);
    }
    if !is_plain && random.random_bool(0.1) {
        lines.push((*BROKEN.choose(random).unwrap()).to_owned());
    }
    match random.random_range(0..60) {
        _ if is_plain => {}
        0 => lines.extend((0..150).map(|number| format!("x-{number}: a\r\n"))),
        1 => lines.push(format!("x-long: {}\r\n", "a".repeat(20_000))),
        _ => {}
    }
    for _ in 0..lines.len() {
        let at = random.random_range(0..lines.len());
        head.push_str(&lines.swap_remove(at));
    }
}

fn framing(random: &mut StdRng, method: &str) -> Framing {
    let is_plain = ["GET", "HEAD", "OPTIONS", "get", "TRACE"].contains(&method);
    match random.random_range(0..100) {
        0..50 if is_plain => Framing::NoBody,
        0..60 => Framing::Length,
        60..72 => Framing::Chunked,
        72..76 => Framing::Both(true),
        76..80 => Framing::Both(false),
        80..84 => Framing::TwoLengths,
        84..90 => {
            Framing::OddLength(["+5", "-1", "0x5", "5, 5", "99999999999999999999", " ", "5 5"].choose(random).unwrap())
        }
        90..96 => Framing::OddEncoding(
            ["xchunked", "chunked, identity", "identity", "gzip", "\u{b}chunked", "chunked\r\nTransfer-Encoding: x"]
                .choose(random)
                .unwrap(),
        ),
        96..98 => Framing::BadChunks,
        98 => Framing::Missing,
        _ => Framing::NoBody,
    }
}

fn body(random: &mut StdRng) -> Vec<u8> {
    match random.random_range(0..20) {
        0 => vec![0xff, 0xfe, 0, b'{'],
        1 => "[".repeat(random.random_range(1..5000)).into_bytes(),
        2 => format!("{{\"name\":\"{}\"}}", "a".repeat(random.random_range(1..100_000))).into_bytes(),
        3 => SMUGGLED.as_bytes().to_vec(),
        _ => (*BODIES.choose(random).unwrap()).as_bytes().to_vec(),
    }
}

/// Adds the headers of the body, and changes it to what is sent.
fn frame(framing: Framing, head: &mut String, body: &mut Vec<u8>) {
    let length = body.len();
    let chunked = |body: &[u8]| {
        let mut all = format!("{:x}\r\n", body.len()).into_bytes();
        all.extend(body);
        all.extend(b"\r\n0\r\n\r\n");
        // An empty chunk would be the end already.
        if body.is_empty() { b"0\r\n\r\n".to_vec() } else { all }
    };
    match framing {
        Framing::NoBody => body.clear(),
        Framing::Length => head.push_str(&format!("Content-Length: {length}\r\n")),
        Framing::Missing => head.push_str(&format!("Content-Length: {}\r\n", length + 1000)),
        Framing::Chunked => {
            head.push_str("Transfer-Encoding: chunked\r\n");
            *body = chunked(body);
        }
        Framing::BadChunks => {
            head.push_str("Transfer-Encoding: chunked\r\n");
            *body = b"zz\r\nno number\r\n".to_vec();
        }
        Framing::Both(length_first) => {
            *body = b"0\r\n\r\n".to_vec();
            body.extend(SMUGGLED.as_bytes());
            let lines = [format!("Content-Length: {}\r\n", body.len()), "Transfer-Encoding: chunked\r\n".to_owned()];
            let lines = if length_first { lines.concat() } else { lines.iter().rev().cloned().collect() };
            head.push_str(&lines);
        }
        Framing::TwoLengths => {
            *body = SMUGGLED.as_bytes().to_vec();
            head.push_str(&format!("Content-Length: 0\r\nContent-Length: {}\r\n", body.len()));
        }
        Framing::OddLength(odd) => {
            *body = SMUGGLED.as_bytes().to_vec();
            head.push_str(&format!("Content-Length: {odd}\r\n"));
        }
        Framing::OddEncoding(odd) => {
            *body = SMUGGLED.as_bytes().to_vec();
            head.push_str(&format!("Transfer-Encoding: {odd}\r\n"));
        }
    }
}
