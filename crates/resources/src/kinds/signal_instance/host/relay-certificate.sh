#!/bin/bash
# Gives the relay the certificate that Caddy has obtained, and again after each renewal. Run by a timer.
#
# Usage: relay-certificate DOMAIN
set -euo pipefail

domain=$1
caddy=/var/lib/private/caddy/caddy/certificates
# /var/lib/peersync-relay is a link to this folder, since the service has a dynamic user.
own=/var/lib/private/peersync-relay
unit=/etc/systemd/system/peersync-relay.service.d

# The newest one: Caddy may have asked another authority than before.
found=$(find "$caddy" -path "*/$domain/$domain.crt" -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d ' ' -f 2-) || true
if [ -z "$found" ] || { [ -e "$unit/tls.conf" ] && cmp -s "$found" "$own/certificate.pem"; }; then
  exit 0
fi
install -d -m 0700 "$own"
owner=$(stat -c %u "$own") group=$(stat -c %g "$own")
install -m 0600 -o "$owner" -g "$group" "${found%.crt}.key" "$own/key.pem"
# The last one: until it is here, the next run repeats both.
install -m 0600 -o "$owner" -g "$group" "$found" "$own/certificate.pem"
if [ ! -e "$unit/tls.conf" ]; then
  install -d -m 0755 "$unit"
  install -m 0644 /etc/peersync/relay-tls.conf "$unit/tls.conf"
  systemctl daemon-reload
  systemctl restart peersync-relay.service
fi
