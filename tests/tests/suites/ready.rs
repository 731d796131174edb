//! A new signaling host takes over only once it says that it is ready. Its script really runs, and is broken in six ways.

use std::collections::BTreeSet;
use std::fs;
use std::future::pending;
use std::path::Path;
use std::time::Duration;

use aws_sdk_ec2::types::Tag;
use peersync_tests::deployer::Run;
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::{Behaviour, Times};
use peersync_tests::stage::{Stage, UP};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::host::{Host, program};
use super::launching;

/// A part of a host that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// The bucket has another program.
    Digest,
    /// The program of the relay cannot be read.
    Download,
    /// The signaling server does not answer.
    Server,
    /// The relay ends as soon as it has started.
    Relay,
    /// Another program has a port of the relay, whose program really runs.
    Port,
    /// The way in cannot be downloaded.
    Tunnel,
}

/// A signaling server of which only the health matters; it stops when this is dropped.
struct Healthy(AbortHandle);

impl Drop for Healthy {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Healthy {
    async fn listen(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                _ = stream.read(&mut [0; 1024]).await;
                _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            }
        });
        Self(serving.abort_handle())
    }
}

/// The ids of the hosts that run.
async fn hosts(stage: &Stage) -> BTreeSet<String> {
    let running = launching::hosts(stage).await;
    running.into_iter().filter_map(|host| host.instance_id).collect()
}

/// The host that has the address.
async fn holder(stage: &Stage) -> Option<String> {
    let answer = stage.clients.ec2.describe_addresses().send().await.unwrap();
    answer.addresses()[0].instance_id().map(str::to_owned)
}

/// What systemd does if a port of the relay is taken: it starts the program, which ends at once, and calls that a success.
fn start_at_taken_port(root: &Path, port: u16) -> String {
    let file = |name: &str| root.join(name).display().to_string();
    format!(
        "(set -a; . '{}'; RELAY_UDP_PORTS={port} RELAY_TCP_PORTS={port} '{}' >>'{}' 2>&1) || true",
        file("etc/peersync/relay.env"),
        file("usr/local/bin/peersync-relay"),
        file("var/log/peersync-relay.log"),
    )
}

/// Breaks a host whose files are there. `taken` is a port that another program has.
fn break_it(host: &Host, broken: Broken, taken: u16) {
    let root = host.root.path();
    let instead = |name: &str, of: &str, does: &str| {
        let real = fs::read_to_string(root.join(name))
            .unwrap_or_else(|_| format!("exec /usr/bin/{} \"$@\"", name.rsplit('/').next().unwrap()));
        program(&root.join(name), &format!("case \"$*\" in *{of}*) {does};; esac\n{real}"));
    };
    match broken {
        Broken::Nothing | Broken::Server => {}
        Broken::Digest => instead("bin/aws", "programs/signal.gz", "echo another | gzip; exit 0"),
        Broken::Download => instead("bin/aws", "programs/relay.gz", "echo denied >&2; exit 1"),
        Broken::Port => {
            instead("bin/systemctl", "enable*peersync-relay.service", &start_at_taken_port(root, taken));
            instead("bin/systemctl", "is-active", "exit 1");
        }
        Broken::Relay => instead("bin/systemctl", "is-active", "exit 1"),
        Broken::Tunnel => instead("bin/curl", "github.com", "exit 22"),
    }
}

