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
# The pause between two questions, in seconds. The other host says goodbye for a second at least, and people come back three
# seconds after its beginning; by then cloudflared, which needs one to two seconds, is connected.
pause=0.5
standby=${RUNTIME_DIRECTORY:?}/standby

# Prints what another host says through Cloudflare, which puts its ray into each answer: `ok`, or `draining` once it says goodbye.
# A host to which the domain led before needs no connection, and is no reason to wait. This host's own way is closed as long as
# cloudflared does not run here.
said_by_another() {
  local answer
  answer=$(curl -isS --max-time 5 "$HEALTH_URL?$RANDOM$RANDOM" 2>/dev/null)
  local pattern=$'\ncf-ray:.*"status":"(ok|draining)"'
  if [[ ${answer,,} =~ $pattern ]]; then
    echo "${BASH_REMATCH[1]}"
  fi
}

# Prints for how many seconds the host has been running: no clock that somebody sets.
running_seconds() {
  local seconds
  read -r seconds _ </proc/uptime
  echo "${seconds%.*}"
}

reaches_cloudflare() {
  timeout 5 bash -c ": </dev/tcp/$edge_host/$edge_port" 2>/dev/null
}

# Returns once no other host serves.
stand_by() {
  local unanswered=0 end
  end=$(($(running_seconds) + longest_standby))
  while [ "$(running_seconds)" -lt "$end" ]; do
    case $(said_by_another) in
      ok)
        unanswered=0
        if [ ! -e "$standby" ] && reaches_cloudflare; then
          echo "another host serves the domain: standing by"
          touch "$standby"
        fi
        ;;
      draining) return ;;
      *)
        # One answer that is late or lost does not mean that the other host has ended.
        unanswered=$((unanswered + 1))
        [ "$unanswered" -lt 2 ] || return
        ;;
    esac
    sleep "$pause"
  done
}

if [ -n "${TUNNEL_TOKEN:-}" ] && [ -n "${HEALTH_URL:-}" ]; then
  stand_by
  rm -f "$standby"
fi

# It ends once the signaling server has said goodbye: it takes leave of Cloudflare at once, and of whoever is still connected a
# second later.
options=(--no-autoupdate --metrics "$metrics" --grace-period 1s)
if [ -n "${TUNNEL_TOKEN:-}" ]; then
  exec cloudflared tunnel "${options[@]}" run
else
  exec cloudflared tunnel "${options[@]}" --url http://127.0.0.1:8081
fi
