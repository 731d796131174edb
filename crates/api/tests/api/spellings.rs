//! One person, one account: an address is the same in every spelling, and what earlier versions kept under several is
//! joined.

use aws_sdk_dynamodb::types::AttributeValue;
use axum::http::StatusCode;
use peersync_api::{Limits, SecretSource, State, router};
use peersync_server::email_address::Email;
use peersync_server::secrets::LiveSecrets;
use peersync_server::store::{Notice, Session, Store};
use serde_json::json;
use std::sync::Arc;

use crate::support::{Browser, World, address, code_in, in_link, refused, secrets, settings};

const OLD_ADA: &str = "Ada@example.org";

#[tokio::test]
async fn any_spelling_signs_in_and_the_owners_is_shown() {
    let world = World::new().await;
    let mut ada = world.browser();
    ada.post("/signup", json!({ "name": "Ada", "email": "Ada@Bücher.example" })).await;
    let letter = world.mailbox.only();
    assert_eq!(letter.to.mailbox(), "Ada@xn--bcher-kva.example");
    ada.post("/login/verify", json!({ "token": in_link(&letter, "token") })).await;
    for spelling in ["ada@bücher.example", "ADA@XN--BCHER-KVA.EXAMPLE", "aDa@BÜCHER.example"] {
        let mut browser = world.browser();
        assert_eq!(browser.post("/login", json!({ "email": spelling })).await.0, StatusCode::ACCEPTED);
        let letter = world.mailbox.only();
        // The mail goes where the owner has proved to read it.
        assert_eq!((letter.kind, letter.to.spelling()), ("sign-in", "Ada@Bücher.example"));
        let code = json!({ "email": spelling.to_lowercase(), "code": code_in(&letter) });
        let (status, me) = browser.post("/login/verify", code).await;
        assert_eq!((status, &me["email"], &me["name"]), (StatusCode::OK, &json!("Ada@Bücher.example"), &json!("Ada")));
        world.clock.forward(15 * 60);
    }
    assert_eq!(world.items("Users").await.len(), 1);
}

#[tokio::test]
async fn letters_before_the_at_sign_are_refused_in_plain_words() {
    let world = World::new().await;
    let answer = world.browser().post("/signup", json!({ "name": "J", "email": "jürgen@example.org" })).await;
    refused(&answer, 400, "email_letters");
    assert!(answer.1["error"]["message"].as_str().unwrap().contains("Before the @"), "{}", answer.1);
    refused(&world.browser().post("/login", json!({ "email": "ada@exa\u{430}mple.org" })).await, 400, "email");
}

/// Lets Eve ask for mails to Ada and guess codes, with the spellings that `spelled` returns, and returns how many mails were
/// sent and how many codes were compared. Ada signs in all the same.
async fn attack(spelled: impl Fn(usize) -> String) -> (usize, usize) {
    let world = World::new().await;
    let (mut eve, mut ada) = (world.browser(), world.browser().at([203, 0, 113, 1]));
    world.member("adalovelace").await;
    let (mut mails, mut compared) = (0, 0);
    for index in 0..59 {
        eve.post("/login", json!({ "email": spelled(index) })).await;
        mails += world.mailbox.take().len();
    }
    for index in 0..100 {
        let answer = eve.post("/login/verify", json!({ "email": spelled(index), "code": "000000" })).await;
        compared += usize::from(answer.0 == StatusCode::BAD_REQUEST);
    }
    ada.post("/login", json!({ "email": "ADALovelace@example.org" })).await;
    let link = in_link(&world.mailbox.only(), "token");
    assert_eq!(ada.post("/login/verify", json!({ "token": link })).await.0, StatusCode::OK);
    (mails, compared)
}

#[tokio::test]
async fn attacker_gains_nothing_from_spellings_and_the_victim_loses_nothing() {
    let one = attack(|_| "adalovelace@example.org".to_owned()).await;
    let many = attack(|index| {
        let flip =
            |(at, letter): (usize, char)| if index >> at & 1 == 1 { letter.to_ascii_uppercase() } else { letter };
        "adalovelace@example.org".chars().enumerate().map(flip).collect()
    });
    assert_eq!(many.await, one, "mails and guesses with one spelling");
}

