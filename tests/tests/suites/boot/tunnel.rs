//! A host behind a tunnel that boots. In place of cloudflared there is a program that answers as its metrics do, and passes
//! connections on to the signaling server as the tunnel does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use peersync_server::tickets::{Bearer, TicketKey, TicketKeys};
use peersync_tests::clients::REGION;
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::metadata::Metadata;
use peersync_tests::proxy::Settings;
use peersync_tests::stage::Stage;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::machine::Machine;
use super::{FIRST, LATER, furnish};
use crate::host::{published, report, user_data};

const SIGNAL: &str = "peersync-signal.service";
const CLOUDFLARED: &str = "cloudflared.service";
/// The units that must be enabled.
const ENABLED: [&str; 4] = ["peersync-install.service", SIGNAL, CLOUDFLARED, "peersync-tunnel.path"];
/// The port at which the replacement of cloudflared is what Cloudflare's edge is.
const EDGE: u16 = 8443;
/// Where the real one is put.
const REAL: &str = "/usr/local/lib/cloudflared";
/// The program that is called cloudflared.
const PROGRAM: &str = "[ ! -e /usr/local/lib/cloudflared ] || exec /usr/local/lib/cloudflared \"$@\"\n\
     exec /usr/bin/python3 /usr/local/lib/tunnel.py \"$@\"";
/// It has another address at each start, and ends at once when it is told to.
const REPLACEMENT: &str = r#"
import http.server, json, os, secrets, socket, sys, threading

token = os.environ.get("TUNNEL_TOKEN")
print("started:", *sys.argv[1:], token, flush=True)
name = "" if token else secrets.token_hex(8) + ".trycloudflare.com"

class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"hostname": name} if self.path == "/quicktunnel" else {"readyConnections": 4}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()

def carry():
    edge = socket.create_server(("", 8443))
    while True:
        client, _ = edge.accept()
        try:
            server = socket.create_connection(("127.0.0.1", 8081))
        except OSError:
            client.close()
            continue
        for ends in ((client, server), (server, client)):
            threading.Thread(target=copy, args=ends, daemon=True).start()

threading.Thread(target=carry, daemon=True).start()
host, port = sys.argv[sys.argv.index("--metrics") + 1].split(":")
http.server.ThreadingHTTPServer((host, int(port)), Metrics).serve_forever()
"#;
/// How long something may take that takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// The host, what it is made from, and what answers at its domain: the word of another host, if there is one.
struct World {
    machine: Machine,
    stage: Stage,
    id: String,
    other: Arc<Mutex<Option<&'static str>>>,
    _metadata: Metadata,
    _emulator: Emulator,
}

impl World {
    /// Prepares a host with a quick tunnel, which is off.
    async fn new() -> Self {
        let emulator = Emulator::start(Kind::Moto);
        let stage = Stage::with(&emulator, Settings { moto: true, ..Settings::default() }).await;
        stage.configure("[signaling]\ningress = \"cloudflare\"\n");
        stage.up().await;
        let hosts = stage.clients.ec2.describe_instances().send().await.unwrap();
        let id = hosts.reservations()[0].instances()[0].instance_id().unwrap().to_owned();
        let mut machine = Machine::new();
        machine.program("/usr/local/bin/cloudflared", PROGRAM);
        machine.write("/usr/local/lib/tunnel.py", REPLACEMENT);
        let user_data = with_digest(user_data(&stage.clients, &id).await, &machine);
        let metadata = Metadata::with_user_data(&id, &stage.account, REGION, user_data.as_bytes()).await.unwrap();
        let endpoint = machine.reach(&stage.proxy().url).await;
        let metadata_url = machine.reach(&metadata.url).await;
        furnish(&machine, &endpoint, &metadata_url, &ENABLED);
        let other = Arc::<Mutex<Option<&'static str>>>::default();
        answer_at_the_domain(&machine, Arc::clone(&other)).await;
        Self { machine, stage, id, other, _metadata: metadata, _emulator: emulator }
    }

    /// Waits until tickets have another address than this one, and returns it.
    async fn address(&self, before: Option<&str>) -> String {
        let address = async || published(&self.stage).await.filter(|now| Some(now.as_str()) != before);
        self.machine.until("the address of the tunnel", async || address().await.is_some()).await;
        address().await.unwrap()
    }

