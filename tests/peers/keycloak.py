"""The steps of keycloak.sh: python3 keycloak.py STEP GATEWAY REALM PASSWORD"""

import sys
import urllib.parse

from browser import Browser
from gateway import JSON, Gateway, ok

step, GATEWAY, REALM, PASSWORD = sys.argv[1:]
gateway = Gateway(GATEWAY)


def to_provider(browser, provider="paths", at="/"):
    page = gateway.to_provider(browser, provider, at)
    assert page.url.startswith(REALM + "/"), page
    page.form("password")
    return page


def sign_in(browser, username, provider="paths", at="/", password=PASSWORD):
    page = to_provider(browser, provider, at)
    return browser.submit(page, page.form("password"), username=username, password=password)


DEEP = "/projects/PC/repos/gate?at=refs%2Fheads%2Fmain&x=1"
ANA = ("ana", "ana.horvat@example.com", "Ana Horvat")  # Keycloak keeps addresses in lower case


def own_names():
    # Who gets in, and with which groups.

    browser = Browser()
    page = sign_in(browser, "ana", at=DEEP)
    assert page.status == 200 and page.url == GATEWAY + DEEP and "you are ana" in page.text, page
    ok("a navigation goes to Keycloak and comes back to where it was")
    # The preset takes the slash away that each path begins with.
    paths = ["engineering/platform", "engineering/Länder & Regionen", "everyone"]
    gateway.is_told(browser, "groups as full paths", *ANA, paths)
    seen = gateway.seen(browser, **{"X-Forwarded-Groups": "git-admin", "x_forwarded_groups": "git-admin"})
    assert "git-admin" not in str(seen), seen
    ok("a client cannot add itself to a group")

    browser.forget("portcullis")
    gateway.is_stranger(browser, "the cookie is gone")
    page = gateway.begin(browser, "roles", DEEP)
    assert page.url == GATEWAY + DEEP, page
    ok("Keycloak knows the browser and asks for no password, for another client either")
    gateway.is_told(browser, "realm roles within an object", *ANA, ["git-user", "git-admin"])

    nobody = Browser()
    sign_in(nobody, "noa.levi")
    gateway.is_told(nobody, "a person without groups", "noa.levi", "noa@example.com", "Noa Žižek", [])

    # Who does not.

    for username, password, why in (
        ("ana", "wrong", "a wrong password"),
        ("ana", "", "an empty password"),
        ("nobody", PASSWORD, "an unknown person"),
        ("leo", PASSWORD, "a disabled account"),
    ):
        stranger = Browser()
        page = sign_in(stranger, username, password=password)
        assert page.url.startswith(REALM + "/") and not any("/sso/callback/" in hop.url for hop in stranger.hops), page
        gateway.is_stranger(stranger, why)
        ok(f"{why} does not get past Keycloak")
    page = stranger.submit(page, page.form("password"), username="ana", password=PASSWORD)
    assert page.status == 200 and "you are ana" in page.text, page
    ok("whoever mistyped may try again, and gets in")

    for username, why in (
        ("ulla", "an unverified e-mail"),
        ("eve", "an e-mail of another domain"),
        ("żaneta", "a username beyond ASCII"),
    ):
        refused = Browser()
        gateway.refused(sign_in(refused, username), refused, statuses=(403,))
        ok(f"{why} is refused")

    # Sign-out.

    before = browser.cookie("portcullis")
    page = gateway.sign_out(browser)
    end = next((hop.url for hop in browser.hops if hop.url.startswith(REALM + "/protocol/openid-connect/logout")), None)
    assert end, f"sign-out does not reach Keycloak: {browser.hops}"
    assert "id_token_hint" in urllib.parse.parse_qs(urllib.parse.urlsplit(end).query), end
    gateway.signed_out(page, browser)
    ok("sign-out goes through Keycloak, which does not ask again, to the signed-out page")
    assert Browser().fetch(GATEWAY + "/sso/me", headers={**JSON, "Cookie": before}).status == 401
    ok("the old cookie is worth nothing")
    to_provider(browser)
    ok("Keycloak asks for the password again")


def mapped():
    """Another configuration: the map decides, and a step takes the last part of each path."""
    browser = Browser()
    sign_in(browser, "ana")
    want = ["bitbucket-developers", "bitbucket-regions", "stash-users"]
    gateway.is_told(browser, "mapped paths", *ANA, want)
    browser.forget("portcullis")
    gateway.begin(browser, "roles")
    want = ["bitbucket-developers", "bitbucket-operators", "stash-users"]
    gateway.is_told(browser, "mapped roles", *ANA, want)
    nobody = Browser()
    sign_in(nobody, "noa.levi")
    gateway.is_told(nobody, "the default group alone", "noa.levi", "noa@example.com", "Noa Žižek", ["stash-users"])


{"own_names": own_names, "mapped": mapped}[step]()
