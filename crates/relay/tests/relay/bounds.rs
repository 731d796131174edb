//! What a holder of credentials can use up.

use std::time::Duration;

use peersync_relay::Limits;
use peersync_relay::client::Ask;

use crate::world::{Holders, Person, World, pair};

fn refusal(username: &str, address: &str, world: &mut World) -> Option<u16> {
    Person::new(username, address).ask(world, &Ask::Allocate(None)).code()
}

#[test]
fn holder_has_a_quota_over_all_its_usernames_and_addresses() {
    let mut world = World::new(Limits::default());
    let mut first = Person::allocated("1/phone", "192.0.2.1:4000", &mut world);
    let _second = Person::allocated("1/laptop", "192.0.2.2:4000", &mut world);
    let _third = Person::allocated("1/laptop", "198.51.100.1:4000", &mut world);
    assert_eq!(refusal("1/tablet", "198.51.100.2:4000", &mut world), Some(486));
    assert_eq!(world.relay.counters().refused.quota, 1);
    assert_eq!(refusal("2", "198.51.100.2:4000", &mut world), None, "somebody else is not concerned");
    let _ = first.ask(&mut world, &Ask::Refresh(0));
    assert_eq!(refusal("1/tablet", "198.51.100.3:4000", &mut world), None);
}

#[test]
fn address_has_a_quota_over_all_holders_and_an_ipv6_network_is_one() {
    let limits = Limits { per_address: 2, ..Limits::default() };
    for (first, second, third, elsewhere) in [
        ("192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.2:1"),
        ("[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::ffff:3]:1", "[2001:db8:0:1::1]:1"),
        ("192.0.2.1:1", "[::ffff:192.0.2.1]:2", "192.0.2.1:3", "192.0.2.2:1"),
    ] {
        let mut world = World::new(limits.clone());
        assert_eq!(refusal("1", first, &mut world), None);
        assert_eq!(refusal("2", second, &mut world), None);
        assert_eq!(refusal("3", third, &mut world), Some(486));
        assert_eq!(refusal("3", elsewhere, &mut world), None);
    }
}

#[test]
fn relay_has_a_capacity() {
    let mut world = World::new(Limits { allocations: 2, ..Limits::default() });
    assert_eq!(refusal("1", "192.0.2.1:1", &mut world), None);
    assert_eq!(refusal("2", "192.0.2.2:1", &mut world), None);
    assert_eq!(refusal("3", "192.0.2.3:1", &mut world), Some(508));
    world.pass(Duration::from_secs(600));
    assert_eq!(refusal("3", "192.0.2.3:1", &mut world), None, "the two have expired");
}

#[test]
fn spent_budget_refuses_new_allocations_with_a_reason_and_keeps_calls() {
    let mut world = World::new(Limits::default());
    let (mut ada, bob) = pair(&mut world);
    world.relay.set_budget_spent(true);
    let mut cyd = Person::new("3", "192.0.2.3:1");
    let refused = cyd.ask(&mut world, &Ask::Allocate(None)).refused;
    assert_eq!(refused, Some((508, "The relay's traffic of this month is used up".to_owned())));
    assert_eq!(world.relay.counters().refused.budget, 1);
    assert!(ada.send(&mut world, bob.relayed(), b"x").is_some());
    assert_eq!(ada.ask(&mut world, &Ask::Refresh(600)).refused, None);
    world.relay.set_budget_spent(false);
    cyd.allocate(&mut world);
}

#[test]
fn allocation_sends_its_burst_and_then_its_rate() {
    let limits = Limits { allocation_rate: 1000, allocation_burst: 5000, ..Limits::default() };
    let mut world = World::new(limits);
    let (ada, bob) = pair(&mut world);
    let sent = |world: &mut World, from: &Person, to: &Person| {
        (0..20).filter(|_| from.send(world, to.relayed(), &[0; 1000]).is_some()).count()
    };
    assert_eq!(sent(&mut world, &ada, &bob), 5);
    assert_eq!(sent(&mut world, &bob, &ada), 5, "each has its own");
    world.pass(Duration::from_secs(2));
    assert_eq!(sent(&mut world, &ada, &bob), 2);
    assert_eq!(world.relay.counters().dropped_packets, 15 + 15 + 18);
}

#[test]
fn all_together_send_the_relays_rate() {
    let limits = Limits { total_rate: 1000, total_burst: 5000, ..Limits::default() };
    let mut world = World::new(limits);
    let (ada, bob) = pair(&mut world);
    let sent = (0..20).filter(|n| {
        let (from, to) = if n % 2 == 0 { (&ada, &bob) } else { (&bob, &ada) };
        from.send(&mut world, to.relayed(), &[0; 1000]).is_some()
    });
    assert_eq!(sent.count(), 5);
}

#[test]
fn allocation_has_a_number_of_channels_and_each_has_one_peer() {
    let limits = Limits { channels: 2, ..Limits::default() };
    let mut world = World::with(limits, Holders { allocations: 9, ..Holders::default() });
    let mut ada = Person::allocated("1", "192.0.2.1:1", &mut world);
    let peers: Vec<_> =
        (2..6).map(|n| Person::allocated("1", &format!("192.0.2.1:{n}"), &mut world).relayed()).collect();
    ada.channel(&mut world, 0x4000, peers[0]);
    ada.channel(&mut world, 0x4000, peers[0]);
    assert_eq!(ada.ask(&mut world, &Ask::Channel(0x4000, peers[1])).code(), Some(400), "another peer");
    assert_eq!(ada.ask(&mut world, &Ask::Channel(0x4001, peers[0])).code(), Some(400), "another channel");
    assert_eq!(ada.ask(&mut world, &Ask::Channel(0x3fff, peers[1])).code(), Some(400), "no channel number");
    assert_eq!(ada.ask(&mut world, &Ask::Channel(0x7fff, peers[1])).code(), Some(400), "no channel number");
    ada.channel(&mut world, 0x7ffe, peers[1]);
    assert_eq!(ada.ask(&mut world, &Ask::Channel(0x4002, peers[2])).code(), Some(508));
    world.pass(Duration::from_secs(599));
    let _ = ada.ask(&mut world, &Ask::Refresh(600));
    world.pass(Duration::from_secs(1));
    ada.channel(&mut world, 0x4000, peers[2]);
}