    /// The text of a parameter of the stack.
    fn parameter(&self, part: &str) -> String {
        format!("/peersync/{}/{part}", self.stage.stack())
    }

    /// Somebody comes through the tunnel.
    async fn visitor(&self) -> Result<WebSocketStream<TcpStream>, String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let environment = fs::read_to_string(self.machine.path("/etc/peersync/signal.env")).unwrap();
        let site = environment.lines().find_map(|line| line.strip_prefix("SITE_URL=")).unwrap().trim_matches('"');
        let stream = TcpStream::connect((self.machine.address(), EDGE)).await.map_err(|error| failed(&error))?;
        let mut request = format!("ws://{}:{EDGE}/ws", self.machine.address()).into_client_request().unwrap();
        request.headers_mut().insert("origin", site.parse().unwrap());
        request.headers_mut().insert("cf-connecting-ip", "192.0.2.1".parse().unwrap());
        let (mut socket, _) = client_async(request, stream).await.map_err(|error| failed(&error))?;
        let hello = json!({ "type": "hello", "ticket": self.ticket().await });
        socket.send(Message::text(hello.to_string())).await.map_err(|error| failed(&error))?;
        hears(&mut socket, "welcome").await.then_some(socket).ok_or_else(|| "no welcome".to_owned())
    }

    async fn ticket(&self) -> String {
        let call = self.stage.clients.ssm.get_parameters().names(self.parameter("ticket-key")).with_decryption(true);
        let key = call.send().await.unwrap().parameters()[0].value().and_then(TicketKey::parse).unwrap();
        let bearer = Bearer {
            subject: "guest:of the tunnel".to_owned(),
            address: None,
            name: "Gus".to_owned(),
            guest: true,
            generation: None,
            session: None,
            room: Some("a-room".to_owned()),
        };
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        TicketKeys::new(self.stage.stack(), key, None).issue(bearer, i64::try_from(now).unwrap()).unwrap()
    }

    /// Waits until somebody can come through the tunnel.
    async fn until_reached(&self, when: &str) {
        let what = format!("a way through the tunnel {when}");
        self.machine.until(&what, async || self.visitor().await.is_ok()).await;
    }

    fn stands_by(&self) -> bool {
        self.machine.run(&["test", "-e", "/run/peersync-tunnel/standby"]).status.success()
    }

    fn tunnel_log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.machine.path("/var/log/peersync-tunnel.log")).unwrap()).into_owned()
    }
}

/// Returns the user data with the digest of the machine's cloudflared.
fn with_digest(user_data: String, machine: &Machine) -> String {
    let summed = Command::new("sha256sum").arg(machine.path("/usr/local/bin/cloudflared")).output().unwrap();
    let digest = String::from_utf8(summed.stdout).unwrap()[..64].to_owned();
    let pinned: Vec<String> =
        user_data.split("cloudflared_sha256=").skip(1).map(|rest| rest[..64].to_owned()).collect();
    assert_eq!(pinned.len(), 2, "one for each kind of processors");
    pinned.iter().fold(user_data, |text, pinned| text.replace(pinned, &digest))
}

