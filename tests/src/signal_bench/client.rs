//! One client, the same for all relays but for the words.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use peersync_server::tickets::TicketKeys;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufStream};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::bare::frame;
use super::ours::{ORIGIN, ticket};
use super::relays::Kind;

/// Characters of the candidate in each message: what a browser's candidate has, and its wrapping.
const CANDIDATE: usize = 250;
/// Clients that share a source address: Linux lends 28,000 ports for each.
const PER_ADDRESS: usize = 20_000;

/// A connection that is in its room.
#[derive(Debug)]
pub struct Client {
    kind: Kind,
    wire: Wire,
    /// Its name at the relay, if it has one.
    pub name: String,
    /// With what it goes on at our next server.
    resume: String,
}

#[derive(Debug)]
enum Wire {
    Web(Box<WebSocketStream<TcpStream>>),
    Tcp(BufStream<TcpStream>),
}

impl Client {
    /// Connects client `number`, which is one half of pair `number / 2`, and waits until the relay knows it.
    ///
    /// # Errors
    /// If the relay refuses it.
    pub async fn connect(kind: Kind, port: u16, number: usize, keys: &TicketKeys) -> Result<Self, String> {
        let ticket = ticket(keys, &(number / 2).to_string());
        Self::connect_with(kind, port, number, &json!({ "type": "hello", "ticket": ticket }).to_string()).await
    }

    async fn connect_with(kind: Kind, port: u16, number: usize, hello: &str) -> Result<Self, String> {
        let pair = number / 2;
        let stream = dial(port, number).await.map_err(|error| error.to_string())?;
        let _ = stream.set_nodelay(true);
        if kind == Kind::Bare {
            let wire = Wire::Tcp(BufStream::with_capacity(4096, 4096, stream));
            let mut client = Self { kind, wire, name: String::new(), resume: String::new() };
            client.send(pair.to_string()).await?;
            client.receive().await?;
            return Ok(client);
        }
        let path = match kind {
            Kind::FastApi => format!("/ws/{pair}"),
            Kind::PeerServer => format!("/peerjs?key=peerjs&id=c{number}&token=t&version=1"),
            Kind::Matchbox => format!("/{pair}"),
            Kind::Ours | Kind::Bare => "/ws".to_owned(),
        };
        let mut request =
            format!("ws://127.0.0.1:{port}{path}").into_client_request().map_err(|error| error.to_string())?;
        request.headers_mut().insert("origin", ORIGIN.parse().map_err(|_| "origin")?);
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        let (socket, _) =
            client_async_with_config(request, stream, Some(config)).await.map_err(|error| error.to_string())?;
        let wire = Wire::Web(Box::new(socket));
        let mut client = Self { kind, wire, name: format!("c{number}"), resume: String::new() };
        client.enter(pair, hello).await?;
        Ok(client)
    }

    /// Waits until our server is about to end, and returns after what time to come back.
    ///
    /// # Errors
    /// If the connection is closed before that.
    pub async fn until_drained(mut self) -> Result<(Self, Duration), String> {
        loop {
            let message: Value = serde_json::from_str(&self.receive().await?).map_err(|error| error.to_string())?;
            if message["type"] == "draining" {
                return Ok((self, Duration::from_millis(message["retry_ms"].as_u64().unwrap_or_default())));
            }
        }
    }

    /// Goes on at our next server, without a ticket, until it is in its room again.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn move_to(self, port: u16, number: usize) -> Result<Self, String> {
        let hello = json!({ "type": "hello", "resume": self.resume });
        drop(self);
        Self::connect_with(Kind::Ours, port, number, &hello.to_string()).await
    }

    async fn enter(&mut self, pair: usize, hello: &str) -> Result<(), String> {
        if self.kind == Kind::Ours {
            self.send(hello.to_owned()).await?;
        }
        let first = self.receive().await?;
        match self.kind {
            Kind::Ours => {
                let welcome: Value = serde_json::from_str(&first).map_err(|error| error.to_string())?;
                self.name = welcome["peer"].as_str().ok_or(first.as_str())?.to_owned();
                self.resume = welcome["resume"].as_str().unwrap_or_default().to_owned();
                self.send(json!({ "type": "join", "room": pair.to_string() }).to_string()).await?;
                let joined = self.receive().await?;
                joined.contains("\"joined\"").then_some(()).ok_or(joined.to_string())
            }
            Kind::Matchbox => {
                let assigned: Value = serde_json::from_str(&first).map_err(|error| error.to_string())?;
                self.name = assigned["IdAssigned"].as_str().ok_or(first.as_str())?.to_owned();
                Ok(())
            }
            Kind::FastApi | Kind::PeerServer | Kind::Bare => Ok(()),
        }
    }

    /// A message for the client of that name, with the time in it.
    pub fn message(&self, to: &str, nanoseconds: u64) -> String {
        let candidate = "c".repeat(CANDIDATE);
        match self.kind {
            Kind::Ours => format!(
                r#"{{"type":"signal","to":"{to}","candidate":{{"candidate":"{candidate}","at":{nanoseconds}}}}}"#
            ),
            Kind::PeerServer => format!(
                r#"{{"type":"CANDIDATE","dst":"{to}","payload":{{"candidate":"{candidate}","at":{nanoseconds}}}}}"#
            ),
            Kind::Matchbox => {
                format!(r#"{{"Signal":{{"receiver":"{to}","data":{{"candidate":"{candidate}","at":{nanoseconds}}}}}}}"#)
            }
            Kind::FastApi | Kind::Bare => {
                format!(r#"{{"type":"signal","to":"","candidate":{{"candidate":"{candidate}","at":{nanoseconds}}}}}"#)
            }
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// If the connection is closed.
    pub async fn send(&mut self, text: String) -> Result<(), String> {
        match &mut self.wire {
            Wire::Web(socket) => socket.send(Message::text(text)).await.map_err(|error| error.to_string()),
            Wire::Tcp(stream) => write(stream, text.as_bytes()).await.map_err(|error| error.to_string()),
        }
    }

    /// The next text.
    ///
    /// # Errors
    /// If the connection is closed.
    pub async fn receive(&mut self) -> Result<Utf8Bytes, String> {
        match &mut self.wire {
            Wire::Tcp(stream) => {
                let payload = frame(stream).await.map_err(|error| error.to_string())?;
                String::from_utf8(payload).map(Into::into).map_err(|error| error.to_string())
            }
            Wire::Web(socket) => loop {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(text),
                    Some(Ok(Message::Close(frame))) => return Err(format!("closed: {frame:?}")),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err("closed".to_owned()),
                }
            },
        }
    }
}

async fn dial(port: u16, number: usize) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let address @ 1.. = u32::try_from(number / PER_ADDRESS).unwrap_or(u32::MAX) {
        let source = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST).saturating_add(address));
        socket.bind(SocketAddr::from((source, 0)))?;
    }
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// Returns the time at which a message was sent, if it is one of this benchmark.
pub fn sent_at(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once(r#""at":"#)?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

async fn write(stream: &mut BufStream<TcpStream>, payload: &[u8]) -> io::Result<()> {
    stream.write_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX)).await?;
    stream.write_all(payload).await?;
    stream.flush().await
}