#[tokio::test]
async fn requests_and_blocks_reach_the_person_in_any_spelling() {
    let world = World::new().await;
    let (mut ada, mut eve) = (world.member("Ada").await, world.member("Eve").await);
    let (_, body) = eve.post("/send-friend-request", json!({ "toEmail": "ADA@Example.org" })).await;
    assert_eq!(body["status"], "requested");
    assert_eq!(world.mailbox.only().kind, "friend-request");
    let accept = json!({ "fromEmail": "EVE@example.org", "action": "accept" });
    assert_eq!(ada.post("/respond-friend-request", accept).await.0, StatusCode::OK);
    assert_eq!(world.row("Eve", "Ada").await, Some("accepted"));
    assert_eq!(ada.delete("/friends/EVE%40EXAMPLE.ORG").await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.row("Eve", "Ada").await, None);
    assert_eq!(ada.post("/block", json!({ "email": "eVe@example.org" })).await.0, StatusCode::NO_CONTENT);
    refused(&ada.post("/block", json!({ "email": "aDa@example.org" })).await, 400, "bad_field");
    refused(&ada.post("/send-friend-request", json!({ "toEmail": "ADA@example.org" })).await, 400, "bad_field");
    // Eve signs in with other letters: she is the same person, and blocked.
    let mut other = world.browser();
    other.post("/login", json!({ "email": "EVE@example.org" })).await;
    other.post("/login/verify", json!({ "token": in_link(&world.mailbox.only(), "token") })).await;
    for spelling in ["ada@example.org", "Ada@example.org"] {
        other.post("/send-friend-request", json!({ "toEmail": spelling })).await;
    }
    assert!(world.mailbox.take().is_empty());
    assert_eq!(ada.get("/friend-requests").await.1["requests"], json!([]));
    // Her request looks to her as if nobody had answered it.
    assert_eq!(world.items("UserConnections").await.len(), 2);
    let (_, found) = other.get("/users?query=ADA%40example.org").await;
    assert_eq!(
        (&found["users"][0]["email"], &found["users"][0]["status"]),
        (&json!("ada@example.org"), &json!("requested"))
    );
}

#[tokio::test]
async fn name_of_a_foreign_signup_is_never_the_accounts() {
    let world = World::new().await;
    let (mut eve, mut bob) = (world.browser(), world.member("Bob").await);
    eve.post("/signup", json!({ "name": "A rude word", "email": "ada@example.org" })).await;
    let foreign = world.mailbox.only();
    // Until somebody has signed in, the name is nobody's: a friend sends an invitation.
    let mut ada = world.browser();
    bob.post("/send-friend-request", json!({ "toEmail": "ada@example.org" })).await;
    assert_eq!(world.mailbox.only().kind, "invitation");
    ada.post("/signup", json!({ "name": "Ada", "email": "Ada@example.org" })).await;
    let (_, me) = ada.post("/login/verify", json!({ "token": in_link(&world.mailbox.only(), "token") })).await;
    assert_eq!((&me["name"], &me["email"]), (&json!("Ada"), &json!("Ada@example.org")));
    eve.post("/login/verify", json!({ "token": in_link(&foreign, "token") })).await;
    assert_eq!(ada.get("/me").await.1["name"], "Ada");
    assert_eq!(ada.get("/friend-requests").await.1["requests"][0]["name"], "Bob");
}

#[tokio::test]
async fn first_sign_in_is_named_by_the_browser_that_signed_up_or_by_the_address() {
    let world = World::new().await;
    for (same_browser, name) in [(true, "Countess"), (false, "ada lovelace")] {
        let email = if same_browser { "ada@example.org" } else { "ada.lovelace@example.org" };
        let mut first = world.browser();
        first.post("/signup", json!({ "name": "Countess", "email": email })).await;
        world.mailbox.take();
        let mut browser = if same_browser { first } else { world.browser() };
        browser.post("/login", json!({ "email": email })).await;
        let letter = world.mailbox.only();
        assert_eq!(letter.kind, "sign-in");
        let proof = json!({ "token": in_link(&letter, "token") });
        let (status, me) = browser.post("/login/verify", proof).await;
        assert_eq!((status, &me["name"]), (StatusCode::OK, &json!(name)));
    }
}

