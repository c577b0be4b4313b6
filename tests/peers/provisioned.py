"""What Bitbucket knows, read by `atlassian-python-api`, which knows nothing of Portcullis.

python3 provisioned.py STEP ADDRESS USERNAME:PASSWORD [ARGUMENT...]
"""

import sys

from atlassian import Bitbucket
from atlassian.bitbucket.server import Server
from requests import HTTPError


def ok(what):
    print("ok: " + what)


def same(what, expected, found):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


class Known:
    """People, groups and memberships at an address, as an administrator sees them."""

    def __init__(self, address, credentials):
        self.address = address
        username, _, password = credentials.partition(":")
        login = {"username": username, "password": password}
        self.client = Bitbucket(url=address, cloud=False, **login)
        self.server = Server(address, **login)
        self.login = login

    def person(self, username):
        """Every field of somebody, or None. The filter finds parts of names, so equality decides."""
        found = [
            user
            for user in self.client.get_users_info(user_filter=username, limit=1)
            if user["name"].lower() == username.lower()
        ]
        assert len(found) <= 1, found
        return found[0] if found else None

    def groups(self):
        return sorted(self.client.get_groups(limit=2), key=str.lower)

    def members(self, group):
        return sorted(user["name"] for user in self.client.group_members(group, limit=1))

    def groups_of(self, username):
        return [group for group in self.groups() if username in self.members(group)]

    def granted(self):
        """The global permissions of groups and of people."""
        groups = {entry.name: entry.permission for entry in self.server.groups.each()}
        users = {entry.name: entry.permission for entry in self.server.users.each()}
        return groups, users


def seeded(known):
    """What is there before anybody has signed in."""
    groups, users = known.granted()
    same(
        "permissions of groups",
        {"stash-users": "LICENSED_USER", "bitbucket-admins": "ADMIN", "bitbucket-sysadmins": "SYS_ADMIN"},
        groups,
    )
    same("permissions of people", {"portcullis": "ADMIN"}, users)
    same("groups", ["bitbucket-admins", "bitbucket-sysadmins", "stash-users"], known.groups())
    same("members", ["admin", "ana", "portcullis"], known.members("stash-users"))
    same("the licence", True, known.client.get_current_license()["unlimitedNumberOfUsers"])
    ok(f"atlassian-python-api reads people, groups, memberships and permissions at {known.address}")

    wrong = Known(known.address, known.login["username"] + ":wrong")
    try:
        wrong.person("ana")
        raise AssertionError("a wrong password reads")
    except HTTPError as error:
        same("a wrong password", 401, error.response.status_code)
    ok("a wrong password is refused")


def written(known):
    """What the library writes is understood: a permission of a person, given and taken."""
    known.server.users.add("ana", "PROJECT_CREATE")
    same("the permission", "PROJECT_CREATE", known.granted()[1].get("ana"))
    known.server.users.get("ana").delete()
    same("the permission", None, known.granted()[1].get("ana"))
    try:
        known.server.users.add("ana", "SYS_ADMIN")
        raise AssertionError("more was given than the administrator has")
    except HTTPError as error:
        same("too much", 401, error.response.status_code)
    try:
        known.server.users.add("nobody", "LICENSED_USER")
        raise AssertionError("a permission was given to nobody")
    except HTTPError as error:
        same("nobody", 404, error.response.status_code)
    ok("atlassian-python-api grants and revokes a permission, and no more than it may")


def person(known, username, name, email, *groups):
    """Somebody is known by this name and address, and is in exactly these groups."""
    found = known.person(username)
    assert found, f"{username} is not known"
    same("display name", name, found["displayName"])
    same("e-mail", email, found["emailAddress"])
    same("active", True, found["active"])
    same("slug", username, found["slug"])
    same("groups", sorted(groups, key=str.lower), known.groups_of(found["name"]))
    ok(f"atlassian-python-api finds {username} <{email}> in {', '.join(groups) or 'no group'}")


def nobody(known, username):
    """Somebody who was refused is not known."""
    same(username, None, known.person(username))
    ok(f"atlassian-python-api finds no {username}")


def groups(known, *names):
    """There are exactly these groups."""
    same("groups", sorted(names, key=str.lower), known.groups())
    ok(f"atlassian-python-api finds {len(names)} groups")


def disturbed(known, username, *groups):
    """Somebody is given another name and is put into groups, as if by hand; missing groups are made."""
    api = "rest/api/1.0/admin"
    known.client.put(f"{api}/users", data={"name": username, "displayName": "Else", "email": "else@example.com"})
    for group in set(groups) - set(known.groups()):
        known.client.post(f"{api}/groups", params={"name": group})
    known.client.post(f"{api}/users/add-groups", data={"user": username, "groups": list(groups)})
    same("display name", "Else", known.person(username)["displayName"])
    assert set(groups) <= set(known.groups_of(username)), known.groups_of(username)
    ok(f"atlassian-python-api changes {username}")


STEPS = {step.__name__: step for step in (seeded, written, person, nobody, groups, disturbed)}

if __name__ == "__main__":
    step, address, credentials, *arguments = sys.argv[1:]
    STEPS[step](Known(address, credentials), *arguments)