/// Answers as another host behind Cloudflare would, and as Cloudflare's edge for connections.
async fn answer_at_the_domain(machine: &Machine, other: Arc<Mutex<Option<&'static str>>>) {
    let listener = TcpListener::bind((machine.outside(), 0)).await.unwrap();
    let url = format!("http://{}/healthz", listener.local_addr().unwrap());
    let answer = move || async move {
        let word = *other.lock().unwrap();
        let status = if word.is_some() { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        (status, [("cf-ray", "0-SJC")], word.map(|word| json!({ "status": word }).to_string()).unwrap_or_default())
    };
    let answers = Router::new().route("/healthz", get(answer));
    tokio::spawn(async move { axum::serve(listener, answers).await });
    let edge = TcpListener::bind((machine.outside(), 7844)).await.unwrap();
    tokio::spawn(async move { while edge.accept().await.is_ok() {} });
    machine.write("/etc/hosts", &format!("127.0.0.1 localhost\n{} region1.v2.argotunnel.com\n", machine.outside()));
    machine.write("/etc/health.env", &format!("HEALTH_URL=\"{url}\"\n"));
    let quick = "[Service]\nEnvironmentFile=/etc/health.env\nRestartSec=100ms\n";
    machine.write("/etc/systemd/system/cloudflared.service.d/test.conf", quick);
}

/// Waits for a message of this kind; returns whether it comes.
async fn hears(socket: &mut WebSocketStream<TcpStream>, kind: &str) -> bool {
    let hearing = async {
        while let Some(Ok(message)) = socket.next().await {
            let message: Value =
                message.to_text().ok().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            if message["type"] == kind {
                return true;
            }
        }
        false
    };
    timeout(PATIENCE, hearing).await.unwrap_or(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn host_behind_a_tunnel_survives_kills_and_a_new_token_and_says_goodbye_through_it() {
    let mut world = World::new().await;
    world.machine.boot(FIRST);
    let ready = async || report(&world.stage.clients, &world.id).await.as_deref() == Some("ready");
    world.machine.until("the report", ready).await;
    for unit in ENABLED {
        let enabled = world.machine.run(&["systemctl", "is-enabled", "--quiet", unit]);
        assert!(enabled.status.success(), "{unit} starts at the next boot");
    }
    let first = world.address(None).await;
    for unit in [CLOUDFLARED, SIGNAL] {
        world.machine.kill(unit).await;
    }
    let second = world.address(Some(&first)).await;
    world.until_reached("after they were killed").await;

    world.machine.cut_power();
    world.machine.plug(false);
    world.machine.boot(LATER);
    let active = async || [CLOUDFLARED, SIGNAL].iter().all(|unit| world.machine.is_active(unit));
    world.machine.until("the start of the units", active).await;
    world.machine.plug(true);
    world.address(Some(&second)).await;
    world.until_reached("once the network is back").await;

    gets_a_token(&world).await;
    runs_the_real_one(&world).await;
    let mut visitor = world.visitor().await.unwrap();
    let listening = tokio::spawn(async move { hears(&mut visitor, "draining").await });
    world.machine.switch_off().await;
    assert!(listening.await.unwrap(), "nobody heard the goodbye");
    assert_eq!(published(&world.stage).await, None, "the next host may publish its own");
}

/// Another host serves the domain of the tunnel that the token is for.
async fn gets_a_token(world: &World) {
    let token = STANDARD.encode(r#"{"a":"0a","t":"00000000-0000-4000-8000-000000000001","s":"eHh4eHh4eHh4"}"#);
    let put = world.stage.clients.ssm.put_parameter().name(world.parameter("tunnel-token")).value(&token);
    put.r#type("SecureString".into()).overwrite(true).send().await.unwrap();
    *world.other.lock().unwrap() = Some("ok");
    // At its start it reads the token at once.
    world.machine.kill(SIGNAL).await;
    world.machine.until("the standby", async || world.stands_by()).await;
    assert!(!world.tunnel_log().contains(&token), "two hosts are connected:\n{}", world.tunnel_log());
    // That is ready too.
    world.machine.shell("systemctl restart peersync-install.service");
    *world.other.lock().unwrap() = Some("draining");
    let connected = format!("--grace-period 1s run {token}\n");
    world.machine.until("the named tunnel", async || world.tunnel_log().contains(&connected)).await;
    assert!(!world.stands_by());
    *world.other.lock().unwrap() = None;
    world.until_reached("of the token").await;
}

/// The unit lets the real cloudflared do what it needs, if there is one. It reaches nobody.
async fn runs_the_real_one(world: &World) {
    let Some(real) = std::env::var_os("CLOUDFLARED") else { return };
    let put = world.machine.path(REAL);
    fs::copy(real, &put).unwrap();
    fs::set_permissions(&put, fs::Permissions::from_mode(0o755)).unwrap();
    world.machine.kill(CLOUDFLARED).await;
    let metrics = || world.machine.run(&["curl", "-s", "http://127.0.0.1:20241/ready"]).stdout;
    let answers = async || String::from_utf8_lossy(&metrics()).contains("\"readyConnections\":0");
    world.machine.until("an answer of the real metrics", answers).await;
    fs::remove_file(&put).unwrap();
    world.machine.kill(CLOUDFLARED).await;
    world.until_reached("after the real one").await;
}
