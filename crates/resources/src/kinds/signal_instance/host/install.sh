#!/bin/bash
# Puts the PeerSync programs on their host and starts them. Run once, by cloud-init.
#
# Usage: install REGION BUCKET INGRESS SIGNAL_SHA256 [RELAY_SHA256]
set -euo pipefail

region=$1 bucket=$2 ingress=$3 signal_sha256=$4 relay_sha256=${5:-}

# The tunnel for ingress "cloudflare".
cloudflared_version=2026.10.0
cloudflared_sha256=d33ff2d14475178d2012c2c56beba87389ac5ded27649519f198a7d3134a99db

say() {
  echo "peersync: $*"
}

# Runs a command until it succeeds, for five minutes: the role of a new host is not known everywhere at once.
persist() {
  local attempt
  for attempt in {1..60}; do
    if "$@"; then
      return 0
    fi
    say "attempt $attempt failed: $1"
    sleep 5
  done
  say "given up: $1"
  return 1
}

# Usage: fetch_program KEY SHA256
fetch_program() {
  local key=$1 sha256=$2 program
  program=$(basename "$key" .gz)
  local fetched=/usr/local/bin/.peersync-$program.new
  aws s3 cp --region "$region" --only-show-errors "s3://$bucket/$key" - | gunzip >"$fetched" || return 1
  if ! echo "$sha256  $fetched" | sha256sum --check --status; then
    say "the program $program in the bucket is not the one that this host was made for"
    rm -f "$fetched"
    return 1
  fi
  chmod 0755 "$fetched"
  mv "$fetched" "/usr/local/bin/peersync-$program"
}

fetch_cloudflared() {
  local fetched=/usr/local/bin/.cloudflared.new
  local source=https://github.com/cloudflare/cloudflared/releases/download/$cloudflared_version
  curl -fsSL --max-time 120 -o "$fetched" "$source/cloudflared-linux-amd64" || return 1
  echo "$cloudflared_sha256  $fetched" | sha256sum --check --status || return 1
  chmod 0755 "$fetched"
  mv "$fetched" /usr/local/bin/cloudflared
}

persist fetch_program programs/signal.gz "$signal_sha256"
systemctl daemon-reload
systemctl enable --now peersync-signal.service

# Without it, calls that find a direct way still work, unless it is the way in.
if [ -n "$relay_sha256" ]; then
  if persist fetch_program programs/relay.gz "$relay_sha256"; then
    systemctl enable --now peersync-relay.service
  elif [ "$ingress" = direct ]; then
    exit 1
  fi
fi

if [ "$ingress" = cloudflare ]; then
  persist fetch_cloudflared
  # The program writes it once it has read the token.
  persist test -s /var/lib/peersync/tunnel.env
  systemctl enable --now cloudflared.service peersync-tunnel.path
fi

# Logs go to CloudWatch from here on; the program runs without it.
if persist dnf install -y -q amazon-cloudwatch-agent; then
  /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl \
    -a fetch-config -m ec2 -s -c file:/etc/peersync/logs.json || say "the log agent did not start"
fi
say "done"
