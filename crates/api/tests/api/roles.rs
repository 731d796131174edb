//! Each function's role allows exactly what its code calls: the calls of every route are recorded and compared with the
//! list from which the deployer generates the roles.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use peersync_server::access::{QUICK_TUNNEL, tables};
use serde_json::{Value, json};

use crate::spellings;
use crate::support::{Browser, World, address, code_in, in_link};

/// An action on a table, and whether it uses the index.
type Use = (String, String, bool);

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn role_of_signup_allows_exactly_its_calls() {
    let world = World::new().await;
    let mut browser = world.browser();
    assert_eq!(browser.get("/health").await.0, StatusCode::OK);
    for _ in 0..2 {
        let (status, _) = browser.post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
        assert_eq!(status, StatusCode::ACCEPTED);
    }
    same(&world, "signup");
}

#[tokio::test]
async fn role_of_login_allows_exactly_its_calls() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    let (mut carl, _dora) = (world.member("Carl").await, world.member("Dora").await);
    befriend(&mut ada, "ada", &mut bob, "bob").await;
    carl.post("/block", json!({ "email": address("dora") })).await;
    world.mailbox.take();
    world.calls.take();

    let mut browser = world.browser();
    for way in ["link", "code"] {
        assert_eq!(browser.post("/login", json!({ "email": address("bob") })).await.0, StatusCode::ACCEPTED);
        let letter = world.mailbox.only();
        let code = code_in(&letter);
        let wrong = if code == "000000" { "000001" } else { "000000" };
        browser.post("/login/verify", json!({ "email": address("bob"), "code": wrong })).await;
        let proof = match way {
            "link" => json!({ "token": in_link(&letter, "token") }),
            _ => json!({ "email": address("bob"), "code": code }),
        };
        assert_eq!(browser.post("/login/verify", proof).await.0, StatusCode::OK, "{way}");
    }
    browser.post("/login", json!({ "email": address("nobody") })).await;
    world.clock.forward(DAY + 1);
    assert_eq!(browser.get("/me").await.0, StatusCode::OK);
    let changed = browser.call(Method::PATCH, "/me", Some(json!({ "name": "Rob", "hidden": true }))).await;
    assert_eq!(changed.0, StatusCode::OK);
    assert_eq!(browser.post("/logout", json!({ "everywhere": true })).await.0, StatusCode::NO_CONTENT);
    for person in [&mut ada, &mut carl] {
        assert_eq!(person.delete("/me").await.0, StatusCode::NO_CONTENT);
    }
    // The first sign-in after an update of a stack whose accounts were told apart by case.
    spellings::in_an_old_stack(&world).await;
    same(&world, "login");
}

#[tokio::test]
async fn role_of_friends_allows_exactly_its_calls() {
    let world = World::new().await;
    let (mut ada, mut bob) = (world.member("Ada").await, world.member("Bob").await);
    world.calls.take();
    world.clock.forward(DAY + 1);
    for query in ["bo", "bob%40example.org"] {
        let (status, found) = ada.get(&format!("/users?query={query}")).await;
        assert_eq!((status, &found["users"][0]["name"]), (StatusCode::OK, &json!("Bob")));
        let request = match query {
            "bo" => json!({ "toId": found["users"][0]["id"] }),
            _ => json!({ "toEmail": address("bob") }),
        };
        assert_eq!(ada.post("/send-friend-request", request).await.0, StatusCode::ACCEPTED);
    }
    let token = in_link(&world.mailbox.take()[0], "token");
    assert_eq!(bob.get("/friend-requests").await.0, StatusCode::OK);
    let reject = json!({ "fromEmail": address("ada"), "action": "reject" });
    assert_eq!(bob.post("/respond-friend-request", reject).await.0, StatusCode::OK);
    befriend(&mut ada, "ada", &mut bob, "bob").await;
    // The link is consumed without a change to the rows, which already have the status.
    let accept = json!({ "token": token, "action": "accept" });
    world.browser().post("/respond-friend-request", accept).await;
    assert_eq!(ada.get("/friends").await.0, StatusCode::OK);
    assert_eq!(ada.delete("/friends/bob%40example.org").await.0, StatusCode::NO_CONTENT);
    bob.post("/block", json!({ "email": address("ada") })).await;
    ada.post("/send-friend-request", json!({ "toEmail": address("bob") })).await;
    same(&world, "friends");
}

