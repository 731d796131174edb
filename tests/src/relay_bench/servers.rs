//! The relays that are measured, each a process of its own on loopback: ours, and coturn.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use peersync_relay::client::{Ask, Asker};
use peersync_relay::{Limits, Relay, Settings, StackAuthority, bind, serve};
use peersync_server::clock::Clock;
use peersync_server::secrets::{LiveSecrets, Secret, Secrets};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

/// The secret that the relays share with their clients.
pub const SECRET: &str = "bench";
/// The realm of the credentials.
const REALM: &str = "bench";
/// How long a relay may take to start.
const START: Duration = Duration::from_secs(20);

/// A relay that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `peersync-relay`.
    Ours,
    /// coturn, as Debian packages it.
    Coturn,
}

impl Kind {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "PeerSync",
            Self::Coturn => "coturn",
        }
    }

    fn command(self, port: u16) -> Result<Command, String> {
        match self {
            Self::Ours => {
                let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
                command.args(["serve-ours", &port.to_string()]);
                Ok(command)
            }
            Self::Coturn => {
                let mut command = Command::new("turnserver");
                command.args([
                    "-n",
                    "--no-cli",
                    "--no-tls",
                    "--no-dtls",
                    "--use-auth-secret",
                    "--allow-loopback-peers",
                ]);
                command.args([
                    "--listening-ip=127.0.0.1",
                    "--relay-ip=127.0.0.1",
                    "--log-file=/dev/null",
                    "--no-stdout-log",
                ]);
                command.args([format!("--static-auth-secret={SECRET}"), format!("--realm={REALM}")]);
                command.args([format!("--listening-port={port}"), "--pidfile=/dev/null".to_owned()]);
                Ok(command)
            }
        }
    }
}

/// A running relay.
pub struct Server {
    /// Where it listens, by UDP.
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts a relay, and waits until it answers.
    ///
    /// # Errors
    /// It is not installed, or does not answer.
    pub async fn start(kind: Kind) -> Result<Self, String> {
        let free = UdpSocket::bind(("127.0.0.1", 0)).await.and_then(|socket| socket.local_addr());
        let address = free.map_err(|error| error.to_string())?;
        let mut command = kind.command(address.port())?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().map_err(|error| format!("{:?} cannot be started: {error}", command.get_program()))?;
        let server = Self { address, child };
        let end = Instant::now() + START;
        while Instant::now() < end {
            if answers(address).await {
                return Ok(server);
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(format!("{} does not answer", kind.name()))
    }

    /// Returns the number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn answers(address: SocketAddr) -> bool {
    let asked = async {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await?;
        socket.connect(address).await?;
        socket.send(&Asker::new("", "").ask(&Ask::Binding)).await?;
        socket.recv(&mut [0; 512]).await
    };
    matches!(timeout(Duration::from_millis(200), asked).await, Ok(Ok(_)))
}

/// Serves our relay on `port` until the process ends: with the limits of a stack, except for those on what one address
/// may have and ask, since all clients of the benchmark are at one address.
pub async fn serve_ours(port: u16) {
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    let listeners = bind(&[address], &[], &[]).expect("the port is free");
    let secrets = Secrets { turn_secret: Some(Secret::new(SECRET)), ..Secrets::default() };
    let authority = StackAuthority::new(Arc::new(LiveSecrets::fixed(secrets)), Clock::default());
    let limits = Limits {
        per_address: usize::MAX,
        strangers_rate: u32::MAX,
        strangers_burst: u32::MAX,
        strangers_total: u32::MAX,
        total_rate: u32::MAX,
        total_burst: u32::MAX,
        allocation_rate: u32::MAX,
        allocation_burst: u32::MAX,
        ..Limits::default()
    };
    let settings = Settings { realm: REALM.to_owned(), address: Ipv4Addr::LOCALHOST, limits };
    let _running = serve(Relay::new(settings, authority, Instant::now()), listeners, None).expect("no certificate");
    std::future::pending::<()>().await;
}
