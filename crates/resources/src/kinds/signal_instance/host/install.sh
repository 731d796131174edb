#!/bin/bash
# Puts the PeerSync programs on their host, starts them, and reports in a tag of the host how far it is. The unit
# peersync-install runs it at each boot: every step is tried for ever, and does nothing if it is done already.
#
# Its environment: REGION, BUCKET, INGRESS, SIGNAL_KEY, SIGNAL_SHA256 and, with a relay, RELAY_KEY, RELAY_SHA256.
set -euo pipefail

# The tag that tells `up` how far the host is.
report_tag=peersync:ready
# What it begins with once the host is ready and has no certificate, which it can get only once the address has moved to it.
without_certificate="ready without a certificate:"
# The address of the program, in which every interface is meant by 0.0.0.0.
signal_address=$(sed -n 's/^LISTEN="\(.*\)"$/\1/p' /etc/peersync/signal.env | sed 's/^0\.0\.0\.0:/127.0.0.1:/')

# What is in front of the program: behind the relay, each connection begins with a header of the PROXY protocol.
entrance=$(sed -n 's/^ENTRANCE="\(.*\)"$/\1/p' /etc/peersync/signal.env)

# The longest pause between two attempts, in seconds.
longest_pause=60

# The tunnel for ingress "cloudflare".
cloudflared_version=2026.10.0
case $(uname -m) in
  aarch64) cloudflared=arm64 cloudflared_sha256=e6422b9d4f72d3194bc5a38676f13667c06666523217b842a877d72a80b5ac08 ;;
  *) cloudflared=amd64 cloudflared_sha256=d33ff2d14475178d2012c2c56beba87389ac5ded27649519f198a7d3134a99db ;;
esac

# To the console, which EC2 shows without the host's help, and to the log.
exec > >(tee -a /var/log/peersync-install.log) 2>&1

say() {
  echo "peersync: $*"
}

instance_id() {
  local service=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}/latest token
  token=$(curl -fsS --max-time 5 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$service/api/token") || return 1
  curl -fsS --max-time 5 -H "X-aws-ec2-metadata-token: $token" "$service/meta-data/instance-id"
}

# Usage: report TEXT
# EC2 allows letters, digits, spaces and +-=._:/@ in a tag, 256 characters at most. For the command line = has a meaning.
report() {
  local id text
  id=$(instance_id) || return 1
  text=$(printf %s "$1" | tr -c 'A-Za-z0-9 ._:/@+-' ' ' | tr -s ' ' | cut -c1-250)
  aws ec2 create-tags --region "$REGION" --resources "$id" --tags "Key=$report_tag,Value=$text"
}

# Usage: text_of FIELD LINE
# Prints a text of a line of a program's log, which is JSON.
text_of() {
  sed -n 's/.*"'"$1"'":"\(\([^"\\]\|\\.\)*\)".*/\1/p' <<<"$2"
}

# Prints why a program ends as soon as it has started, if the last line of its log says so.
because() {
  local program line
  for program in signal relay; do
    line=$(tail -n 1 "/var/log/peersync-$program.log" 2>/dev/null) || continue
    case $line in
      *" cannot start\""*) printf ': %s: %s' "$program" "$(text_of error "$line")" ;;
    esac
  done
}

# Usage: persist WHAT COMMAND [ARGUMENTS]
# Runs a command until it succeeds, with growing pauses: the role of a new host is not known everywhere at once, and the
# network may be away for hours.
persist() {
  local what=$1 attempt=1 pause=1
  shift
  until "$@"; do
    say "failed: $what (attempt $attempt)"
    report "waiting for $what: attempt $attempt$(because)" || true
    sleep "$pause"
    attempt=$((attempt + 1))
    pause=$((pause * 2 < longest_pause ? pause * 2 : longest_pause))
  done
}

# From here on, logs go to CloudWatch. The agent may write to the log group, which exists, and not create any.
start_logs() {
  local agent=/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl
  [ -x "$agent" ] || systemctl start peersync-apply@agent.service || return 1
  "$agent" -a fetch-config -m ec2 -s -c file:/etc/peersync/logs.json
}

# Usage: install_program KEY SHA256
install_program() {
  local key=$1 sha256=$2 program
  program=$(basename "$key" .gz)
  local installed=/usr/local/bin/peersync-$program fetched=/usr/local/bin/.peersync-$program.new
  if echo "$sha256  $installed" | sha256sum --check --status 2>/dev/null; then
    return 0
  fi
  # A part of it must not fill the disk for good.
  if ! aws s3 cp --region "$REGION" --only-show-errors "s3://$BUCKET/$key" - | gunzip >"$fetched"; then
    rm -f "$fetched"
    return 1
  fi
  if ! echo "$sha256  $fetched" | sha256sum --check --status; then
    say "the program $program in the bucket is not the one that this host was made for"
    rm -f "$fetched"
    return 1
  fi
  chmod 0755 "$fetched"
  mv "$fetched" "$installed"
}

