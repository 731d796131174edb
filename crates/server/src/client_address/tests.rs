//! Which of the addresses in a request is the client's.

use std::collections::HashSet;

use super::*;

const VIEWER: (&str, &str) = (VIEWER_ADDRESS, "198.51.100.7:50000");
const FORWARDED: (&str, &str) = (FORWARDED_FOR, "10.0.0.1, 192.0.2.5");

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

const PEER: &str = "203.0.113.9";

fn address(lines: &[(&'static str, &'static str)], from_edge: bool) -> String {
    client_address(&headers(lines), Some(PEER.parse().unwrap()), from_edge).unwrap().to_string()
}

/// The address behind API Gateway, which has got the request from [`PEER`].
fn behind_gateway(lines: &[(&'static str, &'static str)], from_edge: bool) -> String {
    client_address_behind_gateway(&headers(lines), PEER.parse().unwrap(), from_edge).to_string()
}

#[test]
fn headers_count_only_from_the_edge() {
    for read in [address, behind_gateway] {
        assert_eq!(read(&[FORWARDED], true), "192.0.2.5");
        assert_eq!(read(&[FORWARDED], false), PEER);
        assert_eq!(read(&[], true), PEER);
    }
}

#[test]
fn header_that_a_client_may_have_sent_to_the_edge_does_not_count() {
    for read in [address, behind_gateway] {
        assert_eq!(read(&[VIEWER, FORWARDED], true), "192.0.2.5");
        assert_eq!(read(&[VIEWER], true), PEER);
    }
}

