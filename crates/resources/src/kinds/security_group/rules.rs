//! The rules of the firewall, one per protocol, port range and peer, and their way to and from EC2.

use std::collections::BTreeSet;
use std::fmt;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};

use peersync_aws::NotFound as _;
use peersync_config::Ingress;
use peersync_engine::ResourceError;

/// Name of the list, kept by AWS, of the addresses from which CloudFront calls origins.
pub(super) const CLOUDFRONT_LIST: &str = "com.amazonaws.global.cloudfront.origin-facing";

/// Port of the signaling program.
const SIGNAL_PORT: i32 = 8080;
/// HTTPS: AWS's own services, packages, Let's Encrypt.
const HTTPS: i32 = 443;
/// HTTP: the challenge of Let's Encrypt, and the redirect.
const HTTP: i32 = 80;
/// Cloudflare's edge, over TCP and QUIC.
const CLOUDFLARE_EDGE: i32 = 7844;

/// Who may be talked to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    /// The addresses from which CloudFront calls origins.
    CloudFront,
    /// A range of IPv4 addresses.
    V4(String),
    /// A range of IPv6 addresses.
    V6(String),
    /// Another list of addresses.
    List(String),
    /// Another group.
    Group(String),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rule {
    protocol: String,
    /// First and last port; `None` for all.
    ports: Option<(i32, i32)>,
    peer: Peer,
}

/// What an identifier in a rule means.
pub(super) struct Names {
    /// Identifier of CloudFront's list; `None` where the endpoint does not have it: then anybody stands for CloudFront.
    pub(super) cloudfront: Option<String>,
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

/// What may come in.
pub(super) fn inbound_rules(ingress: Ingress) -> BTreeSet<Rule> {
    match ingress {
        Ingress::Cloudfront => [rule("tcp", SIGNAL_PORT, Peer::CloudFront)].into(),
        Ingress::Direct => anybody("tcp", HTTP).into_iter().chain(anybody("tcp", HTTPS)).collect(),
        Ingress::Cloudflare => BTreeSet::new(),
    }
}

/// What may go out. Names, time and metadata are on addresses of the network itself, which groups do not filter.
pub(super) fn outbound_rules(ingress: Ingress) -> BTreeSet<Rule> {
    let tunnel = ["tcp", "udp"].into_iter().flat_map(|protocol| anybody(protocol, CLOUDFLARE_EDGE));
    let tunnel = tunnel.filter(|_| ingress == Ingress::Cloudflare);
    anybody("tcp", HTTPS).into_iter().chain(tunnel).collect()
}

/// The same for people and for comparison, in the order of their texts.
pub(super) fn inbound(ingress: Ingress) -> BTreeSet<String> {
    inbound_rules(ingress).iter().map(Rule::to_string).collect()
}

/// The same for people and for comparison, in the order of their texts.
pub(super) fn outbound(ingress: Ingress) -> BTreeSet<String> {
    outbound_rules(ingress).iter().map(Rule::to_string).collect()
}

/// The rules of a group as texts.
pub(super) fn live(permissions: &[IpPermission], names: &Names) -> BTreeSet<String> {
    parse(permissions, names).iter().map(Rule::to_string).collect()
}

/// The rules of a group, one by one.
pub(super) fn parse(permissions: &[IpPermission], names: &Names) -> BTreeSet<Rule> {
    permissions.iter().flat_map(|permission| parse_one(permission, names)).collect()
}

fn parse_one(permission: &IpPermission, names: &Names) -> Vec<Rule> {
    let protocol = permission.ip_protocol().unwrap_or("-1").to_owned();
    let ports = permission.from_port().zip(permission.to_port()).filter(|_| protocol != "-1");
    let v4 = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip()).map(|range| {
        let ours = ports == Some((SIGNAL_PORT, SIGNAL_PORT)) && names.cloudfront.is_none() && range == "0.0.0.0/0";
        if ours { Peer::CloudFront } else { Peer::V4(range.to_owned()) }
    });
    let v6 = permission.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6()).map(|one| Peer::V6(one.to_owned()));
    let lists =
        permission.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id()).map(|id| {
            if names.cloudfront.as_deref() == Some(id) { Peer::CloudFront } else { Peer::List(id.to_owned()) }
        });
    let groups = permission.user_id_group_pairs().iter().filter_map(|pair| pair.group_id());
    let mut peers: Vec<Peer> = v4.chain(v6).chain(lists).chain(groups.map(|id| Peer::Group(id.to_owned()))).collect();
    // A rule always has a peer. Endpoints that stand for AWS may take lists of addresses and not tell of them.
    if peers.is_empty() && ports == Some((SIGNAL_PORT, SIGNAL_PORT)) {
        peers.push(Peer::CloudFront);
    }
    peers.into_iter().map(|peer| Rule { protocol: protocol.clone(), ports, peer }).collect()
}