install_cloudflared() {
  local installed=/usr/local/bin/cloudflared fetched=/usr/local/bin/.cloudflared.new
  local source=https://github.com/cloudflare/cloudflared/releases/download/$cloudflared_version
  if echo "$cloudflared_sha256  $installed" | sha256sum --check --status 2>/dev/null; then
    return 0
  fi
  if ! curl -fsSL --max-time 120 -o "$fetched" "$source/cloudflared-linux-$cloudflared" ||
    ! echo "$cloudflared_sha256  $fetched" | sha256sum --check --status; then
    rm -f "$fetched"
    return 1
  fi
  chmod 0755 "$fetched"
  mv "$fetched" "$installed"
}

answers() {
  case $entrance in
    relay | relayed-edge) answers_own ;;
    *) curl -fsS --max-time 5 -o /dev/null "http://$signal_address/healthz" ;;
  esac
}

# The header, of version 2, says that the connection is the host's own; curl can write only that of version 1.
answers_own() (
  exec 3<>"/dev/tcp/${signal_address%:*}/${signal_address##*:}" || exit 1
  printf '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET /healthz HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n' >&3
  read -r -t 5 -u 3 _ status _ && [ "$status" = 200 ]
)

# It answers 200 once it has a connection to Cloudflare, and before that 503. A host that stands by for another has none.
connected() {
  [ -e /run/peersync-tunnel/standby ] || curl -fsS --max-time 5 -o /dev/null http://127.0.0.1:20241/ready
}

# A program that ends at once is started again after a second.
runs() {
  systemctl is-active --quiet "$1" && sleep 2 && systemctl is-active --quiet "$1"
}

# Prints what the log says last about the certificate of the host: nothing yet, `ready`, or why there is none.
certificate_state() {
  local line error kind seconds at
  # Other lines are about what comes later, such as a renewal.
  line=$(grep -h '"target":"certificate"' /var/log/peersync-relay.log 2>/dev/null |
    grep -e '"valid":' -e '"message":"a certificate was obtained"' -e '"message":"the certificate of the stack is used"' |
    tail -n 1) || true
  case $line in
    *'"message":"a certificate was obtained"'* | *'"message":"the certificate of the stack is used"'* | *'"valid":true'*)
      echo ready
      ;;
    *'"valid":false'*)
      error=$(text_of error "$line")
      # What the authority calls its refusal (RFC 8555, section 6.7), if it is one.
      kind=$(sed -n 's/.*urn:ietf:params:acme:error:\([A-Za-z]*\).*/\1/p' <<<"$error")
      seconds=$(sed -n 's/.*"seconds":\([0-9]*\).*/\1/p' <<<"$line")
      at=$(($(date -d "$(text_of timestamp "$line")" +%s) + seconds))
      echo "$without_certificate ${kind:-waiting}: again at $(date -u -d "@$at" +%Y-%m-%dT%H:%M:%SZ): $error"
      ;;
  esac
}

has_domain() {
  grep -qs '^RELAY_DOMAIN=' /etc/peersync/relay.env
}

# Prints what to report of a host that serves.
readiness() {
  local state
  if ! has_domain; then
    echo ready
    return
  fi
  state=$(certificate_state)
  echo "${state:-$without_certificate waiting: again at $(date -u +%Y-%m-%dT%H:%M:%SZ): nothing is known of it yet}"
}

# Usage: follow_certificate REPORTED
# Reports why the host has no certificate, until it has one.
follow_certificate() {
  local state="" reported=$1
  until [ "$state" = ready ] && [ "$reported" = ready ]; do
    sleep 3
    state=$(certificate_state)
    if [ -n "$state" ] && [ "$state" != "$reported" ] && report "$state"; then
      say "$state"
      reported=$state
    fi
  done
}

say "installing"
systemctl start var-lib-swap-peersync.swap || say "there is no swap file"
logs_started=
for _ in 1 2 3; do
  if start_logs; then
    logs_started=1
    break
  fi
  sleep 5
done

systemctl enable --now peersync-update.timer

persist "the signaling program" install_program "$SIGNAL_KEY" "$SIGNAL_SHA256"
systemctl enable --now peersync-signal.service
if [ -n "${RELAY_SHA256:-}" ]; then
  persist "the relay program" install_program "$RELAY_KEY" "$RELAY_SHA256"
  systemctl enable --now peersync-relay.service
fi
if [ "$INGRESS" = cloudflare ]; then
  persist "cloudflared" install_cloudflared
  # The program writes it once it has read the token.
  persist "the token of the tunnel" test -s /var/lib/peersync/tunnel.env
  systemctl enable --now cloudflared.service peersync-tunnel.path
fi

persist "an answer of the signaling server" answers
if [ -n "${RELAY_SHA256:-}" ]; then
  persist "the relay to run" runs peersync-relay.service
fi
if [ "$INGRESS" = cloudflare ]; then
  persist "a connection of the tunnel" connected
fi
reported=$(readiness)
persist "the report that the host is ready" report "$reported"
say "ready"
if [ -z "$logs_started" ]; then
  persist "the log agent" start_logs
fi
if has_domain; then
  follow_certificate "$reported"
fi
say "done"
