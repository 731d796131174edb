//! What runs on a host is asked and told: the WebSocket through the edge, the host whose address moves, the domain that has to
//! lead to it. A real signaling server is behind the names of CloudFront, and says what it thinks of each request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ec2::types::Tag;
use peersync_tests::deployer::{self, Run};
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::{Stage, UP};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::company::forward::{Authority, Forward};
use super::launching::hosts;
use super::secrets;

/// `up`, unasked, with its check.
const CHECKED: [&str; 2] = ["up", "--yes"];
/// The form in which the proxy gets its password, and that in its URL.
const PASSWORD: (&str, &str) = ("ada:word", "ada:word");

/// The edge before the signaling server: it adds the key of the stack, and may be closed.
struct Edge {
    address: String,
    state: Arc<Mutex<State>>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    /// Whether it lets everybody in itself, as a tunnel to another host.
    is_another: bool,
    /// What the signaling server has answered to those who told it that its address moves, and when.
    told: Vec<(String, Instant)>,
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Edge {
    async fn start(stage: &Stage, host: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (state, key) = (Arc::<Mutex<State>>::default(), secrets::value(stage, "origin-key").await.unwrap());
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass_on(stream, host, key.clone(), shared.clone()));
            }
        });
        Self { address, state, accepting: accepting.abort_handle() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Returns what the signaling server has answered to those who told it that its address moves, since the last call.
    fn told(&self) -> Vec<(String, Instant)> {
        std::mem::take(&mut self.state().told)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass_on(mut stream: TcpStream, host: SocketAddr, key: String, state: Arc<Mutex<State>>) -> Option<()> {
    let request = head(&mut stream).await?;
    if lock(&state).is_closed {
        let refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return stream.write_all(refusal).await.ok();
    }
    if lock(&state).is_another {
        let accepted = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        return stream.write_all(accepted).await.ok();
    }
    let mut behind = TcpStream::connect(host).await.ok()?;
    let with_key = request.replacen("\r\n\r\n", &format!("\r\nx-peersync-origin-key: {key}\r\n\r\n"), 1);
    behind.write_all(with_key.as_bytes()).await.ok()?;
    let answer = head(&mut behind).await?;
    if request.contains("x-peersync-handover: ") {
        let status = answer.lines().next().unwrap_or_default().to_owned();
        lock(&state).told.push((status, Instant::now()));
    }
    stream.write_all(answer.as_bytes()).await.ok()?;
    copy_bidirectional(&mut stream, &mut behind).await.ok().map(|_| ())
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// A stack whose hosts run: they report, and are reached by the names that CloudFront and Cloudflare give.
struct World {
    stage: Stage,
    edge: Edge,
    forward: Forward,
    reporting: AbortHandle,
}

impl Drop for World {
    fn drop(&mut self) {
        self.reporting.abort();
    }
}

impl World {
    async fn deploy(stage: Stage) -> Self {
        let reporting = tokio::spawn(report(stage.clients.ec2.clone())).abort_handle();
        let mut first = stage.command(&UP);
        first.env("PEERSYNC_RUNS_HOSTS", "1");
        let site = deployer::run(first).await.expect(0).output("site_url").expect("the stack has a site");
        let edge = Edge::start(&stage, secrets::host(&stage, &site).await).await;
        let authority = Authority::new();
        std::fs::write(stage.folder().join("authority.pem"), &authority.pem).unwrap();
        let forward = Forward::start(&authority, &edge.address, PASSWORD.0).await;
        Self { stage, edge, forward, reporting }
    }

    async fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.stage.command(arguments);
        command.env_remove("NO_PROXY").env("PEERSYNC_RUNS_HOSTS", "1");
        command.env("HTTPS_PROXY", format!("http://{}@{}", PASSWORD.1, self.forward.address));
        command.env("AWS_CA_BUNDLE", self.stage.folder().join("authority.pem"));
        deployer::run(command).await
    }

    /// Replaces the host by one of this type.
    async fn replace(&self, kind: &str) -> Run {
        self.stage.configure(&format!("[signaling]\ninstance_type = \"{kind}\"\n"));
        self.run(&UP).await
    }
}

/// Lets every host report that it is ready.
async fn report(ec2: aws_sdk_ec2::Client) {
    loop {
        if let Ok(answer) = ec2.describe_instances().send().await {
            let hosts = answer.reservations().iter().flat_map(|one| one.instances());
            let silent = hosts.filter(|host| !host.tags().iter().any(|tag| tag.key() == Some("peersync:ready")));
            for id in silent.filter_map(|host| host.instance_id()) {
                let tag = Tag::builder().key("peersync:ready").value("ready").build();
                _ = ec2.create_tags().resources(id).tags(tag).send().await;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Returns the notes about a host that was not told.
fn notes(run: &Run) -> Vec<String> {
    let texts = run.events_of("note").into_iter().filter_map(|note| note["text"].as_str().map(str::to_owned));
    texts.filter(|text| text.contains("failed to tell the former host")).collect()
}

/// What the proxy in front of moto does.
fn of_moto() -> Settings {
    Settings { moto: true, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_opens_the_web_socket_as_pages_do_with_and_without_changes() {
    let emulator = Emulator::start(Kind::MiniStack);
    let world = World::deploy(Stage::in_served_account(&emulator).await).await;
    let same = world.run(&CHECKED).await.expect(0);
    assert_eq!(same.result()["status"], "nothing_to_do");
    let [checked] = same.events_of("checked").try_into().expect("one check");
    assert!(checked["urls"].as_array().unwrap().len() == 3 && checked.to_string().contains("/ws"), "{checked}");

    world.edge.state().is_closed = true;
    let refused = world.run(&CHECKED).await.expect(1);
    let error = refused.result()["error"].to_string();
    assert!(error.contains("/ws does not answer") && error.contains("403 Forbidden"), "{error}");
    world.edge.state().is_closed = false;

    quick_tunnel_is_asked_where_its_host_says(&world).await;
}

/// MiniStack does not tell user data, by which a host is known.
#[tokio::test(flavor = "multi_thread")]
async fn host_that_serves_is_told_before_its_address_moves_in_whichever_run() {
    let emulator = Emulator::start(Kind::Moto);
    let mut world = World::deploy(Stage::with(&emulator, of_moto()).await).await;
    world.stage.proxy().log.take();
    let replaced = world.replace("t3.small").await.expect(0);
    let told = world.edge.told();
    let [(answer, at)] = told.as_slice() else { panic!("{told:?}\n{}", replaced.printed()) };
    assert!(answer.starts_with("HTTP/1.1 204"), "the real server takes it for genuine: {answer}");
    let records = world.stage.proxy().log.take();
    let moved = records.iter().find(|record| record.operation == "AssociateAddress").expect("the address moves");
    assert!(*at < moved.began, "the host was told too late");
    assert_eq!(notes(&replaced), Vec::<String>::new());

    // What an interrupted run has not moved, a later one moves, and tells the host that still serves.
    let denied = ("AssociateAddress".to_owned(), 403, "UnauthorizedOperation".to_owned(), "no".to_owned());
    world.stage.change_proxy(Settings { refuse: vec![denied], ..of_moto() }).await;
    world.replace("t3.medium").await.expect(1);
    assert_eq!((world.edge.told().len(), hosts(&world.stage).await.len()), (1, 2));
    world.stage.change_proxy(of_moto()).await;
    world.run(&UP).await.expect(0);
    let told = world.edge.told();
    assert!(told.len() == 1 && told[0].0.starts_with("HTTP/1.1 204"), "{told:?}");
    assert_eq!(hosts(&world.stage).await.len(), 1);

    world.edge.state().is_closed = true;
    let untold = world.replace("t3.large").await.expect(0);
    let [note] = notes(&untold).try_into().expect("one note");
    assert!(note.contains("403 Forbidden"), "{note}");

    domain_is_resolved_before_anything_changes(&world).await;
}

/// RFC 6761 reserves the domain, so that it leads nowhere.
async fn domain_is_resolved_before_anything_changes(world: &World) {
    world.stage.configure("[signaling]\ninstance_type = \"t3.large\"\ndomain = \"signal.invalid\"\n");
    let plan = world.run(&["plan"]).await.expect(0);
    assert!(plan.printed().contains("`up` refuses this plan"), "{}", plan.printed());
    world.stage.proxy().log.take();
    let refused = world.run(&CHECKED).await.expect(1);
    assert!(refused.printed().contains("signal.invalid does not resolve"), "{}", refused.printed());
    assert_eq!(mutating(&world.stage.proxy().log.take()), Vec::<String>::new());
}

async fn quick_tunnel_is_asked_where_its_host_says(world: &World) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let item = world.stage.clients.dynamodb.put_item().table_name(format!("{}-Ephemeral", world.stage.stack()));
    let item = item.item("key", text("signal-address#tunnel")).item("url", text("wss://quick.example.org/ws"));
    item.item("expiresAt", AttributeValue::N((now + 600).to_string())).send().await.unwrap();
    world.stage.configure("[signaling]\ningress = \"cloudflare\"\n");
    world.edge.state().is_another = true;
    let run = world.run(&CHECKED).await.expect(0);
    let checked = run.events_of("checked");
    assert!(checked[0].to_string().contains("https://quick.example.org/ws"), "{checked:?}");
}
