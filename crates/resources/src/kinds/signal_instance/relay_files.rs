//! The files of the relay on the host: its environment, its unit, and how it gets the certificate of the host.

use std::collections::BTreeMap;

use serde_json::Value;

use super::files::{environment_file, file, plain};
use crate::kinds::elastic_ip;
use crate::relay::Relay;
use crate::stack::Stack;
use peersync_engine::Outputs;

pub(super) const UNIT: &str = include_str!("host/peersync-relay.service");
pub(super) const LOW_PORT: &str = include_str!("host/relay-low-port.conf");
pub(super) const TLS: &str = include_str!("host/relay-tls.conf");
pub(super) const CERTIFICATE: &str = include_str!("host/relay-certificate.sh");
pub(super) const CERTIFICATE_UNIT: &str = include_str!("host/peersync-certificate.service");
pub(super) const CERTIFICATE_TIMER: &str = include_str!("host/peersync-certificate.timer");

/// The variables of the signaling server that the relay needs too.
const SHARED: [&str; 5] = ["PEERSYNC_STACK", "PEERSYNC_STAGE", "SITE_URL", "EPHEMERAL_TABLE", "PARAMETER_PREFIX"];

/// Returns the files; `None` until the address of the host is known. `environment` is that of the signaling server.
pub(super) fn files(
    stack: &Stack,
    relay: &Relay,
    outputs: &Outputs,
    environment: &BTreeMap<String, String>,
) -> Option<Vec<Value>> {
    let mut own: BTreeMap<String, String> = environment.clone();
    own.retain(|name, _| SHARED.contains(&name.as_str()));
    // Browsers tell this address to each other. A new host has it only once it has taken over, so it cannot ask for it.
    let address = outputs.get(&elastic_ip::address(), "ip")?;
    let variables = [
        ("RELAY_ADDRESS", address.to_owned()),
        ("RELAY_UDP_PORTS", list(relay.udp)),
        ("RELAY_TCP_PORTS", list(relay.tcp)),
        ("RELAY_MONTHLY_GB", stack.config.turn.monthly_gb.to_string()),
    ];
    own.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    let mut files = vec![
        file("/etc/peersync/relay.env", "0600", &environment_file(&own)),
        file("/etc/systemd/system/peersync-relay.service", "0644", UNIT),
    ];
    if relay.has_low_port() {
        files.push(file("/etc/systemd/system/peersync-relay.service.d/low-port.conf", "0644", LOW_PORT));
    }
    if !relay.tls.is_empty() {
        let domain = plain(stack.config.signaling.domain.as_deref().unwrap_or_default());
        let unit = CERTIFICATE_UNIT.replace("DOMAIN", &domain);
        files.extend([
            file("/etc/peersync/relay-tls.conf", "0644", TLS),
            file("/usr/local/lib/peersync/relay-certificate", "0755", CERTIFICATE),
            file("/etc/systemd/system/peersync-certificate.service", "0644", &unit),
            file("/etc/systemd/system/peersync-certificate.timer", "0644", CERTIFICATE_TIMER),
        ]);
    }
    Some(files)
}

/// Returns ports as a list in an environment variable.
fn list(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}
