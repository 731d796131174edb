//! The relay of calls that cannot go directly, in this process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use peersync_relay::{Limits, Listeners, Relay, Running, Settings, StackAuthority, bind};
use peersync_server::clock::Clock;
use peersync_server::secrets::LiveSecrets;

use super::LocalError;
use super::edge::host_text;
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
    /// Its own host, if it is not that of the pages.
    host: Option<IpAddr>,
    udp: Vec<u16>,
    tcp: Vec<u16>,
    /// What people are told.
    pub place: String,
}

impl Sockets {
    /// Returns what browsers are told: the URLs of the TURN servers, on the host of the pages unless the relay has one of
    /// its own.
    pub fn urls(&self, pages: &str) -> Vec<String> {
        let host = self.host.map_or_else(|| pages.to_owned(), host_text);
        let url = |protocol: &str, port: &u16| format!("turn:{host}:{port}?transport={protocol}");
        let udp = self.udp.iter().map(|port| url("udp", port));
        udp.chain(self.tcp.iter().map(|port| url("tcp", port))).collect()
    }
}

/// Opens the relay's sockets, unless the configuration chooses another provider. `network` has the addresses at which
/// others reach this computer.
///
/// # Errors
/// A port that was asked for cannot be used.
pub fn listen(options: &Options, network: &[IpAddr]) -> Result<Option<Sockets>, LocalError> {
    if !has_relay(&options.config) {
        return Ok(None);
    }
    let host = options.relay_host.unwrap_or(options.host);
    let listeners = match options.relay_ports.as_slice() {
        [] => open(host, &[RELAY_PORT]).or_else(|_| open(host, &[0])),
        ports => open(host, ports),
    };
    let failed = |error| LocalError::part("the relay", error);
    let listeners = listeners.map_err(failed)?;
    let (udp, tcp) =
        (ports(&listeners.udp_addresses().map_err(failed)?), ports(&listeners.tcp_addresses().map_err(failed)?));
    let names: Vec<String> = tcp.iter().map(u16::to_string).collect();
    let place = format!("in this process, UDP and TCP port {}", names.join(" and "));
    Ok(Some(Sockets { listeners, address: relayed(host, network), host: options.relay_host, udp, tcp, place }))
}

/// Returns the address of allocations: that of the host, or one of the computer's.
fn relayed(host: IpAddr, network: &[IpAddr]) -> Ipv4Addr {
    let named = Some(host).filter(|host| !host.is_unspecified());
    let addresses = named.iter().chain(network.iter().filter(|_| named.is_none()));
    let mut v4 = addresses.filter_map(|address| if let IpAddr::V4(v4) = address { Some(*v4) } else { None });
    v4.next().unwrap_or(if host.is_unspecified() && network.is_empty() { Ipv4Addr::LOCALHOST } else { DUMMY })
}

fn ports(addresses: &[SocketAddr]) -> Vec<u16> {
    let mut ports: Vec<u16> = addresses.iter().map(SocketAddr::port).collect();
    ports.dedup();
    ports
}

/// Returns the addresses to listen on: an unspecified IPv6 address means both families, as it does for the pages.
fn hosts(host: IpAddr) -> Vec<IpAddr> {
    if host == Ipv6Addr::UNSPECIFIED { vec![host, Ipv4Addr::UNSPECIFIED.into()] } else { vec![host] }
}

/// Opens the first port for UDP, and all for TCP. With port 0 both get the same free one.
fn open(host: IpAddr, ports: &[u16]) -> std::io::Result<Listeners> {
    let on = |ports: &[u16]| -> Vec<SocketAddr> {
        let all = ports.iter().flat_map(|port| hosts(host).into_iter().map(|host| SocketAddr::new(host, *port)));
        all.collect()
    };
    let open = |ports: &[u16]| bind(&on(ports.get(..1).unwrap_or_default()), &on(ports), &[]);
    if ports != [0] {
        return open(ports);
    }
    // A port that is free for TCP may be taken for UDP. Another attempt gets another one.
    (0..ATTEMPTS)
        .map(|_| {
            // Closed again at once.
            let free = std::net::TcpListener::bind(SocketAddr::new(host, 0)).and_then(|found| found.local_addr())?;
            open(&[free.port()])
        })
        .find(Result::is_ok)
        .unwrap_or_else(|| open(ports))
}

/// The number of attempts to find a port that is free for both protocols.
const ATTEMPTS: u32 = 10;

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
    fn allocations_get_ports_of_an_address_of_the_computer() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let network = [address("fd00::2"), address("192.168.1.7")];
        for (host, network, expected) in [
            ("10.0.0.5", &network[..], "10.0.0.5"),
            ("0.0.0.0", &network, "192.168.1.7"),
            ("::", &network, "192.168.1.7"),
            ("0.0.0.0", &[], "127.0.0.1"),
            ("fd00::2", &network, "192.0.0.8"),
            ("::", &network[..1], "192.0.0.8"),
        ] {
            assert_eq!(relayed(address(host), network).to_string(), expected, "{host}");
        }
    }

    #[tokio::test]
    async fn urls_are_on_the_host_of_the_pages_unless_the_relay_has_its_own() {
        let sockets = |host| {
            let listeners = Listeners::default();
            let (udp, tcp) = (vec![3478], vec![3478, 443]);
            Sockets { listeners, address: DUMMY, host, udp, tcp, place: String::new() }
        };
        let urls = |host: &str| {
            ["3478?transport=udp", "3478?transport=tcp", "443?transport=tcp"].map(|end| format!("turn:{host}:{end}"))
        };
        assert_eq!(sockets(None).urls("localhost"), urls("localhost"));
        assert_eq!(sockets(Some("fd00::1".parse().unwrap())).urls("localhost"), urls("[fd00::1]"));
    }

    #[tokio::test]
    async fn free_port_is_the_same_for_both_protocols() {
        let listeners = open(Ipv4Addr::LOCALHOST.into(), &[0]).unwrap();
        assert_eq!(listeners.udp_addresses().unwrap(), listeners.tcp_addresses().unwrap());
    }
}
