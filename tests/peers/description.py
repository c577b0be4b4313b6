"""Makes a copy of the description of Bitbucket's REST interface that a validator can be held to.

    python3 description.py DESCRIPTION COPY

Each function below is one thing that the published description gets wrong or leaves open, named by
its reason, which is printed. One that finds nothing to change fails: it has outlived its defect.
"""

import json
import re
import sys

API = "/rest/api/latest"
NOTES = []


def note(change):
    """Registers a change; its docstring is the reason."""
    NOTES.append(change)
    return change


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "put", "post", "delete"):
                yield path, method, operation


def answer(document, method, path, status="200"):
    return document["paths"][API + path][method]["responses"][status]["content"]["application/json;charset=UTF-8"]


def page_of(item):
    number = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "required": ["size", "limit", "start", "isLastPage", "values"],
        "properties": {
            **{name: dict(number) for name in ("size", "limit", "start")},
            "nextPageStart": {**number, "nullable": True},
            "isLastPage": {"type": "boolean"},
            "values": {"type": "array", "items": item},
        },
        "additionalProperties": False,
    }


def schema(name):
    return {"$ref": f"#/components/schemas/{name}"}


# --- Defects ----------------------------------------------------------------------------------------


@note
def addresses(document):
    """its addresses begin at the server `http://{baseurl}/rest`, which no machine has"""
    assert document.pop("servers")[0]["url"] == "http://{baseurl}/rest"
    document["paths"] = {"/rest" + path: item for path, item in document["paths"].items()}
    return True


@note
def path_parameters(document):
    """five operations of secret scanning do not declare the parameters of their own paths"""
    found = 0
    for path, _, operation in operations(document):
        declared = {it["name"] for it in operation.get("parameters", []) if it["in"] == "path"}
        missing = sorted(set(re.findall(r"{([^}]+)}", path)) - declared)
        for name in missing:
            parameter = {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
            operation.setdefault("parameters", []).append(parameter)
        found += bool(missing)
    return found == 5


@note
def groups_of_a_user(document):
    """`users/more-members` is described with the text and the answer of its sister; it returns groups"""
    content = answer(document, "get", "/admin/users/more-members")
    was = content["schema"]["properties"]["values"]["items"]
    content["schema"]["properties"]["values"]["items"] = schema("RestDetailedGroup")
    return was == schema("RestDetailedUser")


@note
def permitted_users(document):
    """`permissions/users` is described with the answer of `permissions/groups`; it returns users"""
    content = answer(document, "get", "/admin/permissions/users")
    was = content["schema"]["properties"]["values"]["items"]
    content["schema"]["properties"]["values"]["items"] = schema("RestPermittedUser")
    return was == schema("RestPermittedGroup")


@note
def page_of_users(document):
    """`users` is described as one user and without paging; it returns a page of them"""
    content = answer(document, "get", "/users")
    was = content["schema"]
    content["schema"] = {"type": "object", "properties": {"values": {"type": "array", "items": was}, "isLastPage": {}}}
    document["paths"][API + "/users"]["get"]["parameters"] += [
        {"in": "query", "name": name, "schema": {"type": "number"}} for name in ("start", "limit")
    ]
    return was == schema("RestApplicationUser")


@note
def list_of_directories(document):
    """`user-directories` is described as one directory; it returns a list of them"""
    content = answer(document, "get", "/admin/user-directories")
    was = content["schema"]
    content["schema"] = {"type": "array", "items": was}
    return was == schema("RestUserDirectory")


@note
def empty_answers(document):
    """changes of memberships are described with a JSON answer of no kind; their answer is empty"""
    found = 0
    for _, _, operation in operations(document):
        for status, said in operation["responses"].items():
            if status == "200" and said.get("content") == {"application/json;charset=UTF-8": {}}:
                del said["content"]
                found += 1
    return found > 0


@note
def busy(document):
    """rate limiting is not described; any call may be answered 429"""
    found = 0
    for _, _, operation in operations(document):
        if "429" not in operation["responses"]:
            operation["responses"]["429"] = {"description": "The caller has used up its tokens for now."}
            found += 1
    return found > 0


# --- What it leaves open ----------------------------------------------------------------------------


@note
def authentication(document):
    """it asks for no credentials; the calls of an administrator need them"""
    document["components"]["securitySchemes"]["bearer"] = {"type": "http", "scheme": "bearer"}
    document["security"] = [{"basic": []}, {"bearer": []}]
    return True


@note
def bodies(document):
    """it lets every body be left out, have any field, and lack each; Bitbucket refuses unknown fields"""
    needed = {
        "UserUpdate": ["name"],
        "UserRename": ["name", "newName"],
        "AdminPasswordUpdate": ["name", "password", "passwordConfirm"],
        "UserAndGroups": ["user", "groups"],
        "GroupAndUsers": ["group", "users"],
        "GroupPickerContext": ["context", "itemName"],
        "UserPickerContext": ["context", "itemName"],
    }
    for name, fields in needed.items():
        it = document["components"]["schemas"][name]
        assert set(fields) <= set(it["properties"]), name
        it.update(required=fields, additionalProperties=False)
        for field in it["properties"].values():
            field.update({"minLength": 1} if field["type"] == "string" else {"minItems": 1})
    for _, _, operation in operations(document):
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True
    return True


@note
def passwords(document):
    """creation needs a password unless a mail is sent, and its default for the default group is not the caller's"""
    found = 0
    for it in document["paths"][API + "/admin/users"]["post"]["parameters"]:
        if it["name"] in ("password", "addToDefaultGroup") and not it.get("required"):
            it["required"] = True
            found += 1
    return found == 2


@note
def pages(document):
    """it lets a page lack each of its parts; only the number of the next page may be missing, or null"""
    found = 0
    for _, _, operation in operations(document):
        for content in operation["responses"].get("200", {}).get("content", {}).values():
            properties = content.get("schema", {}).get("properties", {})
            if {"values", "isLastPage"} <= set(properties):
                content["schema"] = page_of(properties["values"]["items"])
                found += 1
    return found > 0


@note
def people_and_groups(document):
    """it lets people and groups lack the fields by which they are told apart"""
    schemas = document["components"]["schemas"]
    user = ["name", "id", "slug", "displayName", "active", "type"]
    schemas["RestApplicationUser"]["required"] = user
    schemas["RestDetailedUser"]["required"] = [*user, "directoryName", "deletable", "mutableDetails", "mutableGroups"]
    schemas["RestDetailedGroup"]["required"] = ["name", "deletable"]
    schemas["RestPermittedGroup"]["required"] = ["group", "permission"]
    schemas["RestPermittedUser"]["required"] = ["user", "permission"]
    schemas["RestErrorMessage"]["required"] = ["message"]
    schemas["RestErrorMessage"]["properties"]["context"]["nullable"] = True
    schemas["RestErrorMessage"]["properties"]["exceptionName"]["nullable"] = True
    return True


if __name__ == "__main__":
    source, copy = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        description = json.load(file)
    for change in NOTES:
        assert change(description), f"{change.__name__} has nothing to change: {change.__doc__}"
        print(f"excepted: {change.__doc__}")
    with open(copy, "w", encoding="utf-8") as file:
        json.dump(description, file)
