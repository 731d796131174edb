//! Friend requests, responses, friends, blocks.

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::json;

use crate::support::{World, address, in_link, refused};

fn to(name: &str) -> serde_json::Value {
    json!({ "toEmail": address(name) })
}

#[tokio::test]
async fn request_is_mailed_and_accepted() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    let (status, body) = ada.post("/send-friend-request", to("bob")).await;
    assert_eq!((status, body), (StatusCode::ACCEPTED, json!({ "status": "requested", "mailSent": true })));
    let letter = world.mailbox.only();
    assert_eq!((letter.to.as_str(), letter.kind), ("bob@example.org", "friend-request"));
    assert!(!letter.text.contains("name="), "{}", letter.text);
    let (_, body) = bob.get("/friend-requests").await;
    assert_eq!(body["requests"][0]["email"], address("ada"));
    assert_eq!(body["requests"][0]["name"], "Ada");
    let answer = bob.post("/respond-friend-request", json!({ "fromEmail": address("ada"), "action": "accept" })).await;
    assert_eq!(answer, (StatusCode::OK, json!({ "status": "accepted" })));
    for (person, friend) in [(&mut ada, "Bob"), (&mut bob, "Ada")] {
        let (_, body) = person.get("/friends").await;
        assert_eq!(body["friends"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&body["friends"][0]["name"], &body["friends"][0]["email"]),
            (&json!(friend), &json!(address(friend)))
        );
        assert_eq!(person.get("/friend-requests").await.1["requests"], json!([]));
    }
    assert_eq!(bob.delete("/friends/ada%40example.org").await.0, StatusCode::NO_CONTENT);
    assert_eq!((world.row("Ada", "Bob").await, world.row("Bob", "Ada").await), (None, None));
    assert_eq!(bob.delete("/friends/ada@example.org").await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn repeated_request_changes_nothing() {
    let world = World::new().await;
    let (mut ada, _bob) = (world.member("Ada").await, world.member("Bob").await);
    for mailed in [true, false, false] {
        let (status, body) = ada.post("/send-friend-request", to("bob")).await;
        assert_eq!((status, body), (StatusCode::ACCEPTED, json!({ "status": "requested", "mailSent": mailed })));
    }
    assert_eq!(world.mailbox.take().len(), 1);
    assert_eq!((world.row("Ada", "Bob").await, world.row("Bob", "Ada").await), (Some("requested"), Some("received")));
}

#[tokio::test]
async fn mutual_concurrent_requests_make_friends() {
    for _ in 0..8 {
        let world = World::new().await;
        let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
        let (to_bob, to_ada) = (to("bob"), to("ada"));
        let asked = futures::join!(ada.post("/send-friend-request", to_bob), bob.post("/send-friend-request", to_ada));
        assert_eq!((asked.0.0, asked.1.0), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
        assert_eq!(
            (world.row("Ada", "Bob").await, world.row("Bob", "Ada").await),
            (Some("accepted"), Some("accepted"))
        );
    }
}

#[tokio::test]
async fn mailed_link_answers_once_without_signing_in() {
    let world = World::new().await;
    let (mut ada, _bob) = (world.member("Ada").await, world.member("Bob").await);
    ada.post("/send-friend-request", to("bob")).await;
    let token = in_link(&world.mailbox.only(), "https://call.example/friendre1.html#token");
    let accept = json!({ "token": token, "action": "accept" });
    let tries = (0..6).map(|_| {
        let (mut browser, accept) = (world.browser(), accept.clone());
        async move { browser.post("/respond-friend-request", accept).await }
    });
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.0 == StatusCode::OK).count(), 1);
    for answer in answers.iter().filter(|answer| answer.0 != StatusCode::OK) {
        refused(answer, 400, "token");
    }
    assert_eq!((world.row("Ada", "Bob").await, world.row("Bob", "Ada").await), (Some("accepted"), Some("accepted")));
    refused(&world.browser().post("/respond-friend-request", accept).await, 400, "token");
}

#[tokio::test]
async fn mailed_link_says_who_asks_and_changes_nothing() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    ada.post("/send-friend-request", to("bob")).await;
    let look = json!({ "token": in_link(&world.mailbox.only(), "token") });
    for _ in 0..2 {
        let answer = world.browser().post("/look-friend-request", look.clone()).await;
        assert_eq!(answer, (StatusCode::OK, json!({ "email": address("ada"), "name": "Ada" })));
    }
    assert_eq!((world.row("Ada", "Bob").await, world.row("Bob", "Ada").await), (Some("requested"), Some("received")));
    refused(&world.browser().post("/look-friend-request", json!({ "token": "x" })).await, 400, "token");

    // Answered in the application: the link says so, and no longer whose it was.
    bob.post("/respond-friend-request", json!({ "fromEmail": address("ada"), "action": "reject" })).await;
    refused(&world.browser().post("/look-friend-request", look.clone()).await, 404, "no_request");
    // Nor does it tell about a later request, which it cannot answer.
    world.clock.forward(60);
    ada.post("/send-friend-request", to("bob")).await;
    assert_eq!(world.row("Bob", "Ada").await, Some("received"));
    refused(&world.browser().post("/look-friend-request", look).await, 404, "no_request");
}

