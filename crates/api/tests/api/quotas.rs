//! Limits of what users do, with one who does too much and another beside.

use axum::http::StatusCode;
use peersync_api::{Limit, Limits};
use serde_json::json;

use crate::limits::attacker;
use crate::support::{World, address, refused};

#[tokio::test]
async fn blocks_and_rows_of_one_user_are_bounded() {
    let world = World::with_limits(Limits { rows_per_user: 5, ..Limits::default() }).await;
    let mut ada = world.member("Ada").await;
    let block = |name: String| json!({ "email": address(&name) });
    // Requests of others take no place in the list.
    for name in ["Bob", "Carl", "Dora", "Eve", "Finn", "Gus"] {
        world.member(name).await.post("/send-friend-request", json!({ "toEmail": address("ada") })).await;
    }
    for number in 0..5 {
        assert_eq!(ada.post("/block", block(format!("x{number}"))).await.0, StatusCode::NO_CONTENT);
    }
    refused(&ada.post("/block", block("x5".to_owned())).await, 409, "list_full");
    refused(&ada.post("/send-friend-request", json!({ "toEmail": address("x6") })).await, 409, "list_full");
    assert_eq!(ada.post("/block", block("x4".to_owned())).await.0, StatusCode::NO_CONTENT, "blocked already");
    assert_eq!(ada.delete("/friends/x4@example.org").await.0, StatusCode::NO_CONTENT);
    assert_eq!(ada.post("/block", block("x5".to_owned())).await.0, StatusCode::NO_CONTENT);
    for _ in 0..60 {
        ada.post("/block", block("x5".to_owned())).await;
    }
    refused(&ada.post("/block", block("x5".to_owned())).await, 429, "slow_down");
    let bob = json!({ "email": address("x5") });
    assert_eq!(world.member("Bob").await.post("/block", bob).await.0, StatusCode::NO_CONTENT, "others may");
}

#[tokio::test]
async fn one_client_cannot_use_up_the_friend_mails_of_somebody() {
    let world = World::new().await;
    world.member("Ada").await;
    for number in 0..12 {
        let mut eve = world.member(&format!("Eve{number}")).await;
        eve.source = attacker(&world, 0).source;
        let (status, _) = eve.post("/send-friend-request", json!({ "toEmail": address("ada") })).await;
        assert_eq!(status, StatusCode::ACCEPTED, "the request itself is never lost");
    }
    assert_eq!(world.mailbox.take().len(), 3);
    let (_, body) = world.member("Bob").await.post("/send-friend-request", json!({ "toEmail": address("ada") })).await;
    assert_eq!((world.mailbox.take().len(), &body["mailSent"]), (1, &json!(true)));
}

#[tokio::test]
async fn guests_of_one_client_do_not_keep_others_from_their_tickets() {
    let limits = Limits::default();
    let limits = Limits { guest_tickets: Limit { most: 5, ..limits.guest_tickets }, ..limits };
    let world = World::with_limits(limits).await;
    let mut ada = world.member("Ada").await;
    let room = ada.post("/create-room", json!({ "name": "R" })).await.1["id"].clone();
    let ticket = json!({ "room": room, "name": "Gus" });
    let mut guest = world.browser();
    for _ in 0..5 {
        assert_eq!(guest.post("/ticket", ticket.clone()).await.0, StatusCode::OK);
    }
    refused(&guest.post("/ticket", ticket.clone()).await, 429, "slow_down");
    assert_eq!(ada.post("/ticket", ticket.clone()).await.0, StatusCode::OK, "a user behind the same address");
    assert_eq!(attacker(&world, 1).post("/ticket", ticket).await.0, StatusCode::OK);
}
