"""Signs in as `ana` against npm `oidc-provider`, whatever stands between, and prints the `Cookie`
header with the cookies whose name has a part: python3 sign_in.py ADDRESS PART"""

import sys

from browser import Browser

address, part = sys.argv[1:]
browser = Browser()
page = browser.open(address)
if page.path == "/sso/login":
    start = page.forms[0]
    start.action = start.action.rsplit("/", 1)[0] + "/peer"
    page = browser.submit(page, start)
page = browser.submit(page, page.form("password"), login="ana", password="any")
if "/interaction/" in page.url:  # the consent page
    page = browser.submit(page, page.forms[0])
assert page.status == 200 and page.url == address, page
cookies = [f"{c.name}={c.value}" for c in browser.jar if part in c.name and c.value and c.path == "/"]
assert cookies, browser.jar
print("; ".join(cookies))
