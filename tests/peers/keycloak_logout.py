"""What keycloak.sh proves about sessions that Keycloak ends or changes:
python3 keycloak_logout.py STEP GATEWAY REALM PASSWORD LOG

Keycloak's administrator is taken from the environment, as Keycloak itself does.
"""

import json
import os
import sys
import time
import urllib.parse
import urllib.request

from browser import Browser
from gateway import Gateway, ok

step, GATEWAY, REALM, PASSWORD, LOG = sys.argv[1:]
KEYCLOAK, _, realm = REALM.partition("/realms/")
LOGOUT = REALM + "/protocol/openid-connect/logout"
gateway = Gateway(GATEWAY)


def soon(holds, what):
    """Waits until it does, and returns what it returned."""
    end = time.monotonic() + 40
    while time.monotonic() < end:
        if held := holds():
            return held
        time.sleep(0.2)
    raise AssertionError(what)


# --- Keycloak's administrator ---------------------------------------------------------------------


def call(method, url, body, kind, token=None):
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind})
    if token:
        request.add_header("Authorization", "Bearer " + token)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def admin(method, path, body=None):
    """One call of the admin REST API of the realm. Its tokens are good for a minute: each call has its own."""
    who = urllib.parse.urlencode({
        "grant_type": "client_credentials",
        "client_id": os.environ["KC_BOOTSTRAP_ADMIN_CLIENT_ID"],
        "client_secret": os.environ["KC_BOOTSTRAP_ADMIN_CLIENT_SECRET"],
    }).encode()
    address = KEYCLOAK + "/realms/master/protocol/openid-connect/token"
    token = call("POST", address, who, "application/x-www-form-urlencoded")["access_token"]
    body = None if body is None else json.dumps(body).encode()
    return call(method, f"{KEYCLOAK}/admin/realms/{realm}{path}", body, "application/json", token)


def person(username):
    return admin("GET", f"/users?exact=true&username={urllib.parse.quote(username)}")[0]["id"]


def sessions(username):
    """What Keycloak calls this person's sessions: the `sid` of its tokens."""
    return {session["id"] for session in admin("GET", f"/users/{person(username)}/sessions")}


# --- The gateway ----------------------------------------------------------------------------------


def to_provider(browser, provider):
    page = browser.open(f"{GATEWAY}/sso/start/{provider}")
    assert page.url.startswith(REALM + "/"), page
    return page


def sign_in(browser, username, provider="back"):
    page = to_provider(browser, provider)
    page = browser.submit(page, page.form("password"), username=username, password=PASSWORD)
    assert page.url.startswith(GATEWAY) and signed_in(browser), page


def signed_in(browser):
    return gateway.me(browser).status == 200


def ended(reason):
    """The audit log's events about sessions that ended by this reason, so far."""
    with open(LOG, encoding="utf-8") as log:
        lines = [json.loads(line) for line in log if line.startswith("{")]
    return [e for e in lines if e.get("event") == "session_ended" and e["reason"] == reason]


def known_as(browser, username, provider="back"):
    """Signs in, and returns what Keycloak calls the session."""
    before = sessions(username)
    sign_in(browser, username, provider)
    (sid,) = sessions(username) - before
    return sid


# --- Back-channel ---------------------------------------------------------------------------------


def back_channel():
    left, right = Browser(), Browser()
    sid = known_as(left, "ana")
    sign_in(right, "ana")
    admin("DELETE", f"/sessions/{sid}")
    soon(lambda: not signed_in(left), "Keycloak ended a session, and the gateway was not told")
    assert signed_in(right), "another session of the person ended too"
    (event,) = ended("back_channel_logout")
    assert event["username"] == "ana" and event["provider"] == "back", event
    ok("a session that the administrator ends at Keycloak ends here by the back channel, and no other")
    ok("the audit log says session_ended, back_channel_logout, and whose it was")

    # The person's own word, on Keycloak's page, which asks because nothing proves who they are.
    sign_in(left, "ana")
    page = right.open(LOGOUT)
    assert signed_in(right), "the question alone signs out"
    page = right.submit(page, page.form(), page.form().buttons[0])
    soon(lambda: not signed_in(right), f"the gateway was not told of the sign-out at {page!r}")
    assert signed_in(left) and len(ended("back_channel_logout")) == 2
    ok("a sign-out on Keycloak's own page ends that browser's session here, and no other")

    sign_in(right, "ana")
    noa = Browser()
    sign_in(noa, "noa.levi")
    admin("POST", f"/users/{person('ana')}/logout")
    soon(lambda: not signed_in(left) and not signed_in(right), "not all sessions of the person ended")
    assert signed_in(noa), "somebody else's session ended too"
    assert not sessions("ana") and len(ended("back_channel_logout")) == 4
    ok("a logout of the person at Keycloak ends all sessions of that person here, and of nobody else")
    page = left.open(GATEWAY + "/")
    assert page.status == 200 and page.path == "/sso/login", f"goes to the provider by itself: {page!r}"
    to_provider(left, "back").form("password")
    ok("whoever was signed out by the back channel has to choose, and is asked for the password")

    # Without "session required", the token has only `sub`.
    (client,) = admin("GET", "/clients?clientId=git.back")
    client["attributes"]["backchannel.logout.session.required"] = "false"
    admin("PUT", f"/clients/{client['id']}", client)
    sid = known_as(left, "ana")
    sign_in(right, "ana")
    admin("DELETE", f"/sessions/{sid}")
    soon(lambda: not signed_in(left) and not signed_in(right), "a logout token without sid ended nothing, or one session")
    assert signed_in(noa) and len(ended("back_channel_logout")) == 6
    client["attributes"]["backchannel.logout.session.required"] = "true"
    admin("PUT", f"/clients/{client['id']}", client)
    ok("without \"session required\" the token names the person alone, and all sessions of that person end")


