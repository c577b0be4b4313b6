//! Calls about groups and memberships.

use super::*;
use serde_json::json;

/// `dev` and `qa` beside the groups that are there.
async fn with_groups() -> World {
    let world = world().await;
    for name in ["dev", "QA"] {
        world.people().add_group(name).unwrap();
    }
    world
}

impl World {
    fn post(&self, path: &str, body: Value) -> RequestBuilder {
        self.call("POST", path).json(&body)
    }
}

#[tokio::test]
async fn groups_are_strings_for_everybody_and_objects_for_administrators() {
    let world = with_groups().await;
    let all = [
        "bitbucket-admins",
        "bitbucket-sysadmins",
        "dev",
        "QA",
        "stash-users",
    ];
    let page = json(world.call("GET", "/groups")).await;
    assert_eq!(page["values"], json!(all));
    assert_eq!(
        (&page["size"], &page["isLastPage"]),
        (&json!(5), &json!(true))
    );
    let page = json(world.call("GET", "/groups?filter=ADMIN&limit=1")).await;
    assert_eq!(page["values"], json!(["bitbucket-admins"]));
    assert_eq!(page["nextPageStart"], 1);
    let page = json(world.call("GET", "/admin/groups?filter=q")).await;
    assert_eq!(page["values"], json!([{ "name": "QA", "deletable": true }]));
}

#[tokio::test]
async fn a_group_is_created_by_the_query_and_shown() {
    let world = world().await;
    let path = "/admin/groups?name=New%20group";
    let made = send(world.call("POST", path)).await;
    assert_eq!(made.status(), 200);
    let made: Value = made.json().await.unwrap();
    assert_eq!(made, json!({ "name": "New group", "deletable": true }));
    let again = world.call("POST", "/admin/groups?name=NEW%20GROUP");
    refused(again, 409, "IntegrityException", "already exists").await;
    for path in ["/admin/groups", "/admin/groups?name=%20"] {
        refused(
            world.call("POST", path),
            400,
            "ArgumentValidationException",
            "name",
        )
        .await;
    }
    let gone = json(world.call("DELETE", "/admin/groups?name=new%20group")).await;
    assert_eq!(gone["name"], "New group");
    let path = "/admin/groups?name=new%20group";
    refused(
        world.call("DELETE", path),
        404,
        "NoSuchGroupException",
        "new group",
    )
    .await;
}

#[tokio::test]
async fn a_group_is_deleted_only_below_ones_own_level() {
    let world = world().await;
    let path = "/admin/groups?name=bitbucket-sysadmins";
    refused(
        world.call("DELETE", path),
        403,
        "ForbiddenException",
        "higher",
    )
    .await;
    // The administrator's permission comes from a group alone.
    world.people().grant_user("portcullis", None).unwrap();
    world
        .people()
        .join("portcullis", "bitbucket-admins")
        .unwrap();
    let path = "/admin/groups?name=bitbucket-admins";
    refused(world.call("DELETE", path), 409, "IntegrityException", "own").await;
    let leave = json!({ "context": "portcullis", "itemName": "bitbucket-admins" });
    let request = world.post("/admin/users/remove-group", leave);
    refused(request, 409, "IntegrityException", "own").await;
    assert_eq!(world.people().members("bitbucket-admins"), ["portcullis"]);
}

#[tokio::test]
async fn memberships_are_added_and_taken_from_both_sides() {
    let world = with_groups().await;
    let both = json!({ "user": "ANA", "groups": ["Dev", "qa"] });
    done(world.post("/admin/users/add-groups", both.clone()), 200).await;
    done(world.post("/admin/users/add-groups", both), 200).await;
    assert_eq!(
        world.people().groups_of("ana"),
        ["dev", "QA", "stash-users"]
    );
    let users = json!({ "group": "dev", "users": ["portcullis", "ana"] });
    done(world.post("/admin/groups/add-users", users), 200).await;
    assert_eq!(world.people().members("dev"), ["ana", "portcullis"]);
    let remove = json!({ "context": "ana", "itemName": "DEV" });
    done(world.post("/admin/users/remove-group", remove), 200).await;
    assert_eq!(world.people().groups_of("ana"), ["QA", "stash-users"]);
    // The older calls, one at a time.
    let pair = |context, item| json!({ "context": context, "itemName": item });
    done(
        world.post("/admin/users/add-group", pair("ana", "dev")),
        200,
    )
    .await;
    done(
        world.post("/admin/groups/remove-user", pair("qa", "ana")),
        200,
    )
    .await;
    done(
        world.post("/admin/groups/add-user", pair("bitbucket-admins", "ana")),
        200,
    )
    .await;
    assert_eq!(
        world.people().groups_of("ana"),
        ["bitbucket-admins", "dev", "stash-users"]
    );
}

