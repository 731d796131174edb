//! The relays as processes, each on a loopback port.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::references::References;

/// The relays that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PeerSync's signaling server.
    Ours,
    /// TCP without WebSocket and JSON.
    Bare,
    /// FastAPI on uvicorn.
    FastApi,
    /// npm `peer`.
    PeerServer,
    /// `matchbox_server`.
    Matchbox,
}

/// How long a relay may take to listen; Python needs seconds.
const START: Duration = Duration::from_secs(60);

/// A running relay, which is killed when this is dropped.
#[derive(Debug)]
pub struct Relay {
    /// Its kind.
    pub kind: Kind,
    /// Its port.
    pub port: u16,
    child: Child,
}

impl Kind {
    /// All kinds, ours first.
    pub const ALL: [Self; 5] = [Self::Ours, Self::Bare, Self::FastApi, Self::PeerServer, Self::Matchbox];

    /// Returns its name on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Bare => "bare",
            Self::FastApi => "fastapi",
            Self::PeerServer => "peerserver",
            Self::Matchbox => "matchbox",
        }
    }

    /// Returns its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "signal (ours)",
            Self::Bare => "bare TCP, tokio",
            Self::FastApi => "FastAPI + uvicorn",
            Self::PeerServer => "PeerServer (npm)",
            Self::Matchbox => "matchbox_server",
        }
    }
}

impl Relay {
    /// Starts a relay and waits until it listens. What it needs is installed first.
    ///
    /// # Errors
    /// If it cannot be started; the text says why.
    pub fn start(kind: Kind, references: &References) -> Result<Self, String> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut command = command(kind, port, references)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut relay = Self { kind, port, child: child.map_err(|error| error.to_string())? };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Ok(Some(status)) = relay.child.try_wait() {
                return Err(format!("it ended at the start: {status}"));
            }
            if begin.elapsed() > START {
                return Err("it does not listen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(relay)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it SIGTERM, waits until it ends, and returns how long that took.
    pub fn terminate(&mut self) -> Duration {
        let begin = Instant::now();
        let _ = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        let _ = self.child.wait();
        begin.elapsed()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(kind: Kind, port: u16, references: &References) -> Result<Command, String> {
    let port = port.to_string();
    let myself = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(match kind {
        Kind::Ours | Kind::Bare => {
            let mut command = Command::new(myself);
            command.args([if kind == Kind::Ours { "serve-ours" } else { "serve-bare" }, &port]);
            command
        }
        Kind::FastApi => {
            let mut command = Command::new(references.fastapi()?);
            command.args(["-m", "uvicorn", "signal_fastapi:app", "--port", &port, "--log-level", "warning"]);
            command.args(["--backlog", "4096"]).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/bench"));
            command
        }
        Kind::PeerServer => {
            let mut command = Command::new("node");
            command.arg(references.peer_server()?).args(["--port", &port, "--host", "127.0.0.1"]);
            command.args(["--concurrent_limit", "100000", "--alive_timeout", "600000"]);
            command
        }
        Kind::Matchbox => {
            let mut command = Command::new(references.matchbox()?);
            command.arg(format!("127.0.0.1:{port}"));
            command
        }
    })
}
