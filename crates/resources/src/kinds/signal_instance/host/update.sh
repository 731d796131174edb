#!/bin/bash
# Takes the security updates of Amazon Linux, restarts what uses them, and reboots only if it must. The unit peersync-update
# runs it every night.
set -u
# The words of dnf are compared.
export LC_ALL=C

say() {
  echo "peersync: updates: $*"
}

# A release of Amazon Linux has its own repository, in which nothing is ever new.
take_updates() {
  dnf upgrade -y -q --security --releasever=latest --refresh
}

# needs-restarting does not know the kernels of Amazon Linux by their names (amazonlinux/amazon-linux-2023#1125).
has_new_kernel() {
  local booted
  booted=$(sed -n 's/^btime //p' /proc/stat)
  [ -n "$(find /boot -maxdepth 1 -name 'vmlinuz-*' -newerct "@$booted")" ]
}

must_reboot() {
  has_new_kernel || dnf -q needs-restarting -r | grep "Reboot is required" >/dev/null
}

if ! take_updates; then
  say "failed; the next attempt is tomorrow"
  exit 1
fi
if must_reboot; then
  say "rebooting"
  # The servers say goodbye to everybody while everything else still works.
  systemctl stop peersync-signal.service peersync-relay.service
  systemctl reboot
  exit
fi
dnf -q needs-restarting -s | while read -r unit; do
  case $unit in
    # Itself, and those without which nothing else runs; their own updates lead to a reboot.
    peersync-update.service | dbus* | user@*) ;;
    *.service) systemctl try-restart "$unit" && say "restarted $unit" ;;
  esac
done
say "done"
