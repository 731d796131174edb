//! How the relay, which ends TLS on the host's port 443, tells the signaling server behind it whose connection it passes
//! on: version 2 of the PROXY protocol (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>, section 2.2). The
//! header comes before everything that the client has sent, so that a client cannot write one itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What every header begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and a connection of somebody else's.
const PROXIED: u8 = 0x21;
/// Version 2, and a connection of the sender's own, such as a health check.
const OWN: u8 = 0x20;
/// TCP over IPv4.
const TCP4: u8 = 0x11;
/// TCP over IPv6.
const TCP6: u8 = 0x21;
/// The longest list of addresses and extensions that is read, in bytes. The relay sends 36 at most.
const LONGEST: usize = 536;

/// A connection that is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// The address of the client.
    pub client: SocketAddr,
    /// The port that it has connected to.
    pub port: u16,
}

/// Returns the header for a connection of `client` to `server`.
pub fn header(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.push(PROXIED);
    match (client.ip().to_canonical(), server.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.extend([TCP4, 0, 12]);
            header.extend(from.octets());
            header.extend(to.octets());
        }
        (from, to) => {
            header.extend([TCP6, 0, 36]);
            header.extend(mapped(from).octets());
            header.extend(mapped(to).octets());
        }
    }
    header.extend(client.port().to_be_bytes());
    header.extend(server.port().to_be_bytes());
    header
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Reads a header, and nothing behind it. Returns whose connection it is; `None` if it is the sender's own.
///
/// # Errors
/// The connection ends or begins with something else.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Proxied>> {
    let other = || io::Error::new(io::ErrorKind::InvalidData, "the connection does not begin with a PROXY header");
    let mut start = [0; 16];
    stream.read_exact(&mut start).await?;
    let [signature @ .., command, family, high, low] = start;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if signature != SIGNATURE || length > LONGEST {
        return Err(other());
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match (command, family) {
        (OWN, _) => Ok(None),
        (PROXIED, TCP4) => {
            let Some([a, b, c, d, _, _, _, _, ports @ ..]) = rest.first_chunk::<12>() else { return Err(other()) };
            Ok(Some(proxied(Ipv4Addr::new(*a, *b, *c, *d).into(), *ports)))
        }
        (PROXIED, TCP6) => {
            let (Some(address), Some(ports)) =
                (rest.first_chunk::<16>(), rest.get(32..36).and_then(<[u8]>::first_chunk))
            else {
                return Err(other());
            };
            Ok(Some(proxied(Ipv6Addr::from(*address).to_canonical(), *ports)))
        }
        _ => Err(other()),
    }
}

/// Returns the connection of this address, with the ports at both ends.
fn proxied(address: IpAddr, [high, low, to_high, to_low]: [u8; 4]) -> Proxied {
    let client = SocketAddr::new(address, u16::from_be_bytes([high, low]));
    Proxied { client, port: u16::from_be_bytes([to_high, to_low]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(bytes: &[u8]) -> (io::Result<Option<Proxied>>, Vec<u8>) {
        let mut rest = bytes;
        (read(&mut rest).await, rest.to_vec())
    }

    #[tokio::test]
    async fn client_and_port_arrive_and_what_follows_is_left() {
        for (client, server) in [
            ("192.0.2.7:50000", "198.51.100.1:443"),
            ("[2001:db8::7]:50000", "[2001:db8::1]:443"),
            ("[2001:db8::7]:1", "192.0.2.1:443"),
            ("192.0.2.7:65535", "[2001:db8::1]:8080"),
        ] {
            let (client, server): (SocketAddr, SocketAddr) = (client.parse().unwrap(), server.parse().unwrap());
            let mut bytes = header(client, server);
            bytes.extend(b"GET /ws");
            let (found, rest) = read_all(&bytes).await;
            let expected = Proxied { client, port: server.port() };
            assert_eq!((found.unwrap(), rest.as_slice()), (Some(expected), &b"GET /ws"[..]));
        }
    }

    #[tokio::test]
    async fn header_is_the_one_of_the_specification() {
        let header = header("192.0.2.7:80".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
        let expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\0\x50\x01\xbb";
        assert_eq!(header, expected);
    }

    #[tokio::test]
    async fn connection_of_the_sender_has_no_other_address() {
        let own = [&SIGNATURE[..], &[OWN, 0, 0, 0]].concat();
        assert_eq!(read_all(&own).await.0.unwrap(), None);
    }

    #[tokio::test]
    async fn anything_else_is_an_error() {
        let valid = header("192.0.2.7:80".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
        let changed = |index: usize, value: u8| {
            let mut bytes = valid.clone();
            bytes[index] = value;
            bytes
        };
        for bytes in [
            b"GET /ws HTTP/1.1\r\nHost: a.example\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 80 443\r\n".to_vec(),
            changed(0, 0),
            changed(12, 0x11),
            changed(13, 0x12),
            changed(14, 0xff),
            changed(15, 4),
            valid[..20].to_vec(),
            Vec::new(),
        ] {
            assert!(read_all(&bytes).await.0.is_err(), "{bytes:?}");
        }
    }
}
