//! The files by which a host takes packages: the log agent, and security updates where no `up` replaces it for longer.

use serde_json::Value;

use super::files::file;

/// The script that takes packages, in two steps.
pub(super) const PACKAGES: &str = include_str!("host/packages.sh");
pub(super) const FETCH_UNIT: &str = include_str!("host/peersync-fetch@.service");
pub(super) const APPLY_UNIT: &str = include_str!("host/peersync-apply@.service");
/// The script that restarts what uses updates.
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
pub(super) fn files(region: &str) -> [Value; 6] {
    [
        file("/usr/local/lib/peersync/packages", "0755", PACKAGES),
        file("/etc/systemd/system/peersync-fetch@.service", "0644", FETCH_UNIT),
        file("/etc/systemd/system/peersync-apply@.service", "0644", APPLY_UNIT),
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

    use super::{PACKAGES, SCRIPT, timer};

    /// Runs a script with programs that record their calls, and returns these and what the script says. `dnf` is what dnf
    /// does.
    fn run(script: &str, arguments: &[&str], dnf: &str, has_new_kernel: bool) -> (bool, String, Vec<String>) {
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
        let script = script.replace("/boot", &path("boot").display().to_string());
        let programs = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        let output = command.args(["-c", &script, "-"]).args(arguments).env("PATH", programs).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let calls = fs::read_to_string(path("calls")).unwrap().lines().map(str::to_owned).collect();
        (output.status.success(), said, calls)
    }

    const HINT: &str = "dnf -q --setopt=logdir=/var/cache/dnf needs-restarting -r";
    const REBOOT: [&str; 2] = ["systemctl stop peersync-signal.service peersync-relay.service", "systemctl reboot"];

    #[test]
    fn packages_are_taken_in_two_steps_of_which_the_second_needs_no_network() {
        for (step, what, call) in [
            (
                "fetch",
                "agent",
                "install amazon-cloudwatch-agent --refresh --downloadonly --nogpgcheck --setopt=logdir=/var/cache/dnf",
            ),
            ("apply", "agent", "install amazon-cloudwatch-agent --cacheonly"),
            (
                "fetch",
                "updates",
                "upgrade --security --releasever=latest --refresh --downloadonly --nogpgcheck --setopt=logdir=/var/cache/dnf",
            ),
            ("apply", "updates", "upgrade --security --releasever=latest --cacheonly"),
        ] {
            let (good, said, calls) = run(PACKAGES, &[step, what], "", false);
            assert_eq!((good, said.as_str(), calls), (true, "", vec![format!("dnf -y -q {call}")]));
        }
        let (good, said, _) = run(PACKAGES, &["fetch", "updates"], "exit 1", false);
        assert!(!good, "what depends on it is not started");
        assert_eq!(said, "peersync: updates: failed to fetch packages; the next attempt is later\n");
    }

    #[test]
    fn updates_restart_what_uses_them() {
        let dnf = "case \"$*\" in *-s) printf 'sshd.service\\npeersync-update.service\\ndbus-broker.service\\n';; \
                   *-r) echo 'Reboot should not be necessary.';; esac";
        let (good, said, calls) = run(SCRIPT, &[], dnf, false);
        let services = "dnf -q --setopt=logdir=/var/cache/dnf needs-restarting -s";
        assert_eq!(calls, [HINT, services, "systemctl try-restart sshd.service"], "{said}");
        assert!(good);
        assert_eq!(said, "peersync: updates: restarted sshd.service\npeersync: updates: done\n");
    }

    #[test]
    fn host_reboots_only_for_a_new_kernel_or_what_every_process_uses() {
        let hinting = "case \"$*\" in *-r) echo 'Reboot is required to fully utilize these updates.'; exit 1;; esac";
        let (_, said, calls) = run(SCRIPT, &[], hinting, false);
        assert_eq!(calls, [HINT, REBOOT[0], REBOOT[1]], "{said}");
        let (_, said, calls) = run(SCRIPT, &[], "", true);
        assert_eq!(calls, [REBOOT[0], REBOOT[1]], "{said}");
        // A dnf that does not know the question fails too.
        let (_, said, calls) =
            run(SCRIPT, &[], "case \"$*\" in *needs*) echo 'No such command' >&2; exit 1;; esac", false);
        assert!(!calls.iter().any(|call| call.contains("reboot")), "{calls:?} {said}");
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
