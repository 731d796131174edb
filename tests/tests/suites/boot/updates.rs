//! Security updates of a host that boots: dnf is replaced, and says what it would say on Amazon Linux.

use super::machine::Machine;

const UNIT: &str = "peersync-update.service";

/// What the replacement of dnf tries while it installs packages, by a name, most of which works only in some unit.
const ATTEMPTS: [(&str, &str); 8] = [
    ("program", "cp /bin/true /usr/bin/tried"),
    ("set-user-id", "chmod 4755 /usr/bin/tried"),
    ("reload", "systemctl daemon-reload"),
    ("user", "setpriv --reuid=1 --regid=1 --clear-groups true"),
    ("module", "touch /usr/lib/modules/tried"),
    ("home", "cd /root && cat there"),
    ("chroot", "chroot / true"),
    ("device", "mknod /var/tried c 1 3"),
];

/// The replacement of dnf: `installing` for a package, and the answers of the files below `/run` for the updates. While it
/// downloads, it tries what its unit must not let it do; afterwards it counts the networks that it has, of which one is
/// loopback, and notes which of the attempts work.
pub fn dnf(installing: &str) -> String {
    let attempts: String =
        ATTEMPTS.iter().map(|(name, command)| format!("{command} && printf '{name} ' >>$could; ")).collect();
    format!(
        "asked=/var/cache/dnf/asked could=/var/cache/dnf/could\n\
         case \"$*\" in\n\
         *--downloadonly*) touch /etc/fetched; systemctl stop peersync-signal.service; echo \"$*\" >>$asked ;;\n\
         *upgrade*) echo \"$* $(grep -c : /proc/net/dev)\" >>$asked; {attempts} echo >>$could\n\
         case \"$*\" in *--exclude*) ! [ -e /run/no-updates ] ;; esac ;;\n\
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

/// What dnf was asked for during a night, and, if it installed, with how many networks.
fn asked_at_night() -> String {
    let boot = "kernel,kernel[0-9]*,kernel-modules-extra*,dracut*,grub2*,grubby*,shim*,microcode_ctl*";
    let upgrade = "-y -q upgrade --security --nobest --releasever=latest";
    [format!("--exclude={boot},filesystem,rootfiles"), format!("--setopt=includepkgs={boot}")]
        .map(|which| {
            format!(
                "{upgrade} {which} --refresh --downloadonly --nogpgcheck --setopt=logdir=/var/cache/dnf\n\
                 {upgrade} {which} --cacheonly 1"
            )
        })
        .join("\n")
}

/// Prepares the machine for updates: dnf finds what it looks for, and this computer's kernels do not matter.
fn prepare(machine: &Machine) {
    machine.shell("mkdir -p /usr/lib/modules && (cd /root && touch there) && mount -t tmpfs tmpfs /boot");
    machine.shell("echo 'Reboot should not be necessary.' >/run/reboot-hint");
    machine.shell(&format!("printf 'peersync-relay.service\\n{UNIT}\\ndbus.service\\n' >/run/to-restart"));
}

/// The timer runs. What it starts takes updates, then those of the kernel, and restarts the program that uses them and no
/// other. If the updates fail, the kernel's are tried all the same, and nothing is restarted.
pub async fn are_taken_at_night(machine: &Machine) {
    machine.until("the timer of the updates", async || machine.is_active("peersync-update.timer")).await;
    let next = machine.shell("systemctl show --property=NextElapseUSecRealtime --value peersync-update.timer");
    assert!(!next.is_empty(), "it has a next time");
    prepare(machine);
    let servers = || ["peersync-signal.service", "peersync-relay.service"].map(|unit| process(machine, unit));
    let before = servers();
    machine.shell("touch /run/no-updates");
    assert!(!machine.run(&["systemctl", "start", UNIT]).status.success(), "the updates fail");
    machine
        .until("the kernel's updates", async || machine.shell("cat /var/cache/dnf/could").lines().count() == 2)
        .await;
    let state = "systemctl show --property=ActiveState --value peersync-kernel.service";
    machine.until("their end", async || machine.shell(state) == "inactive").await;
    assert_eq!(servers(), before, "nothing is restarted");
    machine.shell("rm /run/no-updates /var/cache/dnf/could && echo >/var/cache/dnf/asked");

    machine.shell(&format!("systemctl start {UNIT}"));
    let after = servers();
    assert_eq!(before[0], after[0], "the signaling server goes on");
    assert_ne!(before[1], after[1], "the relay was restarted");
    assert_eq!(machine.shell("cat /var/cache/dnf/asked"), asked_at_night());
    assert!(!machine.path("/etc/fetched").exists(), "what reaches the network changes nothing");
    let could = machine.shell("cat /var/cache/dnf/could");
    assert_eq!(
        could.lines().map(str::trim_end).collect::<Vec<_>>(),
        ["program set-user-id reload user", "program set-user-id module"],
        "what installs packages, and what installs kernels"
    );
    let log = machine.shell("cat /var/log/peersync-install.log");
    assert!(log.contains("peersync: updates: failed to apply packages; the next attempt is later\n"), "{log}");
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
