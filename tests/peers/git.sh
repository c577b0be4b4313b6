#!/usr/bin/env bash
# Real git, through the gateway, into Apache with `git http-backend`: a repository of more than a
# gigabyte is pushed (chunked) and cloned, once with a session and once with Basic, and the gateway's
# memory does not follow its size.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt git apache2 apache2-utils curl procps python3
need_gateway

MIB=${PORTCULLIS_PEERS_REPOSITORY_MIB:-1100}
BIG=$WORK/big
mkdir -p "$BIG/served"

# --- The upstream: trusts the header as Bitbucket's plugin does, checks Basic itself ---------------

upstream_port=$(free_port)
htpasswd -cbB -C 4 "$WORK/htpasswd" ana ana-password 2>/dev/null
cat >"$WORK/apache.conf" <<CONF
ServerRoot /usr/lib/apache2
ServerName localhost
Listen 127.0.0.1:$upstream_port
PidFile $WORK/apache.pid
ErrorLog $WORK/apache-error.log
DefaultRuntimeDir $WORK
Mutex file:$WORK default
LogFormat "%m %U asserted=%{ASSERTED}e basic=%u te=%{Transfer-Encoding}i" who
CustomLog $WORK/apache-access.log who
User www-data
Group www-data
Timeout 300
# The default refuses more than a gigabyte.
LimitRequestBody 0
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authn_core_module modules/mod_authn_core.so
LoadModule authn_file_module modules/mod_authn_file.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_user_module modules/mod_authz_user.so
LoadModule auth_basic_module modules/mod_auth_basic.so
LoadModule alias_module modules/mod_alias.so
LoadModule env_module modules/mod_env.so
LoadModule setenvif_module modules/mod_setenvif.so
LoadModule cgid_module modules/mod_cgid.so
ScriptSock $WORK/cgid.sock

SetEnvIfExpr "%{REMOTE_ADDR} == '127.0.0.1' && %{HTTP:X-Forwarded-User} =~ /^(.+)$/" REMOTE_USER=\$1 ASSERTED=\$1
SetEnv GIT_PROJECT_ROOT $BIG/served
SetEnv GIT_HTTP_EXPORT_ALL
# The repositories belong to root, git runs as www-data: git would refuse that as dubious.
SetEnv GIT_CONFIG_COUNT 1
SetEnv GIT_CONFIG_KEY_0 safe.directory
SetEnv GIT_CONFIG_VALUE_0 *
SetEnvIf Git-Protocol ".*" GIT_PROTOCOL=\$0
ScriptAlias /scm/ /usr/lib/git-core/git-http-backend/
# What matters is said last: the last section that fits decides.
<Location />
  Require all granted
</Location>
<Location /scm/>
  AuthType Basic
  AuthName "a real upstream"
  AuthUserFile $WORK/htpasswd
  <RequireAny>
    Require env REMOTE_USER
    Require valid-user
  </RequireAny>
</Location>
CONF
# Apache's workers run as www-data and make the CGI socket and read the passwords.
chmod 755 "$WORK"

served() {
  git init -q --bare "$BIG/served/$1.git"
  # A pack stays a pack, and random bytes are not compressed in vain: this is a test of the way.
  git -C "$BIG/served/$1.git" config receive.unpackLimit 1
  git -C "$BIG/served/$1.git" config core.compression 0
  git -C "$BIG/served/$1.git" config pack.window 0
}
mkdir -p "$BIG/served/PEER"
served PEER/session
served PEER/basic
chown -R www-data:www-data "$BIG/served"
start apache apache2 -f "$WORK/apache.conf" -DFOREGROUND
wait_for "http://127.0.0.1:$upstream_port/"

write_config "$WORK/portcullis.toml" "http://127.0.0.1:$upstream_port"
any_provider >>"$WORK/portcullis.toml"
start_gateway "$WORK/portcullis.toml"

# --- The repository ------------------------------------------------------------------------------

client=(git -c user.name=Peer -c user.email=peer@example.com -c core.compression=0 -c pack.window=0
  -c gc.auto=0 -c http.postBuffer=65536 -c advice.detachedHead=false)
