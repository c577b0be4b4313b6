#!/usr/bin/env bash
# Five gigabytes up and five down with curl: the gateway's memory does not follow.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl procps python3
need_npm
need_gateway

BYTES=${PORTCULLIS_PEERS_TRANSFER_BYTES:-$((5 * 1024 * 1024 * 1024))}
upstream_port=$(free_port)
start upstream run_node upstream.mjs "$upstream_port"
wait_for "http://127.0.0.1:$upstream_port/"
write_config "$WORK/portcullis.toml" "http://127.0.0.1:$upstream_port"
any_provider >>"$WORK/portcullis.toml"
start_gateway "$WORK/portcullis.toml"
cookie=$(session_cookie)
mkdir -p "$WORK/big"
truncate -s "$BYTES" "$WORK/big/sparse"

watch_memory "$GATEWAY_PID"
SECONDS=0
same "an upload with a length arrives whole" "$BYTES" \
  "$(curl -sS --fail -m 300 -H "Cookie: $cookie" -X POST -T "$WORK/big/sparse" "$GATEWAY/swallow")"
memory_grew_at_most "memory during an upload of $BYTES bytes in $SECONDS s" "$GATEWAY_PID" 64

watch_memory "$GATEWAY_PID"
SECONDS=0
same "a chunked upload arrives whole" "$BYTES" \
  "$(curl -sS --fail -m 300 -H "Cookie: $cookie" -X POST -T - "$GATEWAY/swallow" <"$WORK/big/sparse")"
memory_grew_at_most "memory during a chunked upload of $BYTES bytes in $SECONDS s" "$GATEWAY_PID" 64

watch_memory "$GATEWAY_PID"
SECONDS=0
same "a download arrives whole" "$BYTES" \
  "$(curl -sS --fail -m 300 -H "Cookie: $cookie" -o /dev/null -w '%{size_download}' "$GATEWAY/produce?bytes=$BYTES")"
memory_grew_at_most "memory during a download of $BYTES bytes in $SECONDS s" "$GATEWAY_PID" 64

# A reader that hardly reads: what it does not take must wait in the upstream, not in the gateway.
watch_memory "$GATEWAY_PID"
status=0
curl -sS -m 5 --limit-rate 1M -H "Cookie: $cookie" -o /dev/null "$GATEWAY/produce?bytes=$BYTES" 2>>"$WORK/slow.log" || status=$?
same "a slow reader gives up after five seconds" 28 "$status"
memory_grew_at_most "memory for a slow reader" "$GATEWAY_PID" 64
