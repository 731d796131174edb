//! The rules of the security group, one per protocol, port range and peer, and their conversion to and from EC2's form.

use std::collections::BTreeSet;
use std::fmt;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};

use crate::relay::Relay;
use crate::stack::{EDGE_PORT, Network};
use peersync_aws::NotFound as _;
use peersync_config::{Ingress, Signaling};
use peersync_engine::{ResourceError, rule};

/// HTTPS: for AWS's services, packages and Let's Encrypt.
const HTTPS: i32 = 443;
/// The port of Cloudflare's edge, over TCP and QUIC.
const CLOUDFLARE_EDGE: i32 = 7844;

/// The other side of the traffic that a rule allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    /// The addresses from which CloudFront calls origins.
    CloudFront,
    /// A range of IPv4 addresses.
    V4(String),
    /// A range of IPv6 addresses.
    V6(String),
    /// Another prefix list, by id.
    List(String),
    /// Another security group, by id.
    Group(String),
}

/// A rule for one protocol, port range and peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rule {
    protocol: String,
    /// The first and the last port; `None` for all ports.
    ports: Option<(i32, i32)>,
    peer: Peer,
}

/// The identifiers that have a meaning in rules.
pub(super) struct Names {
    /// The id of CloudFront's prefix list; `None` if the endpoint lacks it. The range `0.0.0.0/0` then represents
    /// CloudFront.
    pub(super) cloudfront: Option<String>,
}

impl Names {
    /// Returns those of a network.
    pub(super) fn of(network: &Network) -> Self {
        Self { cloudfront: network.cloudfront_list.clone() }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.protocol.as_str(), self.ports) {
            ("-1", _) => formatter.write_str("everything")?,
            (protocol, None) => formatter.write_str(protocol)?,
            (protocol, Some((first, last))) if first == last => write!(formatter, "{protocol} {first}")?,
            (protocol, Some((first, last))) => write!(formatter, "{protocol} {first}-{last}")?,
        }
        match &self.peer {
            Peer::CloudFront => formatter.write_str(" CloudFront"),
            Peer::V4(range) | Peer::V6(range) => write!(formatter, " {range}"),
            Peer::List(id) | Peer::Group(id) => write!(formatter, " {id}"),
        }
    }
}

fn rule(protocol: &str, port: i32, peer: Peer) -> Rule {
    Rule { protocol: protocol.to_owned(), ports: Some((port, port)), peer }
}

fn anybody(protocol: &str, port: i32) -> [Rule; 2] {
    ["0.0.0.0/0", "::/0"].map(|range| {
        let peer = if range.contains(':') { Peer::V6(range.to_owned()) } else { Peer::V4(range.to_owned()) };
        rule(protocol, port, peer)
    })
}

/// Returns the desired inbound rules: those of the ingress, and those of the relay, if the host has one. Only one names
/// CloudFront, because its list counts as 55 of the 60 that a group may have.
pub(super) fn inbound_rules(signaling: &Signaling, relay: Option<&Relay>) -> BTreeSet<Rule> {
    let edge = (signaling.ingress == Ingress::Cloudfront).then(|| rule("tcp", EDGE_PORT, Peer::CloudFront));
    let mut rules: BTreeSet<Rule> = edge.into_iter().collect();
    if signaling.has_certificate() {
        // From anywhere, authorities ask there for the proof that the name is the host's.
        rules.extend(anybody("tcp", HTTPS));
    }
    if let Some(relay) = relay {
        let tcp = relay.all_tcp().map(|port| ("tcp", port));
        let ports = relay.udp.iter().map(|port| ("udp", *port)).chain(tcp);
        rules.extend(ports.flat_map(|(protocol, port)| anybody(protocol, port.into())));
    }
    rules
}

/// Returns the desired outbound rules. DNS, time and metadata need none, because security groups do not filter AWS's
/// own addresses in the VPC.
pub(super) fn outbound_rules(ingress: Ingress) -> BTreeSet<Rule> {
    let tunnel = ["tcp", "udp"].into_iter().flat_map(|protocol| anybody(protocol, CLOUDFLARE_EDGE));
    let tunnel = tunnel.filter(|_| ingress == Ingress::Cloudflare);
    anybody("tcp", HTTPS).into_iter().chain(tunnel).collect()
}

/// Returns the desired inbound rules as text, for display and comparison.
pub(super) fn inbound(signaling: &Signaling, relay: Option<&Relay>) -> BTreeSet<String> {
    inbound_rules(signaling, relay).iter().map(Rule::to_string).collect()
}

