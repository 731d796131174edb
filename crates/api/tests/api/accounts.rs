//! Signing up, in and out; links, codes and numbers; the caller's account.

use axum::http::{Method, StatusCode};
use futures::future::join_all;
use serde_json::json;

use crate::support::{World, address, code_in, in_link, refused};

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn link_signs_in_once() {
    let world = World::new().await;
    let mut ada = world.browser();
    let (status, body) = ada.post("/signup", json!({ "name": " Ada ", "email": "ada@Example.ORG" })).await;
    assert_eq!((status, body["mailSent"].as_bool()), (StatusCode::ACCEPTED, Some(true)), "{body}");
    let letter = world.mailbox.only();
    assert_eq!(letter.to.as_str(), "ada@example.org");
    let token = in_link(&letter, "https://call.example/login.html#token");
    let (status, me) = ada.post("/login/verify", json!({ "token": token })).await;
    assert_eq!((status, me["name"].as_str()), (StatusCode::OK, Some("Ada")), "{me}");
    assert_eq!(ada.get("/me").await.1["email"], "ada@Example.ORG");
    refused(&ada.post("/login/verify", json!({ "token": token })).await, 400, "token");
    refused(
        &ada.post("/login/verify", json!({ "email": "ada@example.org", "code": code_in(&letter) })).await,
        400,
        "code",
    );
}

#[tokio::test]
async fn code_signs_in_once_in_any_browser() {
    let world = World::new().await;
    world.browser().post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
    let letter = world.mailbox.only();
    let (mut other, code) = (world.browser(), code_in(&letter));
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let proof = json!({ "email": address("ada"), "code": spaced });
    assert_eq!(other.post("/login/verify", proof.clone()).await.0, StatusCode::OK);
    assert_eq!(other.get("/me").await.0, StatusCode::OK);
    refused(&world.browser().post("/login/verify", proof).await, 400, "code");
    let token = in_link(&letter, "token");
    refused(&world.browser().post("/login/verify", json!({ "token": token })).await, 400, "token");
}

