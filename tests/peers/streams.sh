#!/usr/bin/env bash
# A WebSocket client (npm `ws`) and a reader of server-sent events (npm `eventsource`).
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl procps python3
need_npm
need_gateway

upstream_port=$(free_port)
start upstream run_node upstream.mjs "$upstream_port"
wait_for "http://127.0.0.1:$upstream_port/"
write_config "$WORK/portcullis.toml" "http://127.0.0.1:$upstream_port"
any_provider >>"$WORK/portcullis.toml"
start_gateway "$WORK/portcullis.toml"
(run_node streams.mjs "$GATEWAY" "$(session_cookie)" "$BACKDOOR_USER")
stop "$GATEWAY_PID"
