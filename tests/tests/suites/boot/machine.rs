//! A machine: systemd boots this computer's own files, in a namespace, with everything that it writes in memory.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::networks::namespace::{Namespace, done};

/// How long a state may take to come.
const PATIENCE: Duration = Duration::from_secs(90);
/// What a file takes at least.
const PAGE: u64 = 4096;
/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(200);
/// The exit status of systemd-nspawn if the machine is to be started again.
const REBOOT: i32 = 133;
/// The number of machines of this program.
static MACHINES: AtomicU8 = AtomicU8::new(0);

/// A machine. It is switched off and removed when this is dropped.
pub struct Machine {
    number: u8,
    namespace: Namespace,
    folder: TempDir,
    running: Option<Child>,
    forwarded: Vec<AbortHandle>,
}

impl Machine {
    /// Prepares a machine that is off. Its network is a cable to the outside.
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for name in ["memory", "root"] {
            fs::create_dir(path(name)).unwrap();
        }
        done(Command::new("mount").args(["-t", "tmpfs", "tmpfs", &path("memory")]));
        for name in ["memory/upper", "memory/work"] {
            fs::create_dir(path(name)).unwrap();
        }
        let layers = format!("lowerdir=/,upperdir={},workdir={}", path("memory/upper"), path("memory/work"));
        done(Command::new("mount").args(["-t", "overlay", "overlay", "-o", &layers, &path("root")]));
        let number = MACHINES.fetch_add(1, Ordering::Relaxed);
        let machine = Self { number, namespace: Namespace::new("boot"), folder, running: None, forwarded: Vec::new() };
        machine.cable();
        machine
    }

    /// Lays the cable to the outside.
    fn cable(&self) {
        let near = self.near();
        self.namespace.ip(&format!("link add eth0 type veth peer name {near} netns {}", std::process::id()));
        self.namespace.ip(&format!("address add {}/30 dev eth0", self.address()));
        self.namespace.ip("link set eth0 up");
        done(Command::new("ip").args(["address", "add", &format!("{}/30", self.outside()), "dev", &near]));
        self.plug(true);
    }

    /// The name of the cable's end outside.
    fn near(&self) -> String {
        format!("psb{}x{}", self.number, std::process::id())
    }

    /// The machine's address, of a network for documentation (RFC 5737).
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 51, 100, 4 * self.number + 2)
    }

    /// The cable's end outside.
    pub fn outside(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 51, 100, 4 * self.number + 1)
    }

    /// Plugs the cable in, or pulls it out.
    pub fn plug(&self, in_or_out: bool) {
        let state = if in_or_out { "up" } else { "down" };
        done(Command::new("ip").args(["link", "set", &self.near(), state]));
    }

    /// Lets the machine reach a server on loopback of this computer; returns the address at which it does.
    pub async fn reach(&mut self, url: &str) -> String {
        let port: u16 = url.rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok()).unwrap();
        let listener = TcpListener::bind((self.outside(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let forwarding = tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(("127.0.0.1", port)).await?;
                    copy_bidirectional(&mut from, &mut to).await
                });
            }
        });
        self.forwarded.push(forwarding.abort_handle());
        format!("http://{address}")
    }

    /// The path of a file of the machine, on this computer.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path.trim_start_matches('/'))
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }

    /// Writes a program of the shell.
    pub fn program(&self, path: &str, text: &str) {
        self.write(path, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Switches the machine on: systemd starts this unit.
    pub fn boot(&mut self, unit: &str) {
        let console = fs::File::create(self.folder.path().join("console")).unwrap();
        let mut command = Command::new("systemd-nspawn");
        command.args(["--quiet", "--register=no", "--keep-unit", "--directory"]).arg(self.path("/"));
        command.arg(format!("--network-namespace-path=/run/netns/{}", self.namespace.name()));
        command.args(["--boot", &format!("systemd.unit={unit}")]);
        command.stdin(Stdio::null()).stdout(console.try_clone().unwrap()).stderr(console);
        self.running = Some(command.spawn().unwrap());
    }

    /// Waits until the machine reboots by itself, and starts this unit then: with its options, systemd-nspawn leaves the
    /// second start to whoever has started it.
    pub async fn reboots(&mut self, unit: &str) {
        let begun = std::time::Instant::now();
        let status = loop {
            match self.running.as_mut().expect("the machine is on").try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begun.elapsed() < PATIENCE, "no reboot came\n{}", self.account()),
            }
            sleep(PAUSE).await;
        };
        assert_eq!(status.code(), Some(REBOOT), "it ended in another way");
        self.boot(unit);
    }

    /// Pulls the plug: everything in the machine ends with its first process.
    pub fn cut_power(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let _ = Command::new("kill").args(["-KILL", &first_process(&running)]).status();
        let _ = running.kill();
        let _ = running.wait();
    }

    /// Switches the machine off as EC2 does when it terminates a host, and waits for its end.
    pub async fn switch_off(&mut self) {
        self.shell("systemctl poweroff --no-block");
        let begun = std::time::Instant::now();
        while self.running.as_mut().expect("the machine is on").try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end\n{}", self.account());
            sleep(PAUSE).await;
        }
        self.running = None;
    }

    /// Leaves no room on the machine's disk, on which programs, state and logs are.
    pub fn fill_disk(&self) {
        let memory = self.folder.path().join("memory").display().to_string();
        let used = done(Command::new("df").args(["--block-size=1", "--output=used", &memory])).stdout;
        let used: u64 = String::from_utf8_lossy(&used).split_whitespace().nth(1).unwrap().parse().unwrap();
        done(Command::new("mount").args(["-o", &format!("remount,size={}", used + PAGE), &memory]));
        let filled = self.run(&["dd", "if=/dev/zero", "of=/filled", "bs=4k"]);
        assert!(String::from_utf8_lossy(&filled.stderr).contains("No space left"), "{filled:?}");
    }

    /// Leaves room again.
    pub fn empty_disk(&self) {
        let memory = self.folder.path().join("memory").display().to_string();
        done(Command::new("mount").args(["-o", "remount,size=50%", &memory]));
        self.shell("rm /filled");
    }

    /// Ends the program of a unit at once, and waits for it: no program can do anything about that.
    pub async fn kill(&self, unit: &str) {
        let process = || self.shell(&format!("systemctl show --property=MainPID --value {unit}"));
        let before = process();
        self.shell(&format!("kill -KILL {before}"));
        self.until("the end of the killed program", async || process() != before).await;
    }

    /// Runs a program in the machine.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let init = first_process(self.running.as_ref().expect("the machine is on"));
        let namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
        Command::new("nsenter").args(["--target", &init]).args(namespaces).arg("--").args(arguments).output().unwrap()
    }

    /// Runs a line of the shell in the machine, which must succeed, and returns what it prints.
    pub fn shell(&self, line: &str) -> String {
        let output = self.run(&["sh", "-c", line]);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Returns whether a unit is active.
    pub fn is_active(&self, unit: &str) -> bool {
        self.run(&["systemctl", "is-active", "--quiet", unit]).status.success()
    }

    /// Waits until something is so, and panics with the console and the logs if it does not come.
    pub async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let begun = std::time::Instant::now();
        while !is_so().await {
            assert!(begun.elapsed() < PATIENCE, "{what} did not come\n{}", self.account());
            sleep(PAUSE).await;
        }
    }

    /// What console and logs say.
    fn account(&self) -> String {
        let logs =
            ["install", "signal", "relay", "tunnel"].map(|name| self.path(&format!("/var/log/peersync-{name}.log")));
        let files = std::iter::once(self.folder.path().join("console")).chain(logs);
        let files: String = files.map(|path| format!("--- {}\n{}\n", path.display(), read(&path))).collect();
        let journal = self.run(&["journalctl", "--no-pager", "--lines=40"]).stdout;
        format!("{files}--- journal\n{}", String::from_utf8_lossy(&journal))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cut_power();
        self.forwarded.iter().for_each(AbortHandle::abort);
        for name in ["root", "memory"] {
            let _ = Command::new("umount").arg("--lazy").arg(self.folder.path().join(name)).status();
        }
    }
}

/// Returns the id, on this computer, of the first process of the machine that this program runs.
fn first_process(nspawn: &Child) -> String {
    let id = nspawn.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    children.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Reads a file of which only people want to know.
fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