/// Returns the desired outbound rules as text, for display and comparison.
pub(super) fn outbound(ingress: Ingress) -> BTreeSet<String> {
    outbound_rules(ingress).iter().map(Rule::to_string).collect()
}

/// Returns the actual rules of a group as text.
pub(super) fn live(permissions: &[IpPermission], names: &Names) -> BTreeSet<String> {
    parse(permissions, names).iter().map(Rule::to_string).collect()
}

/// Splits the permissions of a group into single rules.
pub(super) fn parse(permissions: &[IpPermission], names: &Names) -> BTreeSet<Rule> {
    permissions.iter().flat_map(|permission| parse_one(permission, names)).collect()
}

fn parse_one(permission: &IpPermission, names: &Names) -> Vec<Rule> {
    let protocol = permission.ip_protocol().unwrap_or("-1").to_owned();
    let ports = permission.from_port().zip(permission.to_port()).filter(|_| protocol != "-1");
    let v4 = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip()).map(|range| {
        let ours = ports == Some((EDGE_PORT, EDGE_PORT)) && names.cloudfront.is_none() && range == "0.0.0.0/0";
        if ours { Peer::CloudFront } else { Peer::V4(range.to_owned()) }
    });
    let v6 = permission.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6()).map(|one| Peer::V6(one.to_owned()));
    let lists =
        permission.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id()).map(|id| {
            if names.cloudfront.as_deref() == Some(id) { Peer::CloudFront } else { Peer::List(id.to_owned()) }
        });
    let groups = permission.user_id_group_pairs().iter().filter_map(|pair| pair.group_id());
    let mut peers: Vec<Peer> = v4.chain(v6).chain(lists).chain(groups.map(|id| Peer::Group(id.to_owned()))).collect();
    // In AWS a rule always has a peer. Emulators may accept prefix lists and omit them when they return the rule.
    if peers.is_empty() && ports == Some((EDGE_PORT, EDGE_PORT)) {
        peers.push(Peer::CloudFront);
    }
    peers.into_iter().map(|peer| Rule { protocol: protocol.clone(), ports, peer }).collect()
}

/// The calls that change the rules of a group.
pub(super) struct Calls<'a> {
    /// The client of EC2.
    pub(super) ec2: &'a Client,
    /// The id of the group.
    pub(super) group: &'a str,
    /// The identifier to write for CloudFront.
    pub(super) names: &'a Names,
}

/// Returns the error code for adding a rule that already exists, which counts as success.
fn duplicate() -> &'static [&'static str] {
    rule!("ingress-create-survives-lost-answer", &["InvalidPermission.Duplicate"])
}

/// Returns the error code for removing a rule that does not exist, which counts as success.
fn absent() -> &'static [&'static str] {
    rule!("ingress-delete-survives-absence", &["InvalidPermission.NotFound"])
}