# --- From here ------------------------------------------------------------------------------------


def rp_initiated():
    browser = Browser()
    sid = known_as(browser, "ana")
    before = len(ended("back_channel_logout"))
    page = gateway.sign_out(browser)
    (end,) = [hop.url for hop in browser.hops if hop.url.startswith(LOGOUT + "?")]
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(end).query)
    assert query["id_token_hint"][0].count(".") == 2 and query["client_id"] == ["git.back"], query
    assert query["post_logout_redirect_uri"] == [GATEWAY + "/sso/signed-out"], query
    gateway.signed_out(page, browser)
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query).get("state")
    assert state == query["state"], page
    ok("sign-out brings the ID token to Keycloak, which asks nothing and sends the browser to /sso/signed-out")
    assert sid not in sessions("ana"), "the session at Keycloak goes on"
    assert len(ended("back_channel_logout")) == before, "a session that was over ended once more"
    ok("the session at Keycloak is over, and what its back channel then says ends nothing twice")

    page = browser.open(GATEWAY + "/")
    assert page.status == 200 and page.path == "/sso/login", f"signs in by itself after a sign-out: {page!r}"
    stranger = Browser().open(GATEWAY + "/")
    assert stranger.url.startswith(REALM), f"auto_redirect is not on: {stranger!r}"
    ok("nothing signs in by itself right after, although auto_redirect is on")
    to_provider(browser, "back").form("password")
    ok("Keycloak asks for the password anew")
    sign_in(browser, "ana")
    ok("and with it the person is in again")


# --- Sessions that follow -------------------------------------------------------------------------


def refresh():
    """Keycloak's access tokens are good for ten seconds here, and its refresh tokens work once."""
    assert admin("GET", "")["revokeRefreshToken"], "the realm does not rotate refresh tokens"
    untold = Browser()
    sid = known_as(untold, "noa.levi", "front")
    browser = Browser()
    sign_in(browser, "ana")
    headers = lambda: gateway.identity(browser)
    was = {"engineering/platform", "engineering/Länder & Regionen", "everyone"}
    assert headers()["groups"] == was, headers()
    ana = person("ana")
    everyone = next(g["id"] for g in admin("GET", "/groups") if g["name"] == "everyone")

    admin("DELETE", f"/users/{ana}/groups/{everyone}")
    soon(lambda: headers()["groups"] == was - {"everyone"}, f"the group stays: {headers()}")
    ok("a group that is taken away at Keycloak leaves the forwarded groups without a new sign-in")
    admin("PUT", f"/users/{ana}/groups/{everyone}")
    soon(lambda: headers()["groups"] == was, f"the group does not come back: {headers()}")
    ok("one that is given comes, by the refresh token that took the place of the first, which worked once")
    assert headers()["user"] == "ana" and signed_in(browser)

    # The front channel needs a browser, and the administrator's word goes past it.
    assert signed_in(untold) and not ended("renewal_refused")
    admin("DELETE", f"/sessions/{sid}")
    soon(lambda: not signed_in(untold), "a session that Keycloak has ended goes on")
    (event,) = ended("renewal_refused")
    assert event["username"] == "noa.levi" and event["provider"] == "front", event
    ok("a session that was ended at Keycloak without any channel is over at the next look")

    # The back channel says nothing of this, so what ends the session is the refresh.
    before = len(ended("back_channel_logout"))
    admin("PUT", f"/users/{ana}", {**admin("GET", f"/users/{ana}"), "enabled": False})
    soon(lambda: not signed_in(browser), "a disabled person stays signed in")
    _, event = ended("renewal_refused")
    assert event["username"] == "ana" and event["provider"] == "back", event
    assert len(ended("back_channel_logout")) == before
    ok("a person who is disabled at Keycloak is out at the next look: it refuses the refresh (renewal_refused)")
    admin("PUT", f"/users/{ana}", {**admin("GET", f"/users/{ana}"), "enabled": True})
    sign_in(Browser(), "ana")
    ok("once enabled again, the person gets in")


{"back_channel": back_channel, "rp_initiated": rp_initiated, "refresh": refresh}[step]()
