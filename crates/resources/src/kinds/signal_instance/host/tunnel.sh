#!/bin/bash
# Runs cloudflared: with a token in the environment it is the named tunnel of that token, otherwise a quick one.
#
# Cloudflare spreads connections over all hosts that a named tunnel leads to, and people of one call must come to the same
# one. So this host connects once no other answers at the domain: until then it stands by, and a file tells that to the
# installation.
#
# Its environment: TUNNEL_TOKEN, RUNTIME_DIRECTORY and, for a named tunnel, HEALTH_URL.
set -uo pipefail

metrics=127.0.0.1:20241
# Where cloudflared connects to.
edge_host=region1.v2.argotunnel.com edge_port=7844
# How long this host stands by, in seconds: what answers may be a copy that somebody keeps of an answer.
longest_standby=2400
standby=${RUNTIME_DIRECTORY:?}/standby

# Whether another host answers through Cloudflare, which puts its ray into each answer: a host to which the domain led before
# needs no connection, and is no reason to wait. Its own way is closed as long as cloudflared does not run here.
is_served() {
  local answer
  answer=$(curl -ifsS --max-time 5 "$HEALTH_URL?$RANDOM$RANDOM" 2>/dev/null) || return 1
  [[ ${answer,,} == *$'\n'cf-ray:*'"status":"ok"'* ]]
}

reaches_cloudflare() {
  timeout 5 bash -c ": </dev/tcp/$edge_host/$edge_port" 2>/dev/null
}

if [ -n "${TUNNEL_TOKEN:-}" ] && [ -n "${HEALTH_URL:-}" ]; then
  # One answer that is late or lost does not mean that the other host has ended.
  while [ "$SECONDS" -lt "$longest_standby" ] && { is_served || { sleep 1 && is_served; }; }; do
    if [ ! -e "$standby" ] && reaches_cloudflare; then
      echo "another host serves the domain: standing by"
      touch "$standby"
    fi
    sleep 1
  done
  rm -f "$standby"
fi

# At its end it takes leave of Cloudflare at once, and of those who are connected a second later: by then they find the
# next host.
options=(--no-autoupdate --metrics "$metrics" --grace-period 1s)
if [ -n "${TUNNEL_TOKEN:-}" ]; then
  exec cloudflared tunnel "${options[@]}" run
else
  exec cloudflared tunnel "${options[@]}" --url http://127.0.0.1:8081
fi
