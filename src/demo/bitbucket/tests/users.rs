//! Calls about people.

use super::*;
use serde_json::json;

const CREATE: &str = "/admin/users?name=Eva.M@x&displayName=Eva%20M%C3%BCller\
                      &emailAddress=eva@example.com&password=s3cret&addToDefaultGroup=true";

fn query(fields: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new("/admin/users?".to_owned());
    query.extend_pairs(fields).finish()
}

#[tokio::test]
async fn creation_takes_parameters_of_the_query_and_answers_nothing() {
    let world = world().await;
    done(world.call("POST", CREATE), 204).await;
    let eva = world.people().user("eva.m@X").unwrap();
    assert_eq!(
        (eva.username.as_str(), eva.slug.as_str(), eva.name.as_str()),
        ("Eva.M@x", "eva.m_x", "Eva Müller")
    );
    assert_eq!(
        (eva.email.as_str(), eva.groups),
        ("eva@example.com", vec!["stash-users".to_owned()])
    );
    assert_eq!(eva.permission, Some(Permission::LicensedUser));
    assert!(world.people().has_password("eva.m@x", "s3cret"));

    // The default is to add, and a body is no place for the parameters.
    let path = "/admin/users?name=b&displayName=B&emailAddress=b@c&password=p";
    done(world.call("POST", path), 204).await;
    assert_eq!(world.people().groups_of("b"), ["stash-users"]);
    let path =
        "/admin/users?name=c&displayName=C&emailAddress=c@c&password=p&addToDefaultGroup=false";
    done(world.call("POST", path), 204).await;
    assert!(world.people().groups_of("c").is_empty());
    assert_eq!(world.people().user("c").unwrap().permission, None);
    let body = json!({ "name": "d", "displayName": "D", "emailAddress": "d@d", "password": "p" });
    let request = world.call("POST", "/admin/users").json(&body);
    refused(request, 400, "ArgumentValidationException", "\"name\"").await;
}

#[tokio::test]
async fn creation_says_what_is_wrong() {
    let world = world().await;
    let full = [
        ("name", "d"),
        ("displayName", "D"),
        ("emailAddress", "d@d"),
        ("password", "p"),
    ];
    for missing in 0..full.len() {
        let mut some = full.to_vec();
        let (name, _) = some.remove(missing);
        let request = world.call("POST", &query(&some));
        refused(request, 400, "ArgumentValidationException", name).await;
        some.push((name, " "));
        let request = world.call("POST", &query(&some));
        refused(request, 400, "ArgumentValidationException", name).await;
    }
    for address in ["nobody", "@b", "a@", "a b@c"] {
        let mut some = full;
        some[2].1 = address;
        let request = world.call("POST", &query(&some));
        refused(request, 400, "ArgumentValidationException", "e-mail").await;
    }
    let notified = format!("{CREATE}&notify=true");
    refused(
        world.call("POST", &notified),
        400,
        "ArgumentValidationException",
        "mail",
    )
    .await;
    let again = CREATE.replace("Eva.M@x", "ANA");
    refused(
        world.call("POST", &again),
        409,
        "IntegrityException",
        "already exists",
    )
    .await;
    assert_eq!(world.people().users().len(), 2);
}

#[tokio::test]
async fn slugs_that_are_alike_get_a_number() {
    let world = world().await;
    for name in ["a b", "A/B", "a_b", "Ünal"] {
        world.people().add_user(Account::new(name)).unwrap();
    }
    let slug = |name| world.people().user(name).unwrap().slug;
    assert_eq!(
        [slug("a b"), slug("a/b"), slug("A_B"), slug("ünal")],
        ["a_b", "a_b1", "a_b2", "_nal"]
    );
    let one = json(world.call("GET", "/users/a_b1")).await;
    assert_eq!(one["name"], "A/B");
    let path = "/users/a%2Fb";
    refused(world.call("GET", path), 404, "NoSuchUserException", "a/b").await;
}

