//! Who may ask, and global permissions.

use super::*;
use serde_json::json;

/// Every call with the least that it needs.
const CALLS: [(&str, &str, Option<Permission>); 24] = [
    ("GET", "/users", None),
    ("GET", "/users/ana", None),
    ("GET", "/groups", Some(Permission::LicensedUser)),
    ("GET", "/admin/users", Some(Permission::LicensedUser)),
    ("GET", "/admin/groups", Some(Permission::LicensedUser)),
    (
        "GET",
        "/admin/groups/more-members?context=a",
        Some(Permission::LicensedUser),
    ),
    (
        "GET",
        "/admin/groups/more-non-members?context=a",
        Some(Permission::LicensedUser),
    ),
    (
        "GET",
        "/admin/users/more-members?context=a",
        Some(Permission::LicensedUser),
    ),
    (
        "GET",
        "/admin/users/more-non-members?context=a",
        Some(Permission::LicensedUser),
    ),
    ("POST", "/admin/users", Some(Permission::Admin)),
    ("PUT", "/admin/users", Some(Permission::Admin)),
    ("DELETE", "/admin/users", Some(Permission::Admin)),
    ("POST", "/admin/users/rename", Some(Permission::Admin)),
    ("PUT", "/admin/users/credentials", Some(Permission::Admin)),
    ("POST", "/admin/users/add-groups", Some(Permission::Admin)),
    ("POST", "/admin/users/remove-group", Some(Permission::Admin)),
    ("POST", "/admin/groups", Some(Permission::Admin)),
    ("DELETE", "/admin/groups", Some(Permission::Admin)),
    ("POST", "/admin/groups/add-users", Some(Permission::Admin)),
    ("GET", "/admin/user-directories", Some(Permission::Admin)),
    ("GET", "/admin/license", Some(Permission::Admin)),
    ("GET", "/admin/permissions/groups", Some(Permission::Admin)),
    ("PUT", "/admin/permissions/users", Some(Permission::Admin)),
    (
        "DELETE",
        "/admin/permissions/groups",
        Some(Permission::Admin),
    ),
];

