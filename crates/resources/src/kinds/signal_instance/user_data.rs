//! The user data of the host, as cloud-config: files, and the script that downloads the programs at the first boot.
//!
//! It contains no secrets, because everybody who may describe the instance can read it. The programs read their secrets
//! themselves, and again while they run. Nor does it contain what only the functions need, such as the settings of mail:
//! each change of it replaces the host.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::files::{environment_file, file};
use super::{relay_files, update_files};
use crate::kinds::s3_program;
use crate::stack::{EDGE_PORT, Stack};
use peersync_config::Ingress;
use peersync_engine::Outputs;

pub(super) const UNIT: &str = include_str!("host/peersync-signal.service");
pub(super) const CLOUDFLARED_UNIT: &str = include_str!("host/cloudflared.service");
pub(super) const TUNNEL_PATH_UNIT: &str = include_str!("host/peersync-tunnel.path");
pub(super) const TUNNEL: &str = include_str!("host/tunnel.sh");
pub(super) const TUNNEL_UNIT: &str = include_str!("host/peersync-tunnel.service");
pub(super) const INSTALL: &str = include_str!("host/install.sh");
pub(super) const INSTALL_UNIT: &str = include_str!("host/peersync-install.service");
pub(super) const SWAP_FILE_UNIT: &str = include_str!("host/peersync-swap.service");
pub(super) const SWAP_UNIT: &str = include_str!("host/var-lib-swap-peersync.swap");
const LOGROTATE: &str = include_str!("host/logrotate");
/// The file with the variables of the signaling server.
pub(super) const SIGNAL_ENVIRONMENT: &str = "/etc/peersync/signal.env";
/// The file with the variables of the installation.
pub(super) const INSTALL_ENVIRONMENT: &str = "/etc/peersync/install.env";
/// The first line, by which the host recognises cloud-config.
const HEADING: &str = "#cloud-config\n";

/// Returns user data as it is compared: each file by its path, and the commands. Text that has another form is returned
/// as it is.
pub(super) fn parts(text: &str) -> Value {
    let parsed = text.strip_prefix(HEADING).and_then(|config| serde_json::from_str::<Value>(config).ok());
    let Some(mut config) = parsed else { return Value::from(text) };
    let mut files = config.get_mut("write_files").map(Value::take).unwrap_or_default();
    let Some(parts) = config.as_object_mut() else { return Value::from(text) };
    parts.remove("write_files");
    for file in files.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let path = file.remove("path").and_then(|path| path.as_str().map(str::to_owned));
        parts.insert(path.unwrap_or_default(), Value::Object(std::mem::take(file)));
    }
    Value::Object(std::mem::take(parts))
}

/// What cloud-init runs at the first boot: the installation, for which it does not wait. At later boots, systemd runs it.
const COMMANDS: [&[&str]; 2] =
    [&["systemctl", "daemon-reload"], &["systemctl", "enable", "--now", "--no-block", "peersync-install.service"]];

/// The file into which the program writes the token of the tunnel. It is below the program's state directory.
pub(super) const TUNNEL_FILE: &str = "/var/lib/peersync/tunnel.env";

/// Where `cloudflared` tells whether it is connected, and the address of its quick tunnel. The unit and the installation
/// name it too.
pub(super) const TUNNEL_METRICS: &str = "127.0.0.1:20241";

