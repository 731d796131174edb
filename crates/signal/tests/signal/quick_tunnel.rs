//! The address of a quick tunnel, from `cloudflared` to the database.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peersync_server::clock::Clock;
use peersync_server::settings::Tables;
use peersync_server::store::Store;
use peersync_signal::quick_tunnel;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

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

#[tokio::test]
async fn address_is_published_as_soon_as_it_changes() {
    let database = Database::start().await;
    let store = Arc::new(Store::new(database.client.clone(), Tables::of(STACK)));
    let name = Arc::new(Mutex::new(String::new()));
    let metrics = cloudflared(Arc::clone(&name)).await;
    let folder = std::env::temp_dir().join(format!("peersync-quick-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (publisher, kept) = (Arc::clone(&store), folder.clone());
    let following =
        tokio::spawn(async move { quick_tunnel::follow(publisher, metrics, &kept, Clock::default()).await });
    assert_eq!(store.signal_address(now()).await.unwrap(), None, "it has no name yet");
    for next in ["one-two.trycloudflare.com", "three-four.trycloudflare.com"] {
        *name.lock().unwrap() = next.to_owned();
        let expected = Some(format!("wss://{next}/ws"));
        let published = tokio::time::timeout(Duration::from_secs(30), async {
            while store.signal_address(now()).await.unwrap() != expected {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        published.await.unwrap_or_else(|_| panic!("{next} was not published"));
    }
    following.abort();
    std::fs::remove_dir_all(&folder).unwrap();
}