/// The calls that change the rules of a group.
pub(super) struct Calls<'a> {
    /// EC2.
    pub(super) ec2: &'a Client,
    /// Identifier of the group.
    pub(super) group: &'a str,
    /// What to write for CloudFront.
    pub(super) names: &'a Names,
}

/// The rule is there, or no longer there: what was wanted.
const DUPLICATE: &[&str] = &["InvalidPermission.Duplicate"];
const ABSENT: &[&str] = &["InvalidPermission.NotFound"];

impl Calls<'_> {
    pub(super) async fn authorize_inbound(&self, rules: &[Rule]) -> Result<(), ResourceError> {
        let Some(permissions) = self.permissions(rules) else { return Ok(()) };
        let call = self.ec2.authorize_security_group_ingress().group_id(self.group).set_ip_permissions(permissions);
        call.send().await.found(DUPLICATE, "failed to let traffic into the security group").map(|_| ())
    }

    pub(super) async fn authorize_outbound(&self, rules: &[Rule]) -> Result<(), ResourceError> {
        let Some(permissions) = self.permissions(rules) else { return Ok(()) };
        let call = self.ec2.authorize_security_group_egress().group_id(self.group).set_ip_permissions(permissions);
        call.send().await.found(DUPLICATE, "failed to let traffic out of the security group").map(|_| ())
    }

    pub(super) async fn revoke_inbound(&self, rules: &[Rule]) -> Result<(), ResourceError> {
        let Some(permissions) = self.permissions(rules) else { return Ok(()) };
        let call = self.ec2.revoke_security_group_ingress().group_id(self.group).set_ip_permissions(permissions);
        call.send().await.found(ABSENT, "failed to take an inbound rule from the security group").map(|_| ())
    }

    pub(super) async fn revoke_outbound(&self, rules: &[Rule]) -> Result<(), ResourceError> {
        let Some(permissions) = self.permissions(rules) else { return Ok(()) };
        let call = self.ec2.revoke_security_group_egress().group_id(self.group).set_ip_permissions(permissions);
        call.send().await.found(ABSENT, "failed to take an outbound rule from the security group").map(|_| ())
    }

    /// Outer `None` where there is nothing to call for; the inner one is the SDK's.
    #[allow(clippy::option_option)]
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

    #[test]
    fn only_cloudfront_gets_in_by_default_and_nobody_with_a_tunnel() {
        assert_eq!(inbound(Ingress::Cloudfront), ["tcp 8080 CloudFront".to_owned()].into());
        assert!(inbound(Ingress::Cloudflare).is_empty());
        assert!(inbound(Ingress::Direct).contains("tcp 443 ::/0"));
        assert!(!outbound(Ingress::Cloudfront).contains("everything 0.0.0.0/0"));
    }

    #[test]
    fn a_list_that_an_endpoint_does_not_tell_of_is_cloudfronts() {
        let bare = IpPermission::builder().ip_protocol("tcp").from_port(8080).to_port(8080).build();
        assert_eq!(live(&[bare], &with_list()), ["tcp 8080 CloudFront".to_owned()].into());
        let other = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).build();
        assert!(live(&[other], &with_list()).is_empty());
    }

    #[test]
    fn rules_come_back_as_they_were_sent() {
        for names in [with_list(), Names { cloudfront: None }] {
            for ingress in [Ingress::Cloudfront, Ingress::Cloudflare, Ingress::Direct] {
                let client = aws_sdk_ec2::Client::from_conf(
                    aws_sdk_ec2::Config::builder()
                        .behavior_version(aws_sdk_ec2::config::BehaviorVersion::latest())
                        .build(),
                );
                let calls = Calls { ec2: &client, group: "sg-1", names: &names };
                let wanted: BTreeSet<Rule> = inbound_rules(ingress).union(&outbound_rules(ingress)).cloned().collect();
                let sent: Vec<IpPermission> = wanted.iter().map(|rule| calls.permission(rule)).collect();
                assert_eq!(parse(&sent, &names), wanted);
            }
        }
    }

    #[test]
    fn an_open_port_is_not_taken_for_cloudfront() {
        let open = IpPermission::builder().ip_protocol("tcp").from_port(8080).to_port(8080);
        let open = open.ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build()).build();
        assert_eq!(live(&[open], &with_list()), ["tcp 8080 0.0.0.0/0".to_owned()].into());
    }

    #[test]
    fn the_rule_of_a_new_group_is_shown() {
        let everything =
            IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build());
        assert_eq!(live(&[everything.build()], &with_list()), ["everything 0.0.0.0/0".to_owned()].into());
    }
}
