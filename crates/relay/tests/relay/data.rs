//! Data between two clients, and everybody who must not get or send any.

use std::time::Duration;

use peersync_relay::client::{Ask, channel_data};
use peersync_relay::{Client, Limits, Path};

use crate::world::{Person, World, pair};

#[test]
fn data_goes_both_ways_by_message_and_says_from_which_relayed_address() {
    let mut world = World::new(Limits::default());
    let (ada, bob) = pair(&mut world);
    let to_bob = ada.send(&mut world, bob.relayed(), b"hello").unwrap();
    assert_eq!(to_bob, (bob.client, ada.relayed(), b"hello".to_vec()));
    let to_ada = bob.send(&mut world, ada.relayed(), b"").unwrap();
    assert_eq!(to_ada, (ada.client, bob.relayed(), Vec::new()));
}

#[test]
fn data_takes_the_channels_of_sender_and_receiver() {
    let mut world = World::new(Limits::default());
    let (mut ada, mut bob) = pair(&mut world);
    ada.channel(&mut world, 0x4001, bob.relayed());
    let (receiver, packet) = ada.send_on(&mut world, 0x4001, b"hello").unwrap();
    assert_eq!(receiver, bob.client);
    assert_eq!(peersync_relay::client::read_indication(&packet), Some((ada.relayed(), b"hello".to_vec())));
    bob.channel(&mut world, 0x4abc, ada.relayed());
    let (_, packet) = ada.send_on(&mut world, 0x4001, b"hello").unwrap();
    assert_eq!(packet, channel_data(0x4abc, b"hello"));
}

#[test]
fn connection_gets_padded_data_and_udp_does_not() {
    let mut world = World::new(Limits::default());
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    let mut bob = Person::at("2", Client { path: Path::Stream(1), address: "192.0.2.2:4000".parse().unwrap() });
    bob.allocate(&mut world);
    ada.channel(&mut world, 0x4000, bob.relayed());
    bob.channel(&mut world, 0x4000, ada.relayed());
    let (_, to_bob) = ada.send_on(&mut world, 0x4000, b"hello").unwrap();
    assert_eq!(to_bob, b"\x40\x00\x00\x05hello\0\0\0");
    let (_, to_ada) = world.packet(bob.client, &to_bob).unwrap();
    assert_eq!(to_ada, b"\x40\x00\x00\x05hello");
}

#[test]
fn nobody_gets_data_without_having_permitted_it() {
    let mut world = World::new(Limits::default());
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    let bob = Person::allocated("2", "192.0.2.2:4000", &mut world);
    assert_eq!(ada.send(&mut world, bob.relayed(), b"before my own permission"), None);
    ada.permit(&mut world, bob.relayed());
    assert_eq!(ada.send(&mut world, bob.relayed(), b"before his permission"), None);
    ada.channel(&mut world, 0x4000, bob.relayed());
    assert_eq!(ada.send_on(&mut world, 0x4000, b"on a channel"), None);
}

#[test]
fn permission_and_channel_expire_and_are_renewed() {
    let mut world = World::new(Limits::default());
    let (mut ada, mut bob) = pair(&mut world);
    ada.channel(&mut world, 0x4000, bob.relayed());
    world.pass(Duration::from_secs(299));
    assert!(ada.send_on(&mut world, 0x4000, b"x").is_some());
    world.pass(Duration::from_secs(2));
    assert!(ada.send_on(&mut world, 0x4000, b"x").is_none(), "Bob's permission is over");
    bob.permit(&mut world, ada.relayed());
    assert!(ada.send_on(&mut world, 0x4000, b"x").is_some(), "the channel lives longer");
    world.pass(Duration::from_secs(298));
    let _ = ada.ask(&mut world, &Ask::Refresh(600));
    let _ = bob.ask(&mut world, &Ask::Refresh(600));
    world.pass(Duration::from_secs(2));
    bob.permit(&mut world, ada.relayed());
    assert!(ada.send_on(&mut world, 0x4000, b"x").is_none(), "the channel is over");
    ada.channel(&mut world, 0x4000, bob.relayed());
    assert!(ada.send_on(&mut world, 0x4000, b"x").is_some());
}

#[test]
fn data_to_an_allocation_that_has_ended_goes_to_nobody() {
    let mut world = World::new(Limits::default());
    let (ada, mut bob) = pair(&mut world);
    let old = bob.relayed();
    let _ = bob.ask(&mut world, &Ask::Refresh(0));
    assert_eq!(ada.send(&mut world, old, b"x"), None);
    assert_eq!(bob.send(&mut world, ada.relayed(), b"x"), None, "and he cannot send any more");
}

#[test]
fn only_relayed_addresses_can_be_reached() {
    let mut world = World::new(Limits::default());
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    for (peer, code) in [
        ("169.254.169.254:80", 403),
        ("127.0.0.1:8080", 403),
        ("10.0.0.1:53", 403),
        ("192.0.2.2:4000", 403),
        ("0.0.0.0:0", 403),
        ("[::1]:8080", 443),
        ("[fd00:ec2::254]:80", 443),
        ("[::ffff:169.254.169.254]:80", 443),
        ("[64:ff9b::a9fe:a9fe]:80", 443),
    ] {
        let peer = peer.parse().unwrap();
        assert_eq!(ada.ask(&mut world, &Ask::Permit(vec![peer])).code(), Some(code), "{peer}");
        assert_eq!(ada.ask(&mut world, &Ask::Channel(0x4000, peer)).code(), Some(code), "{peer}");
        assert_eq!(ada.send(&mut world, peer, b"GET /latest/meta-data"), None, "{peer}");
    }
    // One bad address among good ones refuses all, as RFC 8656 (section 9.2) demands.
    let both = vec![ada.relayed(), "10.0.0.1:53".parse().unwrap()];
    assert_eq!(ada.ask(&mut world, &Ask::Permit(both)).code(), Some(403));
}

#[test]
fn somebody_elses_channel_is_not_usable() {
    let mut world = World::new(Limits::default());
    let (mut ada, bob) = pair(&mut world);
    ada.channel(&mut world, 0x4000, bob.relayed());
    let eve = Person::new("3", "192.0.2.66:4000");
    assert_eq!(eve.send_on(&mut world, 0x4000, b"x"), None);
    assert_eq!(eve.send(&mut world, bob.relayed(), b"x"), None);
}

#[test]
fn what_was_relayed_is_counted() {
    let mut world = World::new(Limits::default());
    let (mut ada, mut bob) = pair(&mut world);
    ada.channel(&mut world, 0x4000, bob.relayed());
    bob.channel(&mut world, 0x4000, ada.relayed());
    let _ = ada.send_on(&mut world, 0x4000, &[0; 100]);
    let _ = bob.send_on(&mut world, 0x4000, &[0; 50]);
    let counters = world.relay.counters();
    assert_eq!((counters.relayed_packets, counters.relayed_bytes), (2, 158));
}
