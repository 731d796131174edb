//! The signaling host boots: cloud-init reads its user data, systemd runs its units, and both survive what hosts meet.
//!
//! Needs: python, nspawn.

mod machine;
mod tunnel;
mod updates;

use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use peersync_relay::client::{Ask, Asker, is_answer};
use peersync_tests::clients::REGION;
use peersync_tests::emulator::{Emulator, Kind, python};
use peersync_tests::http;
use peersync_tests::metadata::Metadata;
use peersync_tests::proxy::Settings;
use peersync_tests::stage::Stage;

use self::machine::Machine;
use super::host::{raw_user_data, report};

/// The unit that is booted at first: cloud-init, with those of its modules that the user data needs.
const FIRST: &str = "first.target";
/// The unit that is booted later: what the installation has enabled, which the image would boot with everything else.
const LATER: &str = "later.target";
/// The units that must be enabled.
const ENABLED: [&str; 3] = ["peersync-install.service", "peersync-signal.service", "peersync-relay.service"];
/// Where the programs of the log agent are.
const AGENT: &str = "/opt/aws/amazon-cloudwatch-agent/bin";
/// What cloud-init's stages do, in the order of the image's own units; without the one that configures the network, which
/// asks for an address.
const CLOUD_INIT: &str = "[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nExecStart=cloud-init init\n\
     ExecStart=cloud-init modules --mode config\nExecStart=cloud-init modules --mode final\n";

/// A target that wants these units.
fn target(wanted: &[&str]) -> String {
    format!("[Unit]\nRequires=basic.target\nAfter=basic.target\nWants={}\nAllowIsolate=yes\n", wanted.join(" "))
}

/// Writes what the image and AWS would give: units that boot, later these, cloud-init's settings, the AWS CLI, packages.
fn furnish(machine: &Machine, endpoint: &str, metadata: &str, later: &[&str]) {
    let unit = |name: &str, text: &str| machine.write(&format!("/etc/systemd/system/{name}"), text);
    unit(FIRST, &target(&["cloud-init-test.service"]));
    unit("cloud-init-test.service", CLOUD_INIT);
    unit(LATER, &target(later));
    let variables = format!("AWS_ENDPOINT_URL={endpoint} AWS_EC2_METADATA_SERVICE_ENDPOINT={metadata} NO_PROXY=*");
    machine.write("/etc/systemd/system.conf.d/test.conf", &format!("[Manager]\nDefaultEnvironment={variables}\n"));
    machine.write(
        "/etc/cloud/cloud.cfg.d/99-test.cfg",
        &format!(
            "datasource_list: [Ec2]\ndatasource: {{Ec2: {{metadata_urls: [\"{metadata}\"], strict_id: false}}}}\n\
             network: {{config: disabled}}\ncloud_init_modules: [write_files]\ncloud_config_modules: [runcmd]\n\
             cloud_final_modules: [scripts_user]\n"
        ),
    );
    machine.program("/usr/local/bin/aws", &format!("exec '{}' -m awscli \"$@\"", python().display()));
    let control = format!("{AGENT}/amazon-cloudwatch-agent-ctl");
    let install =
        format!("mkdir -p {AGENT} && printf '#!/bin/sh\\ntouch {AGENT}/started\\n' >{control} && chmod 755 {control}");
    let little = "[Unit]\nConditionMemory=\n[Service]\nEnvironment=MEGABYTES=1\n";
    machine.write("/etc/systemd/system/peersync-swap.service.d/test.conf", little);
    // The AWS CLI of this computer may be in somebody's home.
    machine.write("/etc/systemd/system/peersync-install.service.d/test.conf", "[Service]\nProtectHome=read-only\n");
    machine.program("/usr/local/bin/dnf", &updates::dnf(&install));
}

/// Whether the signaling server answers.
async fn signal_answers(machine: &Machine) -> bool {
    let url = format!("http://{}:8080/healthz", machine.address());
    let asked = http::client().get(url).timeout(Duration::from_secs(2)).send();
    asked.await.is_ok_and(|answer| answer.status() == 200)
}

/// Whether the relay answers to STUN.
fn relay_answers(machine: &Machine) -> bool {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let request = Asker::new("", "").ask(&Ask::Binding);
    let mut answer = [0; 548];
    socket.send_to(&request, (machine.address(), 3478)).is_ok()
        && socket.recv(&mut answer).is_ok_and(|length| is_answer(&answer[..length], &request))
}

