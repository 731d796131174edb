//! The signaling server as a process, as systemd starts and ends it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failure here is the test's failure"
)]

mod support;

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::{SinkExt as _, StreamExt as _, stream};
use peersync_server::tickets::{Bearer, TicketKey, TicketKeys};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use self::support::{parameters, serve};

const ORIGIN: &str = "https://site.example";
const EDGE_KEY: &str = "the edge's key";
const STACK: &str = "peersync-test";
/// base64url of 32 bytes.
const TICKET_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// The number of clients connected at the same time.
const CLIENTS: usize = 1000;
/// The number of clients that a host hands over to the next one at the same time, and how long that may take.
const MOVED: usize = 5000;
const MOVED_IN_TIME: Duration = Duration::from_secs(30);
/// How long systemd waits before it kills the process, which must have ended by then.
const IN_TIME: Duration = Duration::from_secs(20);

/// Answers of a database in which every room exists.
fn database(operation: &str) -> Option<Value> {
    match operation {
        "DynamoDB_20120810.GetItem" => {
            let room = json!({ "name": { "S": "r" }, "owner": { "S": "ada@example.org" },
                "createdAt": { "N": "0" }, "expiresAt": { "N": "9999999999" } });
            Some(json!({ "Item": room }))
        }
        "DynamoDB_20120810.BatchGetItem" => Some(json!({ "Responses": {} })),
        _ => None,
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn command(ssm: &str, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signal"));
    command
        .env_clear()
        .envs([
            ("PEERSYNC_STACK", STACK),
            ("SITE_URL", ORIGIN),
            ("LISTEN", "127.0.0.1:0"),
            ("AWS_ENDPOINT_URL_SSM", ssm),
            ("AWS_ENDPOINT_URL_DYNAMODB", database),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Starts the process and reads its address from the log, which is read to its end in a task.
async fn start(mut command: Command) -> (Child, std::net::SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut log = Vec::new();
    let address = loop {
        let Some(line) = lines.next_line().await.unwrap() else {
            panic!("the process ended before it listened: {log:?}")
        };
        let entry: Value = serde_json::from_str(&line).expect("the log is JSON");
        log.push(line);
        if entry["message"] == "listening" {
            break entry["address"].as_str().unwrap().parse().unwrap();
        }
    };
    let rest = tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            log.push(line);
        }
        log
    });
    (child, address, rest)
}

/// A guest's connection, welcomed and in the guest's room.
async fn client(address: std::net::SocketAddr, keys: &TicketKeys, room: &str) -> WebSocketStream<TcpStream> {
    let mut socket = connect(address).await;
    enter(&mut socket, json!({ "type": "hello", "ticket": ticket(keys, room) }), room).await;
    socket
}

/// A guest's ticket for a room.
fn ticket(keys: &TicketKeys, room: &str) -> String {
    let (subject, name) = ("guest:1".into(), "Somebody".into());
    let (address, generation, session, room) = (None, None, None, Some(room.into()));
    keys.issue(Bearer { subject, address, name, guest: true, generation, session, room }, now()).unwrap()
}

/// Says `hello`, joins, and returns what resumes the session.
async fn enter(socket: &mut WebSocketStream<TcpStream>, hello: Value, room: &str) -> String {
    socket.send(Message::text(hello.to_string())).await.unwrap();
    let Some(Ok(Message::Text(welcome))) = socket.next().await else { panic!("no welcome") };
    let welcome: Value = serde_json::from_str(&welcome).unwrap();
    socket.send(Message::text(json!({ "type": "join", "room": room }).to_string())).await.unwrap();
    welcome["resume"].as_str().unwrap_or_else(|| panic!("{welcome}")).to_owned()
}

async fn connect(address: std::net::SocketAddr) -> WebSocketStream<TcpStream> {
    connect_from(address, 0).await
}

/// Connects as client number `client` of an edge, each of which has an address of its own.
async fn connect_from(address: std::net::SocketAddr, client: usize) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    request.headers_mut().insert("origin", ORIGIN.parse().unwrap());
    request.headers_mut().insert("x-peersync-origin-key", EDGE_KEY.parse().unwrap());
    // It counts where a tunnel is in front, and there alone.
    request.headers_mut().insert("cf-connecting-ip", "192.0.2.1".parse().unwrap());
    let from = format!("10.0.{}.{}", client / 250, client % 250 + 1);
    request.headers_mut().insert("x-forwarded-for", from.parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    client_async(request, stream).await.unwrap().0
}

/// Waits until a client is told to come back, and returns after how many milliseconds.
async fn until_draining(socket: &mut WebSocketStream<TcpStream>) -> u64 {
    loop {
        let came = tokio::time::timeout(IN_TIME, socket.next()).await.expect("nothing came");
        let text = match came {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_))) => continue,
            other => panic!("closed without a word: {other:?}"),
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["type"] == "draining" {
            return message["retry_ms"].as_u64().unwrap();
        }
    }
}

