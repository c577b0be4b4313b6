"""What the sign-in peers ask of the gateway, whoever the provider is. Each answer is checked here."""

import json
import re

JSON = {"Accept": "application/json"}


def ok(what):
    print("ok:", what)


class Gateway:
    def __init__(self, url):
        self.url = url

    def me(self, browser):
        return browser.fetch(self.url + "/sso/me", headers=JSON)

    def begin(self, browser, provider, at="/"):
        """Navigates to `at` and, where the gateway asks, chooses this provider; returns where that leads."""
        page = browser.open(self.url + at)
        if page.url.startswith(self.url + "/sso/login"):
            start = f"/sso/start/{provider}"
            form, button = next((f, f.button_to(start)) for f in page.forms if f.button_to(start))
            page = browser.submit(page, form, button)
        return page

    def to_provider(self, browser, provider, at="/"):
        """Begins, and returns the provider's own page."""
        page = self.begin(browser, provider, at)
        assert not page.url.startswith(self.url), f"not at the provider: {page!r}"
        return page

    def seen(self, browser, **headers):
        """The headers that reach the upstream, as text: node reads UTF-8 as ISO-8859-1."""
        answer = browser.fetch(self.url + "/seen", headers=headers)
        assert answer.status == 200, answer
        assert "portcullis=" not in answer.body, "the upstream sees the gateway's cookie"
        headers = json.loads(answer.body)["headers"]
        return {name: value.encode("latin-1").decode() for name, value in headers.items()}

    def identity(self, browser, **headers):
        """What the upstream is told about the person: `user`, `email`, `name` and the set of groups."""
        seen = self.seen(browser, **headers)
        told = {fact: seen.get(f"x-forwarded-{fact}") for fact in ("user", "email", "name", "groups")}
        groups = (told["groups"] or "").split(",") if told["groups"] else []
        assert len(set(groups)) == len(groups), f"a group twice: {groups}"
        return {**told, "groups": set(groups)}

    def is_told(self, browser, what, user, email, name, groups):
        """The upstream and `/sso/me` say exactly this."""
        want = {"user": user, "email": email, "name": name, "groups": set(groups)}
        told = self.identity(browser)
        assert told == want, f"{what}: the upstream is told {told}, not {want}"
        me = self.me(browser)
        assert me.status == 200, me
        me = json.loads(me.body)
        said = {"user": me["username"], "email": me["email"], "name": me["display_name"], "groups": set(me["groups"])}
        assert said == want, f"{what}: /sso/me says {said}, not {want}"
        ok(f"{what}: user, e-mail, name and groups reach the upstream")

    def is_stranger(self, browser, why):
        assert self.me(browser).status == 401, f"{why}, and yet there is a session"

    def refused(self, page, browser, statuses=(400, 401, 403, 409)):
        """A page of the gateway that says what to do, and nobody is signed in."""
        assert page.status in statuses, page
        assert page.url.startswith(self.url), page
        assert page.links or page.forms, f"no way forward on {page!r}"
        request_id = page.headers.get("x-request-id")
        assert request_id is None or request_id in page.text, f"the page hides its request id {request_id}"
        assert re.search(r"\b[0-9a-f]{32}\b", page.text), f"no request id on {page!r}"
        self.is_stranger(browser, "refused")

    def sign_out(self, browser):
        """Asks on the gateway's own page; returns where the redirects after it end."""
        page = browser.open(self.url + "/sso/logout")
        assert page.status == 200 and self.me(browser).status == 200, f"GET signs out: {page!r}"
        form = next(form for form in page.forms if form.method == "POST")
        return browser.submit(page, form)

    def signed_out(self, page, browser):
        assert page.status == 200 and page.url.startswith(self.url + "/sso/signed-out"), page
        self.is_stranger(browser, "signed out")
