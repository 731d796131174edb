//! Packets of those who prove nothing.

use std::time::Duration;

use peersync_relay::client::{Ask, Asker};
use peersync_relay::{Counters, Limits};

use crate::world::{PASSWORD, Person, World, udp};

#[test]
fn ten_thousand_unauthenticated_packets_leave_nothing_behind() {
    let mut world = World::new(Limits::default());
    let mut wrong = Person::new("1", "192.0.2.1:1");
    wrong.asker = Asker::new("1", "wrong");
    for n in 0..10_000_u32 {
        wrong.client = udp(&format!("10.{}.{}.{}:{}", n % 7, n / 256 % 256, n % 256, 1024 + n % 1000));
        let request = if n % 3 == 0 { Ask::Binding } else { Ask::Allocate(None) };
        let _ = world.once(&mut wrong, &request);
    }
    let counters = world.relay.counters();
    assert_eq!((counters.allocations, counters.allocated, counters.relayed_packets), (0, 0, 0));
    world.pass(Duration::from_secs(1));
    let ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    assert!(ada.relayed.is_some(), "and the relay still serves");
}

#[test]
fn one_address_gets_its_burst_and_its_rate_whatever_it_asks() {
    let limits = Limits { strangers_rate: 10, strangers_burst: 50, ..Limits::default() };
    let mut world = World::new(limits);
    let mut flood = Person::new("1", "192.0.2.66:1");
    let mut answered = |world: &mut World| {
        (0..200_u16)
            .filter(|n| {
                flood.client = udp(&format!("192.0.2.66:{}", 1000 + n));
                let ask = if n % 2 == 0 { Ask::Binding } else { Ask::Allocate(None) };
                world.answer(&mut flood, &Asker::new("1", PASSWORD).ask(&ask)).is_some()
            })
            .count()
    };
    assert_eq!(answered(&mut world), 50);
    world.pass(Duration::from_secs(1));
    assert_eq!(answered(&mut world), 10);
    assert_eq!(world.relay.counters().refused.strangers, 150 + 190);
    let ada = Person::new("1", "192.0.2.1:4000").ask(&mut world, &Ask::Binding);
    assert!(ada.mapped.is_some(), "somebody else is answered");
}

#[test]
fn all_strangers_together_have_a_rate() {
    let limits = Limits { strangers_total: 100, ..Limits::default() };
    let mut world = World::new(limits);
    let answered = (0..1000_u32)
        .filter(|n| {
            let mut one = Person::new("1", &format!("10.0.{}.{}:1", n / 250, n % 250));
            world.answer(&mut one, &Asker::new("", "").ask(&Ask::Binding)).is_some()
        })
        .count();
    assert_eq!(answered, 100);
}

#[test]
fn clients_with_an_allocation_are_not_slowed_down_by_strangers() {
    let limits = Limits { strangers_total: 10, ..Limits::default() };
    let mut world = World::new(limits);
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    for n in 0..100 {
        let mut one = Person::new("1", &format!("10.0.0.{n}:1"));
        let _ = world.answer(&mut one, &Asker::new("", "").ask(&Ask::Binding));
    }
    for _ in 0..100 {
        assert_eq!(ada.ask(&mut world, &Ask::Refresh(600)).refused, None);
    }
}

#[test]
fn answers_to_strangers_are_small() {
    let mut world = World::new(Limits::default());
    let client = udp("192.0.2.1:4000");
    for ask in [Ask::Binding, Ask::Allocate(None), Ask::Refresh(1), Ask::Permit(Vec::new())] {
        let (_, answer) = world.packet(client, &Asker::new("1", PASSWORD).ask(&ask)).unwrap();
        assert!(answer.len() <= 120, "{ask:?}: {} bytes", answer.len());
    }
}

#[test]
fn responses_and_indications_are_not_answered() {
    let mut world = World::new(Limits::default());
    let client = udp("192.0.2.1:4000");
    let (_, response) = world.packet(client, &Asker::new("", "").ask(&Ask::Binding)).unwrap();
    assert_eq!(world.packet(client, &response), None, "two servers would answer each other for ever");
    let mut indication = Asker::new("", "").ask(&Ask::Binding);
    indication[1] |= 0x10;
    assert_eq!(world.packet(client, &indication), None);
    assert_eq!(world.relay.counters(), Counters::default());
}
