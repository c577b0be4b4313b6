"""Signs in to a running demo as people would, each in a browser of their own.

python3 demo.py ADDRESS [SUBJECT=USERNAME|SUBJECT=refused]...      (u-1001=ana when none is named)
"""

import sys

from browser import Browser

DEMO, *people = sys.argv[1:]
AT = "/projects/DEMO/repos/hello?at=main&deep=link"
JSON = {"Accept": "application/json"}


def sign_in(browser, subject):
    """Begins with a page deep in Bitbucket and chooses somebody at the provider; returns where that ends."""
    page = browser.open(DEMO + AT)
    assert page.status == 200 and page.path == "/sso/login", page
    page = browser.submit(page, page.forms[0])
    assert "Who do you want to be?" in page.text, page
    return browser.submit(page, page.forms[0], ("person", subject))


for person in people or ["u-1001=ana"]:
    subject, _, username = person.partition("=")
    browser = Browser()
    page = sign_in(browser, subject)
    me = browser.fetch(DEMO + "/sso/me", headers=JSON)
    if username == "refused":
        assert page.status == 403 and me.status == 401, (page, me)
        print(f"{subject} is refused")
        continue
    assert page.status == 200 and page.url == DEMO + AT, page
    page = browser.open(DEMO + "/dashboard")
    assert "Bitbucket believes you are" in page.text and username in page.text, page
    assert me.status == 200 and f'"{username}"' in me.body, me
    print("signed in to the demo as " + username)
