#!/usr/bin/env bash
# PyPI `atlassian-python-api` reads people, groups and memberships back from the demo's Bitbucket,
# straight and through the gateway, and is understood when it writes.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl procps
need_venv provisioned atlassian-python-api==5.0.5
need_gateway

port=$(free_port)
start demo "$PORTCULLIS_BIN" demo --port "$port"
DEMO_PID=$STARTED_PID
wait_for "http://127.0.0.1:$port/sso/login"

# said PATTERN: the first thing in what the demo prints that matches.
said() { grep -oP "$1" "$WORK/demo.log" | head -n 1; }
CREDENTIALS=$(said 'curl -u \Kportcullis:[^ ]+') || fail "the demo does not say who looks after people"
STAND_IN=$(said 'around the gateway: \Khttp://[0-9.:]+') || fail "the demo does not say where Bitbucket is"

# peer STEP [ARGUMENT...]: a step of provisioned.py; the address comes first, then the credentials.
peer() {
  local step=$1
  shift
  "$VENV/bin/python" "$PEERS/provisioned.py" "$step" "${ADDRESS:-$STAND_IN}" "$CREDENTIALS" "$@" || fail "$step"
}

peer seeded
ADDRESS=http://127.0.0.1:$port peer seeded
peer written
# What a sign-in leaves behind is checked like this: USERNAME NAME EMAIL GROUP...
peer person ana ana ana@example.com stash-users
peer nobody mallory

stop "$DEMO_PID"
ok "SIGTERM ends the demo"
