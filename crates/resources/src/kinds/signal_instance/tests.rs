//! Checks the host's files with the tools that will read them, if these are installed.

mod pauses;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;

use super::ready::WITHOUT_CERTIFICATE;
use super::{compressed, relay_files, update_files, user_data};
use crate::kinds::ec2::REPORT_TAG;
use crate::kinds::{cloudfront_distribution, elastic_ip};
use crate::stack::Stack;
use peersync_config::{Config, EmailJs, Ingress, MailProvider, Secret, Smtp, SmtpTls, TurnProvider};
use peersync_engine::{OutputMap, Outputs};
use peersync_server::settings::{Entrance, RelaySettings, Settings};

/// EC2's limit for user data in bytes, before base64 encoding. It is compressed, and leaves half of it for later.
const LIMIT: usize = 16_384;

async fn stack(ingress: Ingress) -> Arc<Stack> {
    let mut config = Config { stage: "test".to_owned(), ..Config::default() };
    config.signaling.ingress = ingress;
    config.signaling.domain = (ingress != Ingress::Cloudfront).then(|| "signal.example.org".to_owned());
    config.signaling.acme_email = Some("me@example.org".to_owned());
    config.api.allowed_origins = vec!["https://a.example\" \\\nX: all".to_owned()];
    Stack::for_tests(config).await
}

async fn user_data(ingress: Ingress) -> String {
    built(&*stack(ingress).await)
}

/// That of a host which CloudFront reaches by TLS.
async fn user_data_behind_tls() -> String {
    let mut config = stack(Ingress::Cloudfront).await.config.clone();
    config.signaling.domain = Some("signal.example.org".to_owned());
    built(&*Stack::for_tests(config).await)
}

/// Returns the files of a host with this way in, and what runs them.
pub(super) async fn files(ingress: Ingress, domain: Option<&str>) -> Value {
    let mut config = Config { stage: "test".to_owned(), ..Config::default() };
    (config.signaling.ingress, config.signaling.domain) = (ingress, domain.map(str::to_owned));
    user_data::parts(&built(&*Stack::for_tests(config).await))
}

fn built(stack: &Stack) -> String {
    let mut outputs = Outputs::default();
    let domain = OutputMap::new().with("domain", "d111.cloudfront.net");
    outputs.insert(cloudfront_distribution::address(), domain);
    outputs.insert(elastic_ip::address(), OutputMap::new().with("ip", "192.0.2.1"));
    user_data::build(stack, &outputs).unwrap()
}

#[tokio::test]
async fn user_data_is_compared_file_by_file() {
    let parts = user_data::parts(&user_data(Ingress::Direct).await);
    let environment = &parts["/etc/peersync/relay.env"];
    assert!(environment["content"].as_str().is_some_and(|text| text.contains("RELAY_DOMAIN=")), "{parts:#}");
    assert_eq!(environment["permissions"], "0600");
    assert_eq!(parts["runcmd"][1][4], "peersync-install.service");
    assert!(parts.get("write_files").is_none());
    for other in ["#!/bin/sh\necho", "#cloud-config\n[]", ""] {
        assert_eq!(user_data::parts(other), other, "text of another form is compared as it is");
    }
}

fn content(user_data: &str, path: &str) -> Option<String> {
    let config: Value = serde_json::from_str(user_data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
    let files = config["write_files"].as_array().unwrap().clone();
    files.into_iter().find(|file| file["path"] == path).map(|file| file["content"].as_str().unwrap().to_owned())
}

/// Runs a tool on a file and returns whether it succeeded and its output. Prints a line and returns `None` if the tool
/// is not installed.
fn run(tool: &str, arguments: &[&str], name: &str, text: &str) -> Option<(bool, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    let command = Command::new(tool).args(arguments).arg(&path).stdin(Stdio::null()).output();
    match command {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
        }
        Err(_) => {
            println!("skipped: {tool} is not installed");
            None
        }
    }
}

