#!/bin/bash
# Takes packages of Amazon Linux in two steps, each in a unit of its own: one that reaches the network and may change
# nothing but dnf's caches and records, and one that may change the system and reaches no network.
#
# Usage: packages fetch|apply agent|updates
set -u

case $2 in
  agent) command=(install amazon-cloudwatch-agent) ;;
  # A release of Amazon Linux has its own repository, in which nothing is ever new.
  *) command=(upgrade --security --releasever=latest) ;;
esac
case $1 in
  # Who installs them checks the signatures; the key may have to be stored for that, which nobody may here.
  fetch) options=(--refresh --downloadonly --nogpgcheck --setopt=logdir=/var/cache/dnf) ;;
  *) options=(--cacheonly) ;;
esac
if ! dnf -y -q "${command[@]}" "${options[@]}"; then
  echo "peersync: $2: failed to $1 packages; the next attempt is later"
  exit 1
fi
