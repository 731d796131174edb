//! Limits with attacker and victim at once: what strangers do keeps nobody out, and guessing does not pay.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::StatusCode;
use peersync_api::mail::Letter;
use peersync_api::{Limit, Limits};
use serde_json::{Value, json};

use crate::support::{Browser, World, address, code_in, in_link, refused, with_mail_total};

const WRONG: [&str; 2] = ["000000", "000001"];

/// A browser of an attacker: each number is another client.
pub fn attacker(world: &World, number: usize) -> Browser {
    let number = u32::try_from(number).unwrap();
    world.browser().at(Ipv4Addr::from(0xC633_0000 + number * 256))
}

async fn ask(browser: &mut Browser, name: &str) -> Value {
    let (status, body) = browser.post("/login", json!({ "email": address(name) })).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    body
}

async fn try_code(browser: &mut Browser, name: &str, code: &str) -> StatusCode {
    browser.post("/login/verify", json!({ "email": address(name), "code": code })).await.0
}

async fn try_link(browser: &mut Browser, letter: &Letter) -> StatusCode {
    browser.post("/login/verify", json!({ "token": in_link(letter, "token") })).await.0
}

/// A code that is not the letter's.
pub fn wrong(letter: &Letter) -> &'static str {
    if code_in(letter) == WRONG[0] { WRONG[1] } else { WRONG[0] }
}

/// Makes everybody forget the mails and windows so far.
fn wait(world: &World) {
    world.clock.forward(16 * 60);
    world.mailbox.take();
}

#[tokio::test]
async fn refused_requests_of_one_client_keep_nobody_out() {
    let world = World::with_limits(with_mail_total(60)).await;
    world.member("Ada").await;
    let mut attacker = attacker(&world, 0);
    for _ in 0..100 {
        attacker.cookies.clear();
        attacker.post("/login", json!({ "email": address("victim") })).await;
    }
    assert_eq!(world.mailbox.take().len(), 3, "mails to the mailbox that was named");
    let mut ada = world.browser().at(Ipv4Addr::new(203, 0, 113, 1));
    ask(&mut ada, "ada").await;
    assert_eq!(try_link(&mut ada, &world.mailbox.only()).await, StatusCode::OK);
}

async fn mails_of(world: &World, browsers: impl Iterator<Item = Browser>) -> usize {
    for (number, mut browser) in browsers.enumerate() {
        browser.post("/login", json!({ "email": address(&format!("x{number}")) })).await;
    }
    world.mailbox.take().len()
}

#[tokio::test]
async fn one_client_gets_a_third_of_all_mails() {
    let world = World::with_limits(with_mail_total(60)).await;
    let one = attacker(&world, 0);
    assert_eq!(mails_of(&world, (0..50).map(|_| one.clone())).await, 20);
    let two = attacker(&world, 1);
    assert_eq!(mails_of(&world, (0..50).map(|_| two.clone())).await, 13, "half of what is left, less its own");
    for number in 2..30 {
        let other = attacker(&world, number);
        mails_of(&world, (0..3).map(|_| other.clone())).await;
    }
    ask(&mut world.browser(), "ada").await;
    assert_eq!(world.mailbox.take().len(), 1, "a stranger after 30 attackers");
}

#[tokio::test]
async fn whole_ipv6_network_gets_half_of_all_mails() {
    let world = World::with_limits(with_mail_total(60)).await;
    let subnet = |number: usize| {
        let source = Ipv6Addr::new(0x2001, 0xdb8, 1, u16::try_from(number * 97).unwrap(), 0, 0, 0, 1);
        world.browser().at(source)
    };
    assert_eq!(mails_of(&world, (0..100).map(subnet)).await, 30, "100 networks of 64 bits in one of 48");
    ask(&mut world.browser(), "ada").await;
    assert_eq!(world.mailbox.take().len(), 1);
}

