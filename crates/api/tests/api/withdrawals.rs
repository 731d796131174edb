//! What somebody withdraws no longer works: mails, tickets and links from before. Nobody can tell a block.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use peersync_server::store::{NEW_SECONDS, NOTICE_SECONDS, Notice};
use serde_json::{Value, json};

use crate::support::{Browser, World, address, code_in, in_link, refused};

const DAY: i64 = 24 * 3600;

async fn notices(world: &World) -> Vec<Notice> {
    let mut notices = world.state.store().notices(world.state.now() - NEW_SECONDS, world.state.now()).await.unwrap();
    notices.sort();
    notices
}

async fn ask(who: &mut Browser, whom: &str) {
    assert_eq!(who.post("/send-friend-request", json!({ "toEmail": address(whom) })).await.0, StatusCode::ACCEPTED);
}

async fn accept(who: &mut Browser, whom: &str) {
    let accept = json!({ "fromEmail": address(whom), "action": "accept" });
    assert_eq!(who.post("/respond-friend-request", accept).await.0, StatusCode::OK);
}

/// The status of somebody in the caller's search, by address.
async fn status(who: &mut Browser, of: &str) -> Value {
    who.get(&format!("/users?query={of}%40example.org")).await.1["users"][0]["status"].clone()
}

#[tokio::test]
async fn mails_from_before_signing_out_everywhere_sign_nobody_in() {
    let world = World::new().await;
    let (mut ada, mut thief) = (world.member("Ada").await, world.browser());
    for way in ["link", "code"] {
        thief.post("/login", json!({ "email": address("ada") })).await;
        let letter = world.mailbox.only();
        assert_eq!(ada.post("/logout", json!({ "everywhere": true })).await.0, StatusCode::NO_CONTENT);
        if way == "link" {
            refused(&thief.post("/login/verify", json!({ "token": in_link(&letter, "token") })).await, 400, "token");
        } else {
            let proof = json!({ "email": address("ada"), "code": code_in(&letter) });
            refused(&thief.post("/login/verify", proof).await, 400, "code");
        }
        ada = world.member("Ada").await;
    }
    // The owner asks again.
    ada = world.browser();
    ada.post("/login", json!({ "email": address("ada") })).await;
    let token = in_link(&world.mailbox.only(), "token");
    assert_eq!(ada.post("/login/verify", json!({ "token": token })).await.0, StatusCode::OK);
}

#[tokio::test]
async fn mail_for_a_deleted_account_does_not_open_its_successor() {
    let world = World::new().await;
    let (mut ada, mut thief) = (world.member("Ada").await, world.browser());
    thief.post("/login", json!({ "email": address("ada") })).await;
    let token = in_link(&world.mailbox.only(), "token");
    assert_eq!(ada.delete("/me").await.0, StatusCode::NO_CONTENT);
    world.person("Ada").await;
    refused(&thief.post("/login/verify", json!({ "token": token })).await, 400, "token");
}

#[tokio::test]
async fn mail_of_the_version_before_still_signs_in() {
    let world = World::new().await;
    world.member("Ada").await;
    let mut ada = world.browser();
    ada.post("/login", json!({ "email": address("ada") })).await;
    for item in world.items("Ephemeral").await {
        if item["key"].as_s().unwrap().starts_with("signin#") {
            let call = world.client.update_item().table_name("peersync-test-Ephemeral").key("key", item["key"].clone());
            call.update_expression("REMOVE generation").send().await.unwrap();
        }
    }
    let token = in_link(&world.mailbox.only(), "token");
    assert_eq!(ada.post("/login/verify", json!({ "token": token })).await.0, StatusCode::OK);
}

#[tokio::test]
async fn ticket_carries_the_generation_of_the_account_and_the_sign_in_session() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let (_, answer) = ada.post("/ticket", json!({})).await;
    let claims = answer["ticket"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let user = world.state.store().user(&address("ada")).await.unwrap().unwrap();
    assert_eq!(claims["generation"], user.generation);
    // Signing out in this browser ends what this browser's tickets opened.
    assert_eq!(ada.post("/logout", json!({})).await.0, StatusCode::NO_CONTENT);
    let id = claims["session"].as_str().unwrap().to_owned();
    assert_eq!(notices(&world).await, [Notice::Session(address("ada"), id)]);
}