#[tokio::test]
async fn an_administrator_sees_more_of_people_than_others() {
    let clock = Clock::manual(crate::clock::Timestamp::from_secs(1_800_000_000));
    let world = world_of(Setup::plain(clock)).await;
    world.people().add_user(Account::new("Zoë")).unwrap();
    let page = json(world.call("GET", "/admin/users?filter=zo%C3%AB")).await;
    let id = world.people().user("zoë").unwrap().id;
    let user = json!({
        "id": id, "name": "Zoë", "slug": "zo_", "displayName": "Zoë", "active": true,
        "emailAddress": "zo_@example.com", "type": "NORMAL",
        "links": { "self": [{ "href": world.at("/users/zo%5F") }] },
    });
    let mut detailed = user.clone();
    let more = json!({
        "directoryName": "Bitbucket Internal Directory", "deletable": true,
        "mutableDetails": true, "mutableGroups": true,
    });
    for (name, value) in more.as_object().unwrap() {
        detailed[name] = value.clone();
    }
    assert_eq!(
        page,
        json!({
            "size": 1, "limit": 25, "start": 0, "isLastPage": true, "nextPageStart": null,
            "values": [detailed],
        })
    );
    let page = json(world.call("GET", "/users?filter=ZO_@")).await;
    assert_eq!(page["values"], json!([user]));
    assert_eq!(json(world.call("GET", "/users/ZO_")).await, user);
    // Who asks has just been there.
    let page = json(world.call("GET", "/admin/users?filter=portcullis")).await;
    let at = &page["values"][0]["lastAuthenticationTimestamp"];
    assert_eq!(at, &json!(1_800_000_000_000_u64));
    let both = json(
        world
            .http
            .get(world.at(&format!("{ONE}/admin/users")))
            .basic_auth("ana", Some(PASSWORD)),
    )
    .await;
    assert_eq!(names(&both), ["ana", "portcullis", "Zoë"]);
}

#[tokio::test]
async fn filters_are_substrings_and_pages_skip_what_they_leave_out() {
    let world = world().await;
    for (username, name, email) in [
        ("b1", "Bea", "b1@example.com"),
        ("b2", "Xaver", "b2@example.com"),
        ("b3", "Xenia", "b3@example.com"),
        ("b4", "Bo", "XYZ@example.com"),
    ] {
        let account = Account {
            name: name.to_owned(),
            email: email.to_owned(),
            ..Account::new(username)
        };
        world.people().add_user(account).unwrap();
    }
    let page = |path: &'static str| {
        let request = world.call("GET", path);
        async { json(request).await }
    };
    assert_eq!(
        names(&page("/admin/users?filter=x&limit=2").await),
        ["ana", "b1"]
    );
    let first = page("/admin/users?filter=X&limit=1&start=2").await;
    assert_eq!(names(&first), ["b2"]);
    let first = page("/users?filter=XA&limit=1").await;
    assert_eq!(
        (names(&first), &first["isLastPage"]),
        (vec!["ana"], &json!(false))
    );
    assert_eq!(first["nextPageStart"], 1);
    let found = page("/users?filter=x%C3%A9").await;
    assert!(names(&found).is_empty());

    world.bitbucket.set_page_cap(2);
    let capped = page("/admin/users?limit=500").await;
    assert_eq!((&capped["limit"], &capped["size"]), (&json!(2), &json!(2)));
    let wrong = world.call("GET", "/admin/users?limit=0");
    refused(wrong, 400, "ArgumentValidationException", "limit").await;
}

#[tokio::test]
async fn the_public_search_knows_groups_and_permissions() {
    let world = world().await;
    world.people().add_user(Account::new("ben")).unwrap();
    world.people().add_group("dev").unwrap();
    world.people().join("ben", "DEV").unwrap();
    let found = async |query: &str| {
        let page = json(world.call("GET", &format!("/users?{query}"))).await;
        names(&page).join(",")
    };
    assert_eq!(found("group=Dev").await, "ben");
    assert_eq!(found("group=none").await, "");
    assert_eq!(found("permission=LICENSED_USER").await, "ana,portcullis");
    assert_eq!(
        found("permission.1=LICENSED_USER&permission.2=ADMIN").await,
        "portcullis"
    );
    assert_eq!(found("permissions=x").await, "ana,ben,portcullis");
    for permission in ["REPO_READ", "licensed_user", ""] {
        let request = world.call("GET", &format!("/users?permission={permission}"));
        refused(request, 400, "ArgumentValidationException", "permission").await;
    }
}