#[tokio::test]
async fn school_behind_one_address_signs_in_at_once() {
    // A tenth of the default limits, and of the school.
    let limits = with_mail_total(300);
    let limits = Limits { guest_tickets: Limit { most: 60, ..limits.guest_tickets }, ..limits };
    let world = World::with_limits(limits).await;
    for pupil in 0..100 {
        let (status, body) = world.browser().post("/login", json!({ "email": address(&format!("p{pupil}")) })).await;
        assert_eq!(status, StatusCode::ACCEPTED, "pupil {pupil}: {body}");
    }
    assert_eq!(world.mailbox.take().len(), 100);
    for pupil in 0..100 {
        let mut pupil = world.member(&format!("p{pupil}")).await;
        assert_eq!(pupil.post("/ticket", json!({})).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn foreign_requests_and_wrong_codes_keep_nobody_out() {
    let world = World::new().await;
    let known = world.person("Ada").await;
    let mut before = world.browser();
    ask(&mut before, "ada").await;
    let own = world.mailbox.only();

    for number in 0..20 {
        let mut attacker = attacker(&world, number);
        for _ in 0..3 {
            ask(&mut attacker, "ada").await;
        }
        for code in WRONG.into_iter().cycle().take(12) {
            assert_ne!(try_code(&mut attacker, "ada", code).await, StatusCode::OK);
        }
    }
    let mails = world.mailbox.take();
    assert_eq!(mails.len(), 5, "with the two before six, and one with a long code");
    let newest = mails.last().unwrap();

    assert_eq!(try_code(&mut before, "ada", wrong(&own)).await, StatusCode::BAD_REQUEST);
    assert_eq!(try_code(&mut before, "ada", &code_in(&own)).await, StatusCode::OK, "the code that this browser caused");

    let mut known = known.at(attacker(&world, 3).source);
    known.post("/logout", json!({})).await;
    ask(&mut known, "ada").await;
    let mail = world.mailbox.only();
    assert_eq!(code_in(&mail).len(), 6, "a known browser gets a mail and a short code");
    assert_eq!(try_code(&mut known, "ada", &code_in(&mail)).await, StatusCode::OK);

    let mut new_device = world.browser();
    let shown = ask(&mut new_device, "ada").await;
    let newest = world.mailbox.take().pop().unwrap_or_else(|| newest.clone());
    let mut phone = world.browser();
    refused(&phone.post("/login/verify", json!({ "token": in_link(&newest, "token") })).await, 409, "match");
    let proof = json!({ "token": in_link(&newest, "token"), "match": shown["match"] });
    assert_eq!(phone.post("/login/verify", proof).await.0, StatusCode::OK, "by the link and the number");
}

/// Lets attackers use up what an address gets, and returns the newest mail.
async fn besiege(world: &World, name: &str) -> Letter {
    for number in 0..8 {
        let mut attacker = attacker(world, number);
        for _ in 0..3 {
            ask(&mut attacker, name).await;
        }
        for code in WRONG {
            try_code(&mut attacker, name, code).await;
        }
    }
    world.mailbox.take().pop().unwrap()
}

#[tokio::test]
async fn new_device_signs_in_by_the_mail_that_an_attacker_caused() {
    let world = World::new().await;
    world.member("Ada").await;
    for way in ["link", "code"] {
        let newest = besiege(&world, "ada").await;
        let mut device = world.browser();
        ask(&mut device, "ada").await;
        assert!(world.mailbox.take().is_empty(), "enough mails were sent");
        let proved = match way {
            "link" => try_link(&mut device, &newest).await,
            _ => try_code(&mut device, "ada", &code_in(&newest)).await,
        };
        assert_eq!(proved, StatusCode::OK, "{way}");
        assert_eq!(device.get("/me").await.1["email"], address("ada"));
        wait(&world);
    }
}

#[tokio::test]
async fn answer_does_not_tell_whether_a_mail_was_sent_or_used() {
    let world = World::new().await;
    world.member("Ada").await;
    let mut seen = Vec::new();
    for name in ["ada", "nobody"] {
        let (mut attacker, mut numbers) = (attacker(&world, 0), Vec::new());
        for round in 0..40 {
            let body = ask(&mut attacker, name).await;
            assert_eq!(body["mailSent"], true, "{name}");
            numbers.push(body["match"].as_i64().unwrap());
            if round == 20 && name == "ada" {
                let newest = world.mailbox.take().pop().unwrap();
                assert_eq!(try_link(&mut attacker.clone(), &newest).await, StatusCode::OK);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        seen.push(numbers.len());
    }
    assert!(seen.iter().all(|different| *different > 10), "a number is not repeated for either: {seen:?}");
}

#[tokio::test]
async fn codes_are_long_while_somebody_guesses() {
    let world = World::new().await;
    world.member("Ada").await;
    let mut asking = world.browser();
    ask(&mut asking, "ada").await;
    let letter = world.mailbox.only();
    for number in 0..10 {
        assert_eq!(try_code(&mut attacker(&world, number), "ada", wrong(&letter)).await, StatusCode::BAD_REQUEST);
    }
    // From now on even the right short code does not work elsewhere, so that guessing it is no use.
    assert_eq!(try_code(&mut attacker(&world, 10), "ada", &code_in(&letter)).await, StatusCode::BAD_REQUEST);
    let mut device = world.browser();
    ask(&mut device, "ada").await;
    let long = world.mailbox.only();
    assert_eq!(code_in(&long).len(), 12);
    assert_eq!(try_code(&mut attacker(&world, 11), "ada", &code_in(&long)).await, StatusCode::OK);
}

#[tokio::test]
async fn guesses_over_all_accounts_are_few() {
    let limits = Limits::default();
    let limits = Limits {
        wrong_total: Limit { most: 20, ..limits.wrong_total },
        late_total: Limit { most: 10, ..limits.late_total },
        ..limits
    };
    let world = World::with_limits(limits).await;
    let mut browsers = Vec::new();
    for number in 0..40 {
        let mut browser = attacker(&world, number);
        ask(&mut browser, &format!("x{number}")).await;
        browsers.push((browser, world.mailbox.only()));
    }
    for (number, (browser, _)) in browsers.iter_mut().enumerate() {
        for code in WRONG.into_iter().cycle().take(6) {
            try_code(browser, &format!("x{number}"), code).await;
        }
    }
    let looked_at = |name: &str| {
        let prefix = format!("limit#{name}#");
        let world = &world;
        async move {
            let items = world.items("Ephemeral").await;
            let mut found = items.iter().filter(|item| item["key"].as_s().unwrap().starts_with(&prefix));
            found.next().map_or(0, |item| item["count"].as_n().unwrap().parse::<i64>().unwrap())
        }
    };
    assert_eq!((looked_at("wrong-in-all").await, looked_at("late-in-all").await), (20, 10), "of 240 guesses");
    world.member("Ada").await;
    let mut ada = world.browser();
    ask(&mut ada, "ada").await;
    assert_eq!(try_code(&mut ada, "ada", &code_in(&world.mailbox.only())).await, StatusCode::OK);
}

#[tokio::test]
async fn client_that_guesses_a_lot_gets_long_codes_and_others_short_ones() {
    let world = World::new().await;
    let mut guessing = attacker(&world, 0);
    for number in 0..20 {
        guessing.cookies.clear();
        ask(&mut guessing, &format!("x{number}")).await;
        for code in WRONG.into_iter().cycle().take(3) {
            try_code(&mut guessing, &format!("x{number}"), code).await;
        }
    }
    world.mailbox.take();
    world.member("Ada").await;
    world.member("Bob").await;
    ask(&mut guessing, "ada").await;
    assert_eq!(code_in(&world.mailbox.only()).len(), 12);
    ask(&mut attacker(&world, 1), "bob").await;
    assert_eq!(code_in(&world.mailbox.only()).len(), 6);
}

#[tokio::test]
async fn known_browser_gets_its_mail_when_strangers_have_used_up_all() {
    let world = World::with_limits(with_mail_total(10)).await;
    let mut ada = world.person("Ada").await;
    ada.post("/logout", json!({})).await;
    assert_eq!(ada.cookies.keys().collect::<Vec<_>>(), ["__Host-known"]);
    for number in 0..20 {
        attacker(&world, number).post("/login", json!({ "email": address(&format!("x{number}")) })).await;
    }
    world.mailbox.take();
    let stranger = world.browser().post("/login", json!({ "email": address("bob") })).await;
    refused(&stranger, 429, "slow_down");
    ask(&mut ada, "ada").await;
    assert_eq!(try_code(&mut ada, "ada", &code_in(&world.mailbox.only())).await, StatusCode::OK);
    // It is known for its own account only, and not after signing out everywhere.
    refused(&ada.post("/login", json!({ "email": address("bob") })).await, 429, "slow_down");
    ada.post("/logout", json!({ "everywhere": true })).await;
    refused(&ada.post("/login", json!({ "email": address("ada") })).await, 429, "slow_down");
}

#[tokio::test]
async fn sign_up_gets_its_mail_and_name_whatever_others_request() {
    let world = World::new().await;
    for number in 0..4 {
        for _ in 0..3 {
            ask(&mut attacker(&world, number), "ada").await;
        }
    }
    world.mailbox.take();
    let mut ada = world.browser();
    let sign_up = json!({ "name": "Ada", "email": address("ada") });
    assert_eq!(ada.post("/signup", sign_up.clone()).await.0, StatusCode::ACCEPTED);
    let letter = world.mailbox.only();
    attacker(&world, 9).post("/signup", json!({ "name": "A rude word", "email": address("ada") })).await;
    let mut other = world.browser();
    assert_eq!(other.post("/signup", sign_up).await.0, StatusCode::ACCEPTED);
    assert!(world.mailbox.take().is_empty(), "the newest mail is enough");
    let (_, me) = other.post("/login/verify", json!({ "token": in_link(&letter, "token") })).await;
    assert_eq!(me["name"], "Ada", "{me}");
}

#[tokio::test]
async fn mail_that_could_not_be_sent_spends_nothing() {
    let world = World::with_limits(with_mail_total(10)).await;
    world.mailbox.break_down();
    let mut ada = world.browser();
    for _ in 0..12 {
        let (status, body) = ada.post("/login", json!({ "email": address("ada") })).await;
        if status != StatusCode::ACCEPTED {
            refused(&(status, body), 429, "slow_down");
            break;
        }
        assert_eq!(body["mailSent"], false, "it is tried again each time");
    }
    let stranger = attacker(&world, 1).post("/login", json!({ "email": address("bob") })).await;
    assert_eq!((stranger.0, &stranger.1["mailSent"]), (StatusCode::ACCEPTED, &json!(false)));
}

#[tokio::test]
async fn mailbox_gets_one_mail_at_a_time_after_many_in_a_day() {
    let world = World::new().await;
    let mut mails = 0;
    for quarter in 0..12 {
        for number in 0..4 {
            for _ in 0..2 {
                ask(&mut attacker(&world, quarter * 4 + number), "ada").await;
            }
        }
        mails += world.mailbox.take().len();
        world.clock.forward(15 * 60);
    }
    // Six in each of the first three quarters of an hour, two, and one in each of the other eight.
    assert_eq!(mails, 28, "of 96 requests");
}