#[tokio::test]
async fn signaling_servers_are_told_what_changes() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    let pair = Notice::friendship(&address("bob"), &address("ada"));
    ask(&mut ada, "bob").await;
    bob.post("/block", json!({ "email": address("eve") })).await;
    assert!(notices(&world).await.is_empty(), "nothing rests on a request, nor on the block of a stranger");
    accept(&mut bob, "ada").await;
    assert_eq!(notices(&world).await, vec![pair.clone()]);
    for end in ["unfriend", "block"] {
        world.clock.forward(60);
        assert!(notices(&world).await.is_empty());
        match end {
            "unfriend" => assert_eq!(bob.delete("/friends/ada@example.org").await.0, StatusCode::NO_CONTENT),
            _ => {
                assert_eq!(bob.post("/block", json!({ "email": address("ada") })).await.0, StatusCode::NO_CONTENT);
            }
        }
        assert_eq!(notices(&world).await, vec![pair.clone()], "{end}");
        world.clock.forward(60);
        ask(&mut ada, "bob").await;
        ask(&mut bob, "ada").await;
    }
    world.clock.forward(60);
    assert_eq!(bob.post("/logout", json!({ "everywhere": true })).await.0, StatusCode::NO_CONTENT);
    assert_eq!(notices(&world).await, [Notice::Account(address("bob"))]);
    world.clock.forward(60);
    assert_eq!(ada.delete("/me").await.0, StatusCode::NO_CONTENT);
    assert_eq!(notices(&world).await, [Notice::Account(address("ada")), pair]);
    // A server that was cut off reads them later.
    world.clock.forward(600);
    let all = world.state.store().notices(world.state.now() - NOTICE_SECONDS, world.state.now()).await.unwrap();
    assert!(all.contains(&Notice::Account(address("ada"))), "{all:?}");
}

#[tokio::test]
async fn blocked_user_sees_what_everybody_sees_who_is_not_answered() {
    let world = World::new().await;
    let (mut ada, _carl) = (world.member("Ada").await, world.member("Carl").await);
    let mut bob = world.member("Bob").await;
    assert_eq!(ada.post("/block", json!({ "email": address("bob") })).await.0, StatusCode::NO_CONTENT);
    // Carl has not blocked Bob.
    let mut seen = [Vec::new(), Vec::new()];
    for round in 0..4 {
        for (name, seen) in ["carl", "ada"].into_iter().zip(&mut seen) {
            seen.push(status(&mut bob, name).await);
            let asked = bob.post("/send-friend-request", json!({ "toEmail": address(name) })).await;
            seen.push(json!([asked.0.as_u16(), asked.1]));
            seen.push(status(&mut bob, name).await);
            if round == 1 {
                assert_eq!(bob.delete(&format!("/friends/{name}@example.org")).await.0, StatusCode::NO_CONTENT);
                seen.push(status(&mut bob, name).await);
            }
        }
        world.clock.forward(DAY + 1);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0][..1], [json!("none")]);
    assert_eq!(seen[0][2], "requested");
    // Ada hears nothing.
    assert_eq!(ada.get("/friend-requests").await.1["requests"], json!([]));
    assert!(world.mailbox.take().iter().all(|letter| letter.to.as_str() == address("carl")));
}

#[tokio::test]
async fn block_of_a_pending_request_leaves_it_pending() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    ask(&mut bob, "ada").await;
    ada.post("/block", json!({ "email": address("bob") })).await;
    assert_eq!(status(&mut bob, "ada").await, "requested");
    assert_eq!(ada.get("/friend-requests").await.1["requests"], json!([]));
    // Who asks somebody that has asked before accepts.
    ask(&mut ada, "bob").await;
    assert_eq!((world.row("Ada", "Bob").await, world.row("Bob", "Ada").await), (Some("accepted"), Some("accepted")));
}

#[tokio::test]
async fn mailed_friend_link_does_not_answer_a_later_request() {
    let world = World::new().await;
    let (mut ada, mut eve) = (world.member("Ada").await, world.member("Eve").await);
    ask(&mut eve, "ada").await;
    let old = json!({ "token": in_link(&world.mailbox.only(), "token"), "action": "accept" });
    world.clock.forward(60);
    let reject = json!({ "fromEmail": address("eve"), "action": "reject" });
    assert_eq!(ada.post("/respond-friend-request", reject).await.0, StatusCode::OK);
    world.clock.forward(DAY);
    ask(&mut eve, "ada").await;
    let new = json!({ "token": in_link(&world.mailbox.only(), "token"), "action": "accept" });
    refused(&world.browser().post("/respond-friend-request", old).await, 400, "token");
    assert_eq!(world.row("Ada", "Eve").await, Some("received"));
    assert_eq!(world.browser().post("/respond-friend-request", new).await.0, StatusCode::OK);
}