/// The type of the next message, or the close code.
#[derive(Debug, PartialEq)]
enum Came {
    Message(String),
    Closed(u16),
    Gone,
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Came {
    loop {
        match tokio::time::timeout(IN_TIME, socket.next()).await.expect("nothing came") {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                return Came::Message(message["type"].as_str().unwrap().to_owned());
            }
            Some(Ok(Message::Close(frame))) => return Came::Closed(frame.map_or(1005, |frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Came::Gone,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_tells_a_thousand_clients_and_the_process_ends_in_time() {
    let kept = parameters([("ticket-key", TICKET_KEY), ("origin-key", EDGE_KEY)]);
    let ssm = serve(kept, database).await;
    let (mut child, address, log) = start(command(&ssm, &ssm)).await;
    let keys = TicketKeys::new(STACK, TicketKey::parse(TICKET_KEY).unwrap(), None);
    let clients: Vec<_> = stream::iter(0..CLIENTS)
        .map(|number| {
            let (keys, room) = (keys.clone(), (number / 2).to_string());
            async move { client(address, &keys, &room).await }
        })
        .buffer_unordered(50)
        .collect()
        .await;
    let watching = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            let mut told = false;
            loop {
                match next(&mut client).await {
                    Came::Message(kind) => told |= kind == "draining",
                    end => return (told, end),
                }
            }
        })
    });
    let watching: Vec<_> = watching.collect();
    let begin = Instant::now();
    terminate(&child).await;
    for watched in watching {
        assert_eq!(watched.await.unwrap(), (true, Came::Closed(1012)));
    }
    let status = tokio::time::timeout(IN_TIME, child.wait()).await.expect("the process is still running").unwrap();
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < IN_TIME);
    let log = log.await.unwrap().join("\n");
    assert!(log.contains("\"told\":1000") && log.contains("\"left\":0"), "{log}");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let metrics: Vec<Value> = lines.filter(|line| line["_aws"].is_object()).collect();
    assert!(metrics.len() >= 2, "one line at the start and one at the end: {metrics:?}");
    let sum = |name: &str| metrics.iter().filter_map(|line| line[name].as_f64()).sum::<f64>();
    assert_eq!((sum("CallsStarted"), sum("Errors")), (500.0, 0.0), "{metrics:?}");
    assert!(metrics.iter().all(|line| line["Uptime"].is_number()), "its absence is an alarm");
    for personal in ["Somebody", "guest:", TICKET_KEY, EDGE_KEY] {
        assert!(!log.contains(personal), "{personal} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_clients_go_on_at_the_next_process_without_a_ticket() {
    // Two connections of each client, and those of the test.
    let files = u64::try_from(2 * MOVED + 1000).unwrap();
    let allowed = rlimit::increase_nofile_limit(files).unwrap();
    assert!(allowed >= files, "the test needs {files} open files, and {allowed} are allowed: raise `ulimit -n`");
    let kept = parameters([("ticket-key", TICKET_KEY), ("origin-key", EDGE_KEY)]);
    let ssm = serve(kept, database).await;
    let (old, new) = (start(command(&ssm, &ssm)).await, start(command(&ssm, &ssm)).await);
    let keys = TicketKeys::new(STACK, TicketKey::parse(TICKET_KEY).unwrap(), None);
    let began: Vec<_> = stream::iter(0..MOVED)
        .map(|number| {
            let (keys, room) = (keys.clone(), (number / 2).to_string());
            async move {
                let mut socket = connect_from(old.1, number).await;
                let hello = json!({ "type": "hello", "ticket": ticket(&keys, &room) });
                (enter(&mut socket, hello, &room).await, number, room, socket)
            }
        })
        .buffer_unordered(50)
        .collect()
        .await;
    let begin = Instant::now();
    terminate(&old.0).await;
    // Each comes when it is told to.
    let returned = began.into_iter().map(|(resume, number, room, mut before)| {
        tokio::spawn(async move {
            let retry_ms = until_draining(&mut before).await;
            drop(before);
            tokio::time::sleep(Duration::from_millis(retry_ms)).await;
            let mut socket = connect_from(new.1, number).await;
            enter(&mut socket, json!({ "type": "hello", "resume": resume }), &room).await;
            assert_eq!(next(&mut socket).await, Came::Message("joined".into()));
            socket
        })
    });
    let returned = futures::future::join_all(returned.collect::<Vec<_>>()).await;
    assert_eq!(returned.into_iter().filter(Result::is_ok).count(), MOVED);
    assert!(begin.elapsed() < MOVED_IN_TIME, "it took {:?}", begin.elapsed());
    terminate(&new.0).await;
}

#[tokio::test]
async fn missing_secret_is_named_in_the_log() {
    let url = serve(parameters([]), |_| None).await;
    let output = command(&url, &url).output().await.unwrap();
    assert!(!output.status.success());
    let log = String::from_utf8(output.stdout).unwrap();
    assert!(log.contains("ticket-key") && log.contains("peersync-deploy up"), "{log}");
}

async fn terminate(child: &Child) {
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_parameters_reach_the_running_process() {
    const NEW_KEY: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
    let kept = parameters([("ticket-key", TICKET_KEY), ("tunnel-token", "token-one")]);
    let ssm = serve(Arc::clone(&kept), database).await;
    let file = std::env::temp_dir().join(format!("peersync-signal-{}.env", std::process::id()));
    let mut command = command(&ssm, &ssm);
    command.env("TUNNEL_FILE", &file).env("ENTRANCE", "tunnel");
    let (child, address, log) = start(command).await;
    let until_written = async |token: &str| {
        let line = format!("TUNNEL_TOKEN=\"{token}\"\n");
        let written = async {
            while std::fs::read_to_string(&file).unwrap_or_default() != line {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // It reads every 20 seconds.
        tokio::time::timeout(Duration::from_secs(60), written).await.expect("the token is passed on");
    };
    until_written("token-one").await;
    let old = TicketKeys::new(STACK, TicketKey::parse(TICKET_KEY).unwrap(), None);
    let mut before = client(address, &old, "r").await;
    assert_eq!(next(&mut before).await, Came::Message("joined".into()));
    let rotated = [("ticket-key", NEW_KEY), ("ticket-key-previous", TICKET_KEY), ("tunnel-token", "token-two")];
    kept.lock().unwrap().extend(rotated.map(|(name, value)| (name.to_owned(), value.to_owned())));
    until_written("token-two").await;
    client(address, &TicketKeys::new(STACK, TicketKey::parse(NEW_KEY).unwrap(), None), "r").await;
    assert_eq!(next(&mut before).await, Came::Message("peer-joined".into()), "the socket of the call is open");
    client(address, &old, "r").await;
    terminate(&child).await;
    let log = log.await.unwrap().join("\n");
    assert!(log.contains("\"changed\":\"tunnel-token ticket-key ticket-key-previous\""), "{log}");
    for secret in [TICKET_KEY, NEW_KEY, "token-one", "token-two"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    std::fs::remove_file(&file).unwrap();
}