#[tokio::test]
async fn link_in_another_browser_needs_the_number() {
    let world = World::new().await;
    let mut asking = world.browser();
    let (_, body) = asking.post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
    let number = body["match"].as_i64().unwrap();
    let token = in_link(&world.mailbox.only(), "token");
    let mut other = world.browser();
    refused(&other.post("/login/verify", json!({ "token": token })).await, 409, "match");
    let wrong = if number == 10 { 11 } else { 10 };
    refused(&other.post("/login/verify", json!({ "token": token, "match": wrong })).await, 409, "match");
    refused(&other.post("/login/verify", json!({ "token": token, "match": "?" })).await, 409, "match");
    let (status, body) = other.post("/login/verify", json!({ "token": token, "match": number.to_string() })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test]
async fn code_allows_five_tries_in_the_browser_that_asked() {
    let world = World::new().await;
    let (mut asking, mut other) = (world.browser(), world.browser());
    let (_, body) = asking.post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
    let number = body["match"].as_i64().unwrap();
    let letter = world.mailbox.only();
    let (code, token) = (code_in(&letter), in_link(&letter, "token"));
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let guess = |code: &str| json!({ "email": address("ada"), "code": code });
    for wait in [0, 0, 0, 10, 20] {
        world.clock.forward(wait);
        refused(&asking.post("/login/verify", guess(wrong)).await, 400, "code");
    }
    world.clock.forward(40);
    refused(&asking.post("/login/verify", guess(&code)).await, 400, "code");
    for _ in 0..3 {
        refused(&other.post("/login/verify", guess(wrong)).await, 400, "code");
    }
    refused(&other.post("/login/verify", guess(&code)).await, 429, "slow_down");
    // The number has tries of its own, which only who has the link can spend.
    assert_eq!(other.post("/login/verify", json!({ "token": token, "match": number })).await.0, StatusCode::OK);
}

/// An earlier version stored neither what the browser has requested nor the kind of the code.
#[tokio::test]
async fn mail_of_an_earlier_version_works() {
    let world = World::new().await;
    let mut asking = world.browser();
    for way in ["link", "code"] {
        asking.post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
        let letter = world.mailbox.only();
        for item in world.items("Ephemeral").await {
            let (key, table) = (item["key"].clone(), "peersync-test-Ephemeral");
            if key.as_s().unwrap().starts_with("asked#") {
                world.client.delete_item().table_name(table).key("key", key).send().await.unwrap();
            } else if key.as_s().unwrap().starts_with("signin#") {
                let call = world.client.update_item().table_name(table).key("key", key);
                call.update_expression("REMOVE longCode, unmailed").send().await.unwrap();
            }
        }
        let proof = match way {
            "link" => json!({ "token": in_link(&letter, "token") }),
            _ => json!({ "email": address("ada"), "code": code_in(&letter) }),
        };
        assert_eq!(asking.post("/login/verify", proof).await.0, StatusCode::OK, "{way}");
    }
}

#[tokio::test]
async fn number_allows_five_tries() {
    let world = World::new().await;
    let (_, body) = world.browser().post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
    let number = body["match"].as_i64().unwrap();
    let token = in_link(&world.mailbox.only(), "token");
    let wrong = if number == 10 { 11 } else { 10 };
    for wait in [0, 0, 0, 10, 20] {
        world.clock.forward(wait);
        let proof = json!({ "token": token, "match": wrong });
        refused(&world.browser().post("/login/verify", proof).await, 409, "match");
    }
    world.clock.forward(40);
    refused(&world.browser().post("/login/verify", json!({ "token": token, "match": number })).await, 400, "token");
}

#[tokio::test]
async fn concurrent_uses_of_a_link_succeed_once() {
    let world = World::new().await;
    let mut asking = world.browser();
    asking.post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
    let letter = world.mailbox.only();
    let (token, code) = (in_link(&letter, "token"), code_in(&letter));
    let tries = (0..12).map(|index| {
        let mut browser = asking.clone();
        let by_link = json!({ "token": token });
        let by_code = json!({ "email": address("ada"), "code": code });
        async move { browser.post("/login/verify", if index % 3 == 0 { by_code } else { by_link }).await.0 }
    });
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn expired_items_are_refused_before_the_database_deletes_them() {
    let world = World::new().await;
    let mut ada = world.browser();
    ada.post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
    let letter = world.mailbox.only();
    world.clock.forward(15 * 60);
    refused(&ada.post("/login/verify", json!({ "token": in_link(&letter, "token") })).await, 400, "token");
    refused(
        &ada.post("/login/verify", json!({ "email": address("ada"), "code": code_in(&letter) })).await,
        400,
        "code",
    );
}

#[tokio::test]
async fn credentials_are_stored_hashed() {
    let world = World::new().await;
    let mut ada = world.browser();
    ada.post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
    let letter = world.mailbox.only();
    let (token, code) = (in_link(&letter, "token"), code_in(&letter));
    let before = format!("{:?}", world.items("Ephemeral").await);
    ada.post("/login/verify", json!({ "token": token })).await;
    let after = format!("{:?}", world.items("Ephemeral").await);
    for secret in [&token, &code, &ada.cookies["__Host-session"]] {
        assert!(!before.contains(&format!("\"{secret}\"")) && !after.contains(&format!("\"{secret}\"")), "{secret}");
    }
}

#[tokio::test]
async fn session_is_extended_by_use_and_expires() {
    let world = World::new().await;
    let mut ada = world.person("Ada").await;
    for _ in 0..4 {
        world.clock.forward(20 * DAY);
        assert_eq!(ada.get("/me").await.0, StatusCode::OK);
    }
    world.clock.forward(30 * DAY);
    refused(&ada.get("/me").await, 401, "unauthorized");
}

#[tokio::test]
async fn logout_ends_this_session_or_all() {
    let world = World::new().await;
    let mut first = world.member("Ada").await;
    let (mut second, mut third) = (world.member("Ada").await, world.member("Ada").await);
    let stolen = first.clone();
    assert_eq!(first.post("/logout", json!({})).await.0, StatusCode::NO_CONTENT);
    assert!(first.cookies.is_empty());
    refused(&stolen.clone().get("/me").await, 401, "unauthorized");
    assert_eq!(second.get("/me").await.0, StatusCode::OK);
    assert_eq!(second.post("/logout", json!({ "everywhere": true })).await.0, StatusCode::NO_CONTENT);
    refused(&third.get("/me").await, 401, "unauthorized");
}

#[tokio::test]
async fn forged_cookie_is_unauthorized() {
    let world = World::new().await;
    world.person("Ada").await;
    let forged = "A".repeat(43);
    for value in ["", "x", forged.as_str(), "' OR 1=1", "session#abc"] {
        let mut browser = world.browser();
        browser.cookies.insert("__Host-session".to_owned(), value.to_owned());
        refused(&browser.get("/me").await, 401, "unauthorized");
    }
}

#[tokio::test]
async fn only_the_owner_of_an_address_sets_the_name() {
    let world = World::new().await;
    let mut somebody = world.browser();
    somebody.post("/signup", json!({ "name": "Wrong name", "email": address("ada") })).await;
    world.mailbox.take();
    let mut ada = world.person("Ada").await;
    assert_eq!(ada.get("/me").await.1["name"], "Ada");
    somebody.post("/signup", json!({ "name": "Wrong again", "email": address("ada") })).await;
    assert_eq!(ada.get("/me").await.1["name"], "Ada");
    // Nor does a request between the owner's request and the click change it.
    let mut bob = world.browser();
    world.mailbox.take();
    bob.post("/signup", json!({ "name": "Bob", "email": address("bob") })).await;
    let token = in_link(&world.mailbox.only(), "token");
    somebody.post("/signup", json!({ "name": "Wrong name", "email": address("bob") })).await;
    assert_eq!(bob.post("/login/verify", json!({ "token": token })).await.1["name"], "Bob");
}

#[tokio::test]
async fn name_and_visibility_are_changed() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    let change = |body| Some(body);
    let (status, me) = ada.call(Method::PATCH, "/me", change(json!({ "name": "Countess" }))).await;
    assert_eq!((status, me["name"].as_str(), me["hidden"].as_bool()), (StatusCode::OK, Some("Countess"), Some(false)));
    let (_, me) = ada.call(Method::PATCH, "/me", change(json!({ "hidden": true }))).await;
    assert_eq!((me["name"].as_str(), me["hidden"].as_bool()), (Some("Countess"), Some(true)));
    assert_eq!(ada.get("/me").await.1, me);
    refused(&ada.call(Method::PATCH, "/me", change(json!({ "name": "\u{202e}evil" }))).await, 400, "name_invisible");
}

#[tokio::test]
async fn deleted_account_loses_connections_and_sessions() {
    let world = World::new().await;
    let (mut ada, mut bob, mut eve) = (world.member("Ada").await, world.member("Bob").await, world.member("Eve").await);
    ada.post("/send-friend-request", json!({ "toEmail": address("bob") })).await;
    bob.post("/respond-friend-request", json!({ "fromEmail": address("ada"), "action": "accept" })).await;
    eve.post("/send-friend-request", json!({ "toEmail": address("ada") })).await;
    let old = ada.clone();
    assert_eq!(ada.delete("/me").await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.items("UserConnections").await.len(), 0);
    assert!(!format!("{:?}", world.items("Users").await).contains("ada@"));
    assert_eq!(bob.get("/friends").await.1["friends"], json!([]));
    refused(&old.clone().get("/me").await, 401, "unauthorized");
    world.mailbox.take();
    world.person("Ada").await;
    refused(&old.clone().get("/me").await, 401, "unauthorized");
}

#[tokio::test]
async fn interrupted_deletion_can_be_repeated() {
    let world = World::new().await;
    let (mut ada, _bob) = (world.member("Ada").await, world.member("Bob").await);
    ada.post("/send-friend-request", json!({ "toEmail": address("bob") })).await;
    world.state.store().begin_deletion(&address("ada"), world.state.now()).await.unwrap();
    refused(&ada.post("/send-friend-request", json!({ "toEmail": "x@example.org" })).await, 401, "unauthorized");
    assert_eq!(ada.delete("/me").await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.items("UserConnections").await.len(), 0);
}

#[tokio::test]
async fn address_gets_three_mails_in_fifteen_minutes() {
    let world = World::new().await;
    world.member("Ada").await;
    let mut browser = world.browser();
    for _ in 0..3 {
        assert_eq!(browser.post("/login", json!({ "email": address("ada") })).await.0, StatusCode::ACCEPTED);
    }
    world.clock.forward(60);
    let (status, answer) = browser.post("/login", json!({ "email": address("ada") })).await;
    assert_eq!((status, &answer["mailSent"]), (StatusCode::ACCEPTED, &json!(true)), "the newest mail is enough");
    let mails = world.mailbox.take();
    assert_eq!(mails.len(), 3);
    let proof = json!({ "email": address("ada"), "code": code_in(&mails[2]) });
    assert_eq!(browser.post("/login/verify", proof).await.0, StatusCode::OK);
    world.clock.forward(840);
    assert_eq!(browser.post("/login", json!({ "email": address("ada") })).await.0, StatusCode::ACCEPTED);
    assert_eq!(world.mailbox.take().len(), 1);
}

#[tokio::test]
async fn failed_mail_is_reported() {
    let world = World::new().await;
    world.mailbox.break_down();
    let (status, body) = world.browser().post("/signup", json!({ "name": "Ada", "email": address("ada") })).await;
    assert_eq!((status, body["mailSent"].as_bool()), (StatusCode::ACCEPTED, Some(false)));
}

#[tokio::test]
async fn mails_use_the_browsers_language() {
    let world = World::new().await;
    let request = axum::http::Request::post("/signup").header("content-type", "application/json");
    let request = request.header("accept-language", "de-CH,de;q=0.9");
    let body = json!({ "name": "Ada", "email": address("ada") }).to_string();
    world.browser().send(request.body(body.into()).unwrap()).await;
    assert_eq!(world.mailbox.only().subject, "Bei PeerSync anmelden");
}
