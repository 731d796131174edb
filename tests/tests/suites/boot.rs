//! The signaling host boots: cloud-init reads its user data, systemd runs its units, and both survive what hosts meet.
//!
//! Needs: python, nspawn.

mod machine;
mod updates;

use std::net::UdpSocket;
use std::time::Duration;

use peersync_relay::client::{Ask, Asker, is_answer};
use peersync_tests::clients::REGION;
use peersync_tests::emulator::{Emulator, Kind, python};
use peersync_tests::http;
use peersync_tests::metadata::Metadata;
use peersync_tests::proxy::Settings;
use peersync_tests::stage::Stage;

use self::machine::{ADDRESS, Machine};
use super::host::{raw_user_data, report};

/// The unit that is booted at first: cloud-init, with those of its modules that the user data needs.
const FIRST: &str = "first.target";
/// The unit that is booted later: what the installation has enabled, which the image would boot with everything else.
const LATER: &str = "later.target";
/// The units that must be enabled.
const ENABLED: [&str; 3] = ["peersync-install.service", "peersync-signal.service", "peersync-relay.service"];
/// Where the programs of the log agent are.
const AGENT: &str = "/opt/aws/amazon-cloudwatch-agent/bin";
/// Puts a small disk with the present logs in place of the folder of logs, and fills it.
const FILL: &str = "mkdir /run/small && mount -t tmpfs -o size=1M tmpfs /run/small && cp /var/log/peersync-* /run/small && \
     mount --bind /run/small /var/log && dd if=/dev/zero of=/var/log/filled bs=4k";
/// What cloud-init's stages do, in the order of the image's own units; without the one that configures the network, which
/// asks for an address.
const CLOUD_INIT: &str = "[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nExecStart=cloud-init init\n\
     ExecStart=cloud-init modules --mode config\nExecStart=cloud-init modules --mode final\n";

/// A target that wants these units.
fn target(wanted: &[&str]) -> String {
    format!("[Unit]\nRequires=basic.target\nAfter=basic.target\nWants={}\nAllowIsolate=yes\n", wanted.join(" "))
}

/// Writes what the image and AWS would give: units that boot, cloud-init's settings, the AWS CLI, packages.
fn furnish(machine: &Machine, endpoint: &str, metadata: &str) {
    let unit = |name: &str, text: &str| machine.write(&format!("/etc/systemd/system/{name}"), text);
    unit(FIRST, &target(&["cloud-init-test.service"]));
    unit("cloud-init-test.service", CLOUD_INIT);
    unit(LATER, &target(&ENABLED));
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
async fn signal_answers() -> bool {
    let asked = http::client().get(format!("http://{ADDRESS}:8080/healthz")).timeout(Duration::from_secs(2)).send();
    asked.await.is_ok_and(|answer| answer.status() == 200)
}

/// Whether the relay answers to STUN.
fn relay_answers() -> bool {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let request = Asker::new("", "").ask(&Ask::Binding);
    let mut answer = [0; 548];
    socket.send_to(&request, (ADDRESS, 3478)).is_ok()
        && socket.recv(&mut answer).is_ok_and(|length| is_answer(&answer[..length], &request))
}

async fn until_both_answer(machine: &Machine, when: &str) {
    machine.until(&format!("an answer of the signaling server {when}"), signal_answers).await;
    machine.until(&format!("an answer of the relay {when}"), async || relay_answers()).await;
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
    furnish(&machine, &endpoint, &metadata_url);

    machine.boot(FIRST);
    until_both_answer(&machine, "after the first boot").await;
    machine.until("the report", async || report(&stage.clients, &id).await.as_deref() == Some("ready")).await;
    assert!(machine.path(&format!("{AGENT}/started")).exists(), "the log agent");
    updates::have_a_swap_file(&machine);
    for unit in ENABLED {
        let enabled = machine.run(&["systemctl", "is-enabled", "--quiet", unit]);
        assert!(enabled.status.success(), "{unit} starts at the next boot");
    }

    // The programs are killed.
    for unit in ["peersync-signal.service", "peersync-relay.service"] {
        assert!(machine.run(&["systemctl", "kill", "--signal=KILL", unit]).status.success());
        machine.until("the end of the killed program", async || !machine.is_active(unit)).await;
    }
    until_both_answer(&machine, "after they were killed").await;

    // The disk is full, and they are killed again.
    let filled = machine.run(&["sh", "-c", FILL]);
    assert!(String::from_utf8_lossy(&filled.stderr).contains("No space left"), "{filled:?}");
    for unit in ["peersync-signal.service", "peersync-relay.service"] {
        assert!(machine.run(&["systemctl", "restart", unit]).status.success());
    }
    until_both_answer(&machine, "with a full disk").await;

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
}
