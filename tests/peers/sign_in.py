"""The steps of sign_in.sh. Each runs in new browsers and prints what it proved."""

import re
import sys
import time
import urllib.parse

from browser import Browser

step, GATEWAY, PROVIDER = sys.argv[1:]
JSON = {"Accept": "application/json"}


def ok(what):
    print("ok:", what)


def me(browser):
    return browser.fetch(GATEWAY + "/sso/me", headers=JSON)


def to_provider(browser, page):
    """From wherever a navigation without session ended to the provider's own page."""
    if page.url.startswith(GATEWAY + "/sso/login"):
        starts = [form for form in page.forms if "/sso/start/peer" in form.action]
        if starts:
            button = starts[0].buttons[0] if starts[0].buttons and starts[0].buttons[0][0] else None
            page = browser.submit(page, starts[0], button)
        else:
            page = browser.open(page.link("/sso/start/peer"))
    assert page.url.startswith(PROVIDER + "/interaction/"), page
    return page


def sign_in(browser, login, at="/"):
    """Signs in as this person, starting with a navigation to `at`; returns where that ended."""
    page = to_provider(browser, browser.open(GATEWAY + at))
    page = browser.submit(page, page.form("password"), login=login, password="any")
    if page.url.startswith(PROVIDER + "/interaction/"):  # its consent page
        page = browser.submit(page, page.forms[0])
    return page


def refused(page, browser, statuses=(400, 401, 403, 409)):
    assert page.status in statuses, page
    assert page.url.startswith(GATEWAY), page
    assert page.links or page.forms, f"no way forward on {page!r}"
    request_id = page.headers.get("x-request-id")
    assert request_id is None or request_id in page.text, f"the page hides its request id {request_id}"
    assert re.search(r"\b[0-9a-f]{32}\b", page.text), f"no request id on {page!r}"
    assert me(browser).status == 401, "a refused person has a session"


def provider_down():
    browser = Browser()
    page = browser.open(GATEWAY + "/sso/start/peer")
    assert page.status in (502, 503, 504), page
    assert page.links, f"no way forward on {page!r}"
    ok("a provider that is down is a page with a way forward")


def provider_up():
    # The gateway may have noted that the provider failed and wait before it asks again.
    for _ in range(60):
        if Browser().open(GATEWAY + "/sso/start/peer").status < 500:
            break
        time.sleep(1)
    else:
        raise AssertionError("a provider that came up late was not found within a minute")
    ok("a provider that came up later is found")

    browser = Browser()
    page = sign_in(browser, "ana", "/projects/PC/repos/gate?at=refs%2Fheads%2Fmain&x=1")
    assert page.status == 200 and "you are ana" in page.text, page
    assert page.url == GATEWAY + "/projects/PC/repos/gate?at=refs%2Fheads%2Fmain&x=1", page
    ok("a navigation goes to the provider and comes back to where it was")
    answer = me(browser)
    assert answer.status == 200 and '"ana"' in answer.body and "ana@example.com" in answer.body, answer
    ok("/sso/me knows the person")
    seen = browser.fetch(GATEWAY + "/seen", headers={"X-Forwarded-User": "admin", "x_forwarded_user": "admin"})
    assert '"x-forwarded-user":"ana"' in seen.body and "admin" not in seen.body, seen.body
    assert "portcullis=" not in seen.body, "the upstream sees the gateway's cookie"
    ok("the upstream sees the person and nothing of the session")

    callback = next(hop.url for hop in sign_in_hops("ana") if "/sso/callback/peer" in hop.url)
    stranger = Browser()
    refused(stranger.open(callback), stranger)
    ok("a callback in another browser signs nobody in")

    again = Browser()
    page = to_provider(again, again.open(GATEWAY + "/"))
    page = again.open(page.link("/abort"))
    assert any("error=access_denied" in hop.url for hop in again.hops), again.hops
    refused(page, again)
    ok("Cancel at the provider ends in a page with a way forward")

    for login, why in (("ulla", "an unverified e-mail"), ("eve", "an e-mail of another domain")):
        browser = Browser()
        refused(sign_in(browser, login), browser, statuses=(403,))
        ok(f"{why} is refused")


def sign_in_hops(login):
    """The redirects between the provider's last page and the end of a new sign-in."""
    browser = Browser()
    sign_in(browser, login)
    return browser.hops


def rotated_keys():
    browser = Browser()
    page = sign_in(browser, "ana")
    assert page.status == 200 and "you are ana" in page.text, page
    ok("after the provider changed its keys the next sign-in works")

    before = browser.cookie("portcullis")
    page = browser.open(GATEWAY + "/sso/logout")
    assert page.status == 200 and me(browser).status == 200, f"GET signs out: {page!r}"
    ok("GET /sso/logout only asks")
    form = next(form for form in page.forms if form.method == "POST")
    button = form.buttons[0] if form.buttons and form.buttons[0][0] else None
    page = browser.submit(page, form, button)
    end = next((hop.url for hop in browser.hops if hop.url.startswith(PROVIDER + "/session/end")), None)
    assert end, f"sign-out does not reach the provider: {browser.hops}"
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(end).query)
    assert "id_token_hint" in query, end
    if page.url.startswith(PROVIDER):
        page = browser.submit(page, page.forms[0], ("logout", "yes"))
    assert page.status == 200 and page.path == "/sso/signed-out", page
    ok("sign-out goes through the provider to the signed-out page")
    assert me(browser).status == 401
    thief = Browser()
    assert thief.fetch(GATEWAY + "/sso/me", headers={**JSON, "Cookie": before}).status == 401
    ok("the old cookie is worth nothing")
    page = to_provider(browser, browser.open(GATEWAY + "/"))
    page.form("password")
    ok("the provider asks for the password again")


{"provider_down": provider_down, "provider_up": provider_up, "rotated_keys": rotated_keys}[step]()