#[tokio::test]
async fn names_that_hide_or_link_are_refused() {
    let world = World::new().await;
    let mut ada = world.member("Ada").await;
    for (name, code) in [
        ("\u{2800}", "name_invisible"),
        ("A\u{30d}\u{30d}\u{30d}\u{30d}\u{30d}\u{30d}", "name_accents"),
        ("Your bank: https://evil.example", "name_link"),
    ] {
        refused(&world.browser().post("/signup", json!({ "name": name, "email": address("eve") })).await, 400, code);
        let change = Some(json!({ "name": name }));
        refused(&ada.call(axum::http::Method::PATCH, "/me", change).await, 400, code);
    }
    assert!(world.mailbox.take().is_empty());
    refused(&ada.post("/create-room", json!({ "name": "\u{2800}" })).await, 400, "name_invisible");
    assert_eq!(ada.post("/create-room", json!({ "name": "news.example" })).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn old_rows_move_to_their_keys_with_friends_blocks_and_sessions() {
    let world = World::new().await;
    in_an_old_stack(&world).await;
    let before = world.items("Users").await.len();
    for _ in 0..2 {
        let again = restarted(&world).await;
        again.store().unify_addresses(world.state.now()).await.unwrap();
    }
    assert_eq!(world.items("Users").await.len(), before);
}

/// Writes what an earlier version wrote, and checks that the first sign-ins find it: an account with an upper case
/// letter, friends and blocks of it, and two accounts that are one person.
pub async fn in_an_old_stack(world: &World) {
    world.mailbox.take();
    let state = restarted(world).await;
    let store = state.store();
    for (email, name) in [(OLD_ADA, "Ada L"), ("Eve@example.org", "Eve"), ("eve@example.org", "Eva")] {
        old_user(world, email, name).await;
    }
    for name in ["Fay", "Gus", "Hal"] {
        world.member(name).await;
    }
    for (one, other, status) in [
        (OLD_ADA, "fay@example.org", ["accepted", "accepted"]),
        (OLD_ADA, "gus@example.org", ["received", "requested"]),
        (OLD_ADA, "Nobody@example.org", ["requested", "received"]),
        ("hal@example.org", OLD_ADA, ["blocked", ""]),
        ("fay@example.org", "Eve@example.org", ["accepted", "accepted"]),
        ("eve@example.org", "gus@example.org", ["accepted", "accepted"]),
        ("hal@example.org", "Eve@example.org", ["blocked", ""]),
    ] {
        old_row(world, one, other, status[0]).await;
        old_row(world, other, one, status[1]).await;
    }
    let session = Session { email: OLD_ADA.into(), generation: "old".into(), expires_at: state.now() + 9_000_000 };
    let token = store.create_session(&session, state.now()).await.unwrap();
    let mut ada = browser(world, &state);
    ada.cookies.insert("__Host-session".to_owned(), token);
    // The old cookie goes on working, and everything is where it was.
    let (status, me) = ada.get("/me").await;
    assert_eq!((status, &me["email"], &me["name"]), (StatusCode::OK, &json!(OLD_ADA), &json!("Ada L")));
    let rows = [
        ("ada", "fay", Some("accepted")),
        ("fay", "ada", Some("accepted")),
        ("gus", "ada", Some("requested")),
        ("nobody", "ada", Some("received")),
        ("hal", "ada", Some("blocked")),
        // Hal blocked one of Eve's accounts, which are one person.
        ("hal", "eve", Some("blocked")),
        ("fay", "eve", None),
    ];
    for (of, about, status) in rows {
        assert_eq!(world.row(of, about).await, status, "{of} about {about}");
    }
    // Eve signs in with her second address: both are one from now on, with the friends of both.
    let mut eve = browser(world, &state);
    assert_eq!(eve.post("/login", json!({ "email": "Eve@example.org" })).await.0, StatusCode::ACCEPTED);
    let (status, me) = eve.post("/login/verify", json!({ "token": in_link(&world.mailbox.only(), "token") })).await;
    assert_eq!((status, &me["name"]), (StatusCode::OK, &json!("Eva")));
    for (of, about) in [("fay", "eve"), ("eve", "fay"), ("gus", "eve"), ("eve", "gus")] {
        assert_eq!(world.row(of, about).await, Some("accepted"), "{of} about {about}");
    }
    let users = format!("{:?}", world.items("Users").await);
    assert!(!users.contains("\"email\": S(\"Eve@") && !users.contains("\"email\": S(\"Ada@"), "{users}");
    let rows = format!("{:?}", world.items("UserConnections").await);
    assert!(!rows.contains("Ada@") && !rows.contains("Eve@") && !rows.contains("Nobody@"), "{rows}");
}

#[tokio::test]
async fn interrupted_join_is_completed_by_the_next() {
    let world = World::new().await;
    let store = world.state.store();
    old_user(&world, OLD_ADA, "Old").await;
    world.member("Ada").await;
    for friend in ["fay", "gus"] {
        old_row(&world, OLD_ADA, &address(friend), "accepted").await;
        old_row(&world, &address(friend), OLD_ADA, "accepted").await;
    }
    // As far as it came: one pair has moved, and the account has not.
    old_row(&world, "ada@example.org", &address("fay"), "accepted").await;
    old_row(&world, &address("fay"), "ada@example.org", "accepted").await;
    for (one, other) in [(OLD_ADA, "fay@example.org"), ("fay@example.org", OLD_ADA)] {
        let delete = world.client.delete_item().table_name("peersync-test-UserConnections");
        let delete = delete.key("userEmail", AttributeValue::S(one.into()));
        delete.key("targetEmail", AttributeValue::S(other.into())).send().await.unwrap();
    }
    let email = Email::parse(OLD_ADA).unwrap();
    for _ in 0..2 {
        store.join_account(OLD_ADA, &email, 7).await.unwrap();
        let friends = store.connections("ada@example.org").await.unwrap();
        assert_eq!(
            friends.iter().map(|row| row.target.as_str()).collect::<Vec<_>>(),
            ["fay@example.org", "gus@example.org"]
        );
        assert_eq!(world.items("UserConnections").await.len(), 4);
        let ada = store.user("ada@example.org").await.unwrap().unwrap();
        assert_eq!((ada.name.as_str(), ada.created_at), ("Ada", 5));
        assert!(store.user(OLD_ADA).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn joins_at_the_same_time_lose_nothing() {
    let world = World::new().await;
    let store = world.state.store();
    old_user(&world, OLD_ADA, "Old").await;
    for index in 0..6 {
        let friend = address(&format!("friend{index}"));
        old_row(&world, OLD_ADA, &friend, "accepted").await;
        old_row(&world, &friend, OLD_ADA, "accepted").await;
    }
    let email = Email::parse(OLD_ADA).unwrap();
    let joins = (0..4).map(|_| store.join_account(OLD_ADA, &email, 7));
    futures::future::try_join_all(joins).await.unwrap();
    assert_eq!(store.connections("ada@example.org").await.unwrap().len(), 6);
    assert_eq!(store.user("ada@example.org").await.unwrap().unwrap().name, "Old");
}

#[tokio::test]
async fn large_tables_of_before_are_moved_by_as_many_sign_ins_as_it_takes() {
    let world = World::new().await;
    let pairs = 250;
    for number in 0..pairs {
        let (one, other) = (format!("One{number}@example.org"), format!("Other{number}@example.org"));
        old_user(&world, &one, "One").await;
        old_user(&world, &other, "Other").await;
        old_row(&world, &one, &other, "accepted").await;
        old_row(&world, &other, &one, "accepted").await;
        old_row(&world, &one, &format!("Foe{number}@example.org"), "blocked").await;
    }
    let old = async |table: &str| {
        let items = world.items(table).await;
        items
            .iter()
            .flat_map(|item| ["email", "userEmail", "targetEmail"].map(|name| item.get(name)))
            .flatten()
            .fold(0, |count, address| count + usize::from(address.as_s().unwrap().starts_with(char::is_uppercase)))
    };
    // Each time another function begins where the one before was stopped, and has time for one part.
    let mut left = vec![old("Users").await];
    loop {
        let begun = restarted(&world).await;
        if begun.store().unify_part(world.state.now()).await.unwrap() {
            break;
        }
        left.push(old("Users").await);
    }
    assert_eq!((left[0], left[1]), (500, 300), "a part is 200 accounts: {left:?}");
    assert!(left.len() > 5, "{left:?}");
    assert_eq!((old("Users").await, old("UserConnections").await), (0, 0));
    for number in [0, pairs - 1] {
        let (one, other) = (format!("one{number}"), format!("other{number}"));
        assert_eq!(
            (world.row(&one, &other).await, world.row(&other, &one).await),
            (Some("accepted"), Some("accepted"))
        );
        assert_eq!(world.row(&one, &format!("foe{number}")).await, Some("blocked"));
    }
}

#[tokio::test]
async fn joining_two_accounts_ends_what_rests_on_one_of_them() {
    let world = World::new().await;
    let store = world.state.store();
    world.member("Ada").await;
    old_user(&world, OLD_ADA, "Old").await;
    for (of, about, status) in [
        ("ada@example.org", "eve@example.org", "accepted"),
        ("eve@example.org", "ada@example.org", "accepted"),
        (OLD_ADA, "eve@example.org", "blocked"),
        ("ada@example.org", "fay@example.org", "accepted"),
        ("fay@example.org", "ada@example.org", "accepted"),
        (OLD_ADA, "gus@example.org", "accepted"),
        ("gus@example.org", OLD_ADA, "accepted"),
    ] {
        old_row(&world, of, about, status).await;
    }
    let now = world.state.now();
    store.join_account(OLD_ADA, &Email::parse(OLD_ADA).unwrap(), now).await.unwrap();
    let ended = Notice::friendship(&address("ada"), &address("eve"));
    let mut notices = store.notices(now, now).await.unwrap();
    notices.sort();
    assert_eq!(notices, [Notice::Account(address("ada")), ended]);
}

/// Returns the API as it starts after an update, before anybody has signed in.
async fn restarted(world: &World) -> State {
    let delete = world.client.delete_item().table_name("peersync-test-Ephemeral");
    delete.key("key", AttributeValue::S("addresses#unified".into())).send().await.unwrap();
    let store = Store::new(world.client.clone(), settings().tables);
    let source = SecretSource::Given(Arc::new(LiveSecrets::fixed(secrets())));
    let mailer = peersync_api::mail::Mailer::with_carrier(world.mailbox.clone());
    State::with(settings(), store, source, world.clock.clone(), Limits::default(), Some(mailer))
}

fn browser(world: &World, state: &State) -> Browser {
    world.browser().with_router(router(state.clone()))
}

async fn old_user(world: &World, email: &str, name: &str) {
    let put = world.client.put_item().table_name("peersync-test-Users");
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let number = |value: &str| AttributeValue::N(value.to_owned());
    let put = put.item("email", text(email)).item("name", text(name)).item("generation", text("old"));
    let put = put.item("publicId", text(name)).item("createdAt", number("5")).item("verifiedAt", number("6"));
    put.send().await.unwrap();
}

async fn old_row(world: &World, of: &str, about: &str, status: &str) {
    if status.is_empty() {
        return;
    }
    let put = world.client.put_item().table_name("peersync-test-UserConnections");
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let put = put.item("userEmail", text(of)).item("targetEmail", text(about)).item("status", text(status));
    put.item("timestamp", AttributeValue::N("7".into())).send().await.unwrap();
}
