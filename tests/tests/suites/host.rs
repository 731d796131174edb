//! The signaling host starts from its user data: its files, its script with the real AWS CLI, its programs.
//!
//! The folders of the host are below a temporary folder, and systemd and dnf are replaced by recorders. The suite `boot`
//! has systemd itself.
//! Region and credentials come from the metadata service, version 2, as on a real host.

mod folders;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) use self::folders::program;
use self::folders::{below, moved, record};
use aws_sdk_ec2::types::InstanceAttributeName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use peersync_tests::clients::{Clients, REGION};
use peersync_tests::emulator::{Emulator, Kind, python};
use peersync_tests::http;
use peersync_tests::iam::{actions, named};
use peersync_tests::metadata::Metadata;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::operation::decoded;
use peersync_tests::stage::Stage;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The deadline for an expected line of the host's output.
const PATIENCE: Duration = Duration::from_secs(60);
/// The log agent, which dnf installs.
const AGENT: &str = "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl";
/// Programs that the script calls and that would change this machine.
const RECORDED: [&str; 2] = ["bin/systemctl", "bin/dnf"];

/// A host, emulated in a folder.
pub(super) struct Host {
    id: String,
    pub(super) root: TempDir,
    metadata: Metadata,
    endpoint: String,
    /// The port on which the signaling server is expected.
    pub(super) port: u16,
    /// The port on which cloudflared is expected, with a tunnel.
    tunnel_port: u16,
}

impl Host {
    /// Does what cloud-init does with the user data of the stack's only instance.
    pub(super) async fn of(stage: &Stage) -> Self {
        let hosts = stage.clients.ec2.describe_instances().send().await.unwrap();
        Self::of_instance(stage, hosts.reservations()[0].instances()[0].instance_id().unwrap()).await
    }

