"""Signs in to a running demo as a person would: python3 demo.py ADDRESS"""

import sys

from browser import Browser

DEMO = sys.argv[1]

browser = Browser()
page = browser.open(DEMO + "/projects/DEMO/repos/hello?at=main&deep=link")
assert page.status == 200 and page.path == "/sso/login", page
page = browser.submit(page, page.forms[0])
assert "Who do you want to be?" in page.text, page
page = browser.submit(page, page.forms[0], ("person", "u-1001"))
assert page.status == 200 and page.url == DEMO + "/projects/DEMO/repos/hello?at=main&deep=link", page
page = browser.open(DEMO + "/dashboard")
assert "Bitbucket believes you are" in page.text and "ana" in page.text, page
me = browser.fetch(DEMO + "/sso/me", headers={"Accept": "application/json"})
assert me.status == 200 and '"ana"' in me.body, me
print("signed in to the demo as ana")
