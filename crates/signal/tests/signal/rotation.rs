//! Keys that change while the server runs: nobody is refused, and no socket is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use peersync_server::clock::Clock;
use peersync_server::secrets::{LiveSecrets, PREVIOUS_SECONDS, Secret, SecretReader, Secrets, SecretsError};
use peersync_server::tickets::Bearer;
use peersync_signal::Limits;
use serde_json::json;

use crate::client::{Client, EDGE_KEY, ORIGIN, candidates};
use crate::world::{Database, STACK, World, guest, now, secrets};

/// A Parameter Store whose content changes, and which counts its reads.
#[derive(Clone)]
struct Changing {
    content: Arc<Mutex<Secrets>>,
    reads: Arc<AtomicUsize>,
}

impl SecretReader for Changing {
    fn read(&self) -> BoxFuture<'_, Result<Secrets, SecretsError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(self.content.lock().clone()) })
    }
}

/// A server whose secrets change. The clock is that by which they are read.
struct Changed {
    world: World,
    source: Changing,
    clock: Clock,
    live: Arc<LiveSecrets>,
}

impl Changed {
    async fn new() -> Self {
        let source = Changing { content: Arc::new(Mutex::new(secrets())), reads: Arc::default() };
        let clock = Clock::fixed(now());
        let live = Arc::new(LiveSecrets::new(source.clone(), clock.clone()));
        live.current().await.unwrap();
        let world = World::with_secrets(Database::start().await, Limits::default(), 4, Arc::clone(&live)).await;
        Self { world, source, clock, live }
    }

    fn put(&self, content: Secrets) {
        *self.source.content.lock() = content;
    }

    fn reads(&self) -> usize {
        self.source.reads.load(Ordering::SeqCst)
    }
}

fn key(letter: char) -> Option<Secret> {
    Some(Secret::new(format!("{}A", letter.to_string().repeat(42))))
}

/// The secrets after a rotation of the ticket key.
fn rotated() -> Secrets {
    let before = secrets();
    Secrets {
        ticket_key: key('b'),
        ticket_key_written: now(),
        ticket_key_previous: before.ticket_key.clone(),
        ticket_key_previous_written: now(),
        ..before
    }
}

/// A ticket from a function that signs with the current key of these secrets.
fn ticket(secrets: &Secrets, bearer: Bearer) -> String {
    let signer = Secrets { ticket_key_written: 0, ..secrets.clone() };
    signer.ticket_keys(STACK, now()).unwrap().issue(bearer, now()).unwrap()
}

#[tokio::test]
async fn ticket_key_rotated_during_a_call_closes_no_socket_and_refuses_nobody() {
    let changed = Changed::new().await;
    let world = &changed.world;
    let (mut ada, mut bob) = (world.inside("Ada", "r").await, world.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    let (ada_peer, bob_peer) = (ada.peer.clone(), bob.peer.clone());
    changed.put(rotated());
    changed.live.refresh().await;
    ada.signal(&bob_peer, "1").await;
    ada.settle().await;
    assert_eq!(candidates(&bob.settle().await), ["1"], "both sockets are open");
    // One resumes with a ticket of a function that has not read the new key, the other with the new key.
    ada.reconnect(world.address, &ticket(&secrets(), guest("Ada", "r")), true).await;
    bob.reconnect(world.address, &ticket(&rotated(), guest("Bob", "r")), true).await;
    assert!(ada.resumed && bob.resumed);
    assert_eq!((&ada.peer, &bob.peer), (&ada_peer, &bob_peer));
    ada.signal(&bob_peer, "2").await;
    ada.settle().await;
    assert_eq!(candidates(&bob.settle().await), ["2"]);
}

#[tokio::test]
async fn previous_ticket_key_ends() {
    let changed = Changed::new().await;
    // A server that has started after the rotation.
    let long_ago = now() - PREVIOUS_SECONDS;
    let late = Secrets { ticket_key_written: long_ago, ticket_key_previous_written: long_ago, ..rotated() };
    let late = World::with_secrets(Database::start().await, Limits::default(), 4, Arc::new(LiveSecrets::fixed(late)));
    let late = late.await;
    let mut client = Client::connect(late.address).await;
    client.send(json!({ "type": "hello", "ticket": ticket(&secrets(), guest("Ada", "r")) })).await;
    client.closed_for("ticket_invalid", 4001).await;
    // One that has replaced the key while it ran.
    changed.put(rotated());
    changed.live.refresh().await;
    Client::welcome(changed.world.address, &ticket(&secrets(), guest("Ada", "r"))).await;
}

#[tokio::test]
async fn key_created_again_is_learnt_from_its_first_ticket() {
    let changed = Changed::new().await;
    let again = Secrets { ticket_key: key('b'), ..secrets() };
    changed.put(again.clone());
    changed.clock.forward(5);
    Client::welcome(changed.world.address, &ticket(&again, guest("Ada", "r"))).await;
    assert_eq!(changed.reads(), 2);
    Client::welcome(changed.world.address, &ticket(&secrets(), guest("Bob", "r"))).await;
}

#[tokio::test]
async fn deleted_keys_stay_in_use() {
    let changed = Changed::new().await;
    changed.put(Secrets::default());
    changed.live.refresh().await;
    Client::welcome(changed.world.address, &ticket(&secrets(), guest("Ada", "r"))).await;
}

#[tokio::test]
async fn forged_tickets_cause_few_reads() {
    let changed = Changed::new().await;
    let stranger = Secrets { ticket_key: key('z'), ..secrets() };
    let clock = changed.clock.clone();
    // The clock is a hundred times as fast.
    let ticking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            clock.forward(1);
        }
    });
    let begun = changed.clock.now();
    for _ in 0..10 {
        let refused = (0..50).map(|_| async {
            let mut client = Client::connect(changed.world.address).await;
            client.send(json!({ "type": "hello", "ticket": ticket(&stranger, guest("Eve", "r")) })).await;
            client.closed_for("ticket_invalid", 4001).await;
        });
        join_all(refused).await;
    }
    ticking.abort();
    let seconds = usize::try_from(changed.clock.now() - begun).unwrap();
    assert!((2..=2 + seconds / 5).contains(&changed.reads()), "{} reads in {seconds} s", changed.reads());
}

#[tokio::test]
async fn edge_may_send_either_key_while_it_changes() {
    let changed = Changed::new().await;
    let address = changed.world.address;
    let connect = async |key: &str| {
        Client::connect_with(address, &[("origin", ORIGIN), ("x-peersync-origin-key", key)]).await.is_ok()
    };
    let mut call = changed.world.inside("Ada", "r").await;
    assert!(connect(EDGE_KEY).await && !connect("new-key").await);
    let (origin_key, origin_key_previous) = (Some(Secret::new("new-key")), Some(Secret::new(EDGE_KEY)));
    changed.put(Secrets { origin_key, origin_key_previous, ..secrets() });
    changed.clock.forward(5);
    assert!(connect("new-key").await && connect(EDGE_KEY).await && !connect("another").await);
    changed.put(Secrets { origin_key: Some(Secret::new("new-key")), ..secrets() });
    changed.clock.forward(PREVIOUS_SECONDS);
    changed.live.refresh().await;
    assert!(connect("new-key").await);
    assert!(call.settle().await.is_empty(), "the call goes on");
}
