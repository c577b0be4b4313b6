"""The steps of canaille.sh: python3 canaille.py GATEWAY CANAILLE PASSWORD"""

import sys
import urllib.parse

from browser import Browser
from gateway import JSON, Gateway, ok

GATEWAY, CANAILLE, PASSWORD = sys.argv[1:]
gateway = Gateway(GATEWAY)


def to_provider(browser, provider="canaille", at="/"):
    page = gateway.to_provider(browser, provider, at)
    assert page.url.startswith(CANAILLE + "/"), page
    return page


def to_consent(browser, login, provider="canaille", at="/", password=PASSWORD):
    """It asks for the name, then for the password, and then for a consent that it remembers."""
    page = to_provider(browser, provider, at)
    page = browser.submit(page, page.forms[0], login=login)
    return browser.submit(page, page.form("password"), password=password)


def sign_in(browser, login, provider="canaille", at="/"):
    page = to_consent(browser, login, provider, at)
    if page.url.startswith(CANAILLE + "/oauth/authorize"):
        page = browser.submit(page, page.forms[0], ("answer", "accept"))
    return page


# --- Who gets in, and with which groups -----------------------------------------------------------

browser = Browser()
page = to_consent(browser, "ana", at="/projects/PC/repos/gate?at=refs%2Fheads%2Fmain&x=1")
assert "Groups you belong to" in page.text, page
page = browser.submit(page, page.forms[0], ("answer", "accept"))
assert page.status == 200 and "you are ana" in page.text, page
assert page.url == GATEWAY + "/projects/PC/repos/gate?at=refs%2Fheads%2Fmain&x=1", page
ok("a navigation goes to Canaille, by its consent page, and comes back to where it was")
gateway.is_told(browser, "groups by name", "ana", "ana@example.com", "Ana Horvat", ["developers", "Vydání & releases"])

nobody = Browser()
sign_in(nobody, "noa.levi@example.com")
told = ("noa.levi@example.com", "noa@example.com", "Žižek", [])
gateway.is_told(nobody, "an address as the username, a family name alone, no groups", *told)

# --- Who does not ---------------------------------------------------------------------------------

for login, password, why in (
    ("ana", "a wrong password", "a wrong password"),
    ("nobody", PASSWORD, "an unknown person"),
    ("leo", PASSWORD, "a locked account"),
):
    stranger = Browser()
    page = to_consent(stranger, login, password=password)
    assert page.url.startswith(CANAILLE + "/") and not any("/sso/callback/" in hop.url for hop in stranger.hops), page
    gateway.is_stranger(stranger, why)
    ok(f"{why} does not get past Canaille")

stranger = Browser()
page = to_consent(stranger, "eve")
page = stranger.submit(page, page.forms[0], ("answer", "deny"))
assert any("error=access_denied" in hop.url for hop in stranger.hops), stranger.hops
gateway.refused(page, stranger)
ok("Deny at Canaille ends in a page with a way forward")

refused = Browser()
gateway.refused(sign_in(refused, "olga"), refused, statuses=(403,))
ok("an e-mail of another domain is refused")

# Canaille lets people choose their `preferred_username`, and Eve chose Ana's username.
eve = Browser()
gateway.refused(sign_in(eve, "eve", provider="careless"), eve, statuses=(403, 409))
ok("whoever calls herself ana at the provider does not become ana")

unaddressed = Browser()
page = sign_in(unaddressed, "ana", provider="unaddressed")
gateway.refused(page, unaddressed, statuses=(502,))
ok("an ID token without an audience is refused")

# --- Sign-out ---------------------------------------------------------------------------------------

before = browser.cookie("portcullis")
page = gateway.sign_out(browser)
end = next((hop.url for hop in browser.hops if hop.url.startswith(CANAILLE + "/oauth/end_session")), None)
assert end, f"sign-out does not reach Canaille: {browser.hops}"
assert "id_token_hint" in urllib.parse.parse_qs(urllib.parse.urlsplit(end).query), end
gateway.signed_out(page, browser)
ok("sign-out goes through Canaille to the signed-out page")
assert Browser().fetch(GATEWAY + "/sso/me", headers={**JSON, "Cookie": before}).status == 401
ok("the old cookie is worth nothing")
page = to_provider(browser)
assert "login" in [name for form in page.forms for name in form.types], page
ok("Canaille asks again who it is")
