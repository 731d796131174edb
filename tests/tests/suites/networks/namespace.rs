//! Network namespaces: created with names of this process, and removed with everything that runs in them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The beginning of the names of all namespaces of the suite; the process id and a number follow.
const PREFIX: &str = "peersync-lab-";
/// Where `ip netns` keeps the names.
const NAMES: &str = "/run/netns";

/// A network namespace. What runs in it is killed, and it is removed, when this is dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Creates a namespace with loopback alone. The label is for people.
    pub fn new(label: &str) -> Self {
        static CLEAN: Once = Once::new();
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        CLEAN.call_once(remove_leftovers);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}-{label}", std::process::id());
        done(Command::new("ip").args(["netns", "add", &name]));
        let new = Self { name };
        new.ip("link set lo up");
        // An address is usable at once, not after the seconds in which IPv6 looks for duplicates.
        new.sysctl("net.ipv6.conf.default.accept_dad=0");
        new
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs the program `ip` with these arguments for this namespace.
    pub fn ip(&self, arguments: &str) {
        done(Command::new("ip").args(["-n", &self.name]).args(arguments.split_whitespace()));
    }

    /// Sets variables of the kernel.
    pub fn sysctl(&self, settings: &str) {
        done(self.command("sysctl").args(["-q", "-w"]).args(settings.split_whitespace()));
    }

    /// Adds rules to the packet filter.
    pub fn nft(&self, rules: &str) {
        let mut child = self.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft starts");
        child.stdin.take().expect("it is piped").write_all(rules.as_bytes()).expect("nft reads");
        assert!(child.wait().expect("nft ends").success(), "nft refused the rules:\n{rules}");
    }

    /// Returns a command that runs a program in this namespace.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a program in this namespace and returns what it prints.
    pub fn output(&self, command: &mut Command) -> String {
        let output = done(command);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Connects two namespaces by a cable with these ends.
pub fn cable(one: (&Namespace, &str), other: (&Namespace, &str)) {
    let (near, far) = (one.1, other.1);
    one.0.ip(&format!("link add {near} type veth peer name {far} netns {}", other.0.name()));
    one.0.ip(&format!("link set {near} up"));
    other.0.ip(&format!("link set {far} up"));
}

/// Runs a command, and panics with its output if it fails.
pub fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Removes the namespaces of earlier runs that were killed.
fn remove_leftovers() {
    let names = std::fs::read_dir(NAMES).into_iter().flatten();
    for name in names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            remove(&name);
        }
    }
}

/// Kills what runs in a namespace and removes it. Failures are ignored: this runs while a test fails too, and the next
/// run tries again.
fn remove(name: &str) {
    let running = Command::new("ip").args(["netns", "pids", name]).output();
    let running = running.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let processes: Vec<&str> = running.split_whitespace().collect();
    if !processes.is_empty() {
        let _ = Command::new("kill").arg("-KILL").args(processes).stderr(Stdio::null()).status();
    }
    let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
}
