//! A response does not reveal whether an account exists: same body, same calls, same duration.

use std::time::Instant;

use axum::http::StatusCode;
use peersync_api::{Limit, Limits};
use serde_json::{Value, json};

use crate::support::{World, address};

fn without_number(mut body: Value) -> Value {
    assert!((10..=99).contains(&body["match"].as_i64().unwrap()), "{body}");
    body["match"] = Value::Null;
    body
}

#[tokio::test]
async fn known_and_unknown_addresses_get_the_same_response_for_the_same_calls() {
    let world = World::new().await;
    world.person("Ada").await;
    for (path, with_name) in [("/login", false), ("/signup", true)] {
        let mut seen = Vec::new();
        for name in ["ada", "nobody"] {
            let mut body = json!({ "email": address(name) });
            if with_name {
                body["name"] = json!("Somebody");
            }
            world.calls.take();
            let (status, body) = world.browser().post(path, body).await;
            let mut calls = world.called();
            calls.sort();
            assert_eq!(world.mailbox.take().len(), 1, "both get a mail");
            seen.push((status, without_number(body), calls));
        }
        assert_eq!(seen[0], seen[1], "{path}");
        assert_eq!(seen[0].0, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn wrong_codes_get_the_same_response_with_and_without_an_account() {
    let world = World::new().await;
    world.person("Ada").await;
    let mut seen = Vec::new();
    for name in ["ada", "nobody"] {
        world.browser().post("/login", json!({ "email": address(name) })).await;
        world.calls.take();
        let answer = world.browser().post("/login/verify", json!({ "email": address(name), "code": "000000" })).await;
        seen.push((answer, world.called()));
    }
    assert_eq!(seen[0], seen[1]);
}

/// Checks that the fast responses (slow ones show other load on the machine) take the same time for both addresses,
/// within a half. They are measured in turns, so that other load affects both alike.
async fn take_the_same_time(world: &World) -> Result<(), String> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..60 {
        for (name, times) in ["ada", "nobody"].into_iter().zip(&mut times) {
            let begun = Instant::now();
            world.browser().post("/login", json!({ "email": address(name) })).await;
            times.push(begun.elapsed().as_secs_f64());
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        [times.len() / 10, times.len() / 4, times.len() / 2].map(|at| times[at])
    });
    let alike = |(known, unknown): (&f64, &f64)| (0.66..1.5).contains(&(known / unknown));
    if known.iter().zip(&unknown).any(alike) {
        return Ok(());
    }
    Err(format!("a tenth, a quarter and half of the answers within {known:?} s and {unknown:?} s"))
}

/// Additional work shows in every round, other load on the machine only in some.
#[tokio::test]
async fn known_and_unknown_addresses_take_the_same_time() {
    let free = |limit: Limit| Limit { most: 1_000_000, ..limit };
    let limits = Limits::default();
    let limits = Limits {
        mail_per_pair: free(limits.mail_per_pair),
        mail_per_address: free(limits.mail_per_address),
        mail_per_address_and_day: free(limits.mail_per_address_and_day),
        ..limits
    };
    let world = World::with_limits(limits).await;
    world.person("Ada").await;
    let mut last = Ok(());
    for _ in 0..5 {
        last = take_the_same_time(&world).await;
        if last.is_ok() {
            break;
        }
    }
    assert_eq!(last, Ok(()));
}

#[tokio::test]
async fn blocked_sender_gets_the_same_response() {
    let world = World::new().await;
    let (mut bob, mut ada) = (world.member("Bob").await, world.member("Ada").await);
    let mut carl = world.member("Carl").await;
    // A first mail, whose result `pretend` repeats.
    carl.post("/send-friend-request", json!({ "toEmail": address("ada") })).await;
    bob.post("/block", json!({ "email": address("ada") })).await;
    world.mailbox.take();
    for _ in 0..3 {
        let blocked = ada.post("/send-friend-request", json!({ "toEmail": address("bob") })).await;
        let welcome = ada.post("/send-friend-request", json!({ "toEmail": address("dora") })).await;
        assert_eq!(blocked, welcome);
    }
    assert_eq!(world.row("Ada", "Bob").await, world.row("Ada", "Dora").await);
    assert_eq!(world.row("Bob", "Ada").await, Some("blocked"));
    let mails = world.mailbox.take();
    assert!(mails.iter().all(|letter| letter.to.as_str() == address("dora")) && mails.len() == 1, "{mails:?}");
}
