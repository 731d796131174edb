//! What one connection costs our server in each state that it can be in, and whether the caps on all of them together fit
//! into the memory of a t3.micro.

use std::net::SocketAddr;
use std::time::Duration;

use futures::SinkExt as _;
use futures::stream::{self, StreamExt as _};
use peersync_server::tickets::TicketKeys;
use peersync_signal::Limits;
use peersync_signal::memory::{self, State};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::ours::{ORIGIN, keys, ticket, user_ticket};
use super::process::{memory as resident, slab};
use super::references::References;
use super::relays::{Kind, Relay};

/// The time until memory is read after the last connection reached its state.
pub(super) const SETTLE: Duration = Duration::from_millis(1500);
/// Connections that are brought into their state at the same time.
const AT_ONCE: usize = 32;
/// Connections before the first measurement, so that what is allocated once does not count.
const WARM: usize = 50;
/// The members of a full room.
const ROOM: usize = 4;

pub(super) type Socket = WebSocketStream<TcpStream>;

/// What was measured of one state.
#[derive(Debug)]
pub struct Row {
    /// The state.
    pub state: State,
    /// Resident bytes of one connection.
    pub bytes: f64,
}

/// What was measured of all states.
#[derive(Debug)]
pub struct States {
    /// A state each.
    pub rows: Vec<Row>,
    /// What the kernel needs for one connection beside its buffers, in bytes.
    pub socket: f64,
}

/// Measures all states, each with a server of its own.
///
/// # Errors
/// If a connection did not reach its state.
pub async fn measure(references: &References) -> Result<States, String> {
    let (mut rows, mut socket) = (Vec::new(), 0.0);
    for state in State::ALL {
        let relay = Relay::start(Kind::Ours, references)?;
        let world = World { address: SocketAddr::from(([127, 0, 0, 1], relay.port)), keys: keys() };
        let warm = world.reach(state, 0..WARM).await?;
        sleep(SETTLE).await;
        let gone = || "the server is gone".to_owned();
        let (before, kernel) = (resident(relay.pid()).ok_or_else(gone)?.resident, slab());
        let count = WARM..WARM + count(state);
        let held = world.reach(state, count.clone()).await?;
        sleep(SETTLE).await;
        let after = resident(relay.pid()).ok_or_else(gone)?.resident;
        let bytes = after.saturating_sub(before) as f64 * 1024.0 / count.len() as f64;
        if state == State::Alone {
            // Both ends of a connection are on this machine.
            socket = slab().saturating_sub(kernel) as f64 * 1024.0 / 2.0 / count.len() as f64;
        }
        rows.push(Row { state, bytes });
        drop((warm, held));
    }
    Ok(States { rows, socket })
}

/// Large states are bounded by their bytes, so there are few of them.
fn count(measured: State) -> usize {
    match measured {
        State::Alone | State::FullRoom | State::Lost | State::Outside | State::Ringing => 2000,
        State::Knocking | State::BeforeHello | State::HalfHello => 1000,
        State::HalfRequest => 500,
        State::HalfFrame | State::HalfMessage | State::Queued => 200,
    }
}

/// A server, and the keys of its tickets.
pub(super) struct World {
    pub(super) address: SocketAddr,
    pub(super) keys: TicketKeys,
}

/// What keeps a connection in its state.
#[expect(dead_code, reason = "held until it is dropped")]
enum Held {
    Web(Vec<Socket>),
    Tcp(TcpStream),
}

impl World {
    /// Brings connections of these numbers into a state.
    async fn reach(&self, state: State, numbers: std::ops::Range<usize>) -> Result<Vec<Held>, String> {
        let each = |number: usize| async move {
            let room = match state {
                State::FullRoom => format!("{state:?}-{}", number / ROOM),
                _ => format!("{state:?}-{number}"),
            };
            self.one(state, number, &room).await
        };
        stream::iter(numbers).map(each).buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
    }

    async fn one(&self, state: State, number: usize, room: &str) -> Result<Held, String> {
        let raw = |bytes: Vec<u8>| async move {
            let mut socket = self.guest(room).await?;
            join(&mut socket, room).await?;
            write(socket.get_mut(), &bytes).await?;
            Ok::<_, String>(Held::Web(vec![socket]))
        };
        match state {
            State::HalfRequest => {
                let mut stream = TcpStream::connect(self.address).await.map_err(text)?;
                let head = format!("GET /ws HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(15_000));
                write(&mut stream, head.as_bytes()).await?;
                Ok(Held::Tcp(stream))
            }
            State::BeforeHello => Ok(Held::Web(vec![self.upgraded().await?])),
            State::HalfHello => {
                let mut socket = self.upgraded().await?;
                write(socket.get_mut(), &part(0x81, 6000, 5900)).await?;
                Ok(Held::Web(vec![socket]))
            }
            State::Outside => Ok(Held::Web(vec![self.guest(room).await?])),
            State::Alone | State::FullRoom => raw(Vec::new()).await,
            State::Lost => {
                let mut socket = self.guest(room).await?;
                join(&mut socket, room).await?;
                drop(socket);
                Ok(Held::Web(Vec::new()))
            }
            State::HalfFrame => raw(part(0x81, 65_535, 65_000)).await,
            State::HalfMessage => raw((0..4).flat_map(|at| part(u8::from(at == 0), 15_000, 99_999)).collect()).await,
            State::Knocking => self.knock(room).await,
            State::Ringing => self.ring(room, number).await,
            State::Queued => self.queue(room).await,
        }
    }

    async fn upgraded(&self) -> Result<Socket, String> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request().map_err(text)?;
        request.headers_mut().insert("origin", ORIGIN.parse().map_err(|_| "origin")?);
        let stream = TcpStream::connect(self.address).await.map_err(text)?;
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        Ok(client_async_with_config(request, stream, Some(config)).await.map_err(text)?.0)
    }

