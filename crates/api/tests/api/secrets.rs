//! Secrets that change while a function runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use peersync_api::Limits;
use peersync_server::clock::Clock;
use peersync_server::secrets::{
    LiveSecrets, PREVIOUS_SECONDS, SETTLED_SECONDS, Secret, SecretReader, Secrets, SecretsError,
};
use peersync_server::settings::SmtpTls;
use peersync_server::turn_credentials::password;
use serde_json::json;

use crate::requests::{MAILS, mails_from};
use crate::smtp::{Server, mail_settings, start};
use crate::support::{Mailbox, NOW, World, address, secrets, settings, with_mail_total};

const STACK: &str = "peersync-test";

/// A Parameter Store whose content changes, and which counts its reads.
#[derive(Clone)]
struct Changing {
    content: Arc<Mutex<Secrets>>,
    reads: Arc<AtomicUsize>,
}

impl Changing {
    fn new(content: Secrets) -> Self {
        Self { content: Arc::new(Mutex::new(content)), reads: Arc::default() }
    }

    fn put(&self, content: Secrets) {
        *self.content.lock() = content;
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

impl SecretReader for Changing {
    fn read(&self) -> BoxFuture<'_, Result<Secrets, SecretsError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(self.content.lock().clone()) })
    }
}

async fn world() -> (World, Changing) {
    let (source, clock) = (Changing::new(secrets()), Clock::fixed(NOW));
    let live = LiveSecrets::new(source.clone(), clock.clone());
    (World::with_secrets(with_mail_total(MAILS), clock, live).await, source)
}

fn key(letter: char) -> Option<Secret> {
    Some(Secret::new(format!("{}A", letter.to_string().repeat(42))))
}

/// Requests as CloudFront sends them with this key, from many addresses.
fn behind_edge(key: &'static str) -> impl Fn(usize) -> Vec<(&'static str, String)> {
    move |count| {
        let viewer = ("x-forwarded-for", format!("198.51.{count}.7"));
        vec![viewer, ("x-peersync-origin-key", key.to_owned())]
    }
}

#[tokio::test]
async fn edge_is_believed_with_the_previous_and_with_the_new_origin_key() {
    for sent in ["edge-key", "new-key"] {
        let (world, source) = world().await;
        world.state.secrets().await.unwrap();
        let (origin_key, origin_key_previous) = (Some(Secret::new("new-key")), Some(Secret::new("edge-key")));
        source.put(Secrets { origin_key, origin_key_previous, ..secrets() });
        world.clock.forward(SETTLED_SECONDS);
        assert_eq!(mails_from(&world, behind_edge(sent)).await, 130, "{sent}");
    }
}

#[tokio::test]
async fn new_origin_key_is_recognised_at_its_first_request() {
    let (world, source) = world().await;
    world.state.secrets().await.unwrap();
    source.put(Secrets { origin_key: Some(Secret::new("new-key")), ..secrets() });
    world.clock.forward(5);
    assert_eq!(mails_from(&world, behind_edge("new-key")).await, 130);
    assert_eq!(source.reads(), 2);
}

#[tokio::test]
async fn forged_origin_keys_cause_no_reads() {
    let (world, source) = world().await;
    assert_eq!(mails_from(&world, behind_edge("forged")).await, 100);
    assert_eq!(source.reads(), 1, "the clock stands still");
}

#[tokio::test]
async fn tickets_are_signed_with_a_key_that_every_verifier_knows() {
    let (world, source) = world().await;
    let mut ada = world.member("Ada").await;
    ada.post("/ticket", json!({})).await;
    // What a signaling server knows that has read before or after the rotation.
    let before = secrets();
    let after = Secrets {
        ticket_key: key('b'),
        ticket_key_written: NOW,
        ticket_key_previous: before.ticket_key.clone(),
        ticket_key_previous_written: NOW,
        ..secrets()
    };
    source.put(after.clone());
    let mut signed_with_new = false;
    for _ in 0..PREVIOUS_SECONDS {
        world.clock.forward(1);
        let now = world.state.now();
        let (status, body) = ada.post("/ticket", json!({})).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        let ticket = body["ticket"].as_str().unwrap();
        let verifies = |secrets: &Secrets| secrets.ticket_keys(STACK, now).unwrap().verify(ticket, now).is_ok();
        // A signaling server reads the new key within a minute.
        assert!(verifies(&after), "{} s after the rotation", now - NOW);
        assert!(now - NOW >= SETTLED_SECONDS || verifies(&before), "{} s after the rotation", now - NOW);
        signed_with_new |= !verifies(&before);
    }
    assert!(signed_with_new, "the new key is used in the end");
}

#[tokio::test]
async fn function_that_was_idle_reads_before_it_signs() {
    let (world, source) = world().await;
    let mut ada = world.member("Ada").await;
    ada.post("/ticket", json!({})).await;
    let after = Secrets { ticket_key: key('b'), ticket_key_written: NOW, ..secrets() };
    source.put(after.clone());
    world.clock.forward(24 * 3600);
    let now = world.state.now();
    let (_, body) = ada.post("/ticket", json!({})).await;
    let keys = after.ticket_keys(STACK, now).unwrap();
    assert!(keys.verify(body["ticket"].as_str().unwrap(), now).is_ok());
}

#[tokio::test]
async fn turn_credentials_use_a_changed_secret_within_a_minute() {
    let (world, source) = world().await;
    let mut ada = world.member("Ada").await;
    let mut credential = async || {
        let (_, body) = ada.post("/ticket", json!({})).await;
        let servers = body["iceServers"].as_array().unwrap().clone();
        let turn = servers.into_iter().find(|server| server["username"].is_string()).unwrap();
        (turn["username"].as_str().unwrap().to_owned(), turn["credential"].as_str().unwrap().to_owned())
    };
    credential().await;
    source.put(Secrets { turn_secret: Some(Secret::new("changed")), ..secrets() });
    world.clock.forward(SETTLED_SECONDS);
    let (username, proof) = credential().await;
    assert_eq!(proof, password("changed", &username));
}

/// Returns an API that sends mail through this server with a password, which it has read seconds ago.
async fn world_with_mail(server: &Server, password: &str) -> (World, Changing) {
    let (source, clock) = (Changing::new(with_password(password)), Clock::fixed(NOW));
    let live = LiveSecrets::new(source.clone(), clock.clone());
    let mut settings = settings();
    settings.mail = mail_settings(server, SmtpTls::Starttls, true);
    let world = World::with_all(Limits::default(), clock, live, settings, (Arc::<Mailbox>::default(), None)).await;
    world.state.secrets().await.unwrap();
    world.clock.forward(5);
    (world, source)
}

fn with_password(password: &str) -> Secrets {
    Secrets { smtp_pass: Some(Secret::new(password)), ..secrets() }
}

/// Returns whether a mail is sent to somebody who signs up.
async fn is_mail_sent(world: &World) -> bool {
    let (status, body) = world.browser().post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    body["mailSent"].as_bool().unwrap()
}

#[tokio::test]
async fn mail_is_sent_with_a_changed_password_within_a_minute() {
    let Some(server) = start() else { return };
    let (world, source) = world_with_mail(&server, "old").await;
    assert!(!is_mail_sent(&world).await);
    source.put(with_password("secret"));
    world.clock.forward(SETTLED_SECONDS);
    assert!(is_mail_sent(&world).await);
}

/// The mail server may accept the new password alone from the end of `up` on: nobody is refused in the minute after.
#[tokio::test]
async fn mail_that_the_old_password_cannot_send_is_sent_with_the_new_one() {
    let Some(server) = start() else { return };
    let (world, source) = world_with_mail(&server, "old").await;
    source.put(with_password("secret"));
    assert!(is_mail_sent(&world).await);
    assert!(is_mail_sent(&world).await);
    assert_eq!(source.reads(), 2, "the second mail knows the new one");
}
