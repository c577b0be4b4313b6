#!/usr/bin/env bash
# Headless Chromium clicks through `portcullis demo`: desktop and phone, light and dark, and once
# without JavaScript. Screenshots go to $PORTCULLIS_SCREENSHOTS (default: this peer's directory).
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt chromium fonts-dejavu-core fonts-noto-core git curl procps python3
need_npm
need_gateway

SHOTS=${PORTCULLIS_SCREENSHOTS:-$WORK/screenshots}
mkdir -p "$SHOTS"
start_demo
(run_node browser.mjs "$DEMO" "$WORK/demo.log" "$SHOTS" "$PORTCULLIS_BIN" "$SETTINGS")
echo "screenshots: $SHOTS"
stop "$DEMO_PID"
ok "SIGTERM ends the demo"
