//! Tries that follow each other too fast wait, longer and longer, before any is refused; nobody waits for what others try.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::limits::{attacker, wrong};
use crate::support::{Browser, SITE, World, address, code_in, in_link};

/// Tries a proof, and returns the status with the seconds to wait.
async fn try_proof(browser: &mut Browser, proof: Value) -> (u16, Option<i64>) {
    let request = Request::post("/login/verify").header(header::ORIGIN, SITE);
    let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(proof.to_string()));
    let answer = browser.send(request.unwrap()).await;
    let wait = answer.headers.get(header::RETRY_AFTER).map(|wait| wait.to_str().unwrap().parse().unwrap());
    assert_eq!(wait.is_some(), answer.status == StatusCode::TOO_MANY_REQUESTS);
    (answer.status.as_u16(), wait)
}

fn code(name: &str, code: &str) -> Value {
    json!({ "email": address(name), "code": code })
}

/// Tries until a quarter of an hour is over, each time as early as the last answer allows, and returns the waits.
async fn patient(world: &World, browser: &mut Browser, proof: &Value) -> (usize, Vec<i64>) {
    let (begun, mut looked_at, mut waits) = (world.state.now(), 0, Vec::new());
    while world.state.now() < begun + 900 {
        match try_proof(browser, proof.clone()).await {
            (429, Some(wait)) => {
                waits.push(wait);
                world.clock.forward(wait);
            }
            _ => looked_at += 1,
        }
    }
    (looked_at, waits)
}

#[tokio::test]
async fn whoever_mistypes_waits_for_seconds_and_then_gets_in() {
    let world = World::new().await;
    world.member("Ada").await;
    let mut ada = world.browser();
    ada.post("/login", json!({ "email": address("ada") })).await;
    let letter = world.mailbox.only();
    let (right, wrong) = (code("ada", &code_in(&letter)), code("ada", wrong(&letter)));
    for _ in 0..3 {
        assert_eq!(try_proof(&mut ada, wrong.clone()).await, (400, None));
    }
    // What comes too early is not looked at, and spends nothing however often it is repeated.
    for _ in 0..5 {
        assert_eq!(try_proof(&mut ada, right.clone()).await, (429, Some(10)));
    }
    world.clock.forward(10);
    assert_eq!(try_proof(&mut ada, wrong.clone()).await, (400, None));
    assert_eq!(try_proof(&mut ada, right.clone()).await, (429, Some(20)));
    world.clock.forward(19);
    assert_eq!(try_proof(&mut ada, right.clone()).await, (429, Some(1)));
    world.clock.forward(1);
    assert_eq!(try_proof(&mut ada, right).await, (200, None));
}

#[tokio::test]
async fn guesses_of_one_client_wait_twice_as_long_each_time() {
    let world = World::new().await;
    world.member("Ada").await;
    world.browser().post("/login", json!({ "email": address("ada") })).await;
    let guess = code("ada", wrong(&world.mailbox.only()));
    let (looked_at, waits) = patient(&world, &mut attacker(&world, 0), &guess).await;
    assert_eq!((looked_at, &waits[..6]), (9, &[10, 20, 40, 80, 160, 320][..]));
    assert_eq!(waits[6], 270, "no longer than the window");
    // Then it begins again.
    assert_eq!(try_proof(&mut attacker(&world, 0), guess).await, (400, None));
}

#[tokio::test]
async fn numbers_of_a_link_wait_too() {
    let world = World::new().await;
    let shown = world.browser().post("/signup", json!({ "name": "Ada", "email": address("ada") })).await.1;
    let (token, number) = (in_link(&world.mailbox.only(), "token"), shown["match"].as_i64().unwrap());
    let proof = |number: i64| json!({ "token": token, "match": number });
    let mut phone = world.browser();
    for _ in 0..3 {
        assert_eq!(try_proof(&mut phone, proof(if number == 10 { 11 } else { 10 })).await, (409, None));
    }
    assert_eq!(try_proof(&mut phone, proof(number)).await, (429, Some(10)));
    world.clock.forward(10);
    assert_eq!(try_proof(&mut phone, proof(number)).await, (200, None));
}

#[tokio::test]
async fn no_attacker_makes_the_browser_that_asked_wait() {
    let world = World::new().await;
    let known = world.person("Ada").await;
    let mut ada = world.browser();
    ada.post("/login", json!({ "email": address("ada") })).await;
    let letter = world.mailbox.only();
    // From elsewhere, and from behind the same address, with and without having asked.
    for number in 0..30 {
        let mut eve = if number % 2 == 0 { attacker(&world, number) } else { world.browser() };
        if number % 3 == 0 {
            eve.post("/login", json!({ "email": address("ada") })).await;
        }
        for _ in 0..6 {
            let (status, _) = try_proof(&mut eve, code("ada", wrong(&letter))).await;
            assert!(status == 400 || status == 429);
        }
    }
    assert_eq!(try_proof(&mut ada, code("ada", wrong(&letter))).await, (400, None));
    assert_eq!(try_proof(&mut ada, code("ada", &code_in(&letter))).await, (200, None), "without a wait");
    // The link needs no try at all, and a browser that has just asked has its own.
    let mut known = known;
    known.post("/logout", json!({})).await;
    world.mailbox.take();
    known.post("/login", json!({ "email": address("ada") })).await;
    assert_eq!(try_proof(&mut known, code("ada", &code_in(&world.mailbox.only()))).await, (200, None));
}

#[tokio::test]
async fn of_many_tries_at_the_same_moment_one_is_looked_at_after_a_wait() {
    let world = World::new().await;
    world.member("Ada").await;
    let mut ada = world.browser();
    ada.post("/login", json!({ "email": address("ada") })).await;
    let guess = code("ada", wrong(&world.mailbox.only()));
    for _ in 0..3 {
        try_proof(&mut ada, guess.clone()).await;
    }
    world.clock.forward(10);
    let tries = (0..10).map(|_| {
        let (mut ada, guess) = (ada.clone(), guess.clone());
        async move { try_proof(&mut ada, guess).await.0 }
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|status| **status == 400).count(), 1, "{answers:?}");
}
