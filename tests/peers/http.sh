#!/usr/bin/env bash
# curl: HTTP/2 over TLS and in clear text, HTTP/1.1 keep-alive, `Expect: 100-continue`, trailers.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl openssl procps python3
need_npm
need_gateway

upstream_port=$(free_port)
start upstream run_node upstream.mjs "$upstream_port"
upstream=http://127.0.0.1:$upstream_port
wait_for "$upstream/"

# --- Without TLS -----------------------------------------------------------------------------------

write_config "$WORK/plain.toml" "$upstream"
any_provider >>"$WORK/plain.toml"
start_gateway "$WORK/plain.toml"
cookie=$(session_cookie)
ask() { curl -sS -m 30 -H "Cookie: $cookie" "$@"; }

same "HTTP/2 with prior knowledge" "2 200" \
  "$(ask --http2-prior-knowledge -o "$WORK/h2c" -w '%{http_version} %{http_code}' "$GATEWAY/seen")"
contains "the upstream sees the person" "\"x-forwarded-user\":\"$BACKDOOR_USER\"" "$(<"$WORK/h2c")"

same "HTTP/1.1 keeps its connection" $'1.1 200 1\n1.1 200 0\n1.1 204 0\n1.1 200 0' \
  "$(ask --http1.1 -w '%{http_version} %{http_code} %{num_connects}\n' \
    "$GATEWAY/seen" -o /dev/null "$GATEWAY/trailers" -o /dev/null "$GATEWAY/empty" -o /dev/null "$GATEWAY/seen" -o /dev/null)"
same "HEAD has no body and keeps the connection" $'200 0\n200 0' \
  "$(ask --http1.1 -I -w '%{http_code} %{size_download}\n' "$GATEWAY/seen" -o /dev/null "$GATEWAY/seen" -o /dev/null)"
same "HTTP/1.0 is answered" "200" "$(ask --http1.0 -o /dev/null -w '%{http_code}' "$GATEWAY/seen")"
# Trailers go to whoever announces that it reads them (RFC 9110 §6.5.1).
contains "trailers pass" "x-checksum: of-the-body" \
  "$(ask --http1.1 -H 'TE: trailers' -H 'Connection: TE' -D - -o /dev/null "$GATEWAY/trailers")"

head -c 300000 /dev/urandom >"$WORK/file"
same "an upload waits for 100 and arrives" 300000 \
  "$(ask --http1.1 -v -H 'Expect: 100-continue' --expect100-timeout 20 -X POST -T "$WORK/file" "$GATEWAY/swallow" 2>"$WORK/expect")"
contains "the 100 was sent" "< HTTP/1.1 100" "$(<"$WORK/expect")"
same "a stranger's upload is refused without being sent" "401 0" \
  "$(curl -sS -m 30 --http1.1 -H 'Expect: 100-continue' --expect100-timeout 20 -X POST -T "$WORK/file" \
    -o "$WORK/refused" -w '%{http_code} %{size_upload}' -H 'Accept: application/json' "$GATEWAY/rest/api/latest/projects")"
same "a page's stranger is sent to the sign-in" 30 \
  "$(curl -sS -m 30 -o /dev/null -w '%{http_code}' -H 'Accept: text/html' "$GATEWAY/projects" | cut -c1-2)"
stop "$GATEWAY_PID"

# --- With TLS ----------------------------------------------------------------------------------------

# An authority of our own and a certificate from it, as a company would have them.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Peers' authority" \
  -keyout "$WORK/ca.key" -out "$WORK/ca.pem" 2>>"$WORK/openssl.log"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
  -keyout "$WORK/server.key" -out "$WORK/server.csr" 2>>"$WORK/openssl.log"
openssl x509 -req -in "$WORK/server.csr" -CA "$WORK/ca.pem" -CAkey "$WORK/ca.key" -CAcreateserial -days 2 \
  -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$WORK/server.pem" 2>>"$WORK/openssl.log"
write_config "$WORK/tls.toml" "$upstream" \
  "tls = { cert_file = \"$WORK/server.pem\", key_file = \"$WORK/server.key\" }"
any_provider >>"$WORK/tls.toml"
start_gateway "$WORK/tls.toml"
cookie=$(session_cookie "$WORK/ca.pem")
contains "the cookie on https is bound to the host" "__Host-" "$cookie"
ask() { curl -sS -m 30 --cacert "$WORK/ca.pem" -H "Cookie: $cookie" "$@"; }

same "HTTP/2 by ALPN over TLS" "2 200" "$(ask --http2 -o "$WORK/h2" -w '%{http_version} %{http_code}' "$GATEWAY/seen")"
contains "the upstream is told https" '"x-forwarded-proto":"https"' "$(<"$WORK/h2")"
lacks "the upstream does not see the gateway's cookie" "__Host-" "$(<"$WORK/h2")"
same "many streams share one HTTP/2 connection" "1" \
  "$(ask --http2 --parallel --parallel-max 20 -w '%{num_connects}\n' -o /dev/null "$GATEWAY/seen?[1-40]" | awk '{ n += $1 } END { print n }')"
same "an HTTP/2 upload arrives" 300000 "$(ask --http2 -X POST -T "$WORK/file" "$GATEWAY/swallow")"
same "an HTTP/2 download arrives" 50000000 "$(ask --http2 -o /dev/null -w '%{size_download}' "$GATEWAY/produce?bytes=50000000")"
same "HTTP/1.1 over TLS" "1.1 200" "$(ask --http1.1 -o /dev/null -w '%{http_version} %{http_code}' "$GATEWAY/seen")"
if curl -sS -m 10 -o /dev/null "$GATEWAY/seen" 2>"$WORK/untrusted"; then fail "an unknown authority was accepted"; fi
ok "without the authority curl refuses the certificate"
stop "$GATEWAY_PID"
