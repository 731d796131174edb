//! AWS emulators as child processes of a test, on loopback and a free port. They end with the process that
//! started them, however that ends.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The deadline for an emulator to answer after its start.
const READY: Duration = Duration::from_secs(90);

/// The kinds of emulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MiniStack: everything that a stack needs, functions and data planes included.
    MiniStack,
    /// moto: the control planes.
    Moto,
    /// LocalStack itself, without Docker: neither functions nor DynamoDB.
    LocalStack,
}

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    /// The URL at which it listens, `http://127.0.0.1:PORT`.
    pub url: String,
    /// Its kind.
    pub kind: Kind,
    log: PathBuf,
    child: Child,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Closing the pipe lets it end its children; killing makes sure. It is no failure if it has already ended.
        drop(self.child.stdin.take());
        sleep(Duration::from_millis(50));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Emulator {
    /// Returns the MiniStack of this test program, started by the first test that needs it. Each test has an account.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Kind::MiniStack))
    }

    /// Starts an emulator and waits until it answers.
    pub fn start(kind: Kind) -> Self {
        for _ in 0..3 {
            let port = free_port().expect("a port is free");
            let log = logs().join(format!("{kind:?}-{}-{port}.log", std::process::id()).to_lowercase());
            let child = spawn(kind, port, &log).expect("Python can be started");
            let mut emulator = Self { url: format!("http://127.0.0.1:{port}"), kind, log, child };
            if emulator.wait() {
                return emulator;
            }
        }
        panic!("{kind:?} does not come up; see the logs in {}", logs().display());
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn wait(&mut self) -> bool {
        let started = Instant::now();
        let address = self.url.trim_start_matches("http://").to_owned();
        while started.elapsed() < READY {
            // Another process may have taken the port in between.
            if self.child.try_wait().ok().flatten().is_some() {
                return false;
            }
            if answers(&address).unwrap_or(false) {
                return true;
            }
            sleep(Duration::from_millis(50));
        }
        false
    }
}

fn answers(address: &str) -> io::Result<bool> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET /_ministack/health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1."))
}

fn spawn(kind: Kind, port: u16, log: &Path) -> io::Result<Child> {
    let file = File::create(log)?;
    let name = match kind {
        Kind::MiniStack => "ministack",
        Kind::Moto => "moto",
        Kind::LocalStack => "localstack",
    };
    let python = if kind == Kind::LocalStack { localstack_python() } else { python() };
    let mut command = Command::new(python);
    // Unbuffered, so that its log is whole when it is killed.
    command.args(["-u", concat!(env!("CARGO_MANIFEST_DIR"), "/support/emulator.py"), name, &port.to_string()]);
    command.env_clear().envs(crate::environment::kept());
    command.stdin(Stdio::piped()).stdout(file.try_clone()?).stderr(file);
    command.spawn()
}

/// Returns the Python with the emulators: `PEERSYNC_PYTHON`, or the one in the target folder.
pub fn python() -> PathBuf {
    let own = || crate::deployer::target().join("venv/bin/python");
    let python = env::var_os("PEERSYNC_PYTHON").map_or_else(own, PathBuf::from);
    assert!(python.exists(), "no Python at {}: run the tests with `cargo xtask test`", python.display());
    python
}

/// Returns the Python with LocalStack: `PEERSYNC_LOCALSTACK_PYTHON`, or the one in the target folder.
fn localstack_python() -> PathBuf {
    let own = || crate::deployer::target().join("venv-localstack/bin/python");
    let python = env::var_os("PEERSYNC_LOCALSTACK_PYTHON").map_or_else(own, PathBuf::from);
    assert!(python.exists(), "no Python at {}: run the tests with `cargo xtask test`", python.display());
    python
}

/// Returns the folder for the logs of child processes.
pub fn logs() -> PathBuf {
    let folder = crate::deployer::target().join("test-logs");
    fs::create_dir_all(&folder).expect("the folder for logs can be created");
    folder
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Returns an account that no other test of this process uses; MiniStack derives the account from the access key.
pub fn fresh_account() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{:012}", 100_000_000_000_u64 + u64::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}