#[test]
fn address_is_read_in_all_its_forms() {
    for (value, expected) in [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:4711", "198.51.100.7"),
        (" 2001:db8:1:2:3:4:5:6 ", "2001:db8:1:2:3:4:5:6"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("nonsense", PEER),
        ("[2001:db8::1", PEER),
        ("", PEER),
    ] {
        assert_eq!(address(&[(FORWARDED_FOR, value)], true), expected, "{value}");
        assert_eq!(behind_gateway(&[(FORWARDED_FOR, value), (FORWARDED_FOR, PEER)], true), expected, "{value}");
    }
}

#[test]
fn last_entry_of_the_last_forwarded_line_counts() {
    let forged = (FORWARDED_FOR, "192.0.2.66");
    assert_eq!(address(&[forged, FORWARDED], true), "192.0.2.5");
    assert_eq!(address(&[forged, (FORWARDED_FOR, "10.0.0.1,198.51.100.8")], true), "198.51.100.8");
    assert_eq!(address(&[FORWARDED, (FORWARDED_FOR, "198.51.100.8")], true), "198.51.100.8");
    assert_eq!(address(&[forged, (FORWARDED_FOR, "[2001:db8::7]")], true), "2001:db8::7");
    // An earlier line is never used instead: the client may have sent it.
    assert_eq!(address(&[forged, (FORWARDED_FOR, "nobody")], true), PEER);
}

#[test]
fn entry_of_the_gateway_is_skipped_once() {
    let read = |lines: &[&'static str]| {
        let lines: Vec<_> = lines.iter().map(|line| (FORWARDED_FOR, *line)).collect();
        behind_gateway(&lines, true)
    };
    assert_eq!(read(&["198.51.100.7, 203.0.113.9"]), "198.51.100.7");
    assert_eq!(read(&["192.0.2.66, 198.51.100.7, 203.0.113.9"]), "198.51.100.7", "a client's own entry");
    assert_eq!(read(&["192.0.2.66", "198.51.100.7, 203.0.113.9"]), "198.51.100.7", "a client's own line");
    assert_eq!(read(&["192.0.2.66, 198.51.100.7", "203.0.113.9"]), "198.51.100.7", "the gateway's own line");
    assert_eq!(read(&["192.0.2.66, 203.0.113.9, 198.51.100.7, 203.0.113.9"]), "198.51.100.7");
    assert_eq!(read(&["192.0.2.66, 203.0.113.9, 203.0.113.9"]), PEER, "a client that is an edge server");
    assert_eq!(read(&["192.0.2.66, nobody, ::ffff:203.0.113.9"]), PEER, "no earlier entry is used instead");
    assert_eq!(read(&["2001:db8::7, 203.0.113.9"]), "2001:db8::7");
    assert_eq!(read(&["198.51.100.7"]), "198.51.100.7", "a gateway that appends nothing");
    assert_eq!(read(&["203.0.113.9"]), PEER);
}

#[test]
fn tunnel_states_one_address() {
    let stated =
        |lines: &[(&'static str, &'static str)]| tunnelled_address(&headers(lines)).map(|found| found.to_string());
    assert_eq!(stated(&[(CONNECTING_IP, "198.51.100.7"), FORWARDED]).as_deref(), Some("198.51.100.7"));
    assert_eq!(stated(&[(CONNECTING_IP, "2001:db8::7")]).as_deref(), Some("2001:db8::7"));
    for other in [
        &[FORWARDED, VIEWER][..],
        &[(CONNECTING_IP, "x")],
        &[(CONNECTING_IP, "192.0.2.1"), (CONNECTING_IP, "192.0.2.2")],
    ] {
        assert_eq!(stated(other), None, "{other:?}");
    }
}

#[test]
fn without_peer_and_headers_the_address_is_unknown() {
    assert_eq!(client_address(&headers(&[]), None, true), None);
    assert_eq!(client_address(&headers(&[FORWARDED]), None, false), None);
}

#[test]
fn only_a_valid_key_proves_the_edge() {
    let (current, previous) = (Secret::new("edge-key"), Secret::new("older-key"));
    let given = |value| headers(&[(ORIGIN_KEY, value)]);
    for valid in ["edge-key", "older-key"] {
        assert_eq!(edge_proof(&given(valid), &[&current, &previous]), EdgeProof::Valid, "{valid}");
    }
    assert_eq!(edge_proof(&given("older-key"), &[&current]), EdgeProof::Unknown);
    for other in ["edge-kez", ""] {
        assert_eq!(edge_proof(&given(other), &[&current]), EdgeProof::Unknown, "{other}");
    }
    assert_eq!(edge_proof(&given("edge-key"), &[]), EdgeProof::Unknown);
    assert_eq!(edge_proof(&headers(&[]), &[&current]), EdgeProof::Absent);
}

#[test]
fn ipv6_neighbours_are_one_network() {
    let network = |text: &str| Network::of(text.parse().unwrap());
    assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
    assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    assert_eq!(network("2001:db8:1:2:3:4:5:6").to_string(), "2001:db8:1:2::/64");
    assert_eq!(network("2001:db8::1").to_string(), "2001:db8:0:0::/64");
    assert_eq!(network("::ffff:198.51.100.7").to_string(), "198.51.100.7");
}

#[test]
fn wider_networks_of_an_address_are_known() {
    let enclosing = |text: &str| -> Vec<String> {
        Network::enclosing(text.parse().unwrap()).map(|network| network.to_string()).collect()
    };
    assert_eq!(
        enclosing("2001:db8:1:2fe:3:4:5:6"),
        ["2001:db8:1:2fe::/64", "2001:db8:1:200::/56", "2001:db8:1:0::/48"]
    );
    assert_eq!(enclosing("198.51.100.7"), ["198.51.100.7", "198.51.100.0/24"]);
    assert_eq!(enclosing("::ffff:198.51.100.7"), enclosing("198.51.100.7"));
}

#[test]
fn neighbours_of_an_ipv4_address_are_other_customers() {
    let customer = |text: &str| Network::of_one_customer(text.parse().unwrap()).collect::<Vec<_>>();
    assert_eq!(customer("198.51.100.7"), [Network::of("198.51.100.7".parse().unwrap())]);
    assert_eq!(customer("2001:db8::1").len(), 3);
}

#[test]
fn networks_of_different_width_are_different() {
    let networks: HashSet<Network> = Network::enclosing("2001:db8::1".parse().unwrap()).collect();
    assert_eq!(networks.len(), 3, "they begin with the same address");
    let prefixes: Vec<u8> = Network::enclosing("2001:db8::1".parse().unwrap()).map(Network::prefix).collect();
    assert_eq!(prefixes, [64, 56, 48]);
}
