//! A client that behaves like a browser.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// The origin of the pages that may connect.
pub const ORIGIN: &str = "https://site.example";
/// The key by which the edge proves itself.
pub const EDGE_KEY: &str = "the edge's key";
/// The timeout of a response. Every response of the server is faster.
const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Client {
    pub socket: WebSocketStream<TcpStream>,
    pub peer: String,
    pub resume: String,
    pub resumed: bool,
    /// The number of the last message.
    pub seen: u64,
}

/// What was received: a message, or a close with its code.
#[derive(Clone, Debug, PartialEq)]
pub enum Came {
    Message(Value),
    Closed(u16),
    Gone,
}

impl Client {
    /// Connects without `hello`.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[("origin", ORIGIN), ("x-peersync-origin-key", EDGE_KEY)]).await.unwrap()
    }

    pub async fn connect_with(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) = client_async(request, stream).await?;
        Ok(Self::of(socket))
    }

    /// A client with this connection.
    pub fn of(socket: WebSocketStream<TcpStream>) -> Self {
        Self { socket, peer: String::new(), resume: String::new(), resumed: false, seen: 0 }
    }

    /// Connects and waits for `welcome`.
    pub async fn welcome(address: SocketAddr, ticket: &str) -> Self {
        let mut client = Self::connect(address).await;
        client.send(json!({ "type": "hello", "ticket": ticket })).await;
        client.welcomed().await;
        client
    }

    pub async fn welcomed(&mut self) {
        let welcome = self.next().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        assert!(welcome.get("seq").is_none());
        self.peer = welcome["peer"].as_str().unwrap().to_owned();
        self.resume = welcome["resume"].as_str().unwrap().to_owned();
        self.resumed = welcome["resumed"].as_bool().unwrap();
        if !self.resumed {
            self.seen = 0;
        }
    }

    pub async fn send(&mut self, message: Value) {
        self.send_text(message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Receives the next message or close, and answers pings of the server.
    pub async fn came(&mut self) -> Came {
        loop {
            let frame = timeout(TIMEOUT, self.socket.next()).await.expect("nothing came");
            match frame {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if let Some(number) = message.get("seq").and_then(Value::as_u64) {
                        assert_eq!(number, self.seen + 1, "lost or repeated before {message}");
                        self.seen = number;
                    }
                    return Came::Message(message);
                }
                Some(Ok(Message::Close(frame))) => return Came::Closed(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Came::Gone,
            }
        }
    }

    pub async fn next(&mut self) -> Value {
        match self.came().await {
            Came::Message(message) => message,
            other => panic!("instead of a message: {other:?}"),
        }
    }

    /// Receives the next message, which must have this type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    /// Receives the next message, which must be an error with this code.
    pub async fn refused(&mut self, code: &str) -> Value {
        let error = self.expect("error").await;
        assert_eq!(error["code"], code, "{error}");
        error
    }

    /// Receives an error, and then the close.
    pub async fn closed_for(&mut self, code: &str, close: u16) {
        self.refused(code).await;
        assert_eq!(self.came().await, Came::Closed(close));
    }

    /// Receives everything that was queued before the server read this ping.
    pub async fn settle(&mut self) -> Vec<Value> {
        self.send(json!({ "type": "ping" })).await;
        let mut messages = Vec::new();
        loop {
            let message = self.next().await;
            if message["type"] == "pong" {
                return messages;
            }
            messages.push(message);
        }
    }

    pub async fn join(&mut self, room: &str) -> Value {
        self.send(json!({ "type": "join", "room": room })).await;
        loop {
            let message = self.next().await;
            match message["type"].as_str().unwrap() {
                "presence" | "rung" => {}
                "joined" => return message,
                _ => panic!("{message}"),
            }
        }
    }

    pub async fn signal(&mut self, to: &str, candidate: &str) {
        self.send(json!({ "type": "signal", "to": to, "candidate": { "candidate": candidate } })).await;
    }

    /// Connects to a server, perhaps another one, with what it was given to resume, and without a ticket. The old connection
    /// is dropped without a close.
    pub async fn return_to(&mut self, address: SocketAddr) {
        let old = Self::connect(address).await;
        drop(std::mem::replace(&mut self.socket, old.socket));
        self.send(json!({ "type": "hello", "resume": self.resume, "seen": self.seen })).await;
    }

    /// Reconnects. The old connection is dropped without a close.
    pub async fn reconnect(&mut self, address: SocketAddr, ticket: &str, seen: bool) {
        let old = Self::connect(address).await;
        let old = std::mem::replace(&mut self.socket, old.socket);
        drop(old);
        let mut hello = json!({ "type": "hello", "ticket": ticket, "resume": self.resume });
        if seen {
            hello["seen"] = self.seen.into();
        }
        self.send(hello).await;
        self.welcomed().await;
    }
}

/// Returns the candidates in these messages.
pub fn candidates(messages: &[Value]) -> Vec<&str> {
    let signals = messages.iter().filter(|message| message["type"] == "signal");
    signals.map(|message| message["candidate"]["candidate"].as_str().unwrap()).collect()
}