impl Calls<'_> {
    pub(super) async fn authorize_inbound(&self, rules: &[Rule]) -> Result<(), ResourceError> {
        let Some(permissions) = self.permissions(rules) else { return Ok(()) };
        let call = self.ec2.authorize_security_group_ingress().group_id(self.group).set_ip_permissions(permissions);
        call.send().await.found(duplicate(), "failed to add an inbound rule to the security group").map(|_| ())
    }

    pub(super) async fn authorize_outbound(&self, rules: &[Rule]) -> Result<(), ResourceError> {
        let Some(permissions) = self.permissions(rules) else { return Ok(()) };
        let call = self.ec2.authorize_security_group_egress().group_id(self.group).set_ip_permissions(permissions);
        call.send().await.found(duplicate(), "failed to add an outbound rule to the security group").map(|_| ())
    }

    pub(super) async fn revoke_inbound(&self, rules: &[Rule]) -> Result<(), ResourceError> {
        let Some(permissions) = self.permissions(rules) else { return Ok(()) };
        let call = self.ec2.revoke_security_group_ingress().group_id(self.group).set_ip_permissions(permissions);
        call.send().await.found(absent(), "failed to remove an inbound rule from the security group").map(|_| ())
    }

    pub(super) async fn revoke_outbound(&self, rules: &[Rule]) -> Result<(), ResourceError> {
        let Some(permissions) = self.permissions(rules) else { return Ok(()) };
        let call = self.ec2.revoke_security_group_egress().group_id(self.group).set_ip_permissions(permissions);
        call.send().await.found(absent(), "failed to remove an outbound rule from the security group").map(|_| ())
    }

    /// Returns `None` if there are no rules, so that nothing is sent; the inner `Option` is the SDK's.
    #[allow(clippy::option_option, reason = "the inner one is what the SDK takes")]
    fn permissions(&self, rules: &[Rule]) -> Option<Option<Vec<IpPermission>>> {
        (!rules.is_empty()).then(|| Some(rules.iter().map(|rule| self.permission(rule)).collect()))
    }

    fn permission(&self, rule: &Rule) -> IpPermission {
        let mut permission = IpPermission::builder().ip_protocol(&rule.protocol);
        if let Some((first, last)) = rule.ports {
            permission = permission.from_port(first).to_port(last);
        }
        let v4 = |range: &str| IpRange::builder().cidr_ip(range).build();
        match &rule.peer {
            Peer::CloudFront => match &self.names.cloudfront {
                Some(list) => permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(list).build()),
                None => permission.ip_ranges(v4("0.0.0.0/0")),
            },
            Peer::V4(range) => permission.ip_ranges(v4(range)),
            Peer::V6(range) => permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(range).build()),
            Peer::List(id) => permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).build()),
            Peer::Group(id) => permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(id).build()),
        }
        .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_list() -> Names {
        Names { cloudfront: Some("pl-1".to_owned()) }
    }

    fn through(ingress: Ingress) -> Signaling {
        Signaling { ingress, ..Signaling::default() }
    }

    #[test]
    fn inbound_rules_allow_only_the_ingress() {
        let edge = || BTreeSet::from(["tcp 8080 CloudFront".to_owned()]);
        let everybody = BTreeSet::from(["tcp 443 0.0.0.0/0".to_owned(), "tcp 443 ::/0".to_owned()]);
        assert_eq!(inbound(&through(Ingress::Cloudfront), None), edge());
        assert!(inbound(&through(Ingress::Cloudflare), None).is_empty());
        assert_eq!(inbound(&through(Ingress::Direct), None), everybody);
        let named = Signaling { domain: Some("signal.example.org".to_owned()), ..through(Ingress::Cloudfront) };
        assert_eq!(inbound(&named, None), &edge() | &everybody, "for the challenge of the authority");
        assert!(!outbound(Ingress::Cloudfront).contains("everything 0.0.0.0/0"));
    }

    #[test]
    fn ports_of_the_relay_are_open_to_everybody() {
        let relay = Relay { udp: &[3478], tcp: &[3478, 443], tls: &[5349], shared: &[] };
        let signaling = through(Ingress::Cloudfront);
        let with: BTreeSet<String> = inbound(&signaling, Some(&relay));
        let added: Vec<String> = with.difference(&inbound(&signaling, None)).cloned().collect();
        let ports = ["tcp 3478", "tcp 443", "tcp 5349", "udp 3478"];
        assert_eq!(added, ports.map(|port| ["0.0.0.0/0", "::/0"].map(|range| format!("{port} {range}"))).concat());
    }

    #[test]
    fn rule_without_peer_on_the_signal_port_is_cloudfront() {
        let bare = IpPermission::builder().ip_protocol("tcp").from_port(8080).to_port(8080).build();
        assert_eq!(live(&[bare], &with_list()), ["tcp 8080 CloudFront".to_owned()].into());
        let other = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).build();
        assert!(live(&[other], &with_list()).is_empty());
    }

    #[test]
    fn rules_round_trip_through_ec2_permissions() {
        for names in [with_list(), Names { cloudfront: None }] {
            for ingress in [Ingress::Cloudfront, Ingress::Cloudflare, Ingress::Direct] {
                let client = aws_sdk_ec2::Client::from_conf(
                    aws_sdk_ec2::Config::builder()
                        .behavior_version(aws_sdk_ec2::config::BehaviorVersion::latest())
                        .build(),
                );
                let calls = Calls { ec2: &client, group: "sg-1", names: &names };
                let relay = Relay { udp: &[3478], tcp: &[3478, 443], tls: &[5349], shared: &[] };
                let inbound = inbound_rules(&through(ingress), Some(&relay));
                let wanted: BTreeSet<Rule> = inbound.union(&outbound_rules(ingress)).cloned().collect();
                let sent: Vec<IpPermission> = wanted.iter().map(|rule| calls.permission(rule)).collect();
                assert_eq!(parse(&sent, &names), wanted);
            }
        }
    }

    #[test]
    fn open_port_is_not_mistaken_for_cloudfront() {
        let open = IpPermission::builder().ip_protocol("tcp").from_port(8080).to_port(8080);
        let open = open.ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build()).build();
        assert_eq!(live(&[open], &with_list()), ["tcp 8080 0.0.0.0/0".to_owned()].into());
    }

    #[test]
    fn rule_that_allows_everything_is_shown() {
        let everything =
            IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build());
        assert_eq!(live(&[everything.build()], &with_list()), ["everything 0.0.0.0/0".to_owned()].into());
    }
}
