#!/usr/bin/env bash
# The published description of Bitbucket's REST interface, held by npm `@stoplight/prism-cli` between
# whoever calls and whoever answers, so that requests and answers are both checked against it.
#
# The description is Atlassian's and not part of this repository:
#   PORTCULLIS_BITBUCKET_OPENAPI  its file; when unset, shared/reference/data/bitbucket-9.4-openapi.json
#                                 beside the repository, or up to two directories further up
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl procps python3
need_npm
need_venv provisioned atlassian-python-api==5.0.5
need_gateway

published=${PORTCULLIS_BITBUCKET_OPENAPI-}
for up in .. ../.. ../../..; do
  [[ -z $published ]] || break
  beside=$ROOT/$up/shared/reference/data/bitbucket-9.4-openapi.json
  [[ ! -r $beside ]] || published=$beside
done
[[ -r $published ]] || fail "there is no description of Bitbucket's REST interface at" \
  "${published:-../shared/reference/data/bitbucket-9.4-openapi.json}; set PORTCULLIS_BITBUCKET_OPENAPI to the file"
description=$WORK/description.json
python3 "$PEERS/description.py" "$published" "$description" || fail "the description is not the one that is known"

# prism NAME COMMAND [UPSTREAM]: its address is then in $PRISM.
prism() {
  local name=$1 port
  shift
  port=$(free_port)
  # Colours would be in the way of whoever reads the log.
  FORCE_COLOR=0 start "$name" node "$NODE_DIR/node_modules/@stoplight/prism-cli/dist/index.js" \
    "$1" --errors --host 127.0.0.1 --port "$port" "$description" "${@:2}"
  PRISM=http://127.0.0.1:$port
  wait_for "$PRISM/" 60
}

