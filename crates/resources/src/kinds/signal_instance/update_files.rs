//! The files by which a host takes security updates by itself, where no `up` replaces it for longer.

use serde_json::Value;

use super::files::file;

pub(super) const SCRIPT: &str = include_str!("host/update.sh");
pub(super) const UNIT: &str = include_str!("host/peersync-update.service");
const TIMER: &str = include_str!("host/peersync-update.timer");

/// The hour of the night at which updates begin, by the clocks of the region.
const QUIET_HOUR: i32 = 3;
/// By how many hours the clocks of regions are ahead of UTC, by the beginnings of their names; the first one that fits counts.
/// Summer time and halves of hours do not matter.
const AHEAD: [(&str, i32); 20] = [
    ("af-", 2),
    ("ap-east-", 8),
    ("ap-northeast-", 9),
    ("ap-southeast-2", 10),
    ("ap-southeast-4", 10),
    ("ap-southeast-6", 12),
    ("ap-southeast-", 8),
    ("ap-south-", 5),
    ("ca-west-", -7),
    ("ca-", -5),
    ("cn-", 8),
    ("eu-", 1),
    ("il-", 2),
    ("me-", 3),
    ("mx-", -6),
    ("sa-", -3),
    ("us-gov-west-", -8),
    ("us-gov-east-", -5),
    ("us-west-", -8),
    ("us-", -5),
];

/// Returns the files of a host in this region.
pub(super) fn files(region: &str) -> [Value; 3] {
    [
        file("/usr/local/lib/peersync/update", "0755", SCRIPT),
        file("/etc/systemd/system/peersync-update.service", "0644", UNIT),
        file("/etc/systemd/system/peersync-update.timer", "0644", &timer(region)),
    ]
}

/// Returns the timer, which fires when it is night in the region.
pub(super) fn timer(region: &str) -> String {
    let ahead = AHEAD.iter().find(|(beginning, _)| region.starts_with(beginning)).map_or(0, |(_, ahead)| *ahead);
    TIMER.replace("@HOUR@", &format!("{:02}", (QUIET_HOUR - ahead).rem_euclid(24)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::{SCRIPT, timer};

    /// Runs the script with programs that record their calls, and returns these and what the script says. `dnf` is what dnf
    /// does.
    fn run(dnf: &str, has_new_kernel: bool) -> (bool, String, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("boot")).unwrap();
        if has_new_kernel {
            fs::write(path("boot/vmlinuz-6.12.0"), "").unwrap();
        }
        let calls = path("calls").display().to_string();
        for (name, text) in [("dnf", dnf), ("systemctl", "")] {
            fs::write(path(name), format!("#!/bin/sh\necho \"{name} $*\" >>{calls}\n{text}\n")).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let script = SCRIPT.replace("/boot", &path("boot").display().to_string());
        let programs = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
        let output = Command::new("bash").args(["-c", &script]).env("PATH", programs).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let calls = fs::read_to_string(path("calls")).unwrap().lines().map(str::to_owned).collect();
        (output.status.success(), said, calls)
    }

    const UPGRADE: &str = "dnf upgrade -y -q --security --releasever=latest --refresh";
    const HINT: &str = "dnf -q needs-restarting -r";
    const REBOOT: [&str; 2] = ["systemctl stop peersync-signal.service peersync-relay.service", "systemctl reboot"];

    #[test]
    fn updates_restart_what_uses_them() {
        let dnf = "case \"$*\" in *-s) printf 'sshd.service\\npeersync-update.service\\ndbus-broker.service\\n';; \
                   *-r) echo 'Reboot should not be necessary.';; esac";
        let (good, said, calls) = run(dnf, false);
        let services = "dnf -q needs-restarting -s";
        assert_eq!(calls, [UPGRADE, HINT, services, "systemctl try-restart sshd.service"], "{said}");
        assert!(good);
        assert_eq!(said, "peersync: updates: restarted sshd.service\npeersync: updates: done\n");
    }

    #[test]
    fn host_reboots_only_for_a_new_kernel_or_what_every_process_uses() {
        let hinting = "case \"$*\" in *-r) echo 'Reboot is required to fully utilize these updates.'; exit 1;; esac";
        let (_, said, calls) = run(hinting, false);
        assert_eq!(calls, [UPGRADE, HINT, REBOOT[0], REBOOT[1]], "{said}");
        let (_, said, calls) = run("", true);
        assert_eq!(calls, [UPGRADE, REBOOT[0], REBOOT[1]], "{said}");
        // A dnf that does not know the question fails too.
        let (_, said, calls) = run("case \"$*\" in *needs*) echo 'No such command' >&2; exit 1;; esac", false);
        assert!(!calls.iter().any(|call| call.contains("reboot")), "{calls:?} {said}");
    }

    #[test]
    fn failed_update_changes_nothing_and_is_tried_again() {
        let (good, said, calls) = run("exit 1", true);
        assert_eq!((good, calls), (false, vec![UPGRADE.to_owned()]));
        assert_eq!(said, "peersync: updates: failed; the next attempt is tomorrow\n");
    }

    #[test]
    fn updates_begin_at_three_in_the_morning_of_the_region() {
        for (region, hour) in [
            ("eu-central-1", "02"),
            ("us-east-1", "08"),
            ("us-west-2", "11"),
            ("ap-south-1", "22"),
            ("ap-southeast-1", "19"),
            ("ap-southeast-2", "17"),
            ("ap-northeast-1", "18"),
            ("xx-new-1", "03"),
        ] {
            let timer = timer(region);
            assert!(timer.contains(&format!("OnCalendar=*-*-* {hour}:00:00 UTC\n")), "{region}: {timer}");
        }
    }
}
