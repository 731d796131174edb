//! The address of a quick tunnel, from `cloudflared` to the database.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use peersync_server::clock::Clock;
use peersync_server::settings::Tables;
use peersync_server::store::Store;
use peersync_signal::quick_tunnel::{self, Times};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::world::{Database, STACK, now};

/// Answers as the metrics of `cloudflared` do, with the name that is set.
async fn cloudflared(name: Arc<Mutex<String>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let body = format!("{{\"hostname\":\"{}\"}}", name.lock().unwrap());
            _ = stream.read(&mut [0; 1024]).await;
            let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// A host with a quick tunnel, which the test names.
struct Host {
    name: Arc<Mutex<String>>,
    folder: std::path::PathBuf,
    /// What ends it.
    end: Option<oneshot::Sender<()>>,
    following: JoinHandle<()>,
}

impl Host {
    async fn start(store: &Arc<Store>, label: &str, times: Times) -> Self {
        let name = Arc::new(Mutex::new(String::new()));
        let metrics = cloudflared(Arc::clone(&name)).await;
        let folder = std::env::temp_dir().join(format!("peersync-quick-{label}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (publisher, kept) = (Arc::clone(store), folder.clone());
        let (end, ended) = oneshot::channel();
        let following = tokio::spawn(async move {
            quick_tunnel::follow(publisher, metrics, &kept, Clock::default(), times, ended).await;
        });
        Self { name, folder, end: Some(end), following }
    }

    /// Lets cloudflared have another address.
    fn is_called(&self, name: &str) {
        *self.name.lock().unwrap() = name.to_owned();
    }

    /// Ends it as SIGTERM does.
    async fn end(mut self) {
        drop(self.end.take());
        tokio::time::timeout(PATIENCE, &mut self.following).await.unwrap().unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.following.abort();
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until this is the address in tickets.
async fn until_told(store: &Store, expected: Option<&str>) {
    let expected = expected.map(|name| format!("wss://{name}/ws"));
    let told = tokio::time::timeout(PATIENCE, async {
        while store.signal_address(now()).await.unwrap() != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    told.await.unwrap_or_else(|_| panic!("{expected:?} was not published"));
}

const PATIENCE: Duration = Duration::from_secs(30);
const FIRST: &str = "one-two.trycloudflare.com";
const SECOND: &str = "three-four.trycloudflare.com";
/// Nobody counts as silent.
const PATIENT: Times =
    Times { pause: Duration::from_millis(20), confirm: Duration::from_millis(50), silent: Duration::from_secs(3600) };

async fn store() -> (Database, Arc<Store>) {
    let database = Database::start().await;
    let store = Arc::new(Store::new(database.client.clone(), Tables::of(STACK)));
    (database, store)
}

#[tokio::test]
async fn address_is_published_as_soon_as_it_changes() {
    let (_database, store) = store().await;
    let host = Host::start(&store, "changing", PATIENT).await;
    assert_eq!(store.signal_address(now()).await.unwrap(), None, "it has no name yet");
    for next in [FIRST, SECOND] {
        host.is_called(next);
        until_told(&store, Some(next)).await;
    }
}

/// Pages that are open stay at the old host as long as it serves: rings and presence between two hosts would be lost.
#[tokio::test]
async fn next_host_publishes_once_the_one_before_has_ended() {
    let (_database, store) = store().await;
    let old = Host::start(&store, "old", PATIENT).await;
    old.is_called(FIRST);
    until_told(&store, Some(FIRST)).await;
    let new = Host::start(&store, "new", PATIENT).await;
    new.is_called(SECOND);
    let attempts = std::time::Instant::now();
    while attempts.elapsed() < 20 * PATIENT.pause {
        assert_eq!(store.signal_address(now()).await.unwrap(), Some(format!("wss://{FIRST}/ws")));
        tokio::time::sleep(PATIENT.pause / 2).await;
    }
    old.end().await;
    until_told(&store, Some(SECOND)).await;
    // One that is given up takes nothing along.
    let given_up = Host::start(&store, "given-up", PATIENT).await;
    given_up.is_called("five-six.trycloudflare.com");
    given_up.end().await;
    until_told(&store, Some(SECOND)).await;
    new.end().await;
    until_told(&store, None).await;
}

#[tokio::test]
async fn next_host_publishes_once_the_one_before_is_silent() {
    let (_database, store) = store().await;
    let old = Host::start(&store, "lost", PATIENT).await;
    old.is_called(FIRST);
    until_told(&store, Some(FIRST)).await;
    let impatient = Times { silent: Duration::from_secs(2), ..PATIENT };
    let new = Host::start(&store, "impatient", impatient).await;
    new.is_called(SECOND);
    tokio::time::sleep(2 * impatient.silent).await;
    assert_eq!(
        store.signal_address(now()).await.unwrap(),
        Some(format!("wss://{FIRST}/ws")),
        "it confirms its address"
    );
    // As if the power had failed.
    drop(old);
    until_told(&store, Some(SECOND)).await;
}

/// Passes connections on to the database while it is open, and ends all of them when it is shut.
async fn line(to: SocketAddr) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, open) = watch::channel(true);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut open = open.clone();
            tokio::spawn(async move {
                let Ok(mut database) = TcpStream::connect(to).await else { return };
                tokio::select! {
                    _ = open.wait_for(|open| !open) => {}
                    _ = tokio::io::copy_bidirectional(&mut client, &mut database) => {}
                }
            });
        }
    });
    (address, sender)
}

#[tokio::test]
async fn nobody_is_silent_while_the_database_is_away() {
    let mut database = Database::start().await;
    let (address, open) = line(database.endpoint.strip_prefix("http://").unwrap().parse().unwrap()).await;
    database.use_endpoint(&format!("http://{address}"));
    let store = Arc::new(Store::new(database.client.clone(), Tables::of(STACK)));
    // It is the second to ask once the database is back.
    let old = Host::start(&store, "slow", Times { pause: Duration::from_secs(2), ..PATIENT }).await;
    old.is_called(FIRST);
    until_told(&store, Some(FIRST)).await;
    let impatient = Times { silent: Duration::from_secs(4), ..PATIENT };
    let new = Host::start(&store, "quick", impatient).await;
    new.is_called(SECOND);
    tokio::time::sleep(impatient.silent / 2).await;
    open.send(false).unwrap();
    tokio::time::sleep(impatient.silent).await;
    open.send(true).unwrap();
    let back = std::time::Instant::now();
    while back.elapsed() < impatient.silent {
        if let Ok(told) = store.signal_address(now()).await {
            assert_eq!(told, Some(format!("wss://{FIRST}/ws")));
        }
        tokio::time::sleep(PATIENT.pause).await;
    }
}

#[tokio::test]
async fn host_that_restarts_goes_on_although_it_could_keep_nothing() {
    let (database, store) = store().await;
    let before = Host::start(&store, "before", PATIENT).await;
    before.is_called(FIRST);
    until_told(&store, Some(FIRST)).await;
    // Killed; its folder is gone, and so is its name.
    drop(before);
    let after = Host::start(&store, "after", PATIENT).await;
    after.is_called(FIRST);
    let mark = async || {
        let tables = Tables::of(STACK);
        let call = database.client.get_item().table_name(tables.ephemeral);
        let answer = call.key("key", AttributeValue::S("signal-address#tunnel".to_owned())).send().await.unwrap();
        answer.item.and_then(|item| item.get("mark")?.as_s().ok().cloned())
    };
    let killed = mark().await;
    let confirmed = tokio::time::timeout(PATIENCE, async {
        while mark().await == killed {
            tokio::time::sleep(PATIENT.pause).await;
        }
    });
    confirmed.await.expect("it confirms the address");
}