/// Builds the user data; `None` until the URL of the pages and, for the relay, the address of the host are known.
pub(super) fn build(stack: &Stack, outputs: &Outputs) -> Option<String> {
    let ingress = stack.config.signaling.ingress;
    let mut environment = stack.runtime_environment(outputs)?;
    let runs_relay = stack.runs_relay();
    let relay_files = if runs_relay { relay_files::files(stack, outputs, &environment)? } else { Vec::new() };
    // Where something on the host is in front of the program, nobody else must be able to reach it. Named tunnels lead to
    // port 8081, by the settings of their owners.
    let (listen, entrance) = match ingress {
        Ingress::Cloudfront if stack.config.signaling.has_certificate() => (relay_files::BEHIND_EDGE, "relayed-edge"),
        Ingress::Cloudfront => ("0.0.0.0:8080", "edge"),
        Ingress::Direct => (relay_files::BEHIND_EDGE, "relay"),
        Ingress::Cloudflare => ("127.0.0.1:8081", "tunnel"),
    };
    let front = [("LISTEN", listen), ("ENTRANCE", entrance)];
    environment.extend(front.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if ingress == Ingress::Direct {
        // Whoever is told that the edge leads to the stack's address gets in until nobody is any more.
        environment.insert("EDGE_PORT".to_owned(), EDGE_PORT.to_string());
    }
    if ingress == Ingress::Cloudflare {
        environment.insert("TUNNEL_FILE".to_owned(), TUNNEL_FILE.to_owned());
    }
    if stack.config.has_quick_tunnel() {
        environment.insert("TUNNEL_METRICS".to_owned(), TUNNEL_METRICS.to_owned());
    }
    let mut files = vec![
        file(SIGNAL_ENVIRONMENT, "0600", &environment_file(&environment)),
        file("/etc/peersync/logs.json", "0644", &log_agent(stack)),
        file("/etc/logrotate.d/peersync", "0644", LOGROTATE),
        file("/etc/systemd/system/peersync-signal.service", "0644", UNIT),
        file("/etc/systemd/system/peersync-install.service", "0644", INSTALL_UNIT),
        file("/usr/local/lib/peersync/install", "0755", INSTALL),
        file("/etc/systemd/system/peersync-swap.service", "0644", SWAP_FILE_UNIT),
        file("/etc/systemd/system/var-lib-swap-peersync.swap", "0644", SWAP_UNIT),
    ];
    if ingress == Ingress::Cloudflare {
        files.push(file("/etc/systemd/system/cloudflared.service", "0644", CLOUDFLARED_UNIT));
        files.push(file("/etc/systemd/system/peersync-tunnel.path", "0644", TUNNEL_PATH_UNIT));
        files.push(file("/etc/systemd/system/peersync-tunnel.service", "0644", TUNNEL_UNIT));
        files.push(file("/usr/local/lib/peersync/tunnel", "0755", TUNNEL));
    }
    files.extend(relay_files);
    files.extend(update_files::files(&stack.clients.region));
    files.push(file(INSTALL_ENVIRONMENT, "0644", &environment_file(&install_environment(stack))));
    let config = json!({ "write_files": files, "runcmd": COMMANDS });
    // JSON is valid YAML, and its quoting keeps values from being read as YAML syntax.
    Some(format!("{HEADING}{}\n", serde_json::to_string_pretty(&config).unwrap_or_default()))
}

/// Returns the variables of the installation.
fn install_environment(stack: &Stack) -> BTreeMap<String, String> {
    let ingress = match stack.config.signaling.ingress {
        Ingress::Cloudfront => "cloudfront",
        Ingress::Cloudflare => "cloudflare",
        Ingress::Direct => "direct",
    };
    let bucket = stack.bucket();
    let key = |program: &str| s3_program::key(program, stack.config.signaling.architecture());
    let variables = [
        ("REGION", stack.clients.region.as_str()),
        ("BUCKET", &bucket),
        ("INGRESS", ingress),
        ("SIGNAL_KEY", key(s3_program::SIGNAL)),
        ("SIGNAL_SHA256", stack.signal_program().elf_sha256),
    ];
    let relay = [("RELAY_KEY", key(s3_program::RELAY)), ("RELAY_SHA256", stack.relay_program().elf_sha256)];
    let relay = relay.into_iter().filter(|_| stack.runs_relay());
    let own = variables.into_iter().chain(relay).map(|(name, value)| (name.to_owned(), value.to_owned()));
    // With a named tunnel, another host may answer there.
    let domain = stack.config.signaling.domain.as_ref().filter(|_| ingress == "cloudflare");
    own.chain(domain.map(|domain| ("HEALTH_URL".to_owned(), format!("https://{domain}/healthz")))).collect()
}

/// Returns the configuration of the log agent: each program has a stream of the same log group. The agent may write to
/// the log group but not create it.
fn log_agent(stack: &Stack) -> String {
    let file = |program: &str, stream: &str| {
        json!({
            "file_path": format!("/var/log/peersync-{program}.log"),
            "log_group_name": stack.log_group("signal"),
            "log_stream_name": stream,
        })
    };
    let relay = stack.runs_relay().then(|| file("relay", "{instance_id}-relay"));
    let is_tunnelled = stack.config.signaling.ingress == Ingress::Cloudflare;
    let tunnel = is_tunnelled.then(|| file("tunnel", "{instance_id}-tunnel"));
    let always = [file("install", "{instance_id}-install"), file("signal", "{instance_id}")];
    let files: Vec<Value> = always.into_iter().chain(relay).chain(tunnel).collect();
    json!({
        "agent": { "run_as_user": "root" },
        "logs": { "logs_collected": { "files": { "collect_list": files } } },
    })
    .to_string()
}
