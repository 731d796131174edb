//! The relay as a process, as systemd starts and ends it, with a Parameter Store and a database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failure here is the test's failure"
)]

mod support;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_ssm::config::{Credentials, SharedCredentialsProvider};
use peersync_relay::client::{Answer, Ask, Asker, channel_data};
use peersync_server::aws;
use peersync_server::email_address::Email;
use peersync_server::settings::Tables;
use peersync_server::store::Store;
use peersync_server::turn_credentials::{TurnHolder, turn_credentials};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use self::support::{parameters, serve};

/// The secret in the Parameter Store.
const SECRET: &str = "the secret of the relay";
/// How long something may take.
const SOON: Duration = Duration::from_secs(30);

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// A Parameter Store with the relay's secret.
async fn parameter_store() -> String {
    serve(parameters([("turn-secret", SECRET)]), |_| None).await
}

/// A database with the table of what expires.
struct Database(SocketAddr);

impl Database {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let database = Self(listener.local_addr().unwrap());
        tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
        for (table, key) in [("Ephemeral", "key"), ("Users", "email")] {
            let table = json!({
                "TableName": format!("peersync-test-{table}"), "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{ "AttributeName": key, "AttributeType": "S" }],
                "KeySchema": [{ "AttributeName": key, "KeyType": "HASH" }],
            });
            database.call("CreateTable", &table).await;
        }
        database
    }

    /// The tables as the functions use them.
    fn store(&self) -> Store {
        let config = aws::from_environment().into_builder();
        let credentials = Credentials::new("test", "test", None, None, "test");
        let config = config.endpoint_url(format!("http://{}", self.0));
        let config = config.credentials_provider(SharedCredentialsProvider::new(credentials));
        Store::lazy(config.build(), Tables::of("peersync-test"))
    }

    async fn call(&self, operation: &str, body: &Value) -> Value {
        let body = body.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: DynamoDB_20120810.{operation}\r\n\
             X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            self.0,
            body.len()
        );
        let mut stream = TcpStream::connect(self.0).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Returns the bytes of all months.
    async fn relayed(&self) -> Option<u64> {
        let found = self.call("Scan", &json!({ "TableName": "peersync-test-Ephemeral" })).await;
        let items = found["Items"].as_array().unwrap();
        assert!(items.iter().all(|item| item["key"]["S"].as_str().unwrap().starts_with("relay-usage#20")), "{found}");
        items.first().map(|item| item["bytes"]["N"].as_str().unwrap().parse().unwrap())
    }
}

/// The program.
struct Program {
    child: Child,
    log: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Program {
    /// Starts it with these variables beside the usual ones.
    async fn start(parameters: &str, database: &Database, variables: &[(&str, &str)]) -> Self {
        // Free at this moment for TCP, and hardly ever taken for UDP.
        let port = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_relay"));
        command.env_clear().envs([
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL_SSM", parameters),
            ("AWS_ENDPOINT_URL_DYNAMODB", &format!("http://{}", database.0)),
            ("PEERSYNC_STACK", "peersync-test"),
            ("SITE_URL", "https://call.example"),
            ("RELAY_ADDRESS", "192.0.2.1"),
            ("RELAY_UDP_PORTS", &port.to_string()),
            ("RELAY_TCP_PORTS", &port.to_string()),
        ]);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, log, port }
    }

    /// Returns the next line of the log with this message.
    async fn logged(&mut self, message: &str) -> Value {
        self.line(message, |line| line["message"] == message).await
    }

    async fn line(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            while let Some(line) = self.log.next_line().await.unwrap() {
                let line: Value = serde_json::from_str(&line).unwrap();
                if is_it(&line) {
                    return line;
                }
            }
            panic!("the program ended before it logged {what:?}")
        };
        timeout(SOON, found).await.expect("a line in time")
    }

    async fn client(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(("127.0.0.1", self.port)).await.unwrap();
        socket
    }

    /// Ends it as systemd does, and returns its last account of the traffic, and the metrics of it.
    async fn end(mut self) -> [Value; 2] {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let last = self.logged("usage").await;
        let metrics = self.line("the metrics", |line| line["_aws"].is_object()).await;
        assert!(timeout(SOON, self.child.wait()).await.unwrap().unwrap().success());
        [last, metrics]
    }
}

