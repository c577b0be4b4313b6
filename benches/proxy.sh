#!/usr/bin/env bash
# The gateway beside nginx (plain proxy_pass) and Apache with mod_auth_openidc, on the same machine, in
# one run, in front of the same upstream:  benches/proxy.sh RESULT
# writes RESULT.json and RESULT.md and prints the table.
#
#   ROUNDS, ROUND_SECONDS, CONNECTIONS   5 rounds of 5 s with 32 connections
#   GIB, SESSIONS, IDLE                  1 GiB up and down, 10000 live sessions, 5000 idle connections
#   WITHOUT_GATEWAY=1                    only the others
#   PORTCULLIS_BIN                       the program; default: `cargo build --profile dist`
#
# Needs two cores. One is for the proxy that is being measured, alone; the load and the upstream share
# the other. nginx gets one worker and the gateway one worker thread, as each would choose for one
# core. Nobody writes an access log. Rounds are interleaved, so that a machine that gets slower gets
# slower for all; every figure is a median of the rounds.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/../tests/peers/lib.sh"

RESULT=$(realpath -m "${1:?where the results go, without an ending}")
BENCHES=$ROOT/benches
PROXY_CORE=1 LOAD_CORE=0
SESSIONS=${SESSIONS:-10000} IDLE=${IDLE:-5000} GIB=${GIB:-1}
need_apt apache2 libapache2-mod-auth-openidc nginx-light wrk argon2 curl openssl procps python3 util-linux
need_npm
(($(nproc) >= 2)) || fail "two cores are needed"
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
if [[ -z ${WITHOUT_GATEWAY:-} && -z ${PORTCULLIS_BIN:-} ]]; then
  (cd "$ROOT" && cargo build --profile dist --locked) >&2
  PORTCULLIS_BIN=${CARGO_TARGET_DIR:-$ROOT/target}/dist/portcullis
fi
[[ -n ${WITHOUT_GATEWAY:-} ]] || need_gateway

# For `start`: replaces the shell in the background, so that the process to stop is the proxy itself.
on_proxy_core() { exec taskset -c "$PROXY_CORE" "$@"; }
targets=() # NAME PID URL COOKIE, for measure.py

# --- The upstream: a kilobyte, a big file, and a place for uploads ---------------------------------

