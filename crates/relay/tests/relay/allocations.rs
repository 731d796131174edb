//! Allocations: who gets one, for how long, and what a repeated request gets.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use peersync_relay::client::{Ask, Asker};
use peersync_relay::{Client, Limits, Path};

use crate::world::{Holders, PASSWORD, Person, RELAY, World, pair, udp};

#[test]
fn stun_tells_a_client_its_own_address() {
    let mut world = World::new(Limits::default());
    for (seen, told) in [
        ("192.0.2.1:4000", "192.0.2.1:4000"),
        ("[2001:db8::1]:4000", "[2001:db8::1]:4000"),
        ("[::ffff:192.0.2.1]:4000", "192.0.2.1:4000"),
    ] {
        let answer = Person::new("1", seen).ask(&mut world, &Ask::Binding);
        assert_eq!(answer.mapped, Some(told.parse().unwrap()));
    }
}

#[test]
fn allocation_needs_credentials_and_gets_a_port_of_the_relay() {
    let mut world = World::new(Limits::default());
    let mut ada = Person::new("1", "192.0.2.1:4000");
    let first = world.once(&mut ada, &Ask::Allocate(None)).unwrap();
    assert_eq!((first.code(), first.signed), (Some(401), false));
    let second = world.once(&mut ada, &Ask::Allocate(None)).unwrap();
    assert!(second.signed, "the answer can be checked");
    assert_eq!((second.refused, second.lifetime), (None, Some(600)));
    assert_eq!(second.mapped, Some("192.0.2.1:4000".parse().unwrap()));
    let relayed = second.relayed.unwrap();
    assert_eq!(relayed.ip(), RELAY);
    assert!(relayed.port() >= 49152);
    assert_eq!(world.relay.counters().allocations, 1);
}

#[test]
fn ipv6_client_gets_an_ipv4_allocation() {
    let mut world = World::new(Limits::default());
    let ada = Person::allocated("1", "[2001:db8::1]:4000", &mut world);
    assert!(ada.relayed().is_ipv4());
}

#[test]
fn relayed_ports_differ_and_are_given_again() {
    let mut world = World::with(Limits::default(), Holders { allocations: 1000, ..Holders::default() });
    let ports: HashSet<_> = (0..500)
        .map(|n| Person::allocated("1", &format!("192.0.2.1:{}", 1000 + n), &mut world).relayed().port())
        .collect();
    assert_eq!(ports.len(), 500);
}

#[test]
fn wrong_password_unknown_and_changed_usernames_are_refused() {
    let mut world = World::new(Limits::default());
    for (username, password) in [("1", "wrong"), ("nobody", PASSWORD), ("1", "")] {
        let mut person = Person::new(username, "192.0.2.1:4000");
        person.asker = Asker::new(username, password);
        assert_eq!(person.ask(&mut world, &Ask::Allocate(None)).code(), Some(401), "{username} {password}");
    }
    assert_eq!(world.relay.counters().refused.credentials, 3);
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    ada.asker = Asker::new("2", PASSWORD);
    assert_eq!(ada.ask(&mut world, &Ask::Refresh(600)).code(), Some(441));
}

#[test]
fn both_passwords_are_accepted_while_the_secret_changes() {
    let holders = Holders { passwords: vec!["new".to_owned(), "old".to_owned()], ..Holders::default() };
    let mut world = World::with(Limits::default(), holders);
    for (port, password) in [(4000, "new"), (4001, "old")] {
        let mut person = Person::new("1", &format!("192.0.2.1:{port}"));
        person.asker = Asker::new("1", password);
        person.allocate(&mut world);
    }
}

#[test]
fn repeated_allocate_gets_the_same_answer_and_another_one_is_a_mismatch() {
    let mut world = World::new(Limits::default());
    let mut ada = Person::new("1", "192.0.2.1:4000");
    let _ = world.once(&mut ada, &Ask::Allocate(None));
    let request = ada.asker.ask(&Ask::Allocate(None));
    let first = world.answer(&mut ada, &request).unwrap();
    assert_eq!(world.answer(&mut ada, &request).unwrap(), first, "the first answer may have been lost");
    assert_eq!(ada.ask(&mut world, &Ask::Allocate(None)).code(), Some(437));
    assert_eq!(world.relay.counters().allocations, 1);
}