async fn until_both_answer(machine: &Machine, when: &str) {
    machine.until(&format!("an answer of the signaling server {when}"), async || signal_answers(machine).await).await;
    machine.until(&format!("an answer of the relay {when}"), async || relay_answers(machine)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_boots_and_survives_kills_a_full_disk_and_a_boot_without_network() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = Stage::with(&emulator, Settings { moto: true, ..Settings::default() }).await;
    stage.up().await;
    let hosts = stage.clients.ec2.describe_instances().send().await.unwrap();
    let id = hosts.reservations()[0].instances()[0].instance_id().unwrap().to_owned();
    let user_data = raw_user_data(&stage.clients, &id).await;
    let metadata = Metadata::with_user_data(&id, &stage.account, REGION, &user_data).await.unwrap();
    let mut machine = Machine::new();
    let endpoint = machine.reach(&stage.proxy().url).await;
    let metadata_url = machine.reach(&metadata.url).await;
    furnish(&machine, &endpoint, &metadata_url, &ENABLED);

    machine.boot(FIRST);
    until_both_answer(&machine, "after the first boot").await;
    machine.until("the report", async || report(&stage.clients, &id).await.as_deref() == Some("ready")).await;
    assert!(machine.path(&format!("{AGENT}/started")).exists(), "the log agent");
    updates::have_a_swap_file(&machine);
    for unit in ENABLED {
        let enabled = machine.run(&["systemctl", "is-enabled", "--quiet", unit]);
        assert!(enabled.status.success(), "{unit} starts at the next boot");
    }

    for unit in &ENABLED[1..] {
        machine.kill(unit).await;
    }
    until_both_answer(&machine, "after they were killed").await;

    machine.fill_disk();
    until_both_answer(&machine, "while the disk is full").await;
    for unit in &ENABLED[1..] {
        machine.kill(unit).await;
    }
    until_both_answer(&machine, "after they were killed with a full disk").await;
    machine.empty_disk();
    installs_again_once_there_is_room(&stage, &machine, &id).await;

    // The power fails, and when it comes back, the network does not.
    machine.cut_power();
    machine.plug(false);
    machine.boot(LATER);
    machine.until("the start of the units", async || ENABLED[1..].iter().all(|unit| machine.is_active(unit))).await;
    machine.plug(true);
    until_both_answer(&machine, "once the network is back").await;
    machine.until("the end of the installation", async || machine.is_active(ENABLED[0])).await;

    updates::are_taken_at_night(&machine).await;
    until_both_answer(&machine, "after the relay was restarted").await;
    updates::need_a_reboot(&machine);
    machine.reboots(LATER).await;
    until_both_answer(&machine, "after the reboot").await;
    updates::have_drained_the_host(&machine);
    ends_its_servers_in_order(&mut machine).await;
}

/// The disk is full while a program is installed.
async fn installs_again_once_there_is_room(stage: &Stage, machine: &Machine, id: &str) {
    let program = "/usr/local/bin/peersync-relay";
    let installed = machine.shell(&format!("sha256sum <{program}"));
    machine.shell(&format!("rm {program}"));
    machine.fill_disk();
    machine.shell(&format!("systemctl restart --no-block {}", ENABLED[0]));
    let reported = async || report(&stage.clients, id).await.unwrap_or_default();
    let again = async || {
        let report = reported().await;
        report.starts_with("waiting for the relay program: attempt") && !report.ends_with(" 1")
    };
    machine.until("another attempt", again).await;
    assert!(signal_answers(machine).await && relay_answers(machine), "what runs goes on");
    assert!(!machine.path(program).exists());
    machine.empty_disk();
    machine.until("the report", async || reported().await == "ready").await;
    assert_eq!(machine.shell(&format!("sha256sum <{program}")), installed);
    machine.kill(ENABLED[2]).await;
    until_both_answer(machine, "after the second installation").await;
}

/// With a name of its own, a host's relay carries the connections of the signaling server, also its goodbyes.
async fn ends_its_servers_in_order(machine: &mut Machine) {
    machine.switch_off().await;
    let last = |program: &str, message: &str| {
        let log = fs::read_to_string(machine.path(&format!("/var/log/peersync-{program}.log"))).unwrap();
        let line = log.lines().rfind(|line| line.contains(message)).unwrap_or_else(|| panic!("no {message} in {log}"));
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        entry["timestamp"].as_str().unwrap().to_owned()
    };
    let (drained, ended) = (last("signal", "\"drained\""), last("relay", "\"ended\""));
    assert!(drained < ended, "the signaling server has said goodbye at {drained}, the relay ended at {ended}");
}
