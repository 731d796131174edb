//! The relay of calls that cannot go directly, in this process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use peersync_relay::{Limits, Listeners, Relay, Running, Settings, StackAuthority, bind};
use peersync_server::clock::Clock;
use peersync_server::secrets::LiveSecrets;

use super::LocalError;
use super::announce::network_address;
use super::options::Options;
use super::programs::has_relay;

/// The port of TURN (RFC 8656, section 18.6). If it is taken, the system chooses another one.
pub const RELAY_PORT: u16 = 3478;
/// The relayed address of clients that reach this computer by IPv6 alone: the dummy address of RFC 7600. It only has to
/// be one that nobody else has, since nothing is ever sent to it.
const DUMMY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

/// The sockets of the relay, before it serves.
pub struct Sockets {
    listeners: Listeners,
    /// The address of which allocations get ports.
    address: Ipv4Addr,
    /// What browsers are told: the URLs of the TURN servers.
    pub urls: Vec<String>,
    /// What people are told.
    pub place: String,
}

/// Opens the relay's sockets, unless the configuration chooses another provider.
///
/// # Errors
/// A port that was asked for cannot be used.
pub fn listen(options: &Options) -> Result<Option<Sockets>, LocalError> {
    if !has_relay(&options.config) {
        return Ok(None);
    }
    let host = options.relay_host.unwrap_or(options.host);
    let listeners = match options.relay_ports.as_slice() {
        [] => open(host, &[RELAY_PORT]).or_else(|_| open(host, &[0])),
        ports => open(host, ports),
    };
    let listeners = listeners.map_err(|error| LocalError::part("the relay", error))?;
    let failed = |error| LocalError::part("the relay", error);
    let (udp, tcp) = (listeners.udp_addresses().map_err(failed)?, listeners.tcp_addresses().map_err(failed)?);
    let reached = reached(host);
    let urls = urls(reached, &udp, &tcp);
    let ports: Vec<String> = tcp.iter().map(|address| address.port().to_string()).collect();
    let place = format!("in this process, UDP and TCP {reached} port {}", ports.join(" and "));
    let address = if let IpAddr::V4(address) = reached { address } else { DUMMY };
    Ok(Some(Sockets { listeners, address, urls, place }))
}

/// Opens the first port for UDP, and all for TCP. With port 0 both get the same free one.
fn open(host: IpAddr, ports: &[u16]) -> std::io::Result<Listeners> {
    let addresses: Vec<SocketAddr> = ports.iter().map(|port| SocketAddr::new(host, *port)).collect();
    let first = addresses.get(..1).unwrap_or_default();
    if ports != [0] {
        return bind(first, &addresses, &[]);
    }
    // A port that is free for TCP may be taken for UDP. Another attempt gets another one.
    (0..ATTEMPTS)
        .map(|_| {
            let free = std::net::TcpListener::bind(SocketAddr::new(host, 0))?.local_addr()?;
            bind(&[free], &[free], &[])
        })
        .find(Result::is_ok)
        .unwrap_or_else(|| bind(first, &addresses, &[]))
}

/// The number of attempts to find a port that is free for both protocols.
const ATTEMPTS: u32 = 10;

/// Returns the address at which others reach this one.
fn reached(host: IpAddr) -> IpAddr {
    if host.is_unspecified() { network_address().unwrap_or(Ipv4Addr::LOCALHOST.into()) } else { host }
}

fn urls(host: IpAddr, udp: &[SocketAddr], tcp: &[SocketAddr]) -> Vec<String> {
    let url = |protocol: &str, address: &SocketAddr| {
        format!("turn:{}?transport={protocol}", SocketAddr::new(host, address.port()))
    };
    udp.iter().map(|address| url("udp", address)).chain(tcp.iter().map(|address| url("tcp", address))).collect()
}

/// Serves on the sockets, until the result is dropped.
///
/// # Errors
/// None without TLS; see [`peersync_relay::serve`].
pub fn serve(sockets: Sockets, secrets: Arc<LiveSecrets>) -> Result<Running<StackAuthority>, LocalError> {
    let settings = Settings { realm: "local".to_owned(), address: sockets.address, limits: Limits::default() };
    let relay = Relay::new(settings, StackAuthority::new(secrets, Clock::default()), Instant::now());
    peersync_relay::serve(relay, sockets.listeners, None).map_err(|error| LocalError::part("the relay", error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn urls_name_the_address_that_others_reach_and_the_ports_that_were_opened() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let urls =
            urls("fd00::1".parse().unwrap(), &[address("[::]:3478")], &[address("[::]:3478"), address("[::]:443")]);
        assert_eq!(
            urls,
            [
                "turn:[fd00::1]:3478?transport=udp",
                "turn:[fd00::1]:3478?transport=tcp",
                "turn:[fd00::1]:443?transport=tcp"
            ]
        );
    }

    #[tokio::test]
    async fn free_port_is_the_same_for_both_protocols() {
        let listeners = open(Ipv4Addr::LOCALHOST.into(), &[0]).unwrap();
        assert_eq!(listeners.udp_addresses().unwrap(), listeners.tcp_addresses().unwrap());
    }
}