#[tokio::test]
async fn user_data_is_unknown_until_the_site_url_is_known() {
    let stack = stack(Ingress::Cloudfront).await;
    assert_eq!(user_data::build(&stack, &Outputs::default()), None);
}

#[tokio::test]
async fn cloud_init_accepts_the_user_data_of_every_ingress() {
    for ingress in [Ingress::Cloudfront, Ingress::Cloudflare, Ingress::Direct] {
        let user_data = user_data(ingress).await;
        let length = compressed::compressed(&user_data).len();
        assert!(length < LIMIT / 4 * 3, "{ingress:?}: {length} bytes");
        if let Some((valid, output)) = run("cloud-init", &["schema", "--config-file"], "user-data.yaml", &user_data) {
            assert!(valid, "{ingress:?}: {output}");
        }
    }
}

#[tokio::test]
async fn environment_file_is_complete_and_values_are_escaped() {
    let file = content(&user_data(Ingress::Cloudfront).await, "/etc/peersync/signal.env").unwrap();
    for line in [
        "PEERSYNC_STACK=\"peersync-test\"",
        "SITE_URL=\"https://d111.cloudfront.net\"",
        "API_BASE_URL=\"https://d111.cloudfront.net/api\"",
        "SIGNAL_URL=\"wss://d111.cloudfront.net/ws\"",
        "EPHEMERAL_TABLE=\"peersync-test-Ephemeral\"",
        "PARAMETER_PREFIX=\"/peersync/peersync-test\"",
        "LISTEN=\"0.0.0.0:8080\"",
        "ROOM_CAPACITY=\"4\"",
        r#"ALLOWED_ORIGINS="https://a.example\" \\ X: all""#,
    ] {
        assert!(file.lines().any(|found| found == line), "{line} is missing in\n{file}");
    }
}

#[tokio::test]
async fn settings_of_mail_and_of_another_relay_do_not_reach_the_host() {
    for ingress in [Ingress::Cloudfront, Ingress::Cloudflare, Ingress::Direct] {
        let mut without_relay = stack(ingress).await.config.clone();
        without_relay.turn.provider = Some(TurnProvider::None);
        let before = built(&*Stack::for_tests(without_relay).await);
        for provider in [MailProvider::None, MailProvider::Smtp, MailProvider::Emailjs, MailProvider::Ses] {
            let mut config = stack(ingress).await.config.clone();
            let secret = |name: &str| Some(Secret::from_env(name));
            config.mail.provider = provider;
            config.mail.from = Some("Peer <peer@example.org>".to_owned());
            config.mail.smtp = Smtp {
                host: "mail.example.org".to_owned(),
                port: 465,
                tls: SmtpTls::Tls,
                user: Some("me@example.org".to_owned()),
                password: secret("SMTP_PASS"),
            };
            config.mail.emailjs = EmailJs {
                service_id: Some("service".to_owned()),
                template_id: Some("template".to_owned()),
                public_key: Some("public".to_owned()),
                private_key: secret("EMAILJS_PRIVATE_KEY"),
            };
            config.turn.urls = vec!["turn:turn.example.org".to_owned()];
            config.turn.secret = secret("TURN_SECRET");
            config.turn.provider = Some(TurnProvider::Own);
            assert_eq!(built(&*Stack::for_tests(config).await), before, "{ingress:?} {provider:?}");
        }
    }
}

