//! Requests that are valid and not supported, and such that are neither.

use peersync_relay::Limits;
use peersync_relay::client::{Answer, Ask};
use stun_types::AddressFamily;
use stun_types::attribute::{AttributeType, AttributeWrite, RawAttribute};
use stun_types::message::{Method, TransactionId};
use turn_types::attribute::{DontFragment, EvenPort, RequestedAddressFamily, RequestedTransport};
use turn_types::message::ALLOCATE;

use crate::world::{Person, World};

const UDP: u8 = 17;
const TCP: u8 = 6;

/// Asks with credentials, whatever it is.
fn ask(world: &mut World, method: Method, attributes: &[&dyn AttributeWrite]) -> Answer {
    let mut ada = Person::new("1", "192.0.2.1:4000");
    let _ = world.once(&mut ada, &Ask::Allocate(None));
    let request = ada.asker.signed(method, TransactionId::generate(), attributes);
    world.answer(&mut ada, &request).unwrap()
}

#[test]
fn other_protocols_and_families_are_refused_with_their_codes() {
    let mut world = World::new(Limits::default());
    let udp = RequestedTransport::new(UDP);
    let cases: [(&[&dyn AttributeWrite], Option<u16>); 6] = [
        (&[], Some(400)),
        (&[&RequestedTransport::new(TCP)], Some(442)),
        (&[&udp, &RequestedAddressFamily::new(AddressFamily::IPV6)], Some(440)),
        (&[&udp, &EvenPort::new(true)], Some(420)),
        (&[&udp, &DontFragment::new()], Some(420)),
        (&[&udp, &RequestedAddressFamily::new(AddressFamily::IPV4)], None),
    ];
    for (attributes, code) in cases {
        assert_eq!(ask(&mut world, ALLOCATE, attributes).code(), code);
    }
}

#[test]
fn attribute_that_may_be_ignored_is_ignored() {
    let mut world = World::new(Limits::default());
    let udp = RequestedTransport::new(UDP);
    let optional = RawAttribute::new(AttributeType::new(0xbeef), &[1, 2, 3]);
    assert_eq!(ask(&mut world, ALLOCATE, &[&udp, &optional]).refused, None);
}

#[test]
fn unknown_methods_are_refused() {
    let mut world = World::new(Limits::default());
    assert_eq!(ask(&mut world, Method::new(0x0fed), &[]).code(), Some(400));
}

#[test]
fn everything_but_allocate_needs_an_allocation() {
    let mut world = World::new(Limits::default());
    let peer = "203.0.113.9:50000".parse().unwrap();
    for request in [Ask::Refresh(600), Ask::Permit(vec![peer]), Ask::Channel(0x4000, peer)] {
        let mut ada = Person::new("1", "192.0.2.1:4000");
        assert_eq!(ada.ask(&mut world, &request).code(), Some(437), "{request:?}");
    }
}

#[test]
fn permission_without_a_peer_is_a_bad_request() {
    let mut world = World::new(Limits::default());
    let mut ada = Person::allocated("1", "192.0.2.1:4000", &mut world);
    assert_eq!(ada.ask(&mut world, &Ask::Permit(Vec::new())).code(), Some(400));
}
