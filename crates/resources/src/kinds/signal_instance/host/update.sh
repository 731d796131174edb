#!/bin/bash
# Restarts what uses the security updates that were taken, and reboots only if it must. The unit peersync-update runs it
# every night, after the units that take them.
set -u
# The words of dnf are compared.
export LC_ALL=C

say() {
  echo "peersync: updates: $*"
}

# Usage: needs_restarting OPTION
# The log of dnf is where the unit may write.
needs_restarting() {
  dnf -q --setopt=logdir=/var/cache/dnf needs-restarting "$1"
}

# needs-restarting does not know the kernels of Amazon Linux by their names (amazonlinux/amazon-linux-2023#1125).
has_new_kernel() {
  local booted
  booted=$(sed -n 's/^btime //p' /proc/stat)
  [ -n "$(find /boot -maxdepth 1 -name 'vmlinuz-*' -newerct "@$booted")" ]
}

# If the kernels could not be installed, the host goes on with the one that runs.
must_reboot() {
  if systemctl --quiet is-failed peersync-kernel.service; then
    say "no reboot: the kernels could not be installed"
    return 1
  fi
  has_new_kernel || needs_restarting -r | grep "Reboot is required" >/dev/null
}

if must_reboot; then
  say "rebooting"
  # The servers say goodbye to everybody while everything else still works.
  systemctl stop peersync-signal.service peersync-relay.service
  systemctl reboot
  exit
fi
needs_restarting -s | while read -r unit; do
  case $unit in
    # Itself, and those without which nothing else runs; their own updates lead to a reboot.
    peersync-update.service | dbus* | user@*) ;;
    *.service) systemctl try-restart "$unit" && say "restarted $unit" ;;
  esac
done
say "done"
