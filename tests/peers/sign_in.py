"""The steps of sign_in.sh. Each runs in new browsers and prints what it proved."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
import urllib.parse

from browser import Browser
from gateway import JSON, Gateway, ok

step, GATEWAY, PROVIDER, *logins = sys.argv[1:]
gateway = Gateway(GATEWAY)


def to_provider(browser, provider="peer", at="/"):
    page = gateway.to_provider(browser, provider, at)
    assert page.url.startswith(PROVIDER + "/interaction/"), page
    return page


def sign_in(browser, login, at="/", provider="peer"):
    """Signs in as this person, starting with a navigation to `at`; returns where that ended."""
    page = to_provider(browser, provider, at)
    page = browser.submit(page, page.form("password"), login=login, password="any")
    if page.url.startswith(PROVIDER + "/interaction/"):  # its consent page
        page = browser.submit(page, page.forms[0])
    return page


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
    gateway.is_told(browser, "a list of groups", "ana", "ana@example.com", "Ana Horvat", ["dev", "ops"])
    lies = {name: "admin" for name in ("X-Forwarded-User", "x_forwarded_user", "X-Forwarded-Groups", "x_forwarded_groups")}
    seen = gateway.seen(browser, **lies)
    assert seen["x-forwarded-user"] == "ana" and "admin" not in str(seen), seen
    ok("the upstream sees the person, and nothing of what a client says about itself")

    callback = next(hop.url for hop in sign_in_hops("ana") if "/sso/callback/peer" in hop.url)
    stranger = Browser()
    gateway.refused(stranger.open(callback), stranger)
    ok("a callback in another browser signs nobody in")

    again = Browser()
    page = to_provider(again)
    page = again.open(page.link("/abort"))
    assert any("error=access_denied" in hop.url for hop in again.hops), again.hops
    gateway.refused(page, again)
    ok("Cancel at the provider ends in a page with a way forward")

    for login, why in (("ulla", "an unverified e-mail"), ("eve", "an e-mail of another domain")):
        browser = Browser()
        gateway.refused(sign_in(browser, login), browser, statuses=(403,))
        ok(f"{why} is refused")


def shapes():
    """The same provider by other entries of the configuration, which read other claims."""
    for provider, what, groups in (
        # Not the third one: its commas would make it several.
        ("nested", "groups two objects deep", ["Release Managers", "Äußere Ränge"]),
        ("joined", "groups in one string", ["dev", "ops", "on call"]),
    ):
        browser = Browser()
        page = sign_in(browser, "lev", provider=provider)
        assert "you are lev" in page.text, page
        gateway.is_told(browser, what, "lev", "lev@example.com", "Лев Žižek", groups)
    browser = Browser()
    sign_in(browser, "noa", provider="nested")
    gateway.is_told(browser, "a person without groups", "noa", "noa@example.com", None, [])


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
    page = gateway.sign_out(browser)
    end = next((hop.url for hop in browser.hops if hop.url.startswith(PROVIDER + "/session/end")), None)
    assert end, f"sign-out does not reach the provider: {browser.hops}"
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(end).query)
    assert "id_token_hint" in query, end
    ok("GET /sso/logout only asks, and sign-out brings the ID token to the provider")
    if page.url.startswith(PROVIDER):
        page = browser.submit(page, page.forms[0], ("logout", "yes"))
    gateway.signed_out(page, browser)
    ok("sign-out goes through the provider to the signed-out page")
    thief = Browser()
    assert thief.fetch(GATEWAY + "/sso/me", headers={**JSON, "Cookie": before}).status == 401
    ok("the old cookie is worth nothing")
    to_provider(browser).form("password")
    ok("the provider asks for the password again")


def admitted():
    """These people get in."""
    for login in logins:
        browser = Browser()
        page = sign_in(browser, login)
        me = gateway.me(browser)
        assert page.status == 200 and me.status == 200 and f'"username":"{login}"' in me.body, (page, me)
        ok(f"{login} gets in")


def refreshes():
    """How often the provider says that it refreshed a token. Its log comes after the step's name."""
    with open(logins[0], encoding="utf-8") as log:
        return log.read().count("a token was refreshed")


def soon(holds, what):
    for _ in range(100):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError(what)


def burst():
    """Two hundred requests at once when the access token has ended: one of them asks the provider."""
    browser = Browser()
    sign_in(browser, "ana")
    cookie = browser.cookie("portcullis")
    for turn in (1, 2):
        before = refreshes()
        time.sleep(11)  # the access token is good for ten seconds
        one = {"Cookie": cookie}
        with ThreadPoolExecutor(50) as pool:
            statuses = list(pool.map(lambda _: Browser().fetch(GATEWAY + "/seen", headers=one).status, range(200)))
        assert statuses == [200] * 200, statuses
        soon(lambda: refreshes() > before, "nobody asked the provider")
        time.sleep(1)
        assert refreshes() == before + 1, f"{refreshes() - before} refreshes in turn {turn}"
        ok(f"two hundred requests at the end of token {turn} are served, and lead to one refresh")


def back_channel():
    """A sign-out at the provider, of which the gateway learns without the browser."""
    browser, other = Browser(), Browser()
    for each in (browser, other):
        sign_in(each, "ana")
        assert gateway.me(each).status == 200
    page = browser.open(PROVIDER + "/session/end")
    browser.submit(page, page.forms[0], ("logout", "yes"))
    soon(lambda: gateway.me(browser).status == 401, "the gateway was not told of the sign-out")
    assert gateway.me(other).status == 200, "another session of the person ended too"
    ok("a sign-out at the provider ends that session at the gateway by the back channel, and no other")


def begun():
    """A session that outlives its provider; its cookie is printed."""
    browser = Browser()
    sign_in(browser, "ana")
    print(browser.cookie("portcullis"))


def refused():
    """The provider does not know the refresh token any more. The session's cookie comes after the step's name."""
    headers = {**JSON, "Cookie": logins[0]}
    soon(lambda: Browser().fetch(GATEWAY + "/sso/me", headers=headers).status == 401, "the session goes on")
    ok("a refresh that the provider refuses ends the session")


STEPS = (provider_down, provider_up, shapes, rotated_keys, admitted, burst, back_channel, begun, refused)
{step.__name__: step for step in STEPS}[step]()