    /// Does what cloud-init does with the user data of this instance.
    pub(super) async fn of_instance(stage: &Stage, id: &str) -> Self {
        let root = TempDir::new().unwrap();
        let user_data = user_data(&stage.clients, id).await;
        for of_mail in ["MAIL_", "SMTP", "EMAILJS"] {
            assert!(!user_data.contains(of_mail), "{of_mail} in {user_data}");
        }
        let config = user_data.strip_prefix("#cloud-config\n").expect("it is a cloud-config");
        let config: Value = serde_json::from_str(config).unwrap();
        let ((_, port), (_, tunnel_port)) = (free_ports(), free_ports());
        let ours = format!("127.0.0.1:{port}");
        for file in config["write_files"].as_array().unwrap() {
            let text = |field: &str| file[field].as_str().unwrap();
            let path = below(root.path(), text("path"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let addresses = ["0.0.0.0:8080", "127.0.0.1:8081"];
            let content = moved(root.path(), text("content"));
            let content = addresses.iter().fold(content, |content, address| content.replace(address, &ours));
            let content = content.replace("127.0.0.1:20241", &format!("127.0.0.1:{tunnel_port}"));
            // As if each step had failed five times, without the pauses.
            let content = content.replace("longest_pause=60", "longest_pause=0").replace(" attempt=1 ", " attempt=6 ");
            fs::write(&path, content).unwrap();
            let mode = u32::from_str_radix(text("permissions"), 8).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        program(&root.path().join("bin/aws"), &format!("exec '{}' -m awscli \"$@\"", python().display()));
        for name in RECORDED {
            record(root.path(), name, "");
        }
        record(root.path(), "agent", "");
        let (from, to) = (root.path().join("agent"), root.path().join(AGENT));
        let folder = to.parent().unwrap().display();
        let installs = format!("mkdir -p '{folder}'; cp '{}' '{}'", from.display(), to.display());
        record(root.path(), "bin/dnf", &format!("case \"$*\" in *cacheonly*) {installs};; esac"));
        // What the units of packages do.
        let packages = root.path().join("usr/local/lib/peersync/packages").display().to_string();
        let steps = ["fetch", "apply"].map(|step| format!("'{packages}' {step} agent")).join(" && ");
        record(root.path(), "bin/systemctl", &format!("case \"$*\" in *apply@agent*) {steps};; esac"));
        fs::create_dir_all(root.path().join("usr/local/bin")).unwrap();
        fs::create_dir_all(root.path().join("var/log")).unwrap();
        let commands: Vec<&Value> = config["runcmd"].as_array().unwrap().iter().collect();
        let installation = json!(["systemctl", "enable", "--now", "--no-block", "peersync-install.service"]);
        assert_eq!(commands, [&json!(["systemctl", "daemon-reload"]), &installation]);
        let metadata = Metadata::start(id, &stage.account, REGION).await.unwrap();
        Self {
            id: id.to_owned(),
            root,
            metadata,
            endpoint: stage.proxy().url.clone(),
            port: port.parse().unwrap(),
            tunnel_port: tunnel_port.parse().unwrap(),
        }
    }

    /// The id of the instance.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// A command in the environment of the host, which names no region and no credentials.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let own = self.root.path().join("bin");
        let mut command = Command::new(program);
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", own.display()));
        command.env("HOME", self.root.path()).env("NO_PROXY", "*").env("AWS_ENDPOINT_URL", &self.endpoint);
        command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &self.metadata.url);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Starts the installation, as its unit does.
    pub(super) fn install(&self) -> Child {
        let etc = self.root.path().join("etc");
        let unit = fs::read_to_string(etc.join("systemd/system/peersync-install.service")).unwrap();
        let program = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let environment = fs::read_to_string(etc.join("peersync/install.env")).unwrap();
        self.command(program).envs(environment.lines().map(variable)).spawn().unwrap()
    }

    /// Starts a program as its unit does, on ports of its own.
    fn start(&self, name: &str) -> Child {
        self.start_with(name, &[])
    }

    /// Starts a program as its unit does, on ports of its own, with other values of these variables.
    pub(super) fn start_with(&self, name: &str, variables: &[(&str, &str)]) -> Child {
        let mut command = self.command(self.program(name));
        command.envs(self.environment(name));
        let (udp, tcp) = free_ports();
        command.env("RELAY_UDP_PORTS", udp).env("RELAY_TCP_PORTS", tcp).envs(variables.iter().copied());
        command.spawn().unwrap()
    }

    /// Returns the variables of a program.
    pub(super) fn environment(&self, name: &str) -> BTreeMap<String, String> {
        let file = self.root.path().join(format!("etc/peersync/{name}.env"));
        fs::read_to_string(file).unwrap().lines().map(variable).collect()
    }

    fn program(&self, name: &str) -> PathBuf {
        self.root.path().join(format!("usr/local/bin/peersync-{name}"))
    }

    /// Checks that the role of the host allows what was called until now, and returns it.
    async fn allowed_calls(&self, stage: &Stage) -> BTreeSet<String> {
        let called: BTreeSet<String> = stage.proxy().log.all().iter().flat_map(actions).collect();
        let role = format!("{}-{REGION}-signal", stage.stack());
        let answer = stage.clients.iam.get_role_policy().role_name(role).policy_name("peersync").send().await.unwrap();
        let allowed = named(&decoded(&answer.policy_document));
        assert!(called.is_subset(&allowed), "{called:?} of {allowed:?}");
        called
    }

    /// Returns the calls of the recorded programs, in order.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.root.path().join("calls")).unwrap_or_default();
        text.lines().map(|line| line.replace(&self.root.path().display().to_string(), "")).collect()
    }
}

/// A UDP and a TCP port that nobody uses at present.
fn free_ports() -> (String, String) {
    let (udp, tcp) = (UdpSocket::bind("0.0.0.0:0").unwrap(), TcpListener::bind("0.0.0.0:0").unwrap());
    (udp.local_addr().unwrap().port().to_string(), tcp.local_addr().unwrap().port().to_string())
}

/// The user data of this instance, as moto gives it back: compressed.
pub(super) async fn raw_user_data(clients: &Clients, host: &str) -> Vec<u8> {
    let call = clients.ec2.describe_instance_attribute().instance_id(host);
    let answer = call.attribute(InstanceAttributeName::UserData).send().await.unwrap();
    STANDARD.decode(answer.user_data().unwrap().value().unwrap()).unwrap()
}

/// The text of the user data of this instance.
pub(super) async fn user_data(clients: &Clients, host: &str) -> String {
    let raw = raw_user_data(clients, host).await;
    let mut text = String::new();
    GzDecoder::new(raw.as_slice()).read_to_string(&mut text).unwrap();
    text
}

/// What this instance has reported of its installation.
pub(super) async fn report(clients: &Clients, host: &str) -> Option<String> {
    let hosts = clients.ec2.describe_instances().instance_ids(host).send().await.unwrap();
    let tags = hosts.reservations()[0].instances()[0].tags().to_vec();
    tags.into_iter().find(|tag| tag.key() == Some("peersync:ready"))?.value
}

/// A line of systemd's `EnvironmentFile`.
fn variable(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').expect("a variable");
    let value = value.trim_matches('"').replace("\\\"", "\"").replace("\\\\", "\\");
    (name.to_owned(), value)
}

/// Reads until a line contains these words.
pub(super) async fn until<R: AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>, words: &str) -> String {
    let found = timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            println!("{line}");
            if line.contains(words) {
                return line;
            }
        }
        panic!("it ended without `{words}`");
    });
    found.await.unwrap_or_else(|_| panic!("no line with `{words}`"))
}

