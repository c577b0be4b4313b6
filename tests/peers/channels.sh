#!/usr/bin/env bash
# Sessions that follow npm `oidc-provider`: refresh tokens that work once under two hundred parallel
# requests, a refresh that is refused, and the back channel.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl procps python3
need_npm
need_gateway

upstream_port=$(free_port) provider_port=$(free_port)
start upstream run_node upstream.mjs "$upstream_port"
write_config "$WORK/portcullis.toml" "http://127.0.0.1:$upstream_port"
sed -i '/^\[session\]/a refresh_secs = 10' "$WORK/portcullis.toml"
cat >>"$WORK/portcullis.toml" <<TOML

[[providers]]
id = "peer"
preset = "oidc"
name = "A real provider"
issuer = "http://localhost:$provider_port"
client_id = "portcullis"
client_secret = "a secret for the peers: % + & ="
refresh = true
TOML

start_provider() {
  start provider run_node provider.mjs "$provider_port" "$GATEWAY/sso/callback/peer" "$GATEWAY/sso/signed-out" '' \
    "$GATEWAY/sso/backchannel-logout/peer"
  PROVIDER_PID=$STARTED_PID
  wait_for "http://localhost:$provider_port/jwks"
}
steps() { python3 "$PEERS/sign_in.py" "$1" "$GATEWAY" "http://localhost:$provider_port" "${@:2}"; }

wait_for "http://127.0.0.1:$upstream_port/"
start_provider
start_gateway "$WORK/portcullis.toml"
steps burst "$WORK/provider.log"
steps back_channel
contains "the provider has the gateway's 200" 'the back channel was told' "$(<"$WORK/provider.log")"

# A provider that starts anew has forgotten every token.
cookie=$(steps begun)
stop "$PROVIDER_PID"
start_provider
sleep 11
steps refused "$cookie"

stop "$GATEWAY_PID"
ok "SIGTERM ends the gateway"
