#!/usr/bin/env bash
# Sign-in, groups of several shapes, refusal, key rotation and sign-out against npm `oidc-provider`.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl procps python3
need_npm
need_gateway

upstream_port=$(free_port) provider_port=$(free_port)
start upstream run_node upstream.mjs "$upstream_port"
write_config "$WORK/portcullis.toml" "http://127.0.0.1:$upstream_port"
facts_in_headers >>"$WORK/portcullis.toml"

# peer ID TOML OF [providers.claims]
peer() {
  cat <<TOML

[[providers]]
id = "$1"
preset = "oidc"
name = "A real provider ($1)"
issuer = "http://localhost:$provider_port"
client_id = "portcullis"
client_secret = "a secret for the peers: % + & ="
[providers.claims]
$2
TOML
}
{
  # One provider, read in three ways.
  peer peer 'groups = "groups"'
  peer nested 'groups = "org.membership.groups"'
  peer joined $'groups = "teams"\ngroups_separator = ";"'
  printf '\n[users]\nallowed_domains = ["example.com"]\n'
} >>"$WORK/portcullis.toml"
callbacks=$GATEWAY/sso/callback/peer,$GATEWAY/sso/callback/nested,$GATEWAY/sso/callback/joined

start_provider() {
  start provider run_node provider.mjs "$provider_port" "$callbacks" "$GATEWAY/sso/signed-out"
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
steps shapes

stop "$PROVIDER_PID"
start_provider
after=$(curl -sS "http://localhost:$provider_port/jwks")
[[ "$before" != "$after" ]] || fail "the provider did not change its keys"
steps rotated_keys

stop "$GATEWAY_PID"
ok "SIGTERM ends the gateway"