async fn stage(emulator: &Emulator) -> Stage {
    let stage = Stage::with(emulator, Settings { moto: true, ..Settings::default() }).await;
    stage.up().await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn host_downloads_its_programs_and_serves() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = stage(&emulator).await;
    let host = Host::of(&stage).await;
    stage.proxy().log.take();
    let mut installing = host.install();
    let mut said = BufReader::new(installing.stdout.take().unwrap()).lines();
    until(&mut said, "failed: an answer of the signaling server").await;
    let mut running = host.start("signal");
    until(&mut said, "peersync: done").await;
    assert!(timeout(PATIENCE, installing.wait()).await.unwrap().unwrap().success());
    let agent = "amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:/etc/peersync/logs.json";
    let install = "dnf -y -q install amazon-cloudwatch-agent";
    assert_eq!(
        host.calls(),
        [
            "systemctl start var-lib-swap-peersync.swap",
            "systemctl start peersync-apply@agent.service",
            &format!("{install} --refresh --downloadonly --nogpgcheck --setopt=logdir=/var/cache/dnf"),
            &format!("{install} --cacheonly"),
            agent,
            "systemctl enable --now peersync-update.timer",
            "systemctl enable --now peersync-signal.service",
            "systemctl enable --now peersync-relay.service",
            "systemctl is-active --quiet peersync-relay.service",
            "systemctl is-active --quiet peersync-relay.service",
        ]
    );
    assert_eq!(report(&stage.clients, &host.id).await.as_deref(), Some("ready"));
    let log = fs::read_to_string(host.root.path().join("var/log/peersync-install.log")).unwrap();
    assert!(log.contains("peersync: installing\n") && log.contains("peersync: ready\n"), "{log}");
    for name in ["signal", "relay"] {
        let unit = host.root.path().join(format!("etc/systemd/system/peersync-{name}.service"));
        let unit = fs::read_to_string(unit).unwrap();
        assert!(unit.contains(&format!("ExecStart={}\n", host.program(name).display())), "{unit}");
    }

    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let listening: Value = serde_json::from_str(&until(&mut lines, "\"listening\"").await).unwrap();
    let address = listening["address"].as_str().unwrap();
    let answer = http::client().get(format!("http://{address}/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let called = host.allowed_calls(&stage).await;
    assert!(called.contains("s3:GetObject") && called.contains("ssm:GetParameters"), "{called:?}");
    let kill = Command::new("kill").args(["-TERM", &running.id().unwrap().to_string()]).status().await.unwrap();
    assert!(kill.success());
    assert!(timeout(PATIENCE, running.wait()).await.unwrap().unwrap().success(), "it drains and ends well");
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_starts_with_what_the_role_of_the_host_allows() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = stage(&emulator).await;
    let host = Host::of(&stage).await;
    let mut installing = host.install();
    let mut said = BufReader::new(installing.stdout.take().unwrap()).lines();
    until(&mut said, "failed: an answer of the signaling server").await;
    drop(installing);
    stage.proxy().log.take();
    let mut running = host.start("relay");
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let usage: Value = serde_json::from_str(&until(&mut lines, "\"usage\"").await).unwrap();
    // What the dashboard reads.
    for metric in ["allocations", "relayed_bytes", "refused", "budget_spent"] {
        assert_eq!((&usage["target"], &usage[metric]), (&Value::from("relay"), &Value::from(0)), "{metric}: {usage}");
    }
    let metrics: Value = serde_json::from_str(&until(&mut lines, "CloudWatchMetrics").await).unwrap();
    assert_eq!(metrics["RelayedBytes"], Value::from(0.0), "written although nothing was relayed: {metrics}");
    assert_eq!(metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"], format!("PeerSync/{}", stage.stack()));
    let called = host.allowed_calls(&stage).await;
    assert!(called.contains("ssm:GetParameters") && called.contains("dynamodb:UpdateItem"), "{called:?}");
}

/// Of cloudflared there are its metrics alone: it is not connected at first, and gets another address later.
#[tokio::test(flavor = "multi_thread")]
async fn host_with_a_quick_tunnel_waits_for_it_and_publishes_its_address() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = Stage::with(&emulator, Settings { moto: true, ..Settings::default() }).await;
    stage.configure("[signaling]\ningress = \"cloudflare\"\n");
    stage.up().await;
    let host = Host::of(&stage).await;
    let script = host.root.path().join("usr/local/lib/peersync/install");
    let text = fs::read_to_string(&script).unwrap();
    let pinned: Vec<&str> = text.split("cloudflared_sha256=").skip(1).map(|rest| &rest[..64]).collect();
    assert_eq!(pinned.len(), 2, "one for each kind of processors");
    // That of an empty file.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    fs::write(&script, pinned.iter().fold(text.clone(), |text, hash| text.replace(hash, empty))).unwrap();
    fs::write(host.root.path().join("usr/local/bin/cloudflared"), "").unwrap();
    fs::create_dir_all(host.root.path().join("var/lib/peersync")).unwrap();
    let mut installing = host.install();
    let mut said = BufReader::new(installing.stdout.take().unwrap()).lines();
    until(&mut said, "failed: the token of the tunnel").await;
    stage.proxy().log.take();
    let mut running = host.start("signal");
    until(&mut said, "failed: a connection of the tunnel").await;
    let name = Arc::new(Mutex::new("one-two.trycloudflare.com"));
    let told = Arc::clone(&name);
    let metrics = axum::Router::new().route("/ready", axum::routing::get(|| async { "{}" })).route(
        "/quicktunnel",
        axum::routing::get(|| async move { format!("{{\"hostname\":\"{}\"}}", told.lock().unwrap()) }),
    );
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", host.tunnel_port)).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, metrics).await });
    until(&mut said, "peersync: done").await;
    for next in ["one-two.trycloudflare.com", "three-four.trycloudflare.com"] {
        *name.lock().unwrap() = next;
        let published = timeout(PATIENCE, async {
            while published(&stage).await != Some(format!("wss://{next}/ws")) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        published.await.unwrap_or_else(|_| panic!("{next} was not published"));
    }
    let called = host.allowed_calls(&stage).await;
    assert!(called.contains("dynamodb:UpdateItem"), "{called:?}");
    let kill = Command::new("kill").args(["-TERM", &running.id().unwrap().to_string()]).status().await.unwrap();
    assert!(kill.success() && timeout(PATIENCE, running.wait()).await.unwrap().unwrap().success());
    assert_eq!(published(&stage).await, None, "the next host may publish its own");
    host.allowed_calls(&stage).await;
}

/// The address of the quick tunnel that `POST /ticket` reads.
pub(super) async fn published(stage: &Stage) -> Option<String> {
    let table = format!("{}-Ephemeral", stage.stack());
    let answer = stage.clients.dynamodb.scan().table_name(table).send().await.unwrap();
    let item =
        answer.items().iter().find(|item| item["key"].as_s().is_ok_and(|key| key.starts_with("signal-address#")))?;
    item.get("url")?.as_s().ok().cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn program_with_wrong_digest_is_not_installed() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = stage(&emulator).await;
    let host = Host::of(&stage).await;
    let s3 = &stage.clients.s3;
    let ours = s3.get_object().bucket(stage.bucket()).key("programs/signal.gz").send().await.unwrap();
    let ours = ours.body.collect().await.unwrap().to_vec();
    let put = |body: Vec<u8>| s3.put_object().bucket(stage.bucket()).key("programs/signal.gz").body(body.into()).send();
    // An empty file, in gzip.
    put(vec![31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
    let mut installing = host.install();
    let mut lines = BufReader::new(installing.stdout.take().unwrap()).lines();
    until(&mut lines, "is not the one that this host was made for").await;
    let started = host.calls().into_iter().find(|call| call.contains("enable") && !call.ends_with(".timer"));
    assert!(!host.program("signal").exists() && started.is_none(), "{started:?}");
    // It is retried, since the right one may be uploaded later.
    put(ours).await.unwrap();
    until(&mut lines, "failed: an answer of the signaling server").await;
    assert!(host.program("signal").exists());
}
