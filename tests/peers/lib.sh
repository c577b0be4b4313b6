# shellcheck shell=bash disable=SC2034
# Sourced by every peer: processes that end with the script, free ports, a gateway with a
# configuration, and checks that say what they proved. Nothing here is skipped when it is missing:
# a peer that cannot run has failed.
#
#   PORTCULLIS_BIN        the program to test; built with `cargo build --release` when unset
#   PORTCULLIS_PEERS_DIR  what the peers install and write: /tmp/portcullis-peers when unset

set -euo pipefail

PEERS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$PEERS/../.." && pwd)
PEERS_DIR=${PORTCULLIS_PEERS_DIR:-/tmp/portcullis-peers}
WORK=$PEERS_DIR/run/$(basename "$0" .sh)
NODE_DIR=$PEERS_DIR/node
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PEERS
# Whoever runs the peers may have a proxy or a git identity of their own; the peers must not.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
export NO_PROXY='*' GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0

rm -rf "$WORK"
mkdir -p "$WORK"

# --- What is said -------------------------------------------------------------------------------

ok() { echo "ok: $*"; }

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# same WHAT EXPECTED ACTUAL
same() {
  [[ "$2" == "$3" ]] || fail "$1: expected '$2', got '$3'"
  ok "$1"
}

# contains WHAT NEEDLE HAYSTACK
contains() {
  [[ "$3" == *"$2"* ]] || fail "$1: no '$2' in: ${3:0:2000}"
  ok "$1"
}

# lacks WHAT NEEDLE HAYSTACK
lacks() {
  [[ "$3" != *"$2"* ]] || fail "$1: '$2' in: ${3:0:2000}"
  ok "$1"
}

# at_most WHAT LIMIT ACTUAL
at_most() {
  (($3 <= $2)) || fail "$1: $3 is more than $2"
  ok "$1 ($3, at most $2)"
}

# --- Processes ----------------------------------------------------------------------------------

STARTED=()

# start NAME COMMAND...: in the background, its output in $WORK/NAME.log, its process in $STARTED_PID.
start() {
  local name=$1
  shift
  "$@" >>"$WORK/$name.log" 2>&1 </dev/null &
  STARTED_PID=$!
  STARTED+=("$STARTED_PID")
}

# stop PID: by SIGTERM, and it has to end.
stop() {
  kill -TERM "$1" 2>/dev/null || return 0
  for _ in $(seq 150); do
    # A zombie has ended too; the shell reaps it in `wait`.
    [[ $(ps -o stat= -p "$1" 2>/dev/null) == [^Z]* ]] || { wait "$1" 2>/dev/null || true; return 0; }
    sleep 0.1
  done
  kill -KILL "$1" 2>/dev/null || true
  fail "process $1 did not end on SIGTERM"
}

