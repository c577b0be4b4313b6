#!/usr/bin/env bash
# Sign-in, refusal and sign-out against Keycloak, by the preset `keycloak`: groups as full paths in the
# ID token, and realm roles at userinfo. Then sign-out that begins at Keycloak, over the back channel and,
# in headless Chromium, over the front channel, and sessions that follow what Keycloak says.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt chromium curl fonts-dejavu-core procps python3
need_npm
need_gateway

VERSION=26.7.3
need_maven "org.keycloak:keycloak-quarkus-dist:$VERSION:zip" 27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
KEYCLOAK=$PEERS_DIR/keycloak-$VERSION
if [[ ! -f $KEYCLOAK/unpacked ]]; then
  rm -rf "$KEYCLOAK"
  python3 -m zipfile -e "$MAVEN_FILE" "$PEERS_DIR"
  touch "$KEYCLOAK/unpacked"
fi

upstream_port=$(free_port) keycloak_port=$(free_port)
# The gateway is `localhost`, and the two are different sites to a browser, as they mostly are.
keycloak=http://127.0.0.1:$keycloak_port
start upstream run_node upstream.mjs "$upstream_port"
write_config "$WORK/portcullis.toml" "http://127.0.0.1:$upstream_port"
facts_in_headers >>"$WORK/portcullis.toml"
printf '\n[users]\nallowed_domains = ["example.com"]\n' >>"$WORK/portcullis.toml"
# provider WAY [TOML OF THE PROVIDER]
provider() {
  cat <<TOML

[[providers]]
id = "$1"
preset = "keycloak"
name = "Keycloak ($1)"
issuer = "$keycloak/realms/example"
client_id = "git.$1"
client_secret = "a secret for the peers: % + & ="
${2-}
TOML
}
cp "$WORK/portcullis.toml" "$WORK/mapped.toml"
sed '/^\[session\]/a refresh_secs = 10' "$WORK/portcullis.toml" >"$WORK/logout.toml"
{ provider paths; provider roles; } >>"$WORK/portcullis.toml"
{
  provider paths '[providers.claims]
groups = { claim = "groups", steps = [{ last_segment = "/" }] }'
  provider roles
  cat <<TOML

[groups]
mode = "manual"
default = ["stash-users"]
[groups.map]
"bitbucket-developers" = ["platform", "git-user"]
"bitbucket-regions" = "Länder & Regionen"
"bitbucket-operators" = ["git-admin", "nobody has this"]
TOML
} >>"$WORK/mapped.toml"
{
  provider back
  provider front
  printf '\n[sign_in]\nauto_redirect = true\ndefault_provider = "back"\n'
} >>"$WORK/logout.toml"

# The realm's placeholders are taken from the environment. Its data stays in memory.
export GATEWAY CLIENT_SECRET='a secret for the peers: % + & =' PASSWORD='a password for the peers'
export KC_BOOTSTRAP_ADMIN_CLIENT_ID=peers KC_BOOTSTRAP_ADMIN_CLIENT_SECRET='the administrator of the peers'
mkdir -p "$KEYCLOAK/data/import"
cp "$PEERS/keycloak/realm.json" "$KEYCLOAK/data/import"
# The quick compiler alone: this process lives for a minute, and half of that is its start.
export JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1
start keycloak setsid sh "$KEYCLOAK/bin/kc.sh" start-dev --db=dev-mem --import-realm \
  --hostname="$keycloak" --http-host=127.0.0.1 --http-port="$keycloak_port"
SECONDS=0
wait_for "$keycloak/realms/example/.well-known/openid-configuration" 240 --fail
ok "Keycloak $VERSION is there after $SECONDS s"
# The script becomes Java, or its parent when there was nothing to prepare.
KEYCLOAK_PID=$(pgrep -g "$STARTED_PID" -x java)

wait_for "http://127.0.0.1:$upstream_port/"
start_gateway "$WORK/portcullis.toml"
steps() { python3 "$PEERS/keycloak.py" "$1" "$GATEWAY" "$keycloak/realms/example" "$PASSWORD"; }
steps own_names
stop "$GATEWAY_PID"
start_gateway "$WORK/mapped.toml"
steps mapped
stop "$GATEWAY_PID"
start_gateway "$WORK/logout.toml"
logout() {
  python3 "$PEERS/keycloak_logout.py" "$1" "$GATEWAY" "$keycloak/realms/example" "$PASSWORD" "$WORK/gateway.log"
}
logout back_channel
logout rp_initiated
(run_node keycloak_logout.mjs "$GATEWAY" "$keycloak/realms/example" "$PASSWORD" "$WORK/gateway.log" \
  "http://localhost:$upstream_port/")
logout refresh
at_most "memory of Keycloak in MiB" 1500 $(($(memory_kib "$KEYCLOAK_PID" VmHWM) / 1024))
stop "$GATEWAY_PID"
stop "$KEYCLOAK_PID"
