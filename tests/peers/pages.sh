#!/usr/bin/env bash
# Headless Chromium opens every page of the gateway: desktop and phone, light and dark, with axe-core,
# which must find nothing. Screenshots go to $PORTCULLIS_SCREENSHOTS (default: this peer's directory).
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt chromium fonts-dejavu-core fonts-noto-core fonts-vlgothic git curl procps python3
need_npm
need_gateway

SHOTS=${PORTCULLIS_SCREENSHOTS:-$WORK/screenshots}
mkdir -p "$SHOTS"

# provider ID PRESET NAME: none of them answers.
provider() {
  cat <<TOML

[[providers]]
id = "$1"
preset = "oidc"
icon = "$2"
name = "$3"
issuer = "http://127.0.0.1:9"
client_id = "portcullis"
client_secret = "a secret of thirty-two characters"
TOML
}

write_config "$WORK/gateway.toml" http://127.0.0.1:9
{
  provider google google Google
  provider github github GitHub
  provider keycloak keycloak "Example Accounts"
  cat <<TOML

[[sign_in.rules]]
domains = ["example.com"]
subdomains = true
provider = "keycloak"
TOML
} >>"$WORK/gateway.toml"
sed -i '/^\[session\]/a remember_me = true' "$WORK/gateway.toml"
start_gateway "$WORK/gateway.toml"
CHOICE=$GATEWAY

write_config "$WORK/countdown.toml" http://127.0.0.1:9
sed -i 's/^store = .*/store = "memory"/' "$WORK/countdown.toml"
{
  provider keycloak keycloak "Example Accounts"
  printf '\n[sign_in]\nauto_redirect_delay_secs = 30\n'
} >>"$WORK/countdown.toml"
start_gateway "$WORK/countdown.toml"
COUNTDOWN=$GATEWAY

write_config "$WORK/off.toml" http://127.0.0.1:9
sed -i 's/^store = .*/store = "memory"/' "$WORK/off.toml"
{
  provider keycloak keycloak "Example Accounts"
  printf '\n[sign_in]\nenabled = false\n'
} >>"$WORK/off.toml"
start_gateway "$WORK/off.toml"

# With a provider that answers.
start_demo

(run_node pages.mjs "$CHOICE" "$COUNTDOWN" "$GATEWAY" "$DEMO" "$SHOTS" "$BACKDOOR_USER" "$BACKDOOR_PASSWORD")
echo "screenshots: $SHOTS"