finish() {
  local status=$?
  trap - EXIT
  # What was started with `setsid` leads a group, and takes it along.
  for pid in "${STARTED[@]}"; do
    kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
  done
  for _ in $(seq 30); do
    [[ -n $(jobs -rp) ]] || break
    sleep 0.1
  done
  for pid in $(jobs -rp); do kill -KILL "$pid" 2>/dev/null || true; done
  # What was made on the way may be gigabytes; the logs stay.
  rm -rf "$WORK/big"
  if ((status != 0)); then
    for log in "$WORK"/*.log; do
      [[ -s "$log" ]] && { echo "--- $log"; tail -n 40 "$log"; } >&2
    done
  fi
  exit "$status"
}
trap finish EXIT

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for URL [SECONDS] [CURL OPTIONS...]: until something answers there with any status.
wait_for() {
  local url=$1 seconds=${2:-20}
  shift $(($# > 1 ? 2 : 1))
  for _ in $(seq $((seconds * 10))); do
    curl -sS -o /dev/null -m 5 "$@" "$url" 2>/dev/null && return 0
    sleep 0.1
  done
  fail "nothing answered at $url within $seconds s"
}

# --- Installation -------------------------------------------------------------------------------

# need_apt PACKAGE...
need_apt() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  for attempt in 1 2 3; do
    # The list of packages is fetched anew after a failure: an old one names versions that are gone.
    { ((attempt == 1)) && ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; } || apt-get update -qq || true
    # Nothing that is installed may start itself: the peers start what they need, on ports of theirs.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
      apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$WORK/apt.log" 2>&1 </dev/null && return 0
    sleep 2
  done
  fail "cannot install ${missing[*]}"
}

# The packages of package.json, in the exact versions of the lock file.
need_npm() {
  local wanted
  wanted=$(cat "$PEERS/package.json" "$PEERS/package-lock.json" | sha256sum)
  [[ -f $NODE_DIR/installed && $(<"$NODE_DIR/installed") == "$wanted" ]] && return 0
  rm -rf "$NODE_DIR"
  mkdir -p "$NODE_DIR"
  cp "$PEERS/package.json" "$PEERS/package-lock.json" "$NODE_DIR"
  for _ in 1 2 3; do
    if (cd "$NODE_DIR" && npm ci --ignore-scripts --no-audit --no-fund) >>"$WORK/npm.log" 2>&1 </dev/null; then
      echo "$wanted" >"$NODE_DIR/installed"
      return 0
    fi
    sleep 2
  done
  fail "cannot install the npm packages"
}

# need_venv NAME [PACKAGE==VERSION...]: a Python of its own in $VENV with these packages or, when none is
# named, with those of NAME.txt, in exactly the versions and files that it lists.
need_venv() {
  need_apt python3 python3-venv
  VENV=$PEERS_DIR/venv-$1
  local wanted packages=("${@:2}")
  ((${#packages[@]})) || packages=(--no-deps --only-binary :all: --require-hashes -r "$PEERS/$1.txt")
  wanted=$(python3 -VV; echo "${packages[*]}"; (($# > 1)) || sha256sum <"$PEERS/$1.txt")
  [[ -f $VENV/installed && $(<"$VENV/installed") == "$wanted" ]] && return 0
  for _ in 1 2 3; do
    rm -rf "$VENV"
    if { python3 -m venv "$VENV" && "$VENV/bin/pip" install -q --disable-pip-version-check "${packages[@]}"; } \
      >>"$WORK/pip.log" 2>&1 </dev/null; then
      echo "$wanted" >"$VENV/installed"
      return 0
    fi
    sleep 2
  done
  fail "cannot install what $1 needs"
}

# need_maven GROUP:ARTIFACT:VERSION:TYPE SHA256: one file, without what it depends on, in $MAVEN_FILE.
need_maven() {
  need_apt default-jre-headless maven
  export JAVA_HOME=/usr/lib/jvm/default-java
  local repository=$PEERS_DIR/maven group artifact version type
  IFS=: read -r group artifact version type <<<"$1"
  MAVEN_FILE=$repository/${group//.//}/$artifact/$version/$artifact-$version.$type
  for attempt in 1 2 3 4; do
    sha256sum --status -c - 2>/dev/null <<<"$2  $MAVEN_FILE" && return 0
    ((attempt < 4)) || break
    rm -f "$MAVEN_FILE"
    mvn -B -q -Dmaven.repo.local="$repository" "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:get" \
      -Dartifact="$1" -Dtransitive=false >>"$WORK/maven.log" 2>&1 </dev/null || sleep 2
  done
  fail "cannot get $1 with the SHA-256 $2"
}

# run_node SCRIPT ARGUMENTS...: imports are looked up beside the script, so it is copied to where the
# packages are. Replaces the shell: use it with `start`, or in a subshell.
run_node() {
  local script=$1
  shift
  cp "$PEERS"/*.mjs "$NODE_DIR"
  exec node "$NODE_DIR/$script" "$@"
}

# --- The gateway --------------------------------------------------------------------------------

need_gateway() {
  if [[ -z ${PORTCULLIS_BIN:-} ]]; then
    (cd "$ROOT" && cargo build --release --locked) >&2
    PORTCULLIS_BIN=${CARGO_TARGET_DIR:-$ROOT/target}/release/portcullis
  fi
  [[ -x $PORTCULLIS_BIN ]] || fail "$PORTCULLIS_BIN is not there"
}

BACKDOOR_USER=rescue
BACKDOOR_PASSWORD='correct horse battery staple'

# write_config FILE UPSTREAM [TOML OF [server]]: everything but providers. The backdoor is how a
# peer that is not about providers gets a session. Sets GATEWAY and GATEWAY_ADMIN unless they are set.
write_config() {
  need_apt argon2 openssl curl
  local file=$1 upstream=$2 server=${3:-} scheme=http
  [[ $server == *tls* ]] && scheme=https
  local port admin_port
  port=$(free_port) admin_port=$(free_port)
  GATEWAY=$scheme://localhost:$port
  GATEWAY_ADMIN=http://127.0.0.1:$admin_port
  (umask 077 && openssl rand -hex 64 >"$WORK/session.key")
  local hash
  # Hashed by another program than the one that verifies it.
  hash=$(printf %s "$BACKDOOR_PASSWORD" | argon2 "$(openssl rand -hex 8)" -id -t 2 -m 15 -p 1 -e)
  cat >"$file" <<TOML
[server]
public_url = "$GATEWAY"
listen = "127.0.0.1:$port"
admin_listen = "127.0.0.1:$admin_port"
$server

[upstream]
url = "$upstream"
kind = "bitbucket"

[session]
store = "sqlite:$WORK/portcullis.db"
keys = [{ file = "$WORK/session.key" }]

[backdoor]
enabled = true

[[backdoor.accounts]]
username = "$BACKDOOR_USER"
password_hash = '$hash'
TOML
}

# For a peer that is not about providers: sign-in needs one in the configuration, but never asks it.
any_provider() {
  cat <<TOML

[[providers]]
id = "unused"
preset = "oidc"
name = "Unused"
issuer = "http://127.0.0.1:9"
client_id = "unused"
client_secret = "unused"
TOML
}

# Every fact about the person in a header of its own: gateway.py knows their names.
facts_in_headers() {
  cat <<TOML

[identity]
email_header = "X-Forwarded-Email"
name_header = "X-Forwarded-Name"
groups_header = "X-Forwarded-Groups"
TOML
}

# start_gateway FILE: checked first, because `check` names every mistake. Sets GATEWAY_PID.
start_gateway() {
  "$PORTCULLIS_BIN" check --config "$1" >"$WORK/check.log" 2>&1 || fail "check refuses the configuration"
  start gateway "$PORTCULLIS_BIN" serve --config "$1"
  GATEWAY_PID=$STARTED_PID
  wait_for "$GATEWAY_ADMIN/healthz"
}

# The `Cookie` header of a new backdoor session, without its name: `portcullis=...`.
session_cookie() {
  python3 "$PEERS/browser.py" backdoor "$GATEWAY" "$BACKDOOR_USER" "$BACKDOOR_PASSWORD" "${1:-}"
}

# --- The demo -----------------------------------------------------------------------------------

# start_demo: sets DEMO, DEMO_PID, STAND_IN (its Bitbucket, around the gateway), CREDENTIALS (of who
# looks after people there) and SETTINGS (the gateway's configuration, which may be edited).
start_demo() {
  local port
  port=$(free_port)
  start demo "$PORTCULLIS_BIN" demo --port "$port"
  DEMO=http://127.0.0.1:$port DEMO_PID=$STARTED_PID
  wait_for "$DEMO/sso/login"
  CREDENTIALS=$(demo_says 'curl -u \Kportcullis:[^ ]+')
  STAND_IN=$(demo_says 'around the gateway: \Khttp://[0-9.:]+')
  SETTINGS=$(demo_says 'Settings +\K/[^ ]+')
}

# demo_says PATTERN: the first thing that matches in what the demo prints, once it has.
demo_says() {
  # It answers before it has printed.
  for _ in $(seq 100); do
    grep -oPm 1 "$1" "$WORK/demo.log" && return 0
    sleep 0.1
  done
  fail "the demo does not say $1"
}

# change_demo WHAT SED-SCRIPT: another configuration, in force when this returns.
change_demo() {
  local before
  before=$(demo_reloads)
  sed "$2" "$SETTINGS" >"$WORK/settings.toml"
  ! cmp -s "$WORK/settings.toml" "$SETTINGS" || fail "$1: nothing to change in $SETTINGS"
  cat "$WORK/settings.toml" >"$SETTINGS"
  for _ in $(seq 100); do
    (($(demo_reloads) == before)) || return 0
    sleep 0.1
  done
  fail "$1: the demo does not reload"
}
demo_reloads() { grep -c 'the configuration was reloaded' "$WORK/demo.log" || true; }

# demo_people SUBJECT=USERNAME|SUBJECT=refused...: they sign in, one after the other.
demo_people() { python3 "$PEERS/demo.py" "$DEMO" "$@" || fail "sign-in: $*"; }

# --- Memory -------------------------------------------------------------------------------------

memory_kib() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; }

# The peak (VmHWM) counts from here on; what is resident now is in $MEMORY_BEFORE, in KiB.
watch_memory() {
  echo 5 >"/proc/$1/clear_refs"
  MEMORY_BEFORE=$(memory_kib "$1" VmRSS)
}

# memory_grew_at_most WHAT PID MIB
memory_grew_at_most() {
  local peak
  peak=$(memory_kib "$2" VmHWM)
  at_most "$1: KiB of growth above the $MEMORY_BEFORE before" $(($3 * 1024)) $((peak - MEMORY_BEFORE))
}
