//! Security updates of a host that boots: dnf is replaced, and says what it would say on Amazon Linux.

use super::machine::Machine;

const UNIT: &str = "peersync-update.service";

/// The replacement of dnf: `installing` for a package, and the answers of the files below `/run` for the updates. While it
/// downloads, it tries what its unit must not let it do; afterwards it counts the networks that it has, of which one is
/// loopback.
pub fn dnf(installing: &str) -> String {
    format!(
        "case \"$*\" in\n\
         *--downloadonly*) touch /etc/fetched; systemctl stop peersync-signal.service; echo \"$*\" >>/var/cache/dnf/asked ;;\n\
         *upgrade*) touch /etc/applied; echo \"$* $(grep -c : /proc/net/dev)\" >>/var/cache/dnf/asked ;;\n\
         *'needs-restarting -r') cat /run/reboot-hint ;;\n\
         *'needs-restarting -s') cat /run/to-restart ;;\n\
         *) {installing} ;;\n\
         esac"
    )
}

/// The id of the first process of a unit.
fn process(machine: &Machine, unit: &str) -> String {
    machine.shell(&format!("systemctl show --property=MainPID --value {unit}"))
}

/// The timer runs. What it starts takes updates, and restarts the program that uses them and no other.
pub async fn are_taken_at_night(machine: &Machine) {
    machine.until("the timer of the updates", async || machine.is_active("peersync-update.timer")).await;
    let next = machine.shell("systemctl show --property=NextElapseUSecRealtime --value peersync-update.timer");
    assert!(!next.is_empty(), "it has a next time");
    // This computer's kernels do not matter.
    machine.shell("mount -t tmpfs tmpfs /boot");
    machine.shell("echo 'Reboot should not be necessary.' >/run/reboot-hint");
    machine.shell(&format!("printf 'peersync-relay.service\\n{UNIT}\\ndbus.service\\n' >/run/to-restart"));
    let before = ["peersync-signal.service", "peersync-relay.service"].map(|unit| process(machine, unit));
    machine.shell(&format!("systemctl start {UNIT}"));
    let after = ["peersync-signal.service", "peersync-relay.service"].map(|unit| process(machine, unit));
    assert_eq!(before[0], after[0], "the signaling server goes on");
    assert_ne!(before[1], after[1], "the relay was restarted");
    let asked = machine.shell("grep upgrade /var/cache/dnf/asked");
    let upgrade = "-y -q upgrade --security --releasever=latest";
    assert_eq!(
        asked,
        format!(
            "{upgrade} --refresh --downloadonly --nogpgcheck --setopt=logdir=/var/cache/dnf\n{upgrade} --cacheonly 1"
        )
    );
    let changed = ["fetched", "applied"].map(|name| machine.path(&format!("/etc/{name}")).exists());
    assert_eq!(changed, [false, true], "what reaches the network changes nothing");
    let log = machine.shell("cat /var/log/peersync-install.log");
    assert!(log.contains("peersync: updates: restarted peersync-relay.service\n"), "{log}");
}

/// The next update is one of what every process uses.
pub fn need_a_reboot(machine: &Machine) {
    machine.shell("echo 'Reboot is required to fully utilize these updates.' >/run/reboot-hint");
    machine.shell(&format!("systemctl start --no-block {UNIT}"));
}

/// The last goodbye came before the last start.
pub fn have_drained_the_host(machine: &Machine) {
    let log = machine.shell("cat /var/log/peersync-install.log");
    assert!(log.contains("peersync: updates: rebooting\n"), "{log}");
    let log = machine.shell("cat /var/log/peersync-signal.log");
    let (drained, started) = (log.rfind("\"draining\""), log.rfind("\"listening\""));
    assert!(drained.is_some() && drained < started, "{log}");
}

/// A host with little memory gets a swap file. A machine in a namespace may not use one.
pub fn have_a_swap_file(machine: &Machine) {
    machine.shell("systemctl start peersync-swap.service && grep -q SWAPSPACE2 /var/lib/swap/peersync");
    assert_eq!(machine.shell("stat --format=%a:%s /var/lib/swap/peersync"), "600:1048576");
}