#[tokio::test]
async fn one_missing_group_or_person_changes_nothing() {
    let world = with_groups().await;
    let body = json!({ "user": "ana", "groups": ["dev", "none"] });
    let request = world.post("/admin/users/add-groups", body);
    refused(request, 404, "NoSuchGroupException", "none").await;
    let body = json!({ "group": "dev", "users": ["ana", "none"] });
    let request = world.post("/admin/groups/add-users", body);
    refused(request, 404, "NoSuchUserException", "No such user").await;
    assert!(world.people().members("dev").is_empty());
    for (context, item, exception) in [
        ("ana", "dev", "NoSuchEntityException"),
        ("ana", "none", "NoSuchGroupException"),
        ("none", "dev", "NoSuchUserException"),
    ] {
        let body = json!({ "context": context, "itemName": item });
        let request = world.post("/admin/users/remove-group", body);
        refused(request, 404, exception, "").await;
    }
    for (path, body) in [
        (
            "/admin/users/add-groups",
            json!({ "user": "ana", "groups": [] }),
        ),
        ("/admin/users/add-groups", json!({ "user": "ana" })),
        ("/admin/users/add-groups", json!({ "groups": ["dev"] })),
        (
            "/admin/users/add-groups",
            json!({ "user": "ana", "groups": [" "] }),
        ),
        (
            "/admin/groups/add-users",
            json!({ "group": "", "users": ["ana"] }),
        ),
        ("/admin/users/remove-group", json!({ "context": "ana" })),
    ] {
        refused(
            world.post(path, body),
            400,
            "ArgumentValidationException",
            "",
        )
        .await;
    }
    let body = json!({ "name": "ana", "groups": ["dev"] });
    let request = world.post("/admin/users/add-groups", body);
    refused(request, 400, "UnrecognizedPropertyException", "name").await;
}

#[tokio::test]
async fn nobody_gives_or_takes_more_than_they_have() {
    let world = world().await;
    world.add_root();
    let body = json!({ "user": "ana", "groups": ["stash-users", "bitbucket-sysadmins"] });
    let request = world.post("/admin/users/add-groups", body);
    refused(request, 403, "ForbiddenException", "higher").await;
    let body = json!({ "context": "root", "itemName": "bitbucket-sysadmins" });
    let request = world.post("/admin/users/remove-group", body);
    refused(request, 403, "ForbiddenException", "higher").await;
    assert_eq!(world.people().members("bitbucket-sysadmins"), ["root"]);
}

#[tokio::test]
async fn a_full_licence_lets_nobody_else_in() {
    let world = with_groups().await;
    world.people().add_user(Account::new("ben")).unwrap();
    world.bitbucket.set_licence_limit(Some(2));
    let seat = json!({ "user": "ben", "groups": ["dev", "stash-users"] });
    let request = world.post("/admin/users/add-groups", seat.clone());
    refused(request, 403, "LicenseLimitException", "license limit").await;
    assert!(world.people().groups_of("ben").is_empty(), "all or nothing");
    let create = "/admin/users?name=c&displayName=C&emailAddress=c@c&password=p&addToDefaultGroup=";
    let request = world.call("POST", &format!("{create}true"));
    refused(request, 403, "LicenseLimitException", "license limit").await;
    assert_eq!(world.people().user("c"), None);
    done(world.call("POST", &format!("{create}false")), 204).await;
    // Who has a seat already takes no second one, and a group without permission takes none.
    let more = json!({ "user": "ana", "groups": ["dev", "bitbucket-admins"] });
    done(world.post("/admin/users/add-groups", more), 200).await;
    let none = json!({ "user": "ben", "groups": ["dev"] });
    done(world.post("/admin/users/add-groups", none), 200).await;
    let path = "/admin/permissions/groups?name=dev&permission=LICENSED_USER";
    refused(world.call("PUT", path), 403, "LicenseLimitException", "").await;
    let path = "/admin/permissions/users?name=ben&permission=PROJECT_CREATE";
    refused(world.call("PUT", path), 403, "LicenseLimitException", "").await;

    let licence = json(world.call("GET", "/admin/license")).await;
    assert_eq!(
        (
            &licence["maximumNumberOfUsers"],
            &licence["unlimitedNumberOfUsers"]
        ),
        (&json!(2), &json!(false))
    );
    assert_eq!(licence["status"]["currentNumberOfUsers"], 2);
    world.bitbucket.set_licence_limit(None);
    let licence = json(world.call("GET", "/admin/license")).await;
    assert_eq!(licence["unlimitedNumberOfUsers"], true);
    done(world.post("/admin/users/add-groups", seat), 200).await;
}

