//! A host with a named tunnel stands by while another serves: the script of its tunnel, with replacements of the programs.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::host::program;

const SCRIPT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/resources/src/kinds/signal_instance/host/tunnel.sh");
const NAMED: [(&str, &str); 2] = [("TUNNEL_TOKEN", "a-token"), ("HEALTH_URL", "https://signal.example.org/healthz")];
/// How a tunnel is started.
const STARTED: &str = "tunnel --no-autoupdate --metrics 127.0.0.1:20241 --grace-period 1s";
/// A header of Cloudflare's.
const RAY: &str = "CF-RAY: 230b030023ae2822-SJC";
/// How long something may take that takes a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A host that is about to connect.
struct Standby {
    folder: TempDir,
}

impl Standby {
    /// Creates one that gets this answer at the domain: a header and the status of the server.
    fn new(header: &str, status: &str) -> Self {
        let standby = Self { folder: tempfile::tempdir().unwrap() };
        let path = |name: &str| standby.path(name).display().to_string();
        program(&standby.path("cloudflared"), &format!("echo \"$*\" >>'{}'", path("started")));
        let answer = format!("echo \"$*\" >>'{}'; cat '{}'", path("asked"), path("answer"));
        program(&standby.path("curl"), &answer);
        program(&standby.path("timeout"), "exit 0");
        let script = fs::read_to_string(SCRIPT).unwrap();
        assert!(script.contains("</proc/uptime"), "the time is that of the kernel");
        fs::write(standby.path("tunnel"), script.replace("/proc/uptime", &path("uptime"))).unwrap();
        standby.answers(header, status);
        standby.runs_for("1000.25");
        standby
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file, which is read meanwhile.
    fn put(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn answers(&self, header: &str, status: &str) {
        self.put("answer", &format!("HTTP/2 200\r\n{header}\r\n\r\n{{\"status\":\"{status}\"}}"));
    }

    fn runs_for(&self, seconds: &str) {
        self.put("uptime", &format!("{seconds} 4.50\n"));
    }

    fn start(&self, variables: &[(&str, &str)]) -> Child {
        let programs = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.arg(self.path("tunnel")).env("PATH", programs).env("RUNTIME_DIRECTORY", self.folder.path());
        command.envs(variables.iter().copied()).kill_on_drop(true).spawn().unwrap()
    }

    async fn until_standing_by(&self) {
        let standing_by = async {
            while !self.path("standby").exists() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, standing_by).await.expect("it stands by");
    }

    /// Waits until it was asked this often again.
    async fn until_asked(&self, times: usize) {
        let asked = || fs::read_to_string(self.path("asked")).unwrap_or_default().lines().count();
        let wanted = asked() + times;
        let asking = async {
            while asked() < wanted {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, asking).await.expect("it asks");
    }

    /// Waits for its end, which is that of its cloudflared, and returns how that was started.
    async fn started(&self, mut running: Child) -> String {
        assert!(timeout(PATIENCE, running.wait()).await.expect("it connects").unwrap().success());
        assert!(!self.path("standby").exists());
        fs::read_to_string(self.path("started")).unwrap()
    }

    fn is_connected(&self) -> bool {
        self.path("started").exists()
    }
}

/// A connector is not told apart from another: people of one call would come to two hosts.
#[tokio::test]
async fn host_with_a_named_tunnel_connects_once_no_other_answers() {
    let host = Standby::new(RAY, "ok");
    let running = host.start(&NAMED);
    host.until_standing_by().await;
    assert!(!host.is_connected(), "two hosts are connected");
    let asked = fs::read_to_string(host.path("asked")).unwrap();
    assert!(asked.contains("https://signal.example.org/healthz?"), "{asked}");
    // As without a host behind the tunnel.
    host.put("answer", "HTTP/2 530\r\ncf-ray: 0-SJC\r\n\r\nerror code: 1033");
    assert_eq!(host.started(running).await, format!("{STARTED} run\n"));
}

#[tokio::test]
async fn standby_ends_as_soon_as_the_other_host_says_goodbye() {
    let host = Standby::new(RAY, "ok");
    let running = host.start(&NAMED);
    host.until_standing_by().await;
    host.answers(RAY, "draining");
    assert_eq!(host.started(running).await, format!("{STARTED} run\n"));
}

#[tokio::test]
async fn no_other_host_is_one_without_cloudflare_and_a_quick_tunnel_has_an_address_of_its_own() {
    let host = Standby::new("server: peersync", "ok");
    assert_eq!(host.started(host.start(&NAMED)).await, format!("{STARTED} run\n"));
    let host = Standby::new(RAY, "ok");
    let running = host.start(&NAMED[1..]);
    assert_eq!(host.started(running).await, format!("{STARTED} --url http://127.0.0.1:8081\n"));
}

#[tokio::test]
async fn standby_is_bounded_by_the_time_that_the_host_runs_and_not_by_a_clock_that_is_set() {
    let host = Standby::new(RAY, "ok");
    // What bash counts follows the wall clock: as if that had been set by two hours.
    let running = host.start(&[NAMED[0], NAMED[1], ("SECONDS", "7200")]);
    host.until_standing_by().await;
    host.runs_for("3399.99");
    host.until_asked(3).await;
    assert!(!host.is_connected(), "two hosts are connected");
    host.runs_for("3400.01");
    assert_eq!(host.started(running).await, format!("{STARTED} run\n"));
}
