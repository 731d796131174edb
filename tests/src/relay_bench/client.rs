//! A client with an allocation.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use peersync_relay::client::{Answer, Ask, Asker};
use peersync_server::turn_credentials::{TurnHolder, turn_credentials};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::servers::SECRET;

/// The channel to the other half of a pair.
pub const CHANNEL: u16 = 0x4000;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// A client with an allocation.
pub struct Client {
    /// Connected to the relay.
    pub socket: UdpSocket,
    /// Its relayed address.
    pub relayed: SocketAddr,
    asker: Asker,
}

impl Client {
    /// Gets an allocation. `number` makes a user of its own.
    ///
    /// # Errors
    /// The relay refuses, or does not answer.
    pub async fn allocate(relay: SocketAddr, number: usize) -> io::Result<Self> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let user = format!("{number}@example.org");
        let credentials = turn_credentials(
            SECRET,
            now.try_into().unwrap_or(0),
            &TurnHolder::User { email: &user, generation: "first" },
        );
        let mut asker = Asker::new(&credentials.username, credentials.password.reveal());
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await?;
        socket.connect(relay).await?;
        let answer = ask(&socket, &mut asker, &Ask::Allocate(None)).await?;
        let relayed = answer.relayed.ok_or_else(|| io::Error::other("no relayed address"))?;
        Ok(Self { socket, relayed, asker })
    }

    /// Makes the channel to the other half.
    ///
    /// # Errors
    /// The relay refuses, or does not answer.
    pub async fn channel(&mut self, peer: SocketAddr) -> io::Result<()> {
        ask(&self.socket, &mut self.asker, &Ask::Channel(CHANNEL, peer)).await.map(|_| ())
    }
}

async fn ask(socket: &UdpSocket, asker: &mut Asker, ask: &Ask) -> io::Result<Answer> {
    let mut packet = vec![0; 2048];
    for _ in 0..3 {
        socket.send(&asker.ask(ask)).await?;
        let size = timeout(ANSWER, socket.recv(&mut packet)).await.map_err(io::Error::other)??;
        let answer = asker.read(&packet[..size]).ok_or_else(|| io::Error::other("no answer"))?;
        match answer.code() {
            None => return Ok(answer),
            Some(401 | 438) => {}
            Some(code) => return Err(io::Error::other(format!("{ask:?} refused with {code}"))),
        }
    }
    Err(io::Error::other("the credentials are refused"))
}
