"""A person's browser without a window: a cookie jar, forms, and redirects that are followed one by
one so that a test can look at each. Standard library only.

As a program it signs in at the backdoor and prints the `Cookie` header that a script can use.
"""

import html.parser
import http.cookiejar
import ssl
import sys
import typing
import urllib.error
import urllib.parse
import urllib.request


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Button(typing.NamedTuple):
    name: str | None
    value: str
    action: str | None = None  # where it sends its form instead of where the form says


class Form:
    def __init__(self, base, attributes):
        self.action = urllib.parse.urljoin(base, attributes.get("action") or base)
        self.method = (attributes.get("method") or "get").upper()
        self.fields = []  # [name, value], as they would be sent
        self.types = {}  # name -> type
        self.buttons = []  # sent only when it is the one that is pressed

    def button_to(self, path):
        """The button that sends this form to an address with this path, or None."""
        return next((b for b in self.buttons if urllib.parse.urlsplit(b.action or self.action).path == path), None)

    def named(self, *types):
        """The name of the first field of one of these types."""
        return next((n for n, t in self.types.items() if t in types), None)


class _Reader(html.parser.HTMLParser):
    def __init__(self, base):
        super().__init__()
        self.base, self.forms, self.links, self.texts = base, [], [], []
        self.form, self.hidden, self.link = None, 0, None

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag in ("style", "script"):
            self.hidden += 1
        elif tag == "form":
            self.form = Form(self.base, a)
            self.forms.append(self.form)
        elif tag == "a" and a.get("href"):
            self.link = [urllib.parse.urljoin(self.base, a["href"]), ""]
            self.links.append(self.link)
        elif self.form is not None and tag in ("input", "button"):
            kind = (a.get("type") or ("text" if tag == "input" else "submit")).lower()
            name = a.get("name")
            if kind == "submit":
                action = a.get("formaction")
                action = action and urllib.parse.urljoin(self.base, action)
                self.form.buttons.append(Button(name, a.get("value", ""), action))
            elif name and (kind not in ("checkbox", "radio") or "checked" in a):
                self.form.fields.append([name, a.get("value", "")])
                self.form.types[name] = kind

    def handle_endtag(self, tag):
        if tag in ("style", "script"):
            self.hidden -= 1
        elif tag == "form":
            self.form = None
        elif tag == "a":
            self.link = None

    def handle_data(self, data):
        if not self.hidden:
            self.texts.append(data)
        if self.link is not None:
            self.link[1] += data


class Page:
    def __init__(self, method, url, status, headers, body):
        self.method, self.url, self.status, self.headers, self.body = method, url, status, headers, body
        self.forms, self.links, self.text = [], [], body
        if "html" in (headers.get("content-type") or ""):
            reader = _Reader(url)
            reader.feed(body)
            self.forms, self.links = reader.forms, reader.links
            self.text = " ".join(" ".join(reader.texts).split())

    @property
    def path(self):
        return urllib.parse.urlsplit(self.url).path

    def link(self, word):
        """The address of the first link whose text or address has this word."""
        for href, text in self.links:
            if word.lower() in text.lower() or word in href:
                return href
        raise AssertionError(f"no link with {word!r} at {self!r}: {self.links}")

    def form(self, *types):
        """The first form with a field of one of these types, or the first one at all."""
        for form in self.forms:
            if not types or form.named(*types):
                return form
        raise AssertionError(f"no form with {types} at {self!r}")

    def __repr__(self):
        return f"{self.method} {self.url} -> {self.status}: {self.text[:400]!r}"


class _Cookies(http.cookiejar.DefaultCookiePolicy):
    """Loopback is a trustworthy place to browsers: what a cookie's `Secure` asks for is given there."""

    def return_ok_secure(self, cookie, request):
        here = urllib.parse.urlsplit(request.full_url).hostname in ("localhost", "127.0.0.1")
        return here or super().return_ok_secure(cookie, request)


class Browser:
    def __init__(self, ca_file=None):
        self.jar = http.cookiejar.CookieJar(_Cookies())
        self.hops = []  # every page since `open` or `submit`, redirects included
        tls = ssl.create_default_context(cafile=ca_file)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            _NoRedirects(),
            urllib.request.HTTPSHandler(context=tls),
            urllib.request.HTTPCookieProcessor(self.jar),
        )

    def fetch(self, url, form=None, headers=None, origin=None):
        """One request, no redirect followed."""
        request = urllib.request.Request(url)
        request.add_header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Portcullis-peer")
        request.add_header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
        request.add_header("Sec-Fetch-Dest", "document")
        request.add_header("Sec-Fetch-Mode", "navigate")
        if form is not None:
            request.data = urllib.parse.urlencode(form).encode()
            request.add_header("Content-Type", "application/x-www-form-urlencoded")
            if origin:
                request.add_header("Origin", origin)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            answer = self._opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = answer.read().decode("utf-8", "replace")
        page = Page(request.get_method(), url, answer.status, answer.headers, body)
        self.hops.append(page)
        return page

    def _follow(self, page):
        for _ in range(20):
            location = page.headers.get("location")
            if page.status not in (301, 302, 303, 307, 308) or not location:
                return page
            # None of the peers asks to repeat a POST.
            page = self.fetch(urllib.parse.urljoin(page.url, location))
        raise AssertionError("more than 20 redirects: " + " > ".join(p.url for p in self.hops))

    def open(self, url, headers=None):
        self.hops = []
        return self._follow(self.fetch(url, headers=headers))

    def submit(self, page, form, button=None, **values):
        """Sends a form of a page, with these fields filled in. A pair is a button too."""
        fields = [(n, values.pop(n, v)) for n, v in form.fields] + list(values.items())
        button = Button(*button) if button else Button(None, "")
        if button.name:
            fields.append((button.name, button.value))
        action = button.action or form.action
        self.hops = []
        if form.method == "GET":
            return self._follow(self.fetch(action.split("?")[0] + "?" + urllib.parse.urlencode(fields)))
        base = urllib.parse.urlsplit(page.url)
        return self._follow(self.fetch(action, form=fields, origin=f"{base.scheme}://{base.netloc}"))

    def cookie(self, name_part):
        """`name=value` of the cookie whose name ends with this part, or None."""
        return next((f"{c.name}={c.value}" for c in self.jar if c.name.endswith(name_part) and c.value), None)

    def forget(self, name_part):
        """Throws the cookies away whose names have this part."""
        for c in [c for c in self.jar if name_part in c.name]:
            self.jar.clear(c.domain, c.path, c.name)


def backdoor(browser, gateway, username, password):
    """Signs in at `/backdoor`, whatever hidden fields its form has."""
    page = browser.open(gateway + "/backdoor")
    assert page.status == 200, page
    form = page.form("password")
    return browser.submit(
        page, form, **{form.named("text", "email"): username, form.named("password"): password}
    )


if __name__ == "__main__":
    command, gateway_url, user, secret, *rest = sys.argv[1:]
    assert command == "backdoor", command
    visitor = Browser(ca_file=rest[0] if rest and rest[0] else None)
    landed = backdoor(visitor, gateway_url, user, secret)
    me = visitor.fetch(gateway_url + "/sso/me", headers={"Accept": "application/json"})
    assert me.status == 200, f"the backdoor made no session: {landed!r}, then {me!r}"
    print(visitor.cookie("portcullis"))
