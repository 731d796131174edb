//! Searching for users.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::support::{World, address, refused};

#[tokio::test]
async fn name_prefix_finds_users_with_masked_addresses() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    for name in ["Roberta", "ROBERT", "Bob"] {
        world.member(name).await;
    }
    world.calls.take();
    let (status, body) = ada.get("/users?query=%20rObEr").await;
    assert_eq!(status, StatusCode::OK);
    let calls = world.called();
    assert!(!calls.iter().any(|call| call.starts_with("Scan")), "{calls:?}");
    let found: Vec<_> = body["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(found, ["ROBERT", "Roberta"]);
    assert_eq!(body["users"][0]["email"], "r…@example.org");
    assert!(!body.to_string().contains("robert@"), "{body}");
    assert_eq!(ada.get("/users?query=Ada").await.1["users"], json!([]), "oneself");
    assert_eq!(ada.get("/users?query=zz").await.1["users"], json!([]));
}

#[tokio::test]
async fn friend_request_by_id_from_a_search() {
    let world = World::new().await;
    let (mut ada, _bob) = (world.member("Ada").await, world.member("Bob").await);
    let (_, body) = ada.get("/users?query=bo").await;
    assert_eq!(body["users"][0]["status"], "none");
    let id = body["users"][0]["id"].clone();
    assert_eq!(ada.post("/send-friend-request", json!({ "toId": id })).await.0, StatusCode::ACCEPTED);
    assert_eq!(world.row("Bob", "Ada").await, Some("received"));
    assert_eq!(ada.get("/users?query=bob").await.1["users"][0]["status"], "requested");
}

#[tokio::test]
async fn whole_address_finds_its_account() {
    let world = World::new().await;
    let (mut ada, _bob) = (world.member("Ada").await, world.member("Bob").await);
    let (_, body) = ada.get("/users?query=bob@EXAMPLE.org").await;
    assert_eq!((&body["users"][0]["email"], &body["users"][0]["name"]), (&json!(address("bob")), &json!("Bob")));
    for query in ["nobody@example.org", "bob@", "@example.org"] {
        assert_eq!(ada.get(&format!("/users?query={query}")).await.1["users"], json!([]), "{query}");
    }
}

#[tokio::test]
async fn hidden_and_unverified_users_are_not_found() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    world.browser().post("/signup", json!({ "name": "Bobby", "email": address("bobby") })).await;
    let id = ada.get("/users?query=bob").await.1["users"][0]["id"].clone();
    bob.call(Method::PATCH, "/me", Some(json!({ "hidden": true }))).await;
    for query in ["bob", "bob@example.org", "bobby@example.org"] {
        assert_eq!(ada.get(&format!("/users?query={query}")).await.1["users"], json!([]), "{query}");
    }
    let asked = ada.post("/send-friend-request", json!({ "toId": id })).await;
    assert_eq!((asked.0, world.row("Bob", "Ada").await), (StatusCode::ACCEPTED, None));
    bob.call(Method::PATCH, "/me", Some(json!({ "hidden": false, "name": "Robert" }))).await;
    assert_eq!(ada.get("/users?query=rob").await.1["users"][0]["name"], "Robert");
    assert_eq!(ada.get("/users?query=bob").await.1["users"], json!([]));
}

#[tokio::test]
async fn query_needs_two_characters_and_is_rate_limited() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let long = format!("/users?query={}", "a".repeat(255));
    for path in ["/users", "/users?query=", "/users?query=a", "/users?query=%20%20a", &long] {
        refused(&ada.get(path).await, 400, "bad_field");
    }
    for _ in 0..60 {
        assert_eq!(ada.get("/users?query=bo").await.0, StatusCode::OK);
    }
    refused(&ada.get("/users?query=bo").await, 429, "slow_down");
    refused(&world.browser().get("/users?query=bo").await, 401, "unauthorized");
}
