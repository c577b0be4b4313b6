#!/usr/bin/env bash
# Sign-in, refusal and sign-out against PyPI `canaille`: groups for a scope of their own, no word about
# verified e-mail, and a `preferred_username` that people change as they like.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl procps python3
need_npm
need_venv canaille
need_gateway

upstream_port=$(free_port) canaille_port=$(free_port)
canaille=http://localhost:$canaille_port
secret='a secret for the peers: % + & =' password='a password for the peers'
start upstream run_node upstream.mjs "$upstream_port"
write_config "$WORK/portcullis.toml" "http://127.0.0.1:$upstream_port"
facts_in_headers >>"$WORK/portcullis.toml"

# provider ID CLIENT CLAIM_OF_USERNAME
provider() {
  cat <<TOML

[[providers]]
id = "$1"
preset = "oidc"
name = "Canaille ($1)"
issuer = "$canaille"
client_id = "$2"
client_secret = "$secret"
client_auth = "client_secret_post"
scopes = ["openid", "profile", "email", "groups"]
[providers.claims]
username = "$3"
TOML
}
{
  provider canaille portcullis sub
  # What a hasty administrator writes.
  provider careless portcullis preferred_username
  # A client that Canaille forgets to name in the `aud` of its ID tokens.
  provider unaddressed unaddressed sub
  printf '\n[users]\nallowed_domains = ["example.com"]\n'
} >>"$WORK/portcullis.toml"

cat >"$WORK/canaille.toml" <<TOML
SECRET_KEY = "not a secret"
SERVER_NAME = "localhost:$canaille_port"
PREFERRED_URL_SCHEME = "http"
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///$WORK/canaille.sqlite"
TOML
export CANAILLE_CONFIG=$WORK/canaille.toml
models=$(<"$PEERS/canaille/models.json")
models=${models//'${GATEWAY}'/$GATEWAY}
models=${models//'${CLIENT_SECRET}'/"$secret"}
models=${models//'${PASSWORD}'/$password}
# Its module is called like this peer.
unset PYTHONPATH
"$VENV/bin/canaille" db upgrade >>"$WORK/setup.log" 2>&1 </dev/null
"$VENV/bin/canaille" restore <<<"$models" >>"$WORK/setup.log" 2>&1

start canaille "$VENV/bin/canaille" run --bind "127.0.0.1:$canaille_port"
CANAILLE_PID=$STARTED_PID
wait_for "$canaille/.well-known/openid-configuration" 60 --fail
wait_for "http://127.0.0.1:$upstream_port/"
start_gateway "$WORK/portcullis.toml"
python3 "$PEERS/canaille.py" "$GATEWAY" "$canaille" "$password"
stop "$GATEWAY_PID"
stop "$CANAILLE_PID"
