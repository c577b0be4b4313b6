#!/usr/bin/env bash
# PyPI `atlassian-python-api` reads people, groups and memberships back from the demo's Bitbucket,
# straight and through the gateway, and is understood when it writes.
# shellcheck source=tests/peers/lib.sh
source "$(dirname "$0")/lib.sh"
need_apt curl procps
need_venv provisioned atlassian-python-api==5.0.5
need_gateway

start_demo

# peer STEP [ARGUMENT...]: a step of provisioned.py; the address comes first, then the credentials.
peer() {
  local step=$1
  shift
  "$VENV/bin/python" "$PEERS/provisioned.py" "$step" "${ADDRESS:-$STAND_IN}" "$CREDENTIALS" "$@" || fail "$step"
}

peer seeded
ADDRESS=$DEMO peer seeded
peer written
peer person ana ana ana@example.com stash-users

# What sign-ins leave behind. Ana is there already, and gets the provider's name; the others are new.
demo_people u-1001=ana u-1002=ben u-1003=carla u-1004=zoe u-2001=dmitri
peer person ana 'Ana Souza' ana@example.com developers stash-users
peer person ben 'Ben Okafor' ben@example.com stash-users testers
peer person carla 'Carla Rossi' carla@example.com bitbucket-admins stash-users
peer person zoe 'Zoë Łukaszewska' zoe@example.com developers stash-users translators
peer person dmitri 'Dmitri Petrov' dmitri@contractor.example stash-users
peer groups bitbucket-admins bitbucket-sysadmins developers stash-users testers translators

# Those who are refused are nobody in Bitbucket either, and the second Ana changes nothing of the first.
demo_people u-3001=refused u-3002=refused u-2002=refused
peer nobody eve
peer nobody mallory
peer person ana 'Ana Souza' ana@example.com developers stash-users

# What is changed by hand is right again after the next sign-in, and a group that the rules do not name
# is left alone.
peer disturbed ana translators by-hand
demo_people u-1001=ana
peer person ana 'Ana Souza' ana@example.com by-hand developers stash-users

# Another map: who is in a group by the old one leaves it, who is not joins.
change_demo "another map" 's/^"developers" = .*/"developers" = ["qa"]/'
demo_people u-1001=ana u-1002=ben
peer person ana 'Ana Souza' ana@example.com by-hand stash-users
peer person ben 'Ben Okafor' ben@example.com developers stash-users testers

stop "$DEMO_PID"
ok "SIGTERM ends the demo"
