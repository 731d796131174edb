//! Rooms and tickets.

use axum::http::StatusCode;
use peersync_server::tickets::TicketError;
use serde_json::json;

use crate::support::{World, address, refused, secrets};

#[tokio::test]
async fn room_expires_after_a_day() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let (status, room) = ada.post("/create-room", json!({ "name": "Ada's room" })).await;
    assert_eq!(status, StatusCode::CREATED);
    let id = room["id"].as_str().unwrap();
    assert_eq!(id.len(), 22, "128 bits");
    assert_eq!(
        (room["owner"].as_bool(), room["locked"].as_bool(), room["capacity"].as_u64()),
        (Some(true), Some(false), Some(4))
    );
    let (status, seen) = world.browser().get(&format!("/room/{id}")).await;
    assert_eq!((status, &seen["name"], &seen["owner"]), (StatusCode::OK, &json!("Ada's room"), &json!(false)));
    assert!(!seen.to_string().contains("ada@"), "guests are not told whose it is");
    let item = world.items("Ephemeral").await.into_iter().find(|item| item["key"].as_s().unwrap().starts_with("room#"));
    let item = item.unwrap();
    assert_eq!(item["key"].as_s().unwrap(), &format!("room#{id}"));
    assert_eq!((item["owner"].as_s().unwrap(), item["locked"].as_bool().unwrap()), (&address("ada"), &false));
    let ended = {
        world.clock.forward(24 * 3600);
        world.browser().get(&format!("/room/{id}")).await
    };
    refused(&ended, 404, "room_not_found");
    for unknown in ["AAAAAAAAAAAAAAAAAAAAAA", "x", "%00", "..%2f..", &"a".repeat(3000), "%ff"] {
        assert_eq!(world.browser().get(&format!("/room/{unknown}")).await, ended, "{unknown}");
    }
}

#[tokio::test]
async fn user_gets_a_ticket_and_turn_credentials() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let (status, body) = ada.post("/ticket", json!({})).await;
    assert_eq!((status, &body["url"]), (StatusCode::OK, &json!("wss://call.example/ws")));
    let keys = secrets().ticket_keys("peersync-test", world.state.now()).unwrap();
    let ticket = body["ticket"].as_str().unwrap();
    let claims = keys.verify(ticket, world.state.now()).unwrap();
    assert_eq!((claims.sub, claims.name, claims.guest, claims.room), (address("ada"), "Ada".to_owned(), false, None));
    assert_eq!(keys.verify(ticket, world.state.now() + 60), Err(TicketError::Expired));
    let turn = body["iceServers"].as_array().unwrap().iter().find(|server| server["username"].is_string()).unwrap();
    let end: i64 = turn["username"].as_str().unwrap().split(':').next().unwrap().parse().unwrap();
    assert_eq!(end, world.state.now() + body["ttl"].as_i64().unwrap());
    assert!(!turn["username"].as_str().unwrap().contains('@'), "the TURN server need not know who calls");
}

#[tokio::test]
async fn guest_gets_a_ticket_only_for_a_room() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let room = ada.post("/create-room", json!({ "name": "R" })).await.1["id"].clone();
    let mut guest = world.browser();
    refused(&guest.post("/ticket", json!({})).await, 401, "unauthorized");
    refused(&guest.post("/ticket", json!({ "name": "Guest" })).await, 401, "unauthorized");
    refused(&guest.post("/ticket", json!({ "room": room })).await, 400, "name");
    refused(&guest.post("/ticket", json!({ "room": room, "name": "\u{202e}x" })).await, 400, "name_invisible");
    refused(&guest.post("/ticket", json!({ "room": "x", "name": "Guest" })).await, 404, "room_not_found");
    let (status, body) = guest.post("/ticket", json!({ "room": room, "name": "Guest" })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let keys = secrets().ticket_keys("peersync-test", world.state.now()).unwrap();
    let claims = keys.verify(body["ticket"].as_str().unwrap(), world.state.now()).unwrap();
    assert!(claims.guest && claims.sub.starts_with("guest:") && claims.room.as_deref() == room.as_str());
    let (_, again) = guest.post("/ticket", json!({ "room": room, "name": "Guest" })).await;
    let again = keys.verify(again["ticket"].as_str().unwrap(), world.state.now()).unwrap();
    assert!(again.jti != claims.jti && again.sub != claims.sub);
}

#[tokio::test]
async fn rooms_and_tickets_are_rate_limited() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    for _ in 0..60 {
        assert_eq!(ada.post("/create-room", json!({ "name": "R" })).await.0, StatusCode::CREATED);
    }
    refused(&ada.post("/create-room", json!({ "name": "R" })).await, 429, "slow_down");
    refused(&world.browser().post("/create-room", json!({ "name": "R" })).await, 401, "unauthorized");
    refused(&ada.post("/create-room", json!({ "name": "" })).await, 400, "name");
}
