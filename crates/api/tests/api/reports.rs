//! Reports of connections that could not be made.

use axum::http::StatusCode;
use peersync_api::types::{Failure, Reach, ReportRequest};
use serde_json::json;

use crate::support::{World, refused};

#[tokio::test]
async fn users_and_guests_of_a_room_may_report() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let report = json!({ "failure": "no_way_out", "local": "host", "remote": "relay" });
    assert_eq!(ada.post("/reports", report.clone()).await.0, StatusCode::NO_CONTENT);
    let room = ada.post("/create-room", json!({ "name": "R" })).await.1["id"].clone();
    let mut guest = world.browser();
    refused(&guest.post("/reports", report).await, 401, "unauthorized");
    let with = |room: &serde_json::Value| json!({ "failure": "socket_refused", "room": room });
    refused(&guest.post("/reports", with(&json!("x"))).await, 404, "room_not_found");
    assert_eq!(guest.post("/reports", with(&room)).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn only_known_words_are_accepted() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    for report in [
        json!({}),
        json!({ "failure": "192.0.2.1" }),
        json!({ "failure": "blocked", "local": "192.0.2.1" }),
        json!({ "failure": "blocked", "remote": "ada@example.org" }),
    ] {
        refused(&ada.post("/reports", report).await, 400, "bad_field");
    }
}

#[tokio::test]
async fn reports_are_limited_per_user_and_sampled_in_all() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let report = json!({ "failure": "blocked" });
    for _ in 0..20 {
        assert_eq!(ada.post("/reports", report.clone()).await.0, StatusCode::NO_CONTENT);
    }
    refused(&ada.post("/reports", report.clone()).await, 429, "slow_down");
    let mut bob = world.member("Bob").await;
    assert_eq!(bob.post("/reports", report.clone()).await.0, StatusCode::NO_CONTENT, "behind the same address");
    world.clock.forward(3600);
    assert_eq!(ada.post("/reports", report).await.0, StatusCode::NO_CONTENT);
}

#[test]
fn words_of_the_log_are_those_of_json() {
    let json = json!({ "failure": "their_network", "local": "srflx" });
    let report: ReportRequest = serde_json::from_value(json).unwrap();
    assert_eq!((report.failure, report.local, report.remote), (Failure::TheirNetwork, Reach::Srflx, Reach::None));
    assert_eq!((report.failure.name(), report.local.name(), report.remote.name()), ("their_network", "srflx", "none"));
}