#[tokio::test]
async fn who_is_known_but_not_allowed_gets_401_with_their_name() {
    let world = world().await;
    for (method, path, needed) in CALLS {
        for base in [ONE, LATEST] {
            let url = world.at(&format!("{base}{path}"));
            let request = || world.http.request(method.parse().unwrap(), &url);
            let nobody = send(request()).await;
            assert_eq!(nobody.status(), 401, "{method} {path}");
            assert_eq!(field(&nobody, "x-ausername"), "");
            let ana = send(request().basic_auth("ana", Some(PASSWORD))).await;
            assert_eq!(field(&ana, "x-ausername"), "ana");
            if needed == Some(Permission::Admin) {
                assert_eq!(ana.status(), 401, "{method} {path}");
                assert!(field(&ana, "www-authenticate").starts_with("OAuth realm="));
                let body: Value = ana.json().await.unwrap();
                let name = &body["errors"][0]["exceptionName"];
                assert_eq!(name, "com.atlassian.bitbucket.AuthorisationException");
            } else {
                assert_eq!(ana.status(), 200, "{method} {path}");
            }
            // The administrator gets as far as being told what is missing.
            let admin = send(request().basic_auth("portcullis", Some(ADMIN_PASSWORD))).await;
            assert_ne!(admin.status(), 401, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn administrative_calls_take_oauth_tokens_and_no_access_tokens() {
    let world = world().await;
    let people = world.people();
    let access = people
        .issue_token("portcullis", TokenKind::AccessToken)
        .unwrap();
    let oauth = people.issue_token("portcullis", TokenKind::OAuth).unwrap();
    let ask = |path: &str, token: &Secret<String>| {
        world
            .get(&format!("{LATEST}{path}"))
            .bearer_auth(token.expose())
    };
    for path in ["/admin/users", "/admin/license"] {
        let request = ask(path, &access);
        refused(request, 401, "AuthorisationException", "not permitted").await;
        let answer = send(ask(path, &access)).await;
        assert_eq!(field(&answer, "x-ausername"), "portcullis");
        assert_eq!(send(ask(path, &oauth)).await.status(), 200);
        // In the place of the password it is the same token, and only its owner's.
        let request = world.call_of("Portcullis", access.expose(), "GET", path);
        refused(request, 401, "AuthorisationException", "not permitted").await;
        let request = world.call_of("ana", access.expose(), "GET", path);
        refused(request, 401, "IncorrectPasswordAuthenticationException", "").await;
    }
    assert_eq!(send(ask("/users", &access)).await.status(), 200);
    world.bitbucket.set_access_tokens_administer(true);
    assert_eq!(send(ask("/admin/users", &access)).await.status(), 200);
}

#[tokio::test]
async fn permissions_are_granted_shown_and_revoked() {
    let world = world().await;
    for name in ["dev", "qa"] {
        world.people().add_group(name).unwrap();
    }
    world.people().add_user(Account::new("ben")).unwrap();
    let path = "/admin/permissions/groups?name=DEV&name=qa&permission=PROJECT_CREATE";
    done(world.call("PUT", path), 204).await;
    let path = "/admin/permissions/users?name=ben&permission=LICENSED_USER";
    done(world.call("PUT", path), 204).await;
    assert_eq!(
        world.people().user("ben").unwrap().granted,
        Some(Permission::LicensedUser)
    );

    let page = json(world.call("GET", "/admin/permissions/groups?limit=2")).await;
    assert_eq!(
        page["values"],
        json!([
            { "group": { "name": "bitbucket-admins" }, "permission": "ADMIN" },
            { "group": { "name": "bitbucket-sysadmins" }, "permission": "SYS_ADMIN" },
        ])
    );
    let page = json(world.call("GET", "/admin/permissions/groups?filter=dev")).await;
    assert_eq!(
        page["values"],
        json!([{ "group": { "name": "dev" }, "permission": "PROJECT_CREATE" }])
    );
    let page = json(world.call("GET", "/admin/permissions/users?filter=ben")).await;
    let entry = &page["values"][0];
    assert_eq!(
        (&entry["user"]["name"], &entry["permission"]),
        (&json!("ben"), &json!("LICENSED_USER"))
    );
    assert_eq!(
        entry["user"]["mutableDetails"],
        Value::Null,
        "the public view"
    );
    let page = json(world.call("GET", "/admin/permissions/users/none")).await;
    assert_eq!(names(&page), ["ana"], "what groups give does not count");

    done(
        world.call("DELETE", "/admin/permissions/groups?name=qa"),
        204,
    )
    .await;
    done(
        world.call("DELETE", "/admin/permissions/users?name=ben"),
        204,
    )
    .await;
    let page = json(world.call("GET", "/admin/permissions/groups/none")).await;
    assert_eq!(page["values"], json!([{ "name": "qa", "deletable": true }]));
    assert_eq!(world.people().user("ben").unwrap().permission, None);
}

#[tokio::test]
async fn permissions_are_refused_for_every_reason_that_there_is() {
    let world = world().await;
    world.add_root();
    world
        .people()
        .grant_user("root", Some(Permission::SysAdmin))
        .unwrap();
    let check = async |method: &str, path: &str, status: u16, exception: &str| {
        let path = format!("/admin/permissions/{path}");
        refused(world.call(method, &path), status, exception, "").await;
    };
    let invalid = "ArgumentValidationException";
    check("PUT", "users?name=ana&permission=OWNER", 400, invalid).await;
    check("PUT", "users?name=ana", 400, invalid).await;
    check("PUT", "groups?permission=ADMIN", 400, invalid).await;
    check("DELETE", "groups", 400, invalid).await;
    let more = "AuthorisationException";
    check("PUT", "users?name=ana&permission=SYS_ADMIN", 401, more).await;
    check(
        "PUT",
        "groups?name=stash-users&permission=SYS_ADMIN",
        401,
        more,
    )
    .await;
    let (user, group) = ("NoSuchUserException", "NoSuchGroupException");
    check("PUT", "users?name=ana&name=x&permission=ADMIN", 404, user).await;
    check("PUT", "groups?name=x&permission=ADMIN", 404, group).await;
    check("DELETE", "users?name=x", 404, user).await;
    check("DELETE", "groups?name=x", 404, group).await;
    let conflict = "IntegrityException";
    check(
        "PUT",
        "users?name=root&permission=LICENSED_USER",
        409,
        conflict,
    )
    .await;
    check("DELETE", "users?name=root", 409, conflict).await;
    check(
        "PUT",
        "groups?name=bitbucket-sysadmins&permission=ADMIN",
        409,
        conflict,
    )
    .await;
    check("DELETE", "groups?name=bitbucket-sysadmins", 409, conflict).await;
    check(
        "PUT",
        "users?name=portcullis&permission=LICENSED_USER",
        409,
        conflict,
    )
    .await;
    check("DELETE", "users?name=portcullis", 409, conflict).await;
    assert_eq!(world.people().user("ana").unwrap().granted, None);
}

#[tokio::test]
async fn a_call_that_a_form_could_make_needs_a_field_that_no_form_sends() {
    let world = world().await;
    let post = || {
        world
            .call("POST", "/admin/groups?name=dev")
            .form(&[("a", "b")])
    };
    assert_eq!(send(post()).await.status(), 403);
    let checked = post().header("x-atlassian-token", "no-check");
    assert_eq!(send(checked).await.status(), 200);
}
