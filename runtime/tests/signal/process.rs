//! The program itself, as systemd starts and ends it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use axum::routing::post;
use axum::{Json, Router};
use futures::StreamExt as _;
use futures::stream;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::client::{Came, Client};
use crate::world::{Database, EDGE_KEY, ORIGIN, STACK, TICKET_KEY, guest, keys, now};

/// Clients at once.
const CLIENTS: usize = 1000;
/// What systemd gives before it kills; ours is to be gone before.
const IN_TIME: Duration = Duration::from_secs(20);

/// Parameter Store for one call: what the program asks for, and nothing else exists.
async fn parameter_store() -> String {
    let answer = |body: String| async move {
        let request: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(request["WithDecryption"], true);
        let names = request["Names"].as_array().unwrap().iter().filter_map(|name| {
            let value = match name.as_str().unwrap().rsplit('/').next().unwrap() {
                "ticket-key" => TICKET_KEY,
                "origin-key" => EDGE_KEY,
                _ => return None,
            };
            Some(json!({ "Name": name, "Type": "SecureString", "Value": value }))
        });
        Json(json!({ "Parameters": names.collect::<Vec<_>>(), "InvalidParameters": [] }))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    url
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

/// Starts it and reads where it listens from its log, which goes on being read.
async fn start(mut command: Command) -> (Child, std::net::SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut log = Vec::new();
    let address = loop {
        let Some(line) = lines.next_line().await.unwrap() else { panic!("it ended before it listened: {log:?}") };
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_are_told_and_the_process_is_gone_in_time() {
    let (ssm, database) = (parameter_store().await, Database::start().await);
    let (mut child, address, log) = start(command(&ssm, &database.endpoint)).await;
    let keys = keys();
    let clients: Vec<Client> = stream::iter(0..CLIENTS)
        .map(|number| {
            let ticket = keys.issue(guest("Somebody", &format!("{}", number / 2)), now()).unwrap();
            async move {
                let mut client = Client::welcome(address, &ticket).await;
                client.send(json!({ "type": "join", "room": format!("{}", number / 2) })).await;
                client
            }
        })
        .buffer_unordered(50)
        .collect()
        .await;
    let watching = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            let mut told = false;
            loop {
                match client.came().await {
                    Came::Message(message) => told |= message["type"] == "draining",
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
    let status = tokio::time::timeout(IN_TIME, child.wait()).await.expect("it is still there").unwrap();
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < IN_TIME);
    let log = log.await.unwrap().join("\n");
    assert!(log.contains("\"told\":1000") && log.contains("\"left\":0"), "{log}");
    for personal in ["Somebody", "guest:", TICKET_KEY, EDGE_KEY] {
        assert!(!log.contains(personal), "{personal} is in the log");
    }
}

#[tokio::test]
async fn without_its_secrets_it_says_what_is_missing() {
    let answer = || async { Json(json!({ "Parameters": [], "InvalidParameters": [] })) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    let output = command(&url, &url).output().await.unwrap();
    assert!(!output.status.success());
    let log = String::from_utf8(output.stdout).unwrap();
    assert!(log.contains("ticket-key") && log.contains("peersync-deploy up"), "{log}");
}

async fn terminate(child: &Child) {
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
}