    async fn with_ticket(&self, ticket: String) -> Result<Socket, String> {
        let mut socket = self.upgraded().await?;
        send(&mut socket, &json!({ "type": "hello", "ticket": ticket })).await?;
        until(&mut socket, "welcome").await?;
        Ok(socket)
    }

    async fn guest(&self, room: &str) -> Result<Socket, String> {
        self.with_ticket(ticket(&self.keys, room)).await
    }

    /// Signs users of these numbers in, who then do nothing.
    pub(super) async fn idle_people(&self, numbers: std::ops::Range<usize>) -> Result<Vec<Socket>, String> {
        let each = |number: usize| async move {
            let email = format!("idle{number}@bench.example");
            self.with_ticket(user_ticket(&self.keys, &email, "nobody-is-there")).await
        };
        stream::iter(numbers).map(each).buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
    }

    /// A member who locks the room, and somebody who knocks.
    async fn knock(&self, room: &str) -> Result<Held, String> {
        let mut member = self.guest(room).await?;
        join(&mut member, room).await?;
        send(&mut member, &json!({ "type": "room-lock" })).await?;
        until(&mut member, "room-lock").await?;
        let mut newcomer = self.guest(room).await?;
        send(&mut newcomer, &json!({ "type": "join", "room": room })).await?;
        until(&mut newcomer, "knock").await?;
        Ok(Held::Web(vec![member, newcomer]))
    }

    async fn ring(&self, room: &str, number: usize) -> Result<Held, String> {
        let (caller, callee) = (format!("caller{number}@bench.example"), format!("callee{number}@bench.example"));
        let mut socket = self.with_ticket(user_ticket(&self.keys, &caller, room)).await?;
        join(&mut socket, room).await?;
        send(&mut socket, &json!({ "type": "ring", "to": callee, "room": room })).await?;
        until(&mut socket, "ringing").await?;
        Ok(Held::Web(vec![socket]))
    }

    /// A lost session with as much in its queue as one sender may send.
    async fn queue(&self, room: &str) -> Result<Held, String> {
        let mut receiver = self.guest(room).await?;
        join(&mut receiver, room).await?;
        let mut sender = self.guest(room).await?;
        let joined = join(&mut sender, room).await?;
        let peer = joined["peers"][0]["peer"].clone();
        drop(receiver);
        for _ in 0..memory::QUEUED / memory::QUEUED_SIGNAL {
            let candidate = "x".repeat(memory::QUEUED_SIGNAL - 200);
            send(&mut sender, &json!({ "type": "signal", "to": peer, "candidate": candidate })).await?;
        }
        send(&mut sender, &json!({ "type": "ping" })).await?;
        until(&mut sender, "pong").await?;
        Ok(Held::Web(vec![sender]))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The first `sent` bytes of a masked frame.
fn part(first: u8, length: u16, sent: usize) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut frame = vec![first, 0x80 | 126, high, low, 0, 0, 0, 0];
    frame.resize(sent.min(8 + usize::from(length)), 0);
    frame
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), String> {
    stream.write_all(bytes).await.map_err(text)
}

async fn send(socket: &mut Socket, message: &Value) -> Result<(), String> {
    socket.send(Message::text(message.to_string())).await.map_err(text)
}

async fn until(socket: &mut Socket, kind: &str) -> Result<Value, String> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(heard))) => {
                let message: Value = serde_json::from_str(&heard).map_err(text)?;
                if message["type"] == kind {
                    return Ok(message);
                }
                if message["type"] == "error" {
                    return Err(format!("instead of {kind}: {heard}"));
                }
            }
            Some(Ok(Message::Close(frame))) => return Err(format!("closed instead of {kind}: {frame:?}")),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err(format!("closed instead of {kind}")),
        }
    }
}

async fn join(socket: &mut Socket, room: &str) -> Result<Value, String> {
    send(socket, &json!({ "type": "join", "room": room })).await?;
    until(socket, "joined").await
}

impl States {
    /// Returns the tables: what a connection costs in each state, and what all caps together cost.
    pub fn table(&self) -> String {
        let limits = Limits::default();
        let mut text = format!("{:<48} {:>12} {:>12}\n", "bytes of one connection", "measured", "at most");
        for row in &self.rows {
            text += &format!("{:<48} {:>12.0} {:>12}\n", row.state.name(), row.bytes, row.state.at_most());
        }
        text += &format!("{:<48} {:>12.0} {:>12}\n\n", "the kernel's socket", self.socket, memory::SOCKET);
        text += &format!("{:<48} {:>12} {:>12}\n", "all caps at the same time", "number", "MiB");
        for cap in memory::caps(&limits) {
            text += &format!("{:<48} {:>12} {:>12.1}\n", cap.name, cap.most, mebibytes(cap.bytes));
        }
        text += &format!("{:<48} {:>25.1}\n", "together", mebibytes(memory::all(&limits)));
        text + &format!("{:<48} {:>25.1}\n", "left for the server on a t3.micro", mebibytes(memory::BUDGET))
    }

    /// Returns what costs more than is assumed.
    pub fn missed(&self) -> Vec<String> {
        let over = self.rows.iter().filter(|row| row.bytes > row.state.at_most() as f64);
        let mut missed: Vec<_> = over.map(|row| format!("{}: {:.0} bytes", row.state.name(), row.bytes)).collect();
        if memory::all(&Limits::default()) > memory::BUDGET {
            missed.push("all caps together do not fit".to_owned());
        }
        missed
    }
}

pub(super) fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