#[tokio::test]
async fn an_update_takes_email_and_nothing_that_it_does_not_know() {
    let world = world().await;
    let put = |body: Value| world.call("PUT", "/admin/users").json(&body);
    let user = json(put(
        json!({ "name": "ANA", "displayName": "Ana S.", "email": "ana@new.example" }),
    ))
    .await;
    assert_eq!(
        (&user["name"], &user["displayName"], &user["emailAddress"]),
        (&json!("ana"), &json!("Ana S."), &json!("ana@new.example"))
    );
    assert_eq!(user["directoryName"], "Bitbucket Internal Directory");
    for field in ["active", "emailAddress", "password"] {
        let mut body = json!({ "name": "ana", "displayName": "A", "email": "a@b" });
        body[field] = json!(true);
        let message = format!("Unrecognized field \"{field}\"");
        refused(put(body), 400, "UnrecognizedPropertyException", &message).await;
    }
    for (field, value) in [("name", "  "), ("displayName", ""), ("email", "nothing")] {
        let mut body = json!({ "name": "ana", "displayName": "A", "email": "a@b" });
        body[field] = json!(value);
        refused(put(body.clone()), 400, "ArgumentValidationException", "").await;
        body[field] = Value::Null;
        refused(put(body), 400, "ArgumentValidationException", field).await;
    }
    let unknown = json!({ "name": "nobody", "displayName": "A", "email": "a@b" });
    refused(put(unknown), 404, "NoSuchUserException", "nobody").await;
    let request = world.call("PUT", "/admin/users");
    let broken = request.header("content-type", "application/json").body("{");
    refused(broken, 400, "JsonParseException", "").await;
    let request = world.call("PUT", "/admin/users").body("{}");
    assert_eq!(send(request).await.status(), 415);
    assert_eq!(world.people().user("ana").unwrap().name, "Ana S.");
}

#[tokio::test]
async fn a_person_keeps_all_but_the_name_when_renamed() {
    let world = world().await;
    let post = |body: Value| world.call("POST", "/admin/users/rename").json(&body);
    let before = world.people().user("ana").unwrap();
    let user = json(post(json!({ "name": "ana", "newName": "Ana Maria" }))).await;
    assert_eq!(
        (&user["name"], &user["slug"]),
        (&json!("Ana Maria"), &json!("ana_maria"))
    );
    let after = world.people().user("ana maria").unwrap();
    assert_eq!((after.id, after.groups), (before.id, before.groups));
    // A change of case alone is no collision with oneself.
    let user = json(post(json!({ "name": "ana maria", "newName": "ANA MARIA" }))).await;
    assert_eq!(user["slug"], "ana_maria");
    let taken = json!({ "name": "ana maria", "newName": "Portcullis" });
    refused(post(taken), 409, "IntegrityException", "already exists").await;
    let unknown = json!({ "name": "ana", "newName": "b" });
    refused(post(unknown), 404, "NoSuchUserException", "ana").await;
    refused(
        post(json!({ "name": "ana maria" })),
        400,
        "ArgumentValidationException",
        "newName",
    )
    .await;
}

#[tokio::test]
async fn a_new_password_is_said_twice() {
    let world = world().await;
    let put = |body: Value| world.call("PUT", "/admin/users/credentials").json(&body);
    let body = json!({ "name": "ana", "password": "new", "passwordConfirm": "new" });
    done(put(body), 204).await;
    assert!(world.people().has_password("ana", "new"));
    let other = json!({ "name": "ana", "password": "new", "passwordConfirm": "old" });
    refused(put(other), 400, "ArgumentValidationException", "same").await;
    let unknown = json!({ "name": "x", "password": "new", "passwordConfirm": "new" });
    refused(put(unknown), 404, "NoSuchUserException", "x").await;
}

