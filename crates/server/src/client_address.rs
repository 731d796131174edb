//! The address of a client, behind an edge (CloudFront or the edge of `local`), a tunnel, or without either.
//!
//! Headers count only if the edge has proved itself by [`ORIGIN_KEY`]: anybody can send them otherwise.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;

use crate::secret::Secret;

/// The header by which the edge proves that a request came through it.
pub const ORIGIN_KEY: &str = "x-peersync-origin-key";
/// CloudFront's header with the viewer's address and port
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html>).
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
    let stated = if from_edge { viewer(headers).or_else(|| forwarded(headers)) } else { None };
    stated.or(peer).map(|address| address.to_canonical())
}

/// Returns the client's address as the Cloudflare Tunnel of this host says; `None` if a request did not come through it.
pub fn tunnelled_address(headers: &HeaderMap) -> Option<IpAddr> {
    let mut values = headers.get_all(CONNECTING_IP).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    parse(value.to_str().ok()?).map(|address| address.to_canonical())
}

/// An IPv6 address is followed by a colon and the port too, with or without brackets.
fn viewer(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get(VIEWER_ADDRESS)?.to_str().ok()?;
    let (address, _) = value.rsplit_once(':')?;
    parse(address)
}

/// The last entry of the last header line is the edge's; the client could have sent all entries before it.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    parse(value.rsplit(',').next()?)
}

fn parse(text: &str) -> Option<IpAddr> {
    text.trim().trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// What limits count as one client: an IPv4 address, or an IPv6 network of 64 bits, within which a subscriber can
/// choose addresses at will. Also a wider network that encloses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// Its first address.
    address: IpAddr,
    /// The number of bits that all of its addresses have in common.
    prefix: u8,
}

impl Network {
    /// Returns the network of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self::of_ipv6(address, 64),
            address @ IpAddr::V4(_) => Self { address, prefix: 32 },
        }
    }

    /// Returns the wider networks around that of an address, the narrowest first: of IPv6 those of 56 and of 48 bits,
    /// which providers and hosters give to one customer (RFC 6177). One IPv4 address has none.
    pub fn enclosing(address: IpAddr) -> impl Iterator<Item = Self> {
        let wider = match address.to_canonical() {
            IpAddr::V6(address) => Some([56, 48].map(|prefix| Self::of_ipv6(address, prefix))),
            IpAddr::V4(_) => None,
        };
        wider.into_iter().flatten()
    }

    fn of_ipv6(address: Ipv6Addr, prefix: u8) -> Self {
        let bits = u128::from(address) & (u128::MAX << (128 - u32::from(prefix)));
        Self { address: Ipv6Addr::from(bits).into(), prefix }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(address) => address.fmt(formatter),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                write!(formatter, "{a:x}:{b:x}:{c:x}:{d:x}::/{}", self.prefix)
            }
        }
    }
}

#[cfg(test)]
mod tests;