#[tokio::test]
async fn role_of_rooms_allows_exactly_its_calls() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    world.calls.take();
    world.clock.forward(DAY + 1);
    let (status, room) = ada.post("/create-room", json!({ "name": "Harbour" })).await;
    assert_eq!(status, StatusCode::CREATED);
    let id = room["id"].as_str().unwrap();
    assert_eq!(ada.get(&format!("/room/{id}")).await.0, StatusCode::OK);
    assert_eq!(ada.post("/ticket", json!({ "room": id })).await.0, StatusCode::OK);
    let mut guest = world.browser();
    assert_eq!(guest.post("/ticket", json!({ "room": id, "name": "Gus" })).await.0, StatusCode::OK);
    let report = json!({ "failure": "blocked", "room": id });
    for caller in [&mut ada, &mut guest] {
        assert_eq!(caller.post("/reports", report.clone()).await.0, StatusCode::NO_CONTENT);
    }
    same(&world, "rooms");
}

#[tokio::test]
async fn role_of_the_relay_allows_exactly_its_calls() {
    let world = World::new().await;
    let (store, now) = (world.state.store(), world.state.now());
    store.add_relayed(1, now).await.unwrap();
    store.withdrawn(now, now).await.unwrap();
    same(&world, "relay");
}

#[tokio::test]
async fn role_of_a_host_with_a_quick_tunnel_allows_exactly_its_calls() {
    let world = World::new().await;
    let (store, now) = (world.state.store(), world.state.now());
    store.publish_signal_address("wss://a.trycloudflare.com/ws", "a host", None, now).await.unwrap();
    store.give_up_signal_address("a host").await.unwrap();
    same(&world, QUICK_TUNNEL);
}

async fn befriend(one: &mut Browser, name: &str, other: &mut Browser, others: &str) {
    assert_eq!(one.post("/send-friend-request", json!({ "toEmail": address(others) })).await.0, StatusCode::ACCEPTED);
    let accept = json!({ "fromEmail": address(name), "action": "accept" });
    assert_eq!(other.post("/respond-friend-request", accept).await.0, StatusCode::OK);
}

/// Asserts that every recorded call is allowed, and that every allowed call was made.
#[track_caller]
fn same(world: &World, function: &str) {
    let used: BTreeSet<Use> = world.calls.take().iter().flat_map(|(action, body)| uses(action, body)).collect();
    let allowed: BTreeSet<Use> = tables(function)
        .iter()
        .flat_map(|access| {
            access.actions.iter().map(|action| (access.table.to_owned(), (*action).to_owned(), access.index))
        })
        .collect();
    let list = |set: &BTreeSet<Use>| set.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
    let missing = list(&used.difference(&allowed).cloned().collect());
    let unused = list(&allowed.difference(&used).cloned().collect());
    assert!(missing.is_empty() && unused.is_empty(), "{function} needs also: {missing}; never uses: {unused}");
}

/// Returns the access that a call needs. A batch names its tables in its body, a transaction has an action per part.
fn uses(action: &str, body: &Value) -> Vec<Use> {
    let by_index = body["IndexName"].is_string();
    match action {
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().unwrap().iter().flat_map(|item| item.as_object().unwrap());
            parts.map(|(kind, part)| (table(&part["TableName"]), part_action(kind).to_owned(), false)).collect()
        }
        "BatchGetItem" => {
            let names = body["RequestItems"].as_object().unwrap().keys();
            names.map(|name| (table(&json!(name)), action.to_owned(), false)).collect()
        }
        _ => vec![(table(&body["TableName"]), action.to_owned(), by_index)],
    }
}

fn part_action(kind: &str) -> &'static str {
    match kind {
        "Put" => "PutItem",
        "Update" => "UpdateItem",
        "Delete" => "DeleteItem",
        "ConditionCheck" => "ConditionCheckItem",
        other => panic!("a transaction with {other}"),
    }
}

fn table(name: &Value) -> String {
    name.as_str().unwrap().trim_start_matches("peersync-test-").to_owned()
}
