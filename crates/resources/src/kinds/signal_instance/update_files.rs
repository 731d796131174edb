//! The files by which a host takes packages: the log agent, and security updates where no `up` replaces it for longer.

use serde_json::Value;

use super::files::file;

/// The script that takes packages, in two steps.
pub(super) const PACKAGES: &str = include_str!("host/packages.sh");
pub(super) const FETCH_UNIT: &str = include_str!("host/peersync-fetch@.service");
pub(super) const APPLY_UNIT: &str = include_str!("host/peersync-apply@.service");
pub(super) const KERNEL_UNIT: &str = include_str!("host/peersync-kernel.service");
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
pub(super) fn files(region: &str) -> [Value; 7] {
    [
        file("/usr/local/lib/peersync/packages", "0755", PACKAGES),
        file("/etc/systemd/system/peersync-fetch@.service", "0644", FETCH_UNIT),
        file("/etc/systemd/system/peersync-apply@.service", "0644", APPLY_UNIT),
        file("/etc/systemd/system/peersync-kernel.service", "0644", KERNEL_UNIT),
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

    /// What is known of a new kernel.
    #[derive(Clone, Copy, PartialEq)]
    enum Boot {
        Nothing,
        /// Its package is installed, and none of its scripts has run.
        Modules,
        NewKernel,
        NewKernelWithDisk,
    }

    /// Runs a script with programs that record their calls, and returns whether it succeeds, what it says, and the calls, in
    /// which the folder is `@`. What the programs do are the branches of a `case`, in which a call begins with the name of
    /// the program.
    fn run(script: &str, arguments: &[&str], branches: &str, boot: Boot) -> (bool, String, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("boot")).unwrap();
        if boot == Boot::Modules {
            fs::create_dir_all(path("lib/modules/6.12.0")).unwrap();
            fs::write(path("lib/modules/6.12.0/vmlinuz"), "kernel").unwrap();
        } else if boot != Boot::Nothing {
            fs::write(path("boot/vmlinuz-6.12.0"), "kernel").unwrap();
            // One that was removed.
            fs::write(path("boot/vmlinuz-6.1.0"), "kernel").unwrap();
            fs::create_dir_all(path("lib/modules/6.12.0")).unwrap();
            fs::write(path("lib/modules/6.12.0/modules.builtin"), "").unwrap();
        }
        if boot == Boot::NewKernelWithDisk {
            fs::write(path("boot/initramfs-6.12.0.img"), "disk").unwrap();
        }
        let calls = path("calls").display().to_string();
        for name in ["dnf", "dracut", "grubby", "kernel-install", "systemctl"] {
            let text =
                format!("#!/bin/sh\necho \"{name} $*\" >>{calls}\ncase \"{name} $*\" in {branches} *) ;; esac\n");
            fs::write(path(name), text).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let here = folder.path().display().to_string();
        let script = ["/boot/", "/boot ", "/lib/modules/"]
            .iter()
            .fold(script.to_owned(), |script, folder| script.replace(folder, &format!("{here}{folder}")));
        let programs = format!("{here}:{}", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        let output = command.args(["-c", &script, "-"]).args(arguments).env("PATH", programs).output().unwrap();
        let told = |text: &str| text.replace(&here, "@");
        let said = told(&String::from_utf8_lossy(&output.stdout));
        let calls = fs::read_to_string(path("calls")).unwrap().lines().map(told).collect();
        (output.status.success(), said, calls)
    }

    const HINT: &str = "dnf -q --setopt=logdir=/var/cache/dnf needs-restarting -r";
    const REBOOT: [&str; 2] = ["systemctl stop peersync-signal.service peersync-relay.service", "systemctl reboot"];
    const BOOT: &str = "kernel,kernel[0-9]*,kernel-modules-extra*,dracut*,grub2*,grubby*,shim*,microcode_ctl*";
    const DISK: &str = "dracut --force @/boot/initramfs-6.12.0.img.new 6.12.0";
    /// What dracut does.
    const BUILDS: &str = "dracut*) echo disk >\"$2\" ;;";
    /// The unit that installs kernels has not failed.
    const NO_FAILURE: &str = "systemctl*is-failed*) exit 1 ;;";
    const IS_FAILED: &str = "systemctl --quiet is-failed peersync-kernel.service";

    #[test]
    fn packages_are_taken_in_two_steps_of_which_the_second_needs_no_network() {
        let upgrade = "upgrade --security --nobest --releasever=latest";
        for (what, call) in [
            ("agent", "install amazon-cloudwatch-agent".to_owned()),
            ("updates", format!("{upgrade} --exclude={BOOT},filesystem,rootfiles")),
            ("kernel", format!("{upgrade} --setopt=includepkgs={BOOT}")),
        ] {
            for (step, options) in [
                ("fetch", "--refresh --downloadonly --nogpgcheck --setopt=logdir=/var/cache/dnf"),
                ("apply", "--cacheonly"),
            ] {
                let (good, said, calls) = run(PACKAGES, &[step, what], "", Boot::Nothing);
                let expected = vec![format!("dnf -y -q {call} {options}")];
                assert_eq!((good, said.as_str(), calls), (true, "", expected));
            }
        }
        let (good, said, _) = run(PACKAGES, &["fetch", "updates"], "dnf*) exit 1 ;;", Boot::Nothing);
        assert!(!good, "what depends on it is not started");
        assert_eq!(said, "peersync: updates: failed to fetch packages; the next attempt is later\n");
    }

    #[test]
    fn kernel_whose_scripts_failed_gets_its_initial_ram_disk_or_is_not_booted() {
        let (good, said, calls) = run(PACKAGES, &["apply", "kernel"], "", Boot::NewKernelWithDisk);
        assert_eq!((good, said.as_str(), calls.len()), (true, "", 1), "it has one: {calls:?}");
        for step in [["fetch", "kernel"], ["apply", "updates"]] {
            let (_, _, calls) = run(PACKAGES, &step, "", Boot::NewKernel);
            assert_eq!(calls.len(), 1, "{step:?} builds none: {calls:?}");
        }
        let (good, said, calls) = run(PACKAGES, &["apply", "kernel"], BUILDS, Boot::NewKernel);
        assert_eq!((good, said.as_str(), calls[1..].to_vec()), (true, "", vec![DISK.to_owned()]));
        let (_, _, calls) = run(PACKAGES, &["apply", "kernel"], "", Boot::Modules);
        assert_eq!(calls[1..], ["kernel-install add 6.12.0 @/lib/modules/6.12.0/vmlinuz"]);
        // It is tried as well if there is nothing to install.
        let failing = "dnf* | dracut*) exit 1 ;; *--default-kernel) echo $(dirname \"$0\")/boot/vmlinuz-6.12.0 ;;";
        let (good, said, calls) = run(PACKAGES, &["apply", "kernel"], failing, Boot::NewKernel);
        assert!(!good, "what reboots the host is not started");
        assert!(
            said.ends_with(
                "peersync: kernel: failed to build @/boot/initramfs-6.12.0.img; the next attempt is later\n"
            )
        );
        assert_eq!(calls[1], DISK);
        assert_eq!(calls[2], "grubby --default-kernel");
        assert!(calls[3].starts_with("grubby --set-default=@/boot/vmlinuz-"), "{calls:?}");
        let (_, _, calls) = run(PACKAGES, &["apply", "kernel"], "dracut*) exit 1 ;;", Boot::NewKernel);
        assert_eq!(calls.len(), 3, "another kernel is the default, and stays it: {calls:?}");
    }

    #[test]
    fn updates_restart_what_uses_them() {
        let dnf = "*-s) printf 'sshd.service\\npeersync-update.service\\ndbus-broker.service\\n' ;; \
                   *-r) echo 'Reboot should not be necessary.' ;;";
        let (good, said, calls) = run(SCRIPT, &[], &format!("{NO_FAILURE} {dnf}"), Boot::Nothing);
        let services = "dnf -q --setopt=logdir=/var/cache/dnf needs-restarting -s";
        assert_eq!(calls, [IS_FAILED, HINT, services, "systemctl try-restart sshd.service"], "{said}");
        assert!(good);
        assert_eq!(said, "peersync: updates: restarted sshd.service\npeersync: updates: done\n");
        let (_, said, calls) = run(SCRIPT, &[], dnf, Boot::NewKernelWithDisk);
        assert_eq!(calls, [IS_FAILED, services, "systemctl try-restart sshd.service"], "no kernel that failed: {said}");
    }

    #[test]
    fn host_reboots_only_for_a_new_kernel_or_what_every_process_uses() {
        let hinting = "*-r) echo 'Reboot is required to fully utilize these updates.'; exit 1 ;;";
        let (_, said, calls) = run(SCRIPT, &[], &format!("{NO_FAILURE} {hinting}"), Boot::Nothing);
        assert_eq!(calls, [IS_FAILED, HINT, REBOOT[0], REBOOT[1]], "{said}");
        let (_, said, calls) = run(SCRIPT, &[], NO_FAILURE, Boot::NewKernelWithDisk);
        assert_eq!(calls, [IS_FAILED, REBOOT[0], REBOOT[1]], "{said}");
        // A dnf that does not know the question fails too.
        let unknown = "*needs*) echo 'No such command' >&2; exit 1 ;;";
        let (_, said, calls) = run(SCRIPT, &[], &format!("{NO_FAILURE} {unknown}"), Boot::Nothing);
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
