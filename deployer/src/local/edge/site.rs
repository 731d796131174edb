//! Under which of this computer's addresses a request reached the pages.
//!
//! A connection says so itself: it arrives at an address, and only that one may be in the `Host` header. So nothing has to
//! be listed, an address that the computer gets while it runs works at once, and a foreign name that somebody has pointed
//! here is never taken for ours.

use std::net::{IpAddr, SocketAddr};

use axum::http::uri::Authority;
use peersync_server::site::Site;

/// Marks a request that comes from this computer itself. An extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct FromThisComputer;

/// Returns the site of a request with this `Host` header, on a connection that arrived at `local`; `None` if the header
/// names anything else.
pub fn site(host: &str, local: SocketAddr, https: bool) -> Option<Site> {
    let authority: Authority = host.parse().ok().filter(|_| !host.contains('@'))?;
    let (scheme, usual) = if https { ("https", 443) } else { ("http", 80) };
    if authority.port_u16().unwrap_or(usual) != local.port() {
        return None;
    }
    let local_ip = local.ip().to_canonical();
    let name = authority.host().to_ascii_lowercase();
    let address: Option<IpAddr> = name.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let name = match address {
        Some(address) if address == local_ip => host_text(address),
        None if local_ip.is_loopback() && is_localhost(&name) => name,
        _ => return None,
    };
    // Browsers leave the usual port out of an origin.
    let port = if local.port() == usual { String::new() } else { format!(":{}", local.port()) };
    Some(Site::new(format!("{scheme}://{name}{port}")))
}

/// Returns whether browsers resolve the name to this computer, whatever DNS says (RFC 6761).
pub fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Returns an address as it is written in a URL.
pub fn host_text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use super::*;

    fn of(host: &str, local: &str, https: bool) -> Option<String> {
        site(host, local.parse().unwrap(), https).map(|site| site.origin().to_owned())
    }

    #[test]
    fn host_must_name_the_address_of_the_connection() {
        for (host, local, https, origin) in [
            ("192.168.1.7:8080", "192.168.1.7:8080", false, "http://192.168.1.7:8080"),
            ("10.0.0.5:8080", "10.0.0.5:8080", true, "https://10.0.0.5:8080"),
            ("192.168.1.7", "192.168.1.7:443", true, "https://192.168.1.7"),
            ("192.168.1.7:80", "192.168.1.7:80", false, "http://192.168.1.7"),
            ("[fd00:0::2]:8080", "[fd00::2]:8080", true, "https://[fd00::2]:8080"),
            ("192.168.1.7:8080", "[::ffff:192.168.1.7]:8080", false, "http://192.168.1.7:8080"),
            ("LocalHost:8080", "127.0.0.1:8080", false, "http://localhost:8080"),
            ("peersync.localhost:8080", "[::1]:8080", false, "http://peersync.localhost:8080"),
            ("127.0.0.2:8080", "127.0.0.2:8080", false, "http://127.0.0.2:8080"),
        ] {
            assert_eq!(of(host, local, https).as_deref(), Some(origin), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_foreign() {
        for (host, local) in [
            ("evil.example:8080", "192.168.1.7:8080"),
            ("192.168.1.8:8080", "192.168.1.7:8080"),
            ("192.168.1.7:8081", "192.168.1.7:8080"),
            ("192.168.1.7", "192.168.1.7:8080"),
            ("localhost:8080", "192.168.1.7:8080"),
            ("evil@192.168.1.7:8080", "192.168.1.7:8080"),
            ("192.168.1.7.evil.example:8080", "192.168.1.7:8080"),
            ("", "127.0.0.1:8080"),
            ("not a host", "127.0.0.1:8080"),
        ] {
            assert_eq!(of(host, local, false), None, "{host}");
        }
    }
}