#[tokio::test]
async fn program_behind_a_relay_or_tunnel_listens_on_loopback_only() {
    for (user_data, listen, entrance) in [
        (user_data(Ingress::Cloudfront).await, "0.0.0.0:8080", Entrance::Edge),
        (user_data_behind_tls().await, "127.0.0.1:8081", Entrance::RelayedEdge),
        (user_data(Ingress::Direct).await, "127.0.0.1:8081", Entrance::RelayAndEdge(8080)),
        (user_data(Ingress::Cloudflare).await, "127.0.0.1:8081", Entrance::Tunnel),
    ] {
        let read = Settings::from_variables(variables(&user_data, "/etc/peersync/signal.env")).unwrap();
        assert_eq!((read.listen.to_string().as_str(), read.entrance), (listen, entrance));
    }
    // What is in front leads there.
    let relay = variables(&user_data(Ingress::Direct).await, "/etc/peersync/relay.env");
    let relay = RelaySettings::from_variables(relay).unwrap().tls.unwrap();
    assert_eq!((relay.signal.to_string().as_str(), relay.shared), ("127.0.0.1:8081", 443));
    assert_eq!((relay.edge, relay.direct), (Some(8080), true), "it serves the edge while the way in changes");
    let relay = variables(&user_data_behind_tls().await, "/etc/peersync/relay.env");
    let relay = RelaySettings::from_variables(relay).unwrap().tls.unwrap();
    assert_eq!((relay.signal.to_string().as_str(), relay.shared), ("127.0.0.1:8081", 443));
    assert_eq!((relay.edge, relay.direct), (Some(8080), false), "at 443 nobody reaches it");
    assert_eq!((relay.domain.as_str(), relay.email.as_deref()), ("signal.example.org", Some("me@example.org")));
    assert!(user_data::TUNNEL.contains("--url http://127.0.0.1:8081\n"));
}

/// Returns the variables of an environment file, as systemd reads them.
fn variables(user_data: &str, path: &str) -> impl Fn(&'static str) -> Option<String> + use<> {
    let file = content(user_data, path).unwrap();
    move |name| {
        let line = file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=\""));
        line.map(|value| value.trim_end_matches('"').to_owned())
    }
}

#[tokio::test]
async fn nothing_is_downloaded_from_elsewhere_unless_the_ingress_needs_it() {
    for ingress in [Ingress::Cloudfront, Ingress::Direct] {
        let user_data = user_data(ingress).await;
        assert!(
            !user_data.to_lowercase().contains("caddy") && content(&user_data, "/etc/peersync/Caddyfile").is_none()
        );
        assert!(content(&user_data, "/etc/systemd/system/cloudflared.service").is_none());
    }
    assert_eq!(user_data::INSTALL.matches("https://").count(), 1, "that of cloudflared");
}