#[tokio::test]
async fn mailed_link_names_nobody_after_a_block_or_a_deletion() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    let mut eve = world.member("Eve").await;
    let mut links = Vec::new();
    for asker in [&mut ada, &mut eve] {
        asker.post("/send-friend-request", to("bob")).await;
        links.push(json!({ "token": in_link(&world.mailbox.take()[0], "token") }));
    }
    bob.post("/block", json!({ "email": address("ada") })).await;
    assert_eq!(eve.delete("/me").await.0, StatusCode::NO_CONTENT);
    for look in links {
        let answer = world.browser().post("/look-friend-request", look).await;
        assert!(answer.0.is_client_error(), "{answer:?}");
    }
}

#[tokio::test]
async fn mailed_link_expires_after_a_week() {
    let world = World::new().await;
    let (mut ada, _bob) = (world.member("Ada").await, world.member("Bob").await);
    ada.post("/send-friend-request", to("bob")).await;
    let token = in_link(&world.mailbox.only(), "token");
    world.clock.forward(7 * 24 * 3600);
    let answer = world.browser().post("/respond-friend-request", json!({ "token": token, "action": "accept" })).await;
    refused(&answer, 400, "token");
    assert_eq!(world.row("Bob", "Ada").await, Some("received"));
}

#[tokio::test]
async fn rejected_request_can_be_repeated_but_mails_once_a_day() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    let reject = json!({ "fromEmail": address("ada"), "action": "reject" });
    refused(&bob.post("/respond-friend-request", reject.clone()).await, 404, "no_request");
    ada.post("/send-friend-request", to("bob")).await;
    assert_eq!(bob.post("/respond-friend-request", reject.clone()).await.0, StatusCode::OK);
    assert_eq!((world.row("Ada", "Bob").await, world.row("Bob", "Ada").await), (Some("rejected"), Some("rejected")));
    ada.post("/send-friend-request", to("bob")).await;
    assert_eq!((world.row("Ada", "Bob").await, world.row("Bob", "Ada").await), (Some("requested"), Some("received")));
    assert_eq!(world.mailbox.take().len(), 1);
    refused(
        &ada.post("/respond-friend-request", json!({ "fromEmail": address("bob"), "action": "accept" })).await,
        404,
        "no_request",
    );
}

#[tokio::test]
async fn address_without_account_is_invited_and_gets_the_request() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let (status, body) = ada.post("/send-friend-request", to("bob")).await;
    assert_eq!((status, body), (StatusCode::ACCEPTED, json!({ "status": "requested", "mailSent": true })));
    let letter = world.mailbox.only();
    assert_eq!(letter.kind, "invitation");
    assert!(letter.text.contains("https://call.example/signup.html") && letter.unsolicited);
    let mut bob = world.person("Bob").await;
    assert_eq!(bob.get("/friend-requests").await.1["requests"][0]["email"], address("ada"));
}

#[tokio::test]
async fn block_ends_a_friendship_and_can_be_lifted() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    ada.post("/send-friend-request", to("bob")).await;
    bob.post("/send-friend-request", to("ada")).await;
    assert_eq!(bob.post("/block", json!({ "email": address("ada") })).await.0, StatusCode::NO_CONTENT);
    assert_eq!((world.row("Ada", "Bob").await, world.row("Bob", "Ada").await), (None, Some("blocked")));
    assert_eq!(ada.get("/friends").await.1["friends"], json!([]));
    // Neither a request nor deleting the account circumvents it.
    ada.post("/send-friend-request", to("bob")).await;
    ada.delete("/me").await;
    assert_eq!(world.row("Bob", "Ada").await, Some("blocked"));
    assert_eq!(bob.delete("/friends/ada@example.org").await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.row("Bob", "Ada").await, None);
}

#[tokio::test]
async fn requests_to_strangers_are_limited_to_twenty_a_day() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    for index in 0..20 {
        assert_eq!(ada.post("/send-friend-request", to(&format!("x{index}"))).await.0, StatusCode::ACCEPTED);
    }
    refused(&ada.post("/send-friend-request", to("one-more")).await, 429, "slow_down");
    assert_eq!(ada.post("/send-friend-request", to("x1")).await.0, StatusCode::ACCEPTED, "asked before");
    let mut bob = world.member("Bob").await;
    bob.post("/send-friend-request", to("ada")).await;
    assert_eq!(ada.post("/send-friend-request", to("bob")).await.1["status"], "accepted", "no stranger");
    world.clock.forward(24 * 3600);
    assert_eq!(ada.post("/send-friend-request", to("one-more")).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn request_to_oneself_or_without_target_is_refused() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    refused(&ada.post("/send-friend-request", to("ada")).await, 400, "bad_field");
    refused(&ada.post("/block", json!({ "email": address("ada") })).await, 400, "bad_field");
    refused(&ada.post("/send-friend-request", json!({})).await, 400, "bad_field");
    refused(&ada.post("/send-friend-request", json!({ "toEmail": "nobody" })).await, 400, "email");
    refused(&ada.post("/send-friend-request", json!({ "toId": "x" })).await, 400, "bad_field");
    refused(&ada.post("/respond-friend-request", json!({ "action": "accept" })).await, 400, "bad_field");
    refused(&ada.delete("/friends/nobody").await, 400, "email");
}

#[tokio::test]
async fn sender_is_taken_from_the_session() {
    let world = World::new().await;
    let (mut eve, _ada, _bob) = (world.member("Eve").await, world.member("Ada").await, world.member("Bob").await);
    let forged = json!({ "toEmail": address("bob"), "fromEmail": address("ada"), "from": address("ada") });
    eve.post("/send-friend-request", forged).await;
    assert_eq!((world.row("Bob", "Ada").await, world.row("Bob", "Eve").await), (None, Some("received")));
}