#[tokio::test]
async fn members_and_the_others_are_pages_of_people_or_groups() {
    let world = with_groups().await;
    world.people().add_user(Account::new("ben")).unwrap();
    world.people().join("ana", "dev").unwrap();
    let found = async |path: &str| {
        let page = json(world.call("GET", path)).await;
        names(&page).join(",")
    };
    assert_eq!(found("/admin/groups/more-members?context=DEV").await, "ana");
    assert_eq!(
        found("/admin/groups/more-members?context=stash-users&filter=an").await,
        "ana"
    );
    assert_eq!(
        found("/admin/groups/more-non-members?context=dev").await,
        "ben,portcullis"
    );
    assert_eq!(found("/admin/groups/more-members?context=none").await, "");
    assert_eq!(
        found("/admin/users/more-members?context=ANA").await,
        "dev,stash-users"
    );
    assert_eq!(
        found("/admin/users/more-members?context=ana&filter=E").await,
        "dev,stash-users"
    );
    assert_eq!(found("/admin/users/more-members?context=none").await, "");
    assert_eq!(
        found("/admin/users/more-non-members?context=ana").await,
        "bitbucket-admins,bitbucket-sysadmins,QA"
    );
    let page = json(world.call("GET", "/admin/groups/more-members?context=dev")).await;
    assert_eq!(page["values"][0]["mutableGroups"], true);
    let page = json(world.call("GET", "/admin/users/more-members?context=ana&limit=1")).await;
    assert_eq!(
        page["values"],
        json!([{ "name": "dev", "deletable": true }])
    );
    assert_eq!(page["nextPageStart"], 4, "numbers are skipped");
    for path in [
        "/admin/users/more-members",
        "/admin/groups/more-non-members?context=",
    ] {
        refused(
            world.call("GET", path),
            400,
            "ArgumentValidationException",
            "context",
        )
        .await;
    }
}

#[tokio::test]
async fn memberships_of_read_only_directories_stay_as_they_are() {
    let world = with_groups().await;
    for (username, directory) in [
        ("lee", Directory::ReadOnly),
        ("lou", Directory::LocalGroups),
    ] {
        let account = Account {
            directory,
            ..Account::new(username)
        };
        world.people().add_user(account).unwrap();
    }
    world
        .people()
        .add_group_of("ldap", Directory::ReadOnly)
        .unwrap();
    world.people().join("lee", "ldap").unwrap();
    let add = |user, group| {
        let body = json!({ "user": user, "groups": [group] });
        world.post("/admin/users/add-groups", body)
    };
    done(add("lou", "dev"), 200).await;
    refused(add("lee", "dev"), 409, "IntegrityException", "read-only").await;
    refused(add("ana", "ldap"), 409, "IntegrityException", "read-only").await;
    let body = json!({ "context": "lee", "itemName": "ldap" });
    let request = world.post("/admin/users/remove-group", body);
    refused(request, 409, "IntegrityException", "read-only").await;
    let path = "/admin/groups?name=ldap";
    refused(
        world.call("DELETE", path),
        409,
        "IntegrityException",
        "read-only",
    )
    .await;

    world.bitbucket.set_read_only_directory(true);
    refused(add("ana", "dev"), 409, "IntegrityException", "read-only").await;
    let path = "/admin/groups?name=new";
    refused(
        world.call("POST", path),
        409,
        "IntegrityException",
        "read-only",
    )
    .await;
    let page = json(world.call("GET", "/admin/groups?filter=dev")).await;
    assert_eq!(page["values"][0]["deletable"], false);
}