#[tokio::test]
async fn deletion_shows_who_is_gone_and_never_takes_whoever_asks() {
    let world = world().await;
    let token = world.people().issue_token("ana", TokenKind::OAuth).unwrap();
    let gone = json(world.call("DELETE", "/admin/users?name=ANA")).await;
    assert_eq!(
        (&gone["name"], &gone["deletable"]),
        (&json!("ana"), &json!(true))
    );
    assert_eq!(world.people().user("ana"), None);
    assert!(
        !world
            .people()
            .members("stash-users")
            .contains(&"ana".to_owned())
    );
    let by_token = world
        .get(&format!("{ONE}/users"))
        .bearer_auth(token.expose());
    assert_eq!(send(by_token).await.status(), 401);
    let path = "/admin/users?name=ana";
    refused(
        world.call("DELETE", path),
        404,
        "NoSuchUserException",
        "ana",
    )
    .await;
    let own = world.call("DELETE", "/admin/users?name=portcullis");
    refused(own, 409, "IntegrityException", "own").await;
    refused(
        world.call("DELETE", "/admin/users"),
        400,
        "ArgumentValidationException",
        "name",
    )
    .await;
}

#[tokio::test]
async fn whoever_has_more_is_out_of_reach() {
    let world = world().await;
    world.add_root();
    let name = "AuthorisationException";
    let put = |path, body: Value| world.call("PUT", path).json(&body);
    let update = json!({ "name": "root", "displayName": "R", "email": "r@r" });
    refused(put("/admin/users", update), 401, name, "higher").await;
    let password = json!({ "name": "root", "password": "p", "passwordConfirm": "p" });
    refused(
        put("/admin/users/credentials", password),
        401,
        name,
        "higher",
    )
    .await;
    let rename = json!({ "name": "root", "newName": "r" });
    refused(
        world.call("POST", "/admin/users/rename").json(&rename),
        401,
        name,
        "higher",
    )
    .await;
    let delete = world.call("DELETE", "/admin/users?name=root");
    refused(delete, 403, "ForbiddenException", "higher").await;
    let as_root = world.call_of("root", "root's", "DELETE", "/admin/users?name=portcullis");
    assert_eq!(send(as_root).await.status(), 200);
}

#[tokio::test]
async fn people_of_other_directories_can_be_read_and_not_written() {
    let world = world().await;
    for (username, directory) in [
        ("lee", Directory::ReadOnly),
        ("lou", Directory::LocalGroups),
    ] {
        let account = Account {
            directory,
            active: username == "lou",
            ..Account::new(username)
        };
        world.people().add_user(account).unwrap();
    }
    let page = json(world.call("GET", "/admin/users?filter=l@")).await;
    assert!(names(&page).is_empty());
    let page = json(world.call("GET", "/admin/users?filter=example&start=1")).await;
    let flags: Vec<_> = page["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| {
            [
                "name",
                "active",
                "mutableDetails",
                "mutableGroups",
                "deletable",
            ]
            .map(|field| user[field].to_string())
            .join(" ")
        })
        .collect();
    assert_eq!(
        flags,
        [
            "\"lee\" false false false false",
            "\"lou\" true false true false",
            "\"portcullis\" true true true true",
        ]
    );
    for name in ["lee", "lou"] {
        let body = json!({ "name": name, "displayName": "L", "email": "l@l" });
        let request = world.call("PUT", "/admin/users").json(&body);
        refused(request, 409, "IntegrityException", "read-only").await;
        let request = world.call("DELETE", &format!("/admin/users?name={name}"));
        refused(request, 409, "IntegrityException", "read-only").await;
    }
    let list = json(world.call("GET", "/admin/user-directories?includeInactive=true")).await;
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(
        (&list[0]["name"], &list[0]["type"], &list[0]["active"]),
        (
            &json!("Bitbucket Internal Directory"),
            &json!("Internal"),
            &json!(true)
        )
    );
}

#[tokio::test]
async fn a_read_only_bitbucket_creates_nobody() {
    let world = world().await;
    world.bitbucket.set_read_only_directory(true);
    refused(
        world.call("POST", CREATE),
        409,
        "IntegrityException",
        "read-only",
    )
    .await;
    let taken = CREATE.replace("Eva.M@x", "ana");
    refused(
        world.call("POST", &taken),
        409,
        "IntegrityException",
        "exists",
    )
    .await;
    let page = json(world.call("GET", "/admin/users?filter=ana")).await;
    assert_eq!(page["values"][0]["mutableDetails"], false);
    world.bitbucket.set_read_only_directory(false);
    done(world.call("POST", CREATE), 204).await;
}
