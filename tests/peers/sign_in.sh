#!/usr/bin/env bash
# Sign-in, refusal, key rotation and sign-out against npm `oidc-provider`.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl procps python3
need_npm
need_gateway

upstream_port=$(free_port) provider_port=$(free_port)
start upstream run_node upstream.mjs "$upstream_port"
write_config "$WORK/portcullis.toml" "http://127.0.0.1:$upstream_port"
cat >>"$WORK/portcullis.toml" <<TOML

[[providers]]
id = "peer"
preset = "oidc"
name = "A real provider"
issuer = "http://localhost:$provider_port"
client_id = "portcullis"
client_secret = "a secret for the peers: % + & ="
scopes = ["openid", "profile", "email"]
[providers.claims]
username = "preferred_username"
email = "email"
groups = "groups"

[users]
allowed_domains = ["example.com"]
TOML

start_provider() {
  start provider run_node provider.mjs "$provider_port" "$GATEWAY/sso/callback/peer" "$GATEWAY/sso/signed-out"
  PROVIDER_PID=$STARTED_PID
  wait_for "http://localhost:$provider_port/jwks"
}
steps() { python3 "$PEERS/sign_in.py" "$1" "$GATEWAY" "http://localhost:$provider_port"; }

wait_for "http://127.0.0.1:$upstream_port/"
# The gateway starts while its provider does not exist yet, and says so to whoever tries.
start_gateway "$WORK/portcullis.toml"
steps provider_down

start_provider
before=$(curl -sS "http://localhost:$provider_port/jwks")
steps provider_up

stop "$PROVIDER_PID"
start_provider
after=$(curl -sS "http://localhost:$provider_port/jwks")
[[ "$before" != "$after" ]] || fail "the provider did not change its keys"
steps rotated_keys

stop "$GATEWAY_PID"
ok "SIGTERM ends the gateway"
