//! The address of a client, behind an edge (CloudFront or the edge of `local`), a tunnel, or without either.
//!
//! Headers count only if the edge has proved itself by [`ORIGIN_KEY`]: anybody can send them otherwise. Of what the edge
//! sends, only the end of [`FORWARDED_FOR`] counts: CloudFront appends the viewer's address to it, and API Gateway that of
//! CloudFront's server (developer guide, "Client IP addresses" of custom origins). `CloudFront-Viewer-Address` does not
//! count, because the documents leave open whether the policy "AllViewerExceptHostHeader" adds it; if it does not, a
//! client's own one is passed on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

use crate::secret::Secret;

/// The header by which the edge proves that a request came through it.
pub const ORIGIN_KEY: &str = "x-peersync-origin-key";
/// CloudFront's header with the viewer's address and port, which tells only that a request was passed on.
pub const VIEWER_ADDRESS: &str = "cloudfront-viewer-address";
/// Cloudflare's header with the client's address, which a client cannot set itself
/// (<https://developers.cloudflare.com/fundamentals/reference/http-headers/#cf-connecting-ip>).
pub const CONNECTING_IP: &str = "cf-connecting-ip";
/// The header to which every proxy appends the address that it got the request from.
pub const FORWARDED_FOR: &str = "x-forwarded-for";

/// Whether a request came through the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeProof {
    /// It carries a key that is valid.
    Valid,
    /// It carries a key that is not known: a stranger's, or one that is newer than the known ones.
    Unknown,
    /// It carries no key.
    Absent,
}

/// Checks the key that a request carries. While the edge changes to a new key, two are valid at a time. Without a key
/// there is no edge.
pub fn edge_proof(headers: &HeaderMap, keys: &[&Secret]) -> EdgeProof {
    match headers.get(ORIGIN_KEY).map(|value| value.to_str()) {
        None => EdgeProof::Absent,
        Some(Ok(given)) if keys.iter().any(|key| key.matches(given)) => EdgeProof::Valid,
        Some(_) => EdgeProof::Unknown,
    }
}

/// Returns the client's address: what the edge says in its headers, or else `peer`, the other end of the connection.
/// IPv4 addresses mapped into IPv6 are returned as IPv4.
pub fn client_address(headers: &HeaderMap, peer: Option<IpAddr>, from_edge: bool) -> Option<IpAddr> {
    let stated = if from_edge { forwarded(headers).next().flatten() } else { None };
    stated.or(peer).map(|address| address.to_canonical())
}

/// Returns the client's address in a request that a gateway has passed on, with `source` as the one that it got the request
/// from. If that was the edge, it is the gateway's own entry in [`FORWARDED_FOR`], and the edge's is the one before.
pub fn client_address_behind_gateway(headers: &HeaderMap, source: IpAddr, from_edge: bool) -> IpAddr {
    let source = source.to_canonical();
    let stated = if from_edge {
        let mut entries = forwarded(headers).peekable();
        // One entry alone: a client may have sent more of them.
        entries.next_if(|last| last.is_some_and(|last| last.to_canonical() == source));
        entries.next().flatten()
    } else {
        None
    };
    stated.map_or(source, |address| address.to_canonical())
}

/// Returns the client's address as the Cloudflare Tunnel of this host says; `None` if a request did not come through it.
pub fn tunnelled_address(headers: &HeaderMap) -> Option<IpAddr> {
    let mut values = headers.get_all(CONNECTING_IP).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    parse(value.to_str().ok()?).map(|address| address.to_canonical())
}

/// Returns the entries of all lines of [`FORWARDED_FOR`], the last one first; `None` for one that is no address. The client
/// could have sent all entries before those of the edge and the gateway, so that none is ever used instead of another.
fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    entries.map(|entry| parse(std::str::from_utf8(entry).ok()?))
}

/// Proxies write IPv6 addresses with or without brackets, and some add the port.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok()
}

/// The lengths of the prefixes by which IPv4 addresses are counted: an address, and the smallest network that is routed
/// on the internet, which whoever rents many addresses usually gets.
const IPV4_PREFIXES: [u8; 2] = [32, 24];
/// The lengths for IPv6: a subnet, within which a device chooses addresses at will; what a home gets; what a site gets,
/// and what tunnel brokers give to anybody (RFC 6177, RIPE-690).
const IPV6_PREFIXES: [u8; 3] = [64, 56, 48];

/// A network of client addresses, by which limits count. The narrowest one is what counts as one client: an IPv4
/// address, or an IPv6 network of 64 bits. Whoever has a wider one has up to 65,536 of those, so limits count it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// The first address of the network.
    first: IpAddr,
    /// The number of bits that all its addresses have in common.
    prefix: u8,
}

impl Network {
    /// Returns the narrowest network of an address: one client.
    pub fn of(address: IpAddr) -> Self {
        let prefix = if address.to_canonical().is_ipv4() { IPV4_PREFIXES[0] } else { IPV6_PREFIXES[0] };
        Self::containing(address, prefix)
    }

    /// Returns all networks of an address that limits count, the narrowest first: /32 and /24 for IPv4, /64, /56 and
    /// /48 for IPv6.
    pub fn enclosing(address: IpAddr) -> impl Iterator<Item = Self> {
        let prefixes = if address.to_canonical().is_ipv4() { &IPV4_PREFIXES[..] } else { &IPV6_PREFIXES[..] };
        prefixes.iter().map(move |prefix| Self::containing(address, *prefix))
    }

    /// Returns the networks of an address that one customer of a provider may have, the narrowest first: those that
    /// [`Self::enclosing`] returns without IPv4's /24, in which there are usually many customers.
    pub fn of_one_customer(address: IpAddr) -> impl Iterator<Item = Self> {
        Self::enclosing(address).filter(|network| network.first.is_ipv6() || network.prefix == IPV4_PREFIXES[0])
    }

    /// Returns the length of its prefix in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    fn containing(address: IpAddr, prefix: u8) -> Self {
        let first = match address.to_canonical() {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(u32::BITS.saturating_sub(prefix.into())).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(u128::BITS.saturating_sub(prefix.into())).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
            }
        };
        Self { first, prefix }
    }
}

/// Returns the share of `limit` for the network that is in the middle of `width` networks, itself included.
pub fn share(width: usize, limit: usize) -> usize {
    match width {
        0 | 1 => limit,
        2 => limit - limit / 4,
        _ => limit.div_ceil(2),
    }
}

/// A single IPv4 address is shown without its prefix.
impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first {
            IpAddr::V4(address) if self.prefix == 32 => address.fmt(formatter),
            IpAddr::V4(address) => write!(formatter, "{address}/{}", self.prefix),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                write!(formatter, "{a:x}:{b:x}:{c:x}:{d:x}::/{}", self.prefix)
            }
        }
    }
}

#[cfg(test)]
mod tests;
