//! The files of the relay on the host: its environment and its unit.

use std::collections::BTreeMap;

use serde_json::Value;

use super::files::{environment_file, file};
use crate::kinds::elastic_ip;
use crate::stack::{EDGE_PORT, Stack};
use peersync_config::Ingress;
use peersync_engine::Outputs;

/// The file with the variables of the relay.
pub(super) const ENVIRONMENT: &str = "/etc/peersync/relay.env";
/// The variable with the domain of the host's certificate.
pub(super) const DOMAIN: &str = "RELAY_DOMAIN";

pub(super) const UNIT: &str = include_str!("host/peersync-relay.service");
pub(super) const LOW_PORT: &str = include_str!("host/relay-low-port.conf");

/// Where the signaling server listens if the relay has the port that CloudFront connects to: on every host with a certificate.
pub(super) const BEHIND_EDGE: &str = "127.0.0.1:8081";

/// The variables of the signaling server that the relay needs too.
const SHARED: [&str; 5] = ["PEERSYNC_STACK", "PEERSYNC_STAGE", "SITE_URL", "EPHEMERAL_TABLE", "PARAMETER_PREFIX"];

/// Returns the files; `None` until the address of the host is known. `environment` is that of the signaling server.
pub(super) fn files(stack: &Stack, outputs: &Outputs, environment: &BTreeMap<String, String>) -> Option<Vec<Value>> {
    let mut own: BTreeMap<String, String> = environment.clone();
    own.retain(|name, _| SHARED.contains(&name.as_str()));
    let relay = stack.relay();
    let relayed = relay.as_ref().map(|relay| {
        // Browsers tell this address to each other. A new host has it only once it has taken over, so it cannot ask for it.
        Some([
            ("RELAY_ADDRESS", outputs.get(&elastic_ip::address(), "ip")?.to_owned()),
            ("RELAY_UDP_PORTS", list(relay.udp)),
            ("RELAY_TCP_PORTS", list(relay.tcp)),
            ("RELAY_TLS_PORTS", list(relay.tls)),
            ("RELAY_MONTHLY_GB", stack.config.turn.monthly_gb.to_string()),
        ])
    });
    let relayed = match relayed {
        Some(variables) => variables?.to_vec(),
        None => Vec::new(),
    };
    let named = of_certificate(stack).into_iter().filter_map(|(name, value)| Some((name, value?)));
    own.extend(relayed.into_iter().chain(named).map(|(name, value)| (name.to_owned(), value)));
    own.retain(|_, value| !value.is_empty());
    let mut files = vec![
        file(ENVIRONMENT, "0600", &environment_file(&own)),
        file("/etc/systemd/system/peersync-relay.service", "0644", UNIT),
    ];
    if stack.config.signaling.has_certificate() || relay.is_some_and(|relay| relay.has_low_port()) {
        files.push(file("/etc/systemd/system/peersync-relay.service.d/low-port.conf", "0644", LOW_PORT));
    }
    Some(files)
}

/// Returns the variables of a host that has a certificate.
fn of_certificate(stack: &Stack) -> Vec<(&'static str, Option<String>)> {
    let signaling = &stack.config.signaling;
    let Some(domain) = signaling.certified_domain() else { return Vec::new() };
    vec![
        (DOMAIN, Some(domain.to_owned())),
        ("RELAY_ACME_EMAIL", signaling.acme_email.clone()),
        ("RELAY_EDGE_PORT", Some(EDGE_PORT.to_string())),
        ("RELAY_DIRECT", (signaling.ingress == Ingress::Direct).then(|| "true".to_owned())),
        ("RELAY_SIGNAL", Some(BEHIND_EDGE.to_owned())),
    ]
}

/// Returns ports as a list in an environment variable.
fn list(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}