#[test]
fn allocation_ends_unless_it_is_refreshed_and_at_a_certain_age_all_the_same() {
    let limits = Limits { age: Duration::from_secs(3000), ..Limits::default() };
    let mut world = World::new(limits);
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    let mut passed = 0;
    for _ in 0..4 {
        world.pass(Duration::from_secs(599));
        passed += 599;
        assert!(ada.ask(&mut world, &Ask::Refresh(600)).lifetime.is_some_and(|left| left + passed <= 3000));
    }
    world.pass(Duration::from_secs(604));
    assert_eq!(world.relay.counters().allocations, 0);
    assert_eq!(ada.ask(&mut world, &Ask::Refresh(600)).code(), Some(437));
}

#[test]
fn refresh_of_zero_ends_it_and_is_no_error_twice() {
    let mut world = World::new(Limits::default());
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    for _ in 0..2 {
        let answer = ada.ask(&mut world, &Ask::Refresh(0));
        assert_eq!((answer.refused, answer.lifetime), (None, Some(0)));
        assert_eq!(world.relay.counters().allocations, 0);
    }
    ada.allocate(&mut world);
}

#[test]
fn lifetime_is_at_least_the_usual_one_and_at_most_an_hour() {
    for (asked, granted) in [(1, 600), (1200, 1200), (1_000_000, 3600)] {
        let mut world = World::new(Limits::default());
        let mut ada = Person::new("1", "192.0.2.1:4000");
        assert_eq!(ada.ask(&mut world, &Ask::Allocate(Some(asked))).lifetime, Some(granted));
        assert_eq!(ada.ask(&mut world, &Ask::Refresh(asked)).lifetime, Some(granted));
    }
}

#[test]
fn credentials_that_expire_do_not_end_an_allocation() {
    let mut world = World::new(Limits::default());
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    // An expired username is one that is granted nothing; only a new allocation asks.
    world.pass(Duration::from_secs(599));
    assert_eq!(ada.ask(&mut world, &Ask::Refresh(600)).refused, None);
}

#[test]
fn nonce_of_another_time_or_address_is_stale_and_the_next_one_works() {
    let mut world = World::new(Limits::default());
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    for _ in 0..6 {
        world.pass(Duration::from_secs(599));
        let _ = ada.ask(&mut world, &Ask::Refresh(600));
    }
    world.pass(Duration::from_secs(10));
    let stale = world.once(&mut ada, &Ask::Refresh(600)).unwrap();
    assert_eq!(stale.code(), Some(438));
    assert_eq!(world.once(&mut ada, &Ask::Refresh(600)).unwrap().refused, None);
    let mut thief = ada.clone();
    thief.client = udp("192.0.2.66:4000");
    let refused = world.answer(&mut thief, &ada.asker.ask(&Ask::Allocate(None))).unwrap();
    assert_eq!(refused.code(), Some(438), "a captured request is worth nothing elsewhere");
}

#[test]
fn closed_connection_ends_its_allocation() {
    let mut world = World::new(Limits::default());
    let stream = Client { path: Path::Stream(7), address: "192.0.2.1:4000".parse().unwrap() };
    let mut ada = Person::at("1", stream);
    ada.allocate(&mut world);
    assert!(world.relay.has_allocation(&stream));
    world.relay.disconnected(&stream);
    assert_eq!(world.relay.counters().allocations, 0);
}

#[test]
fn what_was_withdrawn_ends_and_cannot_be_had_again() {
    let holders = Holders::default();
    let withdrawn = Arc::clone(&holders.withdrawn);
    let mut world = World::with(Limits::default(), holders);
    let (mut ada, bob) = pair(&mut world);
    let mut bobs_other = Person::allocated("2/new", "192.0.2.2:5000", &mut world);
    withdrawn.lock().push("2".to_owned());
    assert!(ada.send(&mut world, bob.relayed(), b"until then").is_some());
    world.relay.end_withdrawn();
    assert_eq!(ada.send(&mut world, bob.relayed(), b"to nobody"), None);
    assert_eq!(bob.send(&mut world, ada.relayed(), b"from nobody"), None);
    let mut bob = bob;
    assert_eq!(bob.ask(&mut world, &Ask::Refresh(600)).code(), Some(401));
    assert_eq!(bob.ask(&mut world, &Ask::Allocate(None)).code(), Some(401));
    // Others keep theirs, and so does the same user with what was granted since.
    assert_eq!(ada.ask(&mut world, &Ask::Refresh(600)).refused, None);
    assert_eq!(bobs_other.ask(&mut world, &Ask::Refresh(600)).refused, None);
    assert_eq!(world.relay.counters().allocations, 2);
}