/// EC2's documentation, "Tag restrictions".
#[test]
fn installation_reports_only_what_a_tag_may_contain() {
    let script = user_data::INSTALL;
    assert!(script.contains(&format!("report_tag={REPORT_TAG}\n")));
    let reports = script.lines().filter_map(|line| line.trim_start().strip_prefix("persist \"")?.split('"').next());
    let reports: Vec<&str> = reports.collect();
    assert!(reports.len() > 5, "{reports:?}");
    assert!(reports.iter().all(|report| report.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ')), "{reports:?}");
    assert!(
        script.contains("| tr -c 'A-Za-z0-9 ._:/@+-' ' ' | tr -s ' ' | cut -c1-250)\n"),
        "what programs say is filtered"
    );
    assert!(script.contains(&format!("without_certificate=\"{}\"\n", WITHOUT_CERTIFICATE.trim_end())));
}

#[test]
fn scripts_pass_shellcheck() {
    let (packages, tunnel) = (("packages.sh", update_files::PACKAGES), ("tunnel.sh", user_data::TUNNEL));
    for (name, script) in [("install.sh", user_data::INSTALL), packages, ("update.sh", update_files::SCRIPT), tunnel] {
        if let Some((clean, output)) = run("shellcheck", &[], name, script) {
            assert!(clean, "{output}");
        }
    }
}

#[tokio::test]
async fn relay_listens_on_what_the_ingress_leaves_free() {
    let environment = |user_data: &str| content(user_data, "/etc/peersync/relay.env").unwrap();
    let (cloudfront, direct) = (user_data(Ingress::Cloudfront).await, user_data(Ingress::Direct).await);
    for line in [
        "EPHEMERAL_TABLE=\"peersync-test-Ephemeral\"",
        "PARAMETER_PREFIX=\"/peersync/peersync-test\"",
        "PEERSYNC_STACK=\"peersync-test\"",
        "RELAY_ADDRESS=\"192.0.2.1\"",
        "RELAY_MONTHLY_GB=\"100\"",
        "RELAY_TCP_PORTS=\"3478,443\"",
        "RELAY_UDP_PORTS=\"3478\"",
    ] {
        let environment = environment(&cloudfront);
        assert!(environment.lines().any(|found| found == line), "{line} is missing in\n{environment}");
    }
    let low_port = "/etc/systemd/system/peersync-relay.service.d/low-port.conf";
    assert!(content(&cloudfront, low_port).is_some() && content(&direct, low_port).is_some());
    assert!(!environment(&cloudfront).contains("RELAY_DOMAIN"), "CloudFront has the certificate");
    let read = RelaySettings::from_variables(variables(&direct, "/etc/peersync/relay.env")).unwrap();
    let (turn, tls) = (read.turn.unwrap(), read.tls.unwrap());
    assert_eq!((turn.udp, turn.tcp, turn.tls), (vec![3478], vec![3478], vec![5349]));
    let wanted = (tls.domain.as_str(), tls.shared, tls.email.as_deref(), tls.directory);
    assert_eq!(wanted, ("signal.example.org", 443, Some("me@example.org"), None));
}

#[tokio::test]
async fn host_with_a_name_runs_the_relay_for_tls_whoever_relays() {
    let mut config = stack(Ingress::Direct).await.config.clone();
    config.turn.provider = Some(TurnProvider::None);
    let user_data = built(&*Stack::for_tests(config).await);
    let read = RelaySettings::from_variables(variables(&user_data, "/etc/peersync/relay.env")).unwrap();
    assert_eq!(read.turn, None);
    assert_eq!(read.tls.map(|tls| tls.domain).as_deref(), Some("signal.example.org"));
    assert!(content(&user_data, "/etc/systemd/system/peersync-relay.service.d/low-port.conf").is_some());
    assert!(content(&user_data, "/etc/peersync/logs.json").unwrap().contains("{instance_id}-relay"));
    assert!(content(&user_data, "/etc/peersync/install.env").unwrap().contains("RELAY_SHA256="));
}

#[tokio::test]
async fn host_without_relay_has_nothing_of_it() {
    let user_data = user_data(Ingress::Cloudflare).await;
    assert!(content(&user_data, "/etc/peersync/relay.env").is_none());
    assert!(content(&user_data, "/etc/systemd/system/peersync-relay.service").is_none());
    assert!(!content(&user_data, "/etc/peersync/logs.json").unwrap().contains("relay"));
    assert!(!content(&user_data, "/etc/peersync/install.env").unwrap().contains("RELAY"));
}

#[test]
fn units_name_what_the_others_do() {
    let token_file = user_data::TUNNEL_FILE.replace("/var/lib/", "/var/lib/private/");
    assert!(user_data::TUNNEL_PATH_UNIT.contains(&format!("PathChanged={token_file}\n")));
    assert!(user_data::CLOUDFLARED_UNIT.contains(&format!("EnvironmentFile={}\n", user_data::TUNNEL_FILE)));
    assert!(user_data::INSTALL.contains(&format!("test -s {}\n", user_data::TUNNEL_FILE)));
    let metrics = user_data::TUNNEL_METRICS;
    assert!(user_data::TUNNEL.contains(&format!("metrics={metrics}\n")));
    // What stands by is known by the same file in all of them.
    assert!(user_data::CLOUDFLARED_UNIT.contains("RuntimeDirectory=peersync-tunnel\n"));
    assert!(user_data::INSTALL.contains("-e /run/peersync-tunnel/standby "));
    assert!(user_data::TUNNEL.contains("standby=${RUNTIME_DIRECTORY:?}/standby\n"));
    let environment = format!("EnvironmentFile={}\n", user_data::INSTALL_ENVIRONMENT);
    assert!(user_data::CLOUDFLARED_UNIT.contains(&environment), "it has the domain");
    assert!(user_data::TUNNEL.contains("</proc/uptime\n") && !user_data::CLOUDFLARED_UNIT.contains("ProcSubset="));
    // At the end of a host systemd stops first what it has started last: the goodbye reaches clients through the others.
    assert!(user_data::UNIT.contains("\nAfter=network-online.target peersync-relay.service\n"));
    assert!(user_data::CLOUDFLARED_UNIT.contains("\nBefore=peersync-signal.service\n"));
    assert!(update_files::SCRIPT.contains("systemctl stop peersync-signal.service peersync-relay.service\n"));
    assert!(user_data::INSTALL.contains(&format!("http://{metrics}/ready\n")));
    assert!(user_data::INSTALL.contains("enable --now peersync-update.timer\n"));
    assert!(user_data::INSTALL.contains("systemctl start peersync-apply@agent.service "));
    assert!(user_data::INSTALL.contains("systemctl start var-lib-swap-peersync.swap "));
}

/// The units of a host.
fn units() -> Vec<(&'static str, String)> {
    let low_port = relay_files::UNIT.replace("\n[Install]", &format!("{}\n[Install]", relay_files::LOW_PORT));
    vec![
        ("peersync-signal.service", user_data::UNIT.to_owned()),
        ("peersync-relay.service", relay_files::UNIT.to_owned()),
        ("relay-low-port.service", low_port),
        ("cloudflared.service", user_data::CLOUDFLARED_UNIT.to_owned()),
        ("peersync-install.service", user_data::INSTALL_UNIT.to_owned()),
        ("peersync-tunnel.service", user_data::TUNNEL_UNIT.to_owned()),
        ("peersync-swap.service", user_data::SWAP_FILE_UNIT.to_owned()),
        ("peersync-fetch@.service", update_files::FETCH_UNIT.to_owned()),
        ("peersync-apply@.service", update_files::APPLY_UNIT.to_owned()),
        ("peersync-kernel.service", update_files::KERNEL_UNIT.to_owned()),
        ("peersync-update.service", update_files::UNIT.to_owned()),
        ("peersync-tunnel.path", user_data::TUNNEL_PATH_UNIT.to_owned()),
        ("peersync-update.timer", update_files::timer("eu-central-1")),
        ("var-lib-swap-peersync.swap", user_data::SWAP_UNIT.to_owned()),
    ]
}

/// Replaces the programs of a unit, which are not installed here, by one that `systemd-analyze` finds.
fn with_a_program_of_this_computer(unit: &str) -> String {
    let lines = unit.lines().map(|line| if line.starts_with("ExecStart=") { "ExecStart=/bin/true" } else { line });
    lines.fold(String::new(), |unit, line| unit + line + "\n")
}

/// How exposed a unit may be by `systemd-analyze security`, in tenths.
const MOST_EXPOSED: u32 = 20;

#[test]
fn systemd_units_are_valid_and_sandboxed() {
    let folder = tempfile::tempdir().unwrap();
    let units = units();
    for (name, unit) in &units {
        std::fs::write(folder.path().join(name), with_a_program_of_this_computer(unit)).unwrap();
    }
    for (name, _) in &units {
        // A template is checked by one of its instances.
        let path = folder.path().join(name.replace("@.", "@updates."));
        let mut verify = Command::new("systemd-analyze");
        let Ok(output) = verify.args(["verify", "--man=no"]).arg(path).output() else {
            println!("skipped: systemd-analyze is not installed");
            return;
        };
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !text.contains("Unknown"), "{name}: {text}");
        if !name.ends_with(".service") {
            continue;
        }
        let mut security = Command::new("systemd-analyze");
        security.args(["security", "--offline=true", "--no-pager", &format!("--threshold={MOST_EXPOSED}")]);
        let output = security.arg(folder.path().join(name)).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rating = text.lines().last().unwrap_or_default();
        assert!(output.status.success(), "{name} is too exposed: {rating} {output:?}");
    }
}