/// Runs `up`, and what a new host does meanwhile.
async fn up(stage: &Stage, broken: Broken) -> Run {
    let before = hosts(stage).await;
    let run = stage.run(&UP);
    let host = async {
        let id = loop {
            if let Some(id) = hosts(stage).await.difference(&before).next() {
                break id.clone();
            }
            sleep(Duration::from_millis(50)).await;
        };
        let host = Host::of_instance(stage, &id).await;
        let taken = TcpListener::bind("0.0.0.0:0").await.unwrap();
        break_it(&host, broken, taken.local_addr().unwrap().port());
        let _healthy = if broken == Broken::Server { None } else { Some(Healthy::listen(host.port).await) };
        let installed = host.install().wait_with_output().await.unwrap();
        assert!(installed.status.success() && broken == Broken::Nothing, "{broken:?}: {installed:?}");
        pending::<()>().await;
    };
    tokio::select! {
        run = run => run,
        () = host => unreachable!("a host goes on"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_host_goes_on_and_the_failed_step_is_named_if_a_new_host_is_broken() {
    let emulator = Emulator::start(Kind::Moto);
    // No host is ready unless it says so itself.
    let times = Times { host: Duration::from_secs(3600), ..Times::default() };
    let settings = Settings { moto: true, behaviours: vec![Behaviour::HostReports], times, ..Settings::default() };
    let stage = Stage::with(&emulator, settings).await;
    up(&stage, Broken::Nothing).await.expect(0);
    let old = hosts(&stage).await;
    assert_eq!(old.first().cloned(), holder(&stage).await);

    let types = ["t3.small", "t3.medium", "t3.large", "t3.xlarge", "m5.large", "m5.xlarge"];
    let ways = [
        (Broken::Digest, "waiting for the signaling program"),
        (Broken::Download, "waiting for the relay program"),
        (Broken::Server, "waiting for an answer of the signaling server"),
        (Broken::Relay, "waiting for the relay to run"),
        (Broken::Port, "Address already in use"),
        (Broken::Tunnel, "waiting for cloudflared"),
    ];
    for (kind, (broken, report)) in types.into_iter().zip(ways) {
        let ingress = if broken == Broken::Tunnel { "ingress = \"cloudflare\"\n" } else { "" };
        stage.configure(&format!("[signaling]\ninstance_type = \"{kind}\"\n{ingress}"));
        let failed = up(&stage, broken).await.expect(1);
        let errors = failed.stdout.clone();
        assert!(errors.contains(report) && errors.contains("the old one goes on"), "{broken:?}: {errors}");
        let names_image = errors.contains("name an image without it as `image` under [signaling]");
        assert_eq!(names_image, broken == Broken::Port, "{broken:?}: {errors}");
        assert_eq!(hosts(&stage).await, old, "{broken:?}: the new host is terminated");
        assert_eq!(old.first().cloned(), holder(&stage).await, "{broken:?}");
    }

    stage.configure("[signaling]\ninstance_type = \"t3.small\"\n");
    up(&stage, Broken::Nothing).await.expect(0);
    let new = hosts(&stage).await;
    assert_eq!((new.len(), new.is_disjoint(&old)), (1, true), "{new:?} {old:?}");
    assert_eq!(new.first().cloned(), holder(&stage).await);
}

/// Lets the host report, in the tag that its role may write.
async fn report(stage: &Stage, text: &str) {
    let tag = Tag::builder().key("peersync:ready").value(text).build();
    let ids = hosts(stage).await.into_iter().collect();
    stage.clients.ec2.create_tags().set_resources(Some(ids)).tags(tag).send().await.unwrap();
}

/// Runs `up` while the host tries a step again and again.
async fn up_meanwhile(stage: &Stage) -> Run {
    let run = stage.run(&UP);
    let host = async {
        for attempt in 10.. {
            sleep(Duration::from_millis(200)).await;
            report(stage, &format!("waiting for cloudflared: attempt {attempt}")).await;
        }
    };
    tokio::select! {
        run = run => run,
        () = host => unreachable!("a host goes on"),
    }
}

/// No address and no other host need a wait: the host has a tunnel, and is the only one.
#[tokio::test(flavor = "multi_thread")]
async fn up_fails_as_long_as_its_only_host_is_not_ready_and_ends_once_it_is() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("[signaling]\ningress = \"cloudflare\"\n");
    stage.up().await;
    report(&stage, "waiting for cloudflared: attempt 9").await;
    for _ in 0..2 {
        let failed = up_meanwhile(&stage).await.expect(1);
        let text = failed.printed();
        assert!(text.contains("did not become ready") && text.contains("waiting for cloudflared: attempt"), "{text}");
    }
    let status = stage.run(&["status"]).await.expect(0).result();
    assert_eq!(status["host"]["ready"], false, "{status}");
    assert!(
        status["host"]["report"].as_str().is_some_and(|text| text.starts_with("waiting for cloudflared")),
        "{status}"
    );
    let doctor = stage.run(&["doctor"]).await.printed();
    assert!(doctor.contains("waiting for cloudflared"), "{doctor}");

    let (run, ()) = tokio::join!(stage.run(&UP), async {
        sleep(Duration::from_millis(500)).await;
        report(&stage, "ready").await;
    });
    run.expect(0);
    stage.plan(0).await;
    assert_eq!(stage.run(&["status"]).await.expect(0).result()["host"]["ready"], true);
}

/// A host about which nothing could be read may be healthy.
#[tokio::test(flavor = "multi_thread")]
async fn new_host_is_kept_if_its_state_cannot_be_read_and_takes_over_in_a_later_run() {
    let mut stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let old = hosts(&stage).await;
    let refused = ("DescribeInstanceStatus".to_owned(), 403, "UnauthorizedOperation".to_owned(), "no".to_owned());
    stage.change_proxy(Settings { refuse: vec![refused], ..Settings::default() }).await;
    stage.configure("[signaling]\ninstance_type = \"t3.small\"\n");
    let text = stage.run(&UP).await.expect(1).printed();
    assert!(text.contains("failed to read the status of the new signaling host"), "{text}");
    assert!(!text.contains("did not become ready"), "{text}");
    let both = hosts(&stage).await;
    assert!(both.len() == 2 && both.is_superset(&old), "{both:?} {old:?}");

    stage.change_proxy(Settings::default()).await;
    stage.up().await;
    let new = hosts(&stage).await;
    assert_eq!(new, both.difference(&old).cloned().collect::<BTreeSet<_>>());
    stage.plan(0).await;
}
