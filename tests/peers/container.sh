#!/usr/bin/env bash
# The container's content without a container engine: the tree that the Dockerfile ships, entered as
# its user, with nothing of this machine in reach.
#
#   PORTCULLIS_DIST_BIN  the program that ships (`cargo build --profile dist`); PORTCULLIS_BIN when unset
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt argon2 ca-certificates coreutils curl openssl procps python3 util-linux
need_gateway

BINARY=${PORTCULLIS_DIST_BIN:-$PORTCULLIS_BIN}
TREE=$WORK/big/rootfs
CHROOT=$(command -v chroot || echo /usr/sbin/chroot)
mkdir -p "$TREE"
chmod 755 "$WORK/big" "$TREE"
"$ROOT/docker/rootfs.sh" "$BINARY" "$TREE"
ok "the tree is made: $(du -sm "$TREE" | cut -f1) MiB in $(find "$TREE" -type f | wc -l) files"
user=$(awk '$1 == "USER" { print $2 }' "$ROOT/docker/Dockerfile")
same "the Dockerfile's user is the tree's" "portcullis:x:${user%:*}" "$(grep ^portcullis "$TREE/etc/passwd" | cut -d: -f1-3)"
contains "the Dockerfile's last stage is this tree" $'FROM scratch\nCOPY --from=build /rootfs /' "$(<"$ROOT/docker/Dockerfile")"

# inside ARGUMENTS...: the program in the tree, as its user, with an environment of its own.
inside() { env -i "TMPDIR=/tmp" "$CHROOT" --userspec="$user" "$TREE" /usr/bin/portcullis "$@"; }

writable=$(setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups find "$TREE" -writable ! -type l -printf '/%P\n' | sort | paste -sd' ')
same "the user can write to the volume and to /tmp alone" "/tmp /var/lib/portcullis" "$writable"
inside --help >"$WORK/help.txt"
ok "the program starts with what is in the tree"

# --- The example of compose.yaml, with secrets as compose mounts them --------------------------------

mkdir -p "$TREE/run/secrets"
openssl rand -hex 64 >"$TREE/run/secrets/session_key"
echo "a secret" >"$TREE/run/secrets/salesforce_secret"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=git.example.com \
  -addext subjectAltName=DNS:git.example.com -keyout "$TREE/run/secrets/server.key" -out "$TREE/run/secrets/server.pem" 2>>"$WORK/openssl.log"
chown -R "$user" "$TREE/run/secrets"
chmod 400 "$TREE"/run/secrets/*
cp "$ROOT/docker/portcullis.toml" "$TREE/etc/portcullis/portcullis.toml"
inside check --config /etc/portcullis/portcullis.toml >"$WORK/example.log" 2>&1 || fail "check refuses docker/portcullis.toml"
ok "check accepts the example of compose.yaml"
echo 'nonsense = 1' >"$TREE/etc/portcullis/wrong.toml"
status=0
inside check --config /etc/portcullis/wrong.toml >"$WORK/wrong.log" 2>&1 || status=$?
same "check refuses a wrong file with its exit code" 2 "$status"

# --- Serving ---------------------------------------------------------------------------------------

upstream_port=$(free_port)
need_npm
start upstream run_node upstream.mjs "$upstream_port"
wait_for "http://127.0.0.1:$upstream_port/"
write_config "$WORK/outside.toml" "http://127.0.0.1:$upstream_port"
any_provider >>"$WORK/outside.toml"
# The same configuration with the container's paths.
sed -e "s|sqlite:$WORK/|sqlite:/var/lib/portcullis/|" -e "s|$WORK/session.key|/run/secrets/session_key|" \
  "$WORK/outside.toml" >"$TREE/etc/portcullis/portcullis.toml"

status=0
inside health --url "$GATEWAY_ADMIN/healthz" >"$WORK/health-before.log" 2>&1 || status=$?
same "the health check fails before the gateway runs" 1 "$status"
start gateway env -i PORTCULLIS_CONFIG=/etc/portcullis/portcullis.toml \
  "$CHROOT" --userspec="$user" "$TREE" /usr/bin/portcullis serve
GATEWAY_PID=$STARTED_PID
wait_for "$GATEWAY_ADMIN/healthz"
same "it runs as the user" "${user%:*}" "$(awk '$1 == "Uid:" { print $2 }' "/proc/$GATEWAY_PID/status")"
inside health --url "$GATEWAY_ADMIN/healthz" >"$WORK/health.log" 2>&1 || fail "the health check fails while the gateway runs"
ok "the health check passes"
cookie=$(session_cookie)
contains "a session works" "\"x-forwarded-user\":\"$BACKDOOR_USER\"" "$(curl -sS -H "Cookie: $cookie" "$GATEWAY/seen")"
[[ -s $TREE/var/lib/portcullis/portcullis.db ]] || fail "the state is not in the volume"
ok "the state is in the volume"
same "nothing else was written" "" \
  "$(find "$TREE" -user "${user%:*}" ! -path "$TREE/var/lib/portcullis*" ! -path "$TREE/run/secrets*" -printf '/%P ')"
stop "$GATEWAY_PID"
ok "docker stop's signal ends it"

# --- The demo ----------------------------------------------------------------------------------------

port=$(free_port)
start demo env -i TMPDIR=/tmp "$CHROOT" --userspec="$user" "$TREE" /usr/bin/portcullis demo --port "$port"
wait_for "http://127.0.0.1:$port/" 30
same "the demo shows its sign-in" 200 "$(curl -sSL -o "$WORK/demo.html" -w '%{http_code}' -H 'Accept: text/html' "http://127.0.0.1:$port/")"
stop "$STARTED_PID"
ok "the demo runs in the tree"