# call METHOD ADDRESS [JSON]: the status, and what the validator says about it.
call() {
  local options=(-sS -m 20 -X "$1" -o "$WORK/answer" -w '%{http_code}' -H 'Accept: application/json')
  (($# < 3)) || options+=(-H 'Content-Type: application/json' --data-binary "$3")
  [[ -z ${CREDENTIALS-} ]] || options+=(-u "$CREDENTIALS")
  : >"$WORK/answer"
  curl "${options[@]}" "$API$2"
}
accepted() {
  local what=$1 want=$2 status
  shift 2
  status=$(call "$@")
  [[ $status == "$want" ]] || fail "$what: $* is answered $status, not $want: $(<"$WORK/answer")"
  ok "$what"
}
# refused WHAT REASON METHOD ADDRESS [JSON]: by the validator, for this reason.
refused() {
  local what=$1 reason=$2 status
  shift 2
  status=$(call "$@")
  contains "refused: $what" "$reason" "$status $(<"$WORK/answer")"
}

CREDENTIALS=admin:admin

# The whole life of a person. The names are free and the order is right, so any Bitbucket can answer.
life_of_a_person() {
  accepted "a search among people" 200 GET '/admin/users?filter=ana&start=0&limit=100'
  accepted "a group is made" 200 POST '/admin/groups?name=portcullis-peer'
  accepted "a person is made by a query" 204 POST \
    '/admin/users?name=peer-ana&displayName=Ana%20%C5%BDi%C5%BEek&emailAddress=peer-ana%40example.com&password=long%20and%20random&addToDefaultGroup=false&notify=false'
  accepted "one person by slug" 200 GET '/users/peer-ana'
  accepted "people with a permission" 200 GET '/users?filter=peer-ana&permission=LICENSED_USER&limit=100'
  accepted "a person changes" 200 PUT '/admin/users' \
    '{"name":"peer-ana","displayName":"Ana Žižek","email":"ana@example.com"}'
  accepted "a person joins a group" 200 POST '/admin/users/add-groups' '{"user":"peer-ana","groups":["portcullis-peer"]}'
  accepted "a person's groups" 200 GET '/admin/users/more-members?context=peer-ana&limit=100'
  accepted "a group's people" 200 GET '/admin/groups/more-members?context=portcullis-peer&limit=100'
  accepted "the names of groups" 200 GET '/groups?filter=portcullis-peer&limit=100'
  accepted "groups in detail" 200 GET '/admin/groups?filter=portcullis-peer&limit=100'
  accepted "a group may sign in" 204 PUT '/admin/permissions/groups?name=portcullis-peer&permission=LICENSED_USER'
  accepted "groups with permissions" 200 GET '/admin/permissions/groups?filter=portcullis-peer'
  accepted "people with permissions" 200 GET '/admin/permissions/users?filter=peer-ana'
  accepted "a group may not sign in" 204 DELETE '/admin/permissions/groups?name=portcullis-peer'
  accepted "a person leaves a group" 200 POST '/admin/users/remove-group' \
    '{"context":"peer-ana","itemName":"portcullis-peer"}'
  accepted "a person is deleted" 200 DELETE '/admin/users?name=peer-ana'
  accepted "a group is deleted" 200 DELETE '/admin/groups?name=portcullis-peer'
}

# --- The validator itself ------------------------------------------------------------------------

# What answers here is made up from the description, and passes the validator in front of it.
prism made-up mock
prism validator proxy "$PRISM"
API=$PRISM/rest/api/latest
life_of_a_person

refused "a person without an address" "'emailaddress'" POST '/admin/users?name=a&displayName=A&password=p&addToDefaultGroup=false'
refused "a person without a name" "'name'" POST '/admin/users?displayName=A&emailAddress=a%40example.com&password=p&addToDefaultGroup=false'
refused "a person of an empty name" "'name'" POST \
  '/admin/users?name=&displayName=A&emailAddress=a%40example.com&password=p&addToDefaultGroup=false'
refused "a flag that is neither" 'notify must be boolean' POST \
  '/admin/users?name=a&displayName=A&emailAddress=a%40example.com&password=p&addToDefaultGroup=false&notify=perhaps'
refused "a person in a body" "'emailaddress'" POST '/admin/users' \
  '{"name":"a","displayName":"A","emailAddress":"a@example.com","password":"p"}'
refused "emailAddress where it is called email" "additional properties" PUT '/admin/users' \
  '{"name":"a","displayName":"A","emailAddress":"a@example.com"}'
refused "a change that deactivates" "additional properties" PUT '/admin/users' '{"name":"a","active":false}'
refused "a change of nobody" "'name'" PUT '/admin/users' '{"displayName":"A"}'
refused "a change without a body" "Body parameter is required" PUT '/admin/users'
refused "one group where a list is wanted" 'groups must be array' POST '/admin/users/add-groups' '{"user":"a","groups":"g"}'
refused "no group at all" 'groups must NOT have fewer' POST '/admin/users/add-groups' '{"user":"a","groups":[]}'
refused "a removal in the words of an addition" "additional properties" POST '/admin/users/remove-group' '{"user":"a","groups":["g"]}'
refused "the groups of nobody" "'context'" GET '/admin/users/more-members'
refused "a permission that does not exist" "allowed values" PUT '/admin/permissions/groups?name=g&permission=LICENSED'
refused "an address that does not exist" 404 GET '/admin/user'
refused "a method that does not exist" 405 DELETE '/admin/users/more-members?context=a'
CREDENTIALS='' refused "a call without credentials" 401 GET '/admin/users?filter=a'

# An answer that is none of Bitbucket's.
upstream_port=$(free_port)
start upstream run_node upstream.mjs "$upstream_port"
wait_for "http://127.0.0.1:$upstream_port/"
prism doubter proxy "http://127.0.0.1:$upstream_port"
API=$PRISM/rest/api/latest
refused "an answer that is not JSON" '#VIOLATIONS' GET '/admin/users?filter=a'

# --- The stand-in of the demo --------------------------------------------------------------------

start_demo
prism stand-in proxy "$STAND_IN"
API=$PRISM/rest/api/latest
life_of_a_person
# Refusals have their own shapes, and are checked by the validator like the rest.
accepted "somebody unknown" 404 GET '/users/nobody-of-this-name'
accepted "a change of somebody unknown" 404 PUT '/admin/users' '{"name":"nobody-of-this-name","displayName":"N","email":"n@example.com"}'
accepted "a group that does not exist" 404 POST '/admin/users/add-groups' '{"user":"ana","groups":["no-such-group"]}'
accepted "a name that is taken" 409 POST \
  '/admin/users?name=ana&displayName=A&emailAddress=a%40example.com&password=p&addToDefaultGroup=false'
accepted "a group that is there" 409 POST '/admin/groups?name=stash-users'
CREDENTIALS=portcullis:wrong accepted "a wrong password" 401 GET '/admin/users?filter=ana'

# --- The gateway's own requests ------------------------------------------------------------------

# Between gateways and the stand-in alone, so that its log holds their calls and no others. It answers
# for itself when something is wrong, and then the person is refused.
prism provisioning proxy "$STAND_IN"
change_demo "provisioning through the validator" \
  "s|^\[provisioning.bitbucket\]|timeout_secs = 30\n\n&\nurl = \"$PRISM\"|"

# members GROUP: who is in it, in order.
members() {
  curl -sS -m 20 -u "$CREDENTIALS" "$STAND_IN/rest/api/latest/admin/groups/more-members?context=$1&limit=100" |
    python3 -c 'import json, sys; print(*sorted(it["name"] for it in json.load(sys.stdin)["values"]))'
}

# Ana is known and changes, the others are made; zoe's names have letters that a query has to encode.
demo_people u-1001=ana u-1002=ben u-1003=carla u-1004=zoe u-3001=refused
same "people join groups" "ana zoe" "$(members developers)"
# People leave a group, other administrators are looked for, and an address finds the person.
change_demo "other rules" 's/^match_by = .*/match_by = "email"/; s/^"developers" = .*/"developers" = ["qa"]/
  s/^"bitbucket-admins" = .*/"bitbucket-admins" = ["nobody"]/'
demo_people u-1001=ana u-1002=ben u-1003=carla u-2001=dmitri
same "people leave groups" "ben zoe" "$(members developers)"
same "an administrator leaves, and another one stays" "admin" "$(members bitbucket-admins)"

# Another gateway, and names of groups as people invent them.
provider_port=$(free_port)
write_config "$WORK/portcullis.toml" "$STAND_IN"
cat >>"$WORK/portcullis.toml" <<TOML

[[providers]]
id = "peer"
preset = "oidc"
name = "A real provider"
issuer = "http://localhost:$provider_port"
client_id = "portcullis"
client_secret = "a secret for the peers: % + & ="

[groups]
mode = "on_the_fly"
create_missing = true
keep_existing = false
default = ["stash-users"]
exclude = ["bitbucket-*"]

[provisioning]
target = "bitbucket"
timeout_secs = 30

[provisioning.bitbucket]
url = "$PRISM"
username = "${CREDENTIALS%%:*}"
password = "${CREDENTIALS#*:}"
TOML
start_gateway "$WORK/portcullis.toml"

# provider PEOPLE: there is none but this one. Its keys change whenever it starts.
provider() {
  [[ -z ${PROVIDER_PID-} ]] || stop "$PROVIDER_PID"
  start provider run_node provider.mjs "$provider_port" "$GATEWAY/sso/callback/peer" "$GATEWAY/sso/signed-out" "$1"
  PROVIDER_PID=$STARTED_PID
  wait_for "http://localhost:$provider_port/jwks"
}
admitted() { python3 "$PEERS/sign_in.py" admitted "$GATEWAY" "http://localhost:$provider_port" "$@"; }
# known USERNAME NAME EMAIL GROUP...: read back by another program, past the validator.
known() { "$VENV/bin/python" "$PEERS/provisioned.py" person "$STAND_IN" "$CREDENTIALS" "$@" || fail "$1 is not as expected"; }
provider '{"lev": {"email": "lev@example.com", "email_verified": true, "name": "Лев Žižek", "groups": ["Release Managers", "a+b & c/d", "bitbucket-admins"]}}'
admitted lev
known lev "Лев Žižek" lev@example.com "Release Managers" "a+b & c/d" stash-users
writes() { grep -cE '\[HTTP SERVER\] (put|post|delete) .*Request received' "$WORK/provisioning.log" || true; }
before=$(writes)
admitted lev
same "a second sign-in writes nothing" "$before" "$(writes)"

provider '{"lev": {"email": "lev.novak@example.com", "email_verified": true, "name": "Lev Novák", "groups": ["a+b & c/d", "Newcomers"]}}'
admitted lev ana
known lev "Lev Novák" lev.novak@example.com "a+b & c/d" Newcomers stash-users

stop "$GATEWAY_PID"

# called METHOD ADDRESS...: each address has been asked, which `...` ends where there is no query.
called() {
  local method=$1 address
  for address in "${@:2}"; do
    grep -qF "> Forwarding \"$method\" request to $STAND_IN/rest/api/latest$address" "$WORK/provisioning.log" ||
      fail "the gateway never asked $method $address"
    ok "valid: $method $address"
  done
}
called get '/admin/users?filter=ana&limit=100' '/admin/users?filter=ana%40example.com&limit=100' \
  '/admin/users/more-members?context=ana&limit=1000' '/admin/groups?filter=developers&limit=100' \
  '/admin/permissions/groups?limit=1000' '/admin/groups/more-members?context=bitbucket-admins&limit=25'
called post '/admin/users?name=zoe&displayName=Zo%C3%AB+%C5%81ukaszewska&emailAddress=zoe%40example.com&password=' \
  '/admin/groups?name=developers' '/admin/users/add-groups...' '/admin/users/remove-group...'
called put '/admin/users...' '/admin/users/credentials...'
# One line is of `wait_for`.
faults=$(grep -aE 'Request terminated|iolation' "$WORK/provisioning.log" | grep -v '\[HTTP SERVER\] get / ' || true)
same "no call and no answer was against the description" "" "$faults"

stop "$DEMO_PID"