fn asker(secret: &str, name: &str) -> Asker {
    asker_of(secret, name, "first")
}

fn asker_of(secret: &str, email: &str, generation: &str) -> Asker {
    let given = turn_credentials(secret, now(), &TurnHolder::User { email, generation });
    Asker::new(&given.username, given.password.reveal())
}

async fn ask(socket: &UdpSocket, asker: &mut Asker, ask: &Ask) -> Answer {
    let mut packet = [0; 2048];
    let mut answer = Answer::default();
    for attempt in 0..3 {
        socket.send(&asker.ask(ask)).await.unwrap();
        let size = timeout(SOON, socket.recv(&mut packet)).await.unwrap().unwrap();
        answer = asker.read(&packet[..size]).unwrap();
        // A nonce of a relay that has ended is stale.
        match answer.code() {
            Some(438) => {}
            Some(401) if attempt == 0 => {}
            _ => break,
        }
    }
    answer
}

#[tokio::test]
async fn relay_passes_data_on_and_the_traffic_of_the_month_outlives_it() {
    let (parameters, database) = (parameter_store().await, Database::start().await);
    let mut program = Program::start(&parameters, &database, &[]).await;
    let first = program.logged("usage").await;
    assert_eq!(
        (&first["target"], &first["relayed_bytes"], &first["budget_spent"]),
        (&json!("relay"), &json!(0), &json!(0))
    );
    let (ada, bob) = (program.client().await, program.client().await);
    let (mut as_ada, mut as_bob) = (asker(SECRET, "ada@example.org"), asker(SECRET, "bob@example.org"));
    let at_ada = ask(&ada, &mut as_ada, &Ask::Allocate(None)).await.relayed.unwrap();
    let at_bob = ask(&bob, &mut as_bob, &Ask::Allocate(None)).await.relayed.unwrap();
    assert_eq!(at_ada.ip().to_string(), "192.0.2.1");
    assert_eq!(ask(&ada, &mut as_ada, &Ask::Channel(0x4000, at_bob)).await.refused, None);
    assert_eq!(ask(&bob, &mut as_bob, &Ask::Channel(0x4000, at_ada)).await.refused, None);
    let packet = channel_data(0x4000, &[7; 1000]);
    ada.send(&packet).await.unwrap();
    let mut received = [0; 2048];
    let size = timeout(SOON, bob.recv(&mut received)).await.unwrap().unwrap();
    assert_eq!(received[..size], packet);
    let foreign =
        ask(&program.client().await, &mut asker("another secret", "eve@example.org"), &Ask::Allocate(None)).await;
    assert_eq!(foreign.code(), Some(401));
    let [last, metrics] = program.end().await;
    assert_eq!((&last["allocations"], &last["relayed_bytes"], &last["refused"]), (&json!(2), &json!(1032), &json!(1)));
    assert_eq!(metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"], "PeerSync/peersync-test");
    assert_eq!(metrics["RelayedBytes"], json!(1032.0), "{metrics}");
    assert!(metrics["RelayBudgetUsed"].as_f64().is_some_and(|percent| percent > 0.0 && percent < 0.01), "{metrics}");
    assert_eq!(database.relayed().await, Some(1032));

    // What was relayed before counts: with a budget of less, the next one refuses.
    let mut program = Program::start(&parameters, &database, &[("RELAY_MONTHLY_GB", "0")]).await;
    assert_eq!(program.logged("usage").await["budget_spent"], json!(1));
    let refused = ask(&program.client().await, &mut as_ada, &Ask::Allocate(None)).await.refused;
    assert_eq!(refused, Some((508, "The relay's traffic of this month is used up".to_owned())));
    program.end().await;
    assert_eq!(database.relayed().await, Some(1032));
}

#[tokio::test]
async fn log_names_nobody_and_strangers_cannot_fill_it() {
    let (parameters, database) = (parameter_store().await, Database::start().await);
    let mut program = Program::start(&parameters, &database, &[]).await;
    program.logged("usage").await;
    let stranger = program.client().await;
    for n in 0..200_u8 {
        let mut packet = Asker::new("", "").ask(&Ask::Binding);
        packet[usize::from(n) % 20] ^= 0xff;
        stranger.send(&packet).await.unwrap();
    }
    let mut as_ada = asker(SECRET, "ada@example.org");
    assert!(ask(&program.client().await, &mut as_ada, &Ask::Allocate(None)).await.relayed.is_some());
    // Nothing but the account and the metrics comes after the first ones.
    let id = program.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
    let mut rest = Vec::new();
    while let Some(line) = program.log.next_line().await.unwrap() {
        rest.push(line);
    }
    let (metrics, others): (Vec<_>, Vec<_>) = rest.iter().partition(|line| line.contains("\"_aws\":"));
    assert_eq!((metrics.len(), others.len()), (2, 2), "{rest:?}");
    let text = rest.join("\n");
    for personal in ["ada@", "127.0.0.1", SECRET] {
        assert!(!text.contains(personal), "{personal} in {text}");
    }
}

#[tokio::test]
async fn without_its_secret_it_says_what_to_do() {
    let (parameters, database) = (serve(parameters([]), |_| None).await, Database::start().await);
    let mut program = Program::start(&parameters, &database, &[]).await;
    let line = program.logged("the relay cannot start").await;
    assert!(line["error"].as_str().unwrap().contains("turn-secret"), "{line}");
    assert!(!timeout(SOON, program.child.wait()).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn relay_goes_on_without_the_database() {
    let parameters = parameter_store().await;
    let nowhere = Database(StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let mut program = Program::start(&parameters, &nowhere, &[]).await;
    program.logged("listening").await;
    let mut as_ada = asker(SECRET, "ada@example.org");
    assert!(ask(&program.client().await, &mut as_ada, &Ask::Allocate(None)).await.relayed.is_some());
}

/// Asks until the relay refuses, and returns the code.
async fn refused(socket: &UdpSocket, asker: &mut Asker, what: &Ask) -> u16 {
    let refused = async {
        loop {
            if let Some(code) = ask(socket, asker, what).await.code() {
                return code;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, refused).await.expect("a refusal in time")
}

#[tokio::test]
async fn account_that_signs_out_everywhere_or_is_deleted_is_relayed_no_longer() {
    let (parameters, database) = (parameter_store().await, Database::start().await);
    let store = database.store();
    let mut askers = Vec::new();
    for email in ["ada@example.org", "bob@example.org", "cyd@example.org"] {
        store.create_user(&Email::parse(email).unwrap(), email, now()).await.unwrap();
        let generation = store.user(email).await.unwrap().unwrap().generation;
        askers.push(asker_of(SECRET, email, &generation));
    }
    let [mut ada, mut bob, mut cyd] = askers.try_into().unwrap();
    let mut program = Program::start(&parameters, &database, &[]).await;
    program.logged("usage").await;
    let sockets = [program.client().await, program.client().await, program.client().await];
    for (socket, asker) in sockets.iter().zip([&mut ada, &mut bob, &mut cyd]) {
        assert!(ask(socket, asker, &Ask::Allocate(None)).await.relayed.is_some());
    }
    store.end_all_sessions("ada@example.org", now()).await.unwrap();
    store.begin_deletion("bob@example.org", now()).await.unwrap();
    for (socket, asker) in sockets.iter().zip([&mut ada, &mut bob]) {
        assert_eq!(refused(socket, asker, &Ask::Refresh(600)).await, 401);
        assert_eq!(ask(&program.client().await, asker, &Ask::Allocate(None)).await.code(), Some(401));
    }
    assert_eq!(ask(&sockets[2], &mut cyd, &Ask::Refresh(600)).await.refused, None, "others are relayed on");
    let generation = store.user("ada@example.org").await.unwrap().unwrap().generation;
    let mut ada_again = asker_of(SECRET, "ada@example.org", &generation);
    assert!(ask(&sockets[0], &mut ada_again, &Ask::Allocate(None)).await.relayed.is_some());
    program.end().await;

    // A relay that starts later knows it too.
    let mut program = Program::start(&parameters, &database, &[]).await;
    program.logged("usage").await;
    assert_eq!(refused(&program.client().await, &mut ada, &Ask::Allocate(None)).await, 401);
    assert!(ask(&program.client().await, &mut ada_again, &Ask::Allocate(None)).await.relayed.is_some());
}
