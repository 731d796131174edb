//! `cargo xtask try`: runs the stack on an emulator on this machine until Ctrl-C.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{At as _, Error};
use crate::process;
use crate::tools::python;
use crate::workspace::{builder, deployer, root, target};

/// The time that MiniStack has to start.
const READY: Duration = Duration::from_secs(60);
/// The account of the emulator.
const ACCOUNT: &str = "000000000000";

/// Starts MiniStack, runs `up` on it, and keeps it running.
///
/// # Errors
/// If something is missing, or `up` fails.
pub fn run() -> Result<ExitCode, Error> {
    let python = python()?;
    process::run(builder("cargo").args(["build", "--release", "--package", "peersync-deploy"]))?;
    let port = free_port()?;
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut emulator = KilledOnDrop(start(&python, port)?);
    wait(port)?;
    println!("MiniStack listens at {endpoint}; its log is {}", log().display());
    process::run(deploy(&endpoint).args(["up", "--yes"]))?;
    println!("\nThe stack is up. To use it, run in another terminal:");
    println!(
        "  export AWS_ENDPOINT_URL={endpoint} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID={ACCOUNT} AWS_SECRET_ACCESS_KEY=x"
    );
    println!("Ctrl-C stops the emulator and removes everything on it.");
    emulator.0.wait().at(log())?;
    Ok(ExitCode::SUCCESS)
}

fn deploy(endpoint: &str) -> Command {
    let mut command = Command::new(deployer());
    command.current_dir(root()).env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", ACCOUNT).env("AWS_SECRET_ACCESS_KEY", "x").env_remove("AWS_PROFILE");
    command
}

fn log() -> std::path::PathBuf {
    target().join("ministack.log")
}

fn start(python: &Path, port: u16) -> Result<Child, Error> {
    let file = std::fs::File::create(log()).at(log())?;
    let errors = file.try_clone().at(log())?;
    let mut command = Command::new(python);
    command.args(["-c", "from ministack.app import main; main()"]).stdin(Stdio::null()).stdout(file).stderr(errors);
    command
        .env("GATEWAY_PORT", port.to_string())
        .env("BIND_HOST", "127.0.0.1")
        .env("SFTP_ENABLED", "0")
        .env("IOT_MTLS_ENABLED", "0");
    command.env("LAMBDA_EXECUTOR", "local").env("MINISTACK_ACCOUNT_ID", ACCOUNT);
    command.spawn().map_err(|source| Error::Start { program: "MiniStack".to_owned(), source })
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).at("127.0.0.1:0")?;
    Ok(listener.local_addr().at("127.0.0.1:0")?.port())
}

fn wait(port: u16) -> Result<(), Error> {
    let started = Instant::now();
    while started.elapsed() < READY {
        if healthy(port).unwrap_or(false) {
            return Ok(());
        }
        sleep(Duration::from_millis(100));
    }
    Err(Error::Missing(format!("MiniStack did not start within 60 s: see {}", log().display())))
}

fn healthy(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /_ministack/health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// A process that ends with this one.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
