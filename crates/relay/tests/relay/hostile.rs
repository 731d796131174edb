//! Arbitrary bytes, and valid packets with a changed part.

use std::time::Duration;

use peersync_relay::Limits;
use peersync_relay::client::{Ask, channel_data, indication};
use proptest::prelude::*;

use crate::world::{Person, World, pair};

/// The size of the fingerprint.
const FINGERPRINT: usize = 8;

/// Returns a valid packet of a client with an allocation.
fn valid(kind: u8, person: &Person, peer: std::net::SocketAddr) -> Vec<u8> {
    match kind % 7 {
        0 => person.asker.ask(&Ask::Binding),
        1 => person.asker.ask(&Ask::Allocate(Some(900))),
        2 => person.asker.ask(&Ask::Refresh(900)),
        3 => person.asker.ask(&Ask::Permit(vec![peer])),
        4 => person.asker.ask(&Ask::Channel(0x4001, peer)),
        5 => indication(peer, b"data"),
        _ => channel_data(0x4000, b"data"),
    }
}

proptest! {
    #[test]
    fn arbitrary_packets_change_nothing(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..50)) {
        let mut world = World::new(Limits::default());
        let (ada, _bob) = pair(&mut world);
        for packet in &packets {
            let _ = world.packet(ada.client, packet);
            let _ = world.packet(crate::world::udp("192.0.2.66:1"), packet);
        }
        prop_assert_eq!(world.relay.counters().allocations, 2);
        prop_assert_eq!(world.relay.counters().relayed_packets, 0);
    }

    #[test]
    fn changed_requests_have_no_effect(
        kind in 0_u8..5,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut world = World::new(Limits::default());
        let (ada, bob) = pair(&mut world);
        let original = valid(kind, &ada, bob.relayed());
        let mut packet = original.clone();
        for (index, change) in changes {
            // The fingerprint at the end is not signed: it tells STUN from other protocols.
            let place = index.index(packet.len() - FINGERPRINT);
            packet[place] ^= change;
        }
        if let Some(cut) = cut {
            packet.truncate(cut.index(packet.len()));
        }
        prop_assume!(packet != original);
        // Whatever it became, neither party's allocation is gone or prolonged.
        let _ = world.packet(ada.client, &packet);
        prop_assert_eq!(world.relay.counters().allocations, 2);
        world.pass(Duration::from_secs(600));
        prop_assert_eq!(world.relay.counters().allocations, 0);
    }

    #[test]
    fn whatever_clients_do_the_bounds_hold(
        steps in prop::collection::vec((0_u8..8, 0_usize..6, 0_usize..6, 0_u64..400), 1..120),
    ) {
        let limits = Limits { allocations: 4, per_address: 3, channels: 2, ..Limits::default() };
        let mut world = World::new(limits);
        let mut people: Vec<Person> = (0..6)
            .map(|n| Person::new(&format!("{}", n % 3), &format!("192.0.2.{}:{n}", n % 2)))
            .collect();
        for (kind, who, whom, seconds) in steps {
            let peer = people[whom].relayed.unwrap_or_else(|| "203.0.113.9:50000".parse().unwrap());
            if kind == 7 {
                world.pass(Duration::from_secs(seconds));
            }
            let mut person = people[who].clone();
            for _ in 0..2 {
                let packet = valid(kind, &person, peer);
                if let Some((receiver, sent)) = world.packet(person.client, &packet) {
                    prop_assert!(
                        receiver == person.client || world.relay.has_allocation(&receiver),
                        "only clients with an allocation get something that they did not ask for"
                    );
                    let answer = person.asker.read(&sent);
                    person.relayed = answer.and_then(|answer| answer.relayed).or(person.relayed);
                }
            }
            people[who] = person;
            prop_assert!(world.relay.counters().allocations <= 4);
        }
    }
}
