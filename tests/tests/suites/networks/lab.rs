//! The lab: an internet with the product in it, routers of every kind, and places behind them.
//!
//! ```text
//! person ── router ──┐
//!                    ├── internet ── server (`peersync-deploy local`)
//! person ── router ──┘
//! ```
//!
//! The addresses are those for documentation (RFC 5737, RFC 3849), so that a leak would be noticed.

use std::cell::Cell;

use super::line::Line;
use super::namespace::{Namespace, cable};

/// The address of the server.
pub const SERVER: &str = "203.0.113.10";
/// The port of the pages on it.
pub const PAGES: u16 = 8443;
/// The IPv6 address of the server.
pub const SERVER_V6: &str = "2001:db8:0:1::10";

/// The lab of one test.
#[derive(Debug)]
pub struct Lab {
    /// Where the product runs.
    pub server: Namespace,
    internet: Namespace,
    routers: Cell<u8>,
}

/// What a router does to connections from its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// Keeps the port of a socket if it can, whomever the socket talks to: most routers at home.
    KeepsPorts,
    /// Takes another random port for each address that a socket talks to: many offices and mobile networks.
    Symmetric,
}

/// What a router lets out of its network. The answers come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LetsOut {
    /// Everything.
    #[default]
    All,
    /// No UDP.
    NoUdp,
    /// TCP to port 443 and to the port of the pages, which in AWS is 443 as well, at another address.
    Only443,
}

/// What stands between a router and the internet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Uplink {
    /// A cable that carries packets of this size.
    Cable { mtu: u16 },
    /// A line that delays each packet, in milliseconds, and loses a share of them, in both directions.
    Line { delay: u16, loss: f64 },
}

impl Lab {
    /// Creates an internet with a server. Returns nothing on a computer where tests may not do that.
    pub fn open() -> Option<Self> {
        if !is_root() {
            assert!(std::env::var_os("CI").is_none(), "the network lab needs root");
            eprintln!("skipped: network namespaces need root");
            return None;
        }
        let (internet, server) = (Namespace::new("internet"), Namespace::new("server"));
        forward(&internet);
        cable((&internet, "server"), (&server, "eth0"));
        internet.ip("addr add 203.0.113.1/24 dev server");
        internet.ip("addr add 2001:db8:0:1::1/64 dev server");
        server.ip(&format!("addr add {SERVER}/24 dev eth0"));
        server.ip(&format!("addr add {SERVER_V6}/64 dev eth0"));
        server.ip("route add default via 203.0.113.1");
        server.ip("-6 route add default via 2001:db8:0:1::1");
        Some(Self { server, internet, routers: Cell::new(0) })
    }

    /// Adds a router that lets out everything, by a usual cable.
    pub fn router(&self, nat: Nat) -> Router {
        self.special_router(nat, LetsOut::All, Uplink::Cable { mtu: 1500 })
    }

    /// Adds a router.
    pub fn special_router(&self, nat: Nat, lets_out: LetsOut, uplink: Uplink) -> Router {
        let number = self.routers.get() + 1;
        self.routers.set(number);
        let router = Namespace::new(&format!("router{number}"));
        forward(&router);
        let end = format!("router{number}");
        let line = self.connect(&router, &end, uplink);
        let (inner, outer) = (4 * number + 2, 4 * number + 1);
        self.internet.ip(&format!("addr add 198.51.100.{outer}/30 dev {end}"));
        self.internet.ip(&format!("addr add 2001:db8:1:{number}::1/64 dev {end}"));
        router.ip(&format!("addr add 198.51.100.{inner}/30 dev {end}"));
        router.ip(&format!("addr add 2001:db8:1:{number}::2/64 dev {end}"));
        router.ip(&format!("route add default via 198.51.100.{outer}"));
        router.ip(&format!("-6 route add default via 2001:db8:1:{number}::1"));
        self.internet.ip(&format!("-6 route add 2001:db8:2:{number}::/64 via 2001:db8:1:{number}::2"));
        router.ip("link add lan type bridge");
        router.ip("link set lan up");
        router.ip(&format!("addr add 192.168.{number}.1/24 dev lan"));
        router.ip(&format!("addr add 2001:db8:2:{number}::1/64 dev lan"));
        router.nft(&rules(&end, nat, lets_out));
        Router { namespace: router, number, ports: Cell::new(0), _line: line }
    }

    fn connect(&self, router: &Namespace, end: &str, uplink: Uplink) -> Option<Line> {
        match uplink {
            Uplink::Cable { mtu } => {
                cable((&self.internet, end), (router, end));
                self.internet.ip(&format!("link set {end} mtu {mtu}"));
                router.ip(&format!("link set {end} mtu {mtu}"));
                None
            }
            Uplink::Line { delay, loss } => Some(Line::between(&self.internet, router, end, delay, loss)),
        }
    }
}

/// A router with a network behind it.
#[derive(Debug)]
pub struct Router {
    namespace: Namespace,
    number: u8,
    ports: Cell<u8>,
    _line: Option<Line>,
}

/// The protocols that a computer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// Both.
    Both,
}

impl Router {
    /// Creates a computer in its network.
    pub fn computer(&self, speaks: Speaks) -> Namespace {
        let computer = Namespace::new("person");
        self.plug(&computer, "eth0", speaks);
        computer
    }

    /// Connects a computer with its network, by a device of the computer.
    pub fn plug(&self, computer: &Namespace, device: &str, speaks: Speaks) {
        let number = self.number;
        let port = self.ports.get() + 1;
        self.ports.set(port);
        let host = 9 + port;
        cable((&self.namespace, &format!("port{port}")), (computer, device));
        self.namespace.ip(&format!("link set port{port} master lan"));
        if speaks != Speaks::V6 {
            computer.ip(&format!("addr add 192.168.{number}.{host}/24 dev {device}"));
            computer.ip(&format!("route replace default via 192.168.{number}.1"));
        }
        if speaks != Speaks::V4 {
            computer.ip(&format!("addr add 2001:db8:2:{number}::{host}/64 dev {device}"));
            computer.ip(&format!("-6 route replace default via 2001:db8:2:{number}::1"));
        }
    }
}

fn forward(namespace: &Namespace) {
    namespace.sysctl("net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
}

/// Returns the rules of a router. It drops what comes in unasked: if it answered, its kernel would remember the connection,
/// and give the socket that is about to talk to the same address another port.
fn rules(outside: &str, nat: Nat, lets_out: LetsOut) -> String {
    let ports = match nat {
        Nat::KeepsPorts => "",
        Nat::Symmetric => "random,fully-random",
    };
    let refused = match lets_out {
        LetsOut::All => String::new(),
        LetsOut::NoUdp => "iifname \"lan\" meta l4proto udp drop".to_owned(),
        LetsOut::Only443 => {
            format!(
                "iifname \"lan\" tcp dport != {{ 443, {} }} drop\n    iifname \"lan\" meta l4proto != tcp drop",
                PAGES
            )
        }
    };
    format!(
        "table inet router {{
  chain translated {{
    type nat hook postrouting priority srcnat;
    oifname \"{outside}\" meta nfproto ipv4 masquerade {ports}
  }}
  chain inbound {{
    type filter hook input priority filter;
    iifname \"{outside}\" meta l4proto != icmpv6 ct state new drop
  }}
  chain forwarded {{
    type filter hook forward priority filter;
    iifname \"{outside}\" ct state new drop
    {refused}
  }}
}}
"
    )
}

/// Whether this process may create namespaces.
fn is_root() -> bool {
    std::process::Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
