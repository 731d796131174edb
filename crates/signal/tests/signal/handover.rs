//! A host that is about to be replaced: everybody is told, and nothing ends.

use axum::http::StatusCode;
use peersync_server::tickets::{HANDOVER_HEADER, TICKET_SECONDS};
use peersync_signal::Limits;

use crate::client::{EDGE_KEY, ORIGIN};
use crate::world::{World, keys, now, user};

/// Says so, and returns the status of the answer.
async fn hand_over(world: &World, handover: &str) -> u16 {
    let headers = format!("origin: {ORIGIN}\r\nx-peersync-origin-key: {EDGE_KEY}\r\n{HANDOVER_HEADER}: {handover}\r\n");
    let answer = crate::entrance::get(world, "/ws", &headers).await;
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn everybody_is_told_and_goes_on_at_whichever_host_has_the_address() {
    let one = World::new().await;
    let two = World::beside(&one, Limits::default()).await;
    let (mut ada, mut bob) = (one.inside("Ada", "r").await, one.inside("Bob", "r").await);
    ada.expect("peer-joined").await;
    assert_eq!(hand_over(&one, &keys().issue_handover(now()).unwrap()).await, StatusCode::NO_CONTENT);
    for client in [&mut ada, &mut bob] {
        let wait = client.expect("draining").await["retry_ms"].as_u64().unwrap();
        assert!((2000..=2250).contains(&wait), "{wait}");
    }
    // The address has not moved yet.
    ada.return_to(one.address).await;
    ada.welcomed().await;
    assert!(ada.resumed);
    bob.return_to(two.address).await;
    bob.welcomed().await;
    assert!(!bob.resumed);
    one.inside("Eve", "r").await;
}

#[tokio::test]
async fn nobody_else_can_say_so() {
    let world = World::new().await;
    let mut ada = world.inside("Ada", "r").await;
    let handover = keys().issue_handover(now()).unwrap();
    for other in [
        String::new(),
        "x".to_owned(),
        world.ticket_of(user("ada@example.org", None), 0),
        ada.resume[48..].to_owned(),
        keys().issue_handover(now() - TICKET_SECONDS).unwrap(),
        keys().issue_handover(now() + 3600).unwrap(),
    ] {
        assert_eq!(hand_over(&world, &other).await, StatusCode::FORBIDDEN, "{other}");
    }
    assert!(ada.settle().await.is_empty());
    assert_eq!(hand_over(&world, &handover).await, StatusCode::NO_CONTENT);
    assert_eq!(hand_over(&world, &handover).await, StatusCode::FORBIDDEN, "it counts once");
    let refused = crate::entrance::get(&world, "/ws", &format!("origin: {ORIGIN}\r\n")).await;
    assert!(refused.starts_with("HTTP/1.1 426"), "{refused}");
}