git init -q -b main "$BIG/source"
for part in $(seq 11); do
  head -c "$((MIB * 1024 * 1024 / 11))" /dev/urandom >"$BIG/source/part-$part"
done
"${client[@]}" -C "$BIG/source" add .
"${client[@]}" -C "$BIG/source" commit -q -m "A repository of $MIB MiB"
rm "$BIG/source"/part-*
head_commit=$(git -C "$BIG/source" rev-parse main)

# moves WHAT URL GIT_OPTIONS...: pushes, clones, compares, and looks at the gateway's memory.
moves() {
  local what=$1 url=$2
  shift 2
  watch_memory "$GATEWAY_PID"
  SECONDS=0
  "${client[@]}" "$@" -C "$BIG/source" push -q "$url" main >>"$WORK/git.log" 2>&1 || fail "git push with $what"
  ok "git push of $MIB MiB with $what ($SECONDS s)"
  memory_grew_at_most "memory during the push with $what" "$GATEWAY_PID" 64
  watch_memory "$GATEWAY_PID"
  SECONDS=0
  "${client[@]}" "$@" clone -q --bare "$url" "$BIG/clone" >>"$WORK/git.log" 2>&1 || fail "git clone with $what"
  same "git clone of $MIB MiB with $what ($SECONDS s) has the commit" "$head_commit" "$(git -C "$BIG/clone" rev-parse main)"
  (($(du -sm "$BIG/clone" | cut -f1) >= MIB)) || fail "the clone is too small"
  memory_grew_at_most "memory during the clone with $what" "$GATEWAY_PID" 64
  rm -rf "$BIG/clone"
}

# Before anything else: a stranger gets neither a redirect nor the repository.
if "${client[@]}" clone -q "$GATEWAY/scm/PEER/session.git" "$BIG/clone" >"$WORK/stranger.log" 2>&1; then
  fail "a stranger could clone"
fi
if "${client[@]}" -c http.extraHeader="X-Forwarded-User: ana" -c http.extraHeader="X_Forwarded_User: ana" \
  clone -q "$GATEWAY/scm/PEER/session.git" "$BIG/clone" >"$WORK/spoofer.log" 2>&1; then
  fail "a stranger could clone under a header of their own"
fi
ok "git without a session or a password is refused, whatever header it sends"
same "a stranger's git gets a challenge, no redirect" 401 \
  "$(curl -sS -o /dev/null -D "$WORK/challenge" -w '%{http_code}' -A git/2.39 "$GATEWAY/scm/PEER/session.git/info/refs?service=git-upload-pack")"
contains "the challenge is Basic" "basic realm=" "$(tr '[:upper:]' '[:lower:]' <"$WORK/challenge" | grep '^www-authenticate')"

cookie=$(session_cookie)
moves "a session" "$GATEWAY/scm/PEER/session.git" -c http.extraHeader="Cookie: $cookie"
contains "the push with a session was chunked and under the session's name" \
  "POST /scm/PEER/session.git/git-receive-pack asserted=$BACKDOOR_USER basic=- te=chunked" "$(<"$WORK/apache-access.log")"

# Without `ana:…@` being sent at first: git waits for the challenge, then asks its credentials.
moves "Basic" "${GATEWAY/\/\//\/\/ana:ana-password@}/scm/PEER/basic.git" -c http.extraHeader="X-Forwarded-User: admin"
contains "the push with Basic reached the upstream without any asserted name" \
  "POST /scm/PEER/basic.git/git-receive-pack asserted=- basic=ana te=chunked" "$(<"$WORK/apache-access.log")"
lacks "no header of the client's own was believed" "asserted=admin" "$(<"$WORK/apache-access.log")"

if "${client[@]}" clone -q "${GATEWAY/\/\//\/\/ana:wrong@}/scm/PEER/basic.git" "$BIG/clone" >"$WORK/wrong.log" 2>&1; then
  fail "a wrong password could clone"
fi
contains "a wrong password is refused as such" "Authentication failed" "$(<"$WORK/wrong.log")"
stop "$GATEWAY_PID"