upstream_port=$(free_port) swallow_port=$(free_port)
mkdir -p "$WORK/big/files" "$WORK/nginx-upstream" "$WORK/nginx-proxy"
chmod -R a+rx "$PEERS_DIR" 2>/dev/null || true
truncate -s "${GIB}G" "$WORK/big/files/file"
nginx_conf() { # nginx_conf DIRECTORY: what both have in common
  cat <<CONF
daemon off;
pid $1/nginx.pid;
error_log $1/error.log warn;
user www-data;
worker_processes 1;
worker_rlimit_nofile 65536;
events { worker_connections 32768; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  client_body_temp_path $1/body;
  proxy_temp_path $1/proxy;
  fastcgi_temp_path $1/fastcgi;
  uwsgi_temp_path $1/uwsgi;
  scgi_temp_path $1/scgi;
  sendfile on;
CONF
}
{
  nginx_conf "$WORK/nginx-upstream"
  cat <<CONF
  server {
    listen 127.0.0.1:$upstream_port backlog=8192;
    default_type text/html;
    root $WORK/big/files;
    location / { return 200 "$(head -c 768 /dev/zero | base64 -w0)"; }
    location = /file { default_type application/octet-stream; }
    # nginx answers before it has read a body that it does not need; this one has to arrive.
    location = /swallow { proxy_pass http://127.0.0.1:$swallow_port; proxy_request_buffering off; proxy_http_version 1.1; }
  }
}
CONF
} >"$WORK/nginx-upstream/nginx.conf"
start swallow taskset -c "$LOAD_CORE" bash -c "cp '$PEERS'/*.mjs '$NODE_DIR' && exec node '$NODE_DIR/upstream.mjs' $swallow_port"
start upstream taskset -c "$LOAD_CORE" nginx -c "$WORK/nginx-upstream/nginx.conf"
upstream=http://127.0.0.1:$upstream_port
wait_for "$upstream/"
wait_for "http://127.0.0.1:$swallow_port/"
targets+=(direct 0 "$upstream" "")

# --- nginx ------------------------------------------------------------------------------------------

nginx_port=$(free_port)
{
  nginx_conf "$WORK/nginx-proxy"
  cat <<CONF
  upstream behind { server 127.0.0.1:$upstream_port; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:$nginx_port backlog=8192;
    location / {
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host \$http_host;
      proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto \$scheme;
      # Streams, as the gateway does: no body goes by way of the disk.
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }
}
CONF
} >"$WORK/nginx-proxy/nginx.conf"
start nginx on_proxy_core nginx -c "$WORK/nginx-proxy/nginx.conf"
targets+=(nginx "$STARTED_PID" "http://localhost:$nginx_port" "")
wait_for "http://localhost:$nginx_port/"

# --- Apache with mod_auth_openidc, and the provider ---------------------------------------------------

apache_port=$(free_port) provider_port=$(free_port)
if [[ -z ${WITHOUT_GATEWAY:-} ]]; then
  write_config "$WORK/portcullis.toml" "$upstream" "max_connections = 20000"
else
  GATEWAY=http://localhost:1
fi
start provider run_node provider.mjs "$provider_port" \
  "http://localhost:$apache_port/oidc-callback,$GATEWAY/sso/callback/peer" "$GATEWAY/sso/signed-out"
wait_for "http://localhost:$provider_port/jwks"
cat >"$WORK/apache.conf" <<CONF
ServerRoot /usr/lib/apache2
ServerName localhost
Listen 127.0.0.1:$apache_port
ListenBacklog 8192
PidFile $WORK/apache.pid
DefaultRuntimeDir $WORK
Mutex file:$WORK default
ErrorLog $WORK/apache-error.log
LogLevel warn
User www-data
Group www-data
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authn_core_module modules/mod_authn_core.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_user_module modules/mod_authz_user.so
LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_http_module modules/mod_proxy_http.so
LoadModule auth_openidc_module modules/mod_auth_openidc.so
# One process with a thread for each connection of the load: the least overhead that it can have here.
StartServers 1
ServerLimit 1
ThreadsPerChild 128
ThreadLimit 128
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 600
LimitRequestBody 0
ProxyPreserveHost On
OIDCProviderMetadataURL http://localhost:$provider_port/.well-known/openid-configuration
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCClientID portcullis
OIDCClientSecret "a secret for the peers: % + & ="
OIDCRedirectURI http://localhost:$apache_port/oidc-callback
OIDCCryptoPassphrase $(openssl rand -hex 16)
OIDCPKCEMethod S256
OIDCScope "openid email profile"
OIDCRemoteUserClaim preferred_username
OIDCSessionInactivityTimeout 28800
# Sessions in shared memory (its default), and one identity header, as the gateway sends; its default
# would send every claim.
OIDCCacheType shm
OIDCPassClaimsAs none
OIDCAuthNHeader X-Forwarded-User
<Location />
  AuthType openid-connect
  Require valid-user
  ProxyPass $upstream/ keepalive=On
</Location>
CONF
start apache on_proxy_core apache2 -f "$WORK/apache.conf" -DFOREGROUND
apache_pid=$STARTED_PID
wait_for "http://localhost:$apache_port/"
apache_cookie=$(python3 "$BENCHES/sign_in.py" "http://localhost:$apache_port/" mod_auth_openidc)
targets+=(mod_auth_openidc "$apache_pid" "http://localhost:$apache_port" "$apache_cookie")

# --- The gateway ------------------------------------------------------------------------------------

if [[ -z ${WITHOUT_GATEWAY:-} ]]; then
  fast_port=$(free_port)
  cat >>"$WORK/portcullis.toml" <<TOML

[[providers]]
id = "peer"
preset = "oidc"
name = "A real provider"
issuer = "http://localhost:$provider_port"
client_id = "portcullis"
client_secret = "a secret for the peers: % + & ="
[providers.claims]
username = "preferred_username"

# For thousands of sign-ins: answers at once and signs nothing.
[[providers]]
id = "fast"
preset = "oauth2"
name = "Fast"
issuer = "http://localhost:$fast_port"
authorization_endpoint = "http://localhost:$fast_port/authorize"
token_endpoint = "http://localhost:$fast_port/token"
userinfo_endpoint = "http://localhost:$fast_port/userinfo"
client_id = "bench"
client_secret = "bench"
[providers.claims]
username = "preferred_username"
TOML
  "$PORTCULLIS_BIN" check --config "$WORK/portcullis.toml" >"$WORK/check.log" 2>&1 || fail "check refuses the configuration"
  start gateway on_proxy_core "$PORTCULLIS_BIN" serve --config "$WORK/portcullis.toml"
  gateway_pid=$STARTED_PID
  wait_for "$GATEWAY_ADMIN/healthz"
  gateway_cookie=$(python3 "$BENCHES/sign_in.py" "$GATEWAY/" portcullis)
  targets+=(portcullis "$gateway_pid" "$GATEWAY" "$gateway_cookie")
fi

# --- The measurements ---------------------------------------------------------------------------------

export LOAD_CORE GIB
python3 "$BENCHES/measure.py" load "$RESULT.json" "$WORK" "${targets[@]}"

if [[ -z ${WITHOUT_GATEWAY:-} ]]; then
  # A fresh gateway each: what idleness, sessions and connections cost is not mixed with the load's.
  fresh_gateway() {
    stop "$gateway_pid"
    rm -f "$WORK"/portcullis.db*
    start gateway "$PORTCULLIS_BIN" serve --config "$WORK/portcullis.toml"
    gateway_pid=$STARTED_PID
    wait_for "$GATEWAY_ADMIN/healthz"
  }
  remember() { python3 "$BENCHES/measure.py" memory "$RESULT.json" "$1" "$gateway_pid"; }
  fresh_gateway
  remember "idle"
  cp "$BENCHES/sessions.mjs" "$NODE_DIR"
  node "$NODE_DIR/sessions.mjs" "$GATEWAY" "$fast_port" "$SESSIONS"
  remember "$SESSIONS live sessions"
  fresh_gateway
  cookie=$(python3 "$BENCHES/sign_in.py" "$GATEWAY/" portcullis)
  python3 "$BENCHES/idle.py" "$GATEWAY" "$cookie" "$IDLE" \
    python3 "$BENCHES/measure.py" memory "$RESULT.json" "$IDLE idle keep-alive connections" "$gateway_pid"
fi

python3 "$BENCHES/measure.py" table "$RESULT.json" | tee "$RESULT.md"
