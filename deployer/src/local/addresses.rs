//! This computer's addresses in its networks, for the URLs that are printed.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use if_addrs::get_if_addrs;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// How often the addresses are read again.
const WATCH: Duration = Duration::from_secs(5);
/// How the names of interfaces begin that lead to containers and virtual machines on this computer, not to a phone.
const VIRTUAL: [&str; 10] = ["docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "bridge", "cni", "podman", "lxc"];

/// Returns the addresses at which other computers reach a listener on `host`, the most likely one first.
pub fn reachable(host: IpAddr) -> Vec<IpAddr> {
    if host.is_loopback() {
        return Vec::new();
    }
    if !host.is_unspecified() {
        return vec![host];
    }
    let interfaces = get_if_addrs().unwrap_or_default();
    let real = interfaces.into_iter().filter(|interface| !VIRTUAL.iter().any(|name| interface.name.starts_with(name)));
    ordered(real.map(|interface| interface.ip()).collect(), host, default_address())
}

/// Returns those addresses that others can use, `first` before the others, IPv4 before IPv6.
fn ordered(mut addresses: Vec<IpAddr>, host: IpAddr, first: Option<IpAddr>) -> Vec<IpAddr> {
    addresses.extend(first);
    addresses.retain(|address| match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        // A link-local address needs a zone, which no URL may have. A listener on `0.0.0.0` accepts only IPv4.
        IpAddr::V6(address) => host.is_ipv6() && !address.is_loopback() && !address.is_unicast_link_local(),
    });
    addresses.sort_by_key(|address| (Some(*address) != first, address.is_ipv6(), *address));
    addresses.dedup();
    addresses
}

/// Returns the address that the system would choose for outgoing traffic. Nothing is sent: a UDP socket only looks up the
/// route, here to an address reserved for documentation (RFC 5737).
fn default_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_unspecified())
}

/// Logs the URL of every address that the computer gets, until `stop`.
pub async fn watch(host: IpAddr, mut known: Vec<IpAddr>, url: impl Fn(IpAddr) -> String, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(WATCH)).await.is_some() {
        let now = reachable(host);
        for address in now.iter().filter(|address| !known.contains(address)) {
            info!(target: "edge", "now reachable at {}", url(*address));
        }
        known = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(all: &[&str]) -> Vec<IpAddr> {
        all.iter().filter_map(|address| address.parse().ok()).collect()
    }

    #[test]
    fn usual_route_comes_first_and_what_others_cannot_use_is_left_out() {
        let all = addresses(&["127.0.0.1", "10.0.0.5", "169.254.3.4", "192.168.1.7", "::1", "fe80::1", "fd00::2"]);
        let first = Some(IpAddr::from([192, 168, 1, 7]));
        let v4 = ordered(all.clone(), Ipv4Addr::UNSPECIFIED.into(), first);
        assert_eq!(v4, addresses(&["192.168.1.7", "10.0.0.5"]));
        let both = ordered(all, IpAddr::from([0_u16; 8]), None);
        assert_eq!(both, addresses(&["10.0.0.5", "192.168.1.7", "fd00::2"]));
    }

    #[test]
    fn listener_on_one_address_is_reachable_there_only() {
        assert_eq!(reachable(IpAddr::from([192, 168, 1, 7])), addresses(&["192.168.1.7"]));
        assert!(reachable(IpAddr::from([127, 0, 0, 1])).is_empty());
    }
}
