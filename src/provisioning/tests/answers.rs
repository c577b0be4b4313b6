//! Everything that Bitbucket, or something in front of it, can answer.

use super::world::sign_in;
use super::*;

/// Somebody new with a new group, where `METHOD /path` is answered like this: the code of the error.
async fn code(what: &str, answers: Vec<Canned>) -> Result<Plan, (&'static str, String)> {
    let world = World::new().await.set(|config| {
        config.groups.mode = GroupMode::OnTheFly;
        config.groups.create_missing = true;
    });
    world.fake.can(what, answers);
    let done = sign_in(&world.provisioner(), &candidate("ana", &["dev"])).await;
    let outcome = if done.is_ok() { "created" } else { "failed" };
    world.counted(outcome, 1);
    done.map_err(|error| {
        assert!(!error.is_refusal());
        (error.code(), error.to_string())
    })
}

async fn check(what: &str, answer: Canned, want: &str, says: &str) {
    match code(what, vec![answer.clone()]).await {
        Ok(_) => panic!("{what} answered {answer:?} is fine"),
        Err((code, text)) => {
            assert_eq!(code, want, "{what} {answer:?}: {text}");
            assert!(text.contains(says), "{text}");
        }
    }
}

const READ: &str = "GET /admin/users";
const MAKE: &str = "POST /admin/users";
const ADD: &str = "POST /admin/users/add-groups";

fn html(status: u16) -> Canned {
    let kind = ("content-type", "text/html; charset=utf-8".to_owned());
    Canned::Text(status, vec![kind], "<html>Log in</html>".into())
}

#[tokio::test]
async fn a_401_is_wrong_credentials_or_a_missing_permission() {
    let denied = Canned::error(401, "AuthorisationException", "You are not permitted");
    check(
        READ,
        denied.clone(),
        "bitbucket_credentials",
        "username and password",
    )
    .await;
    let known = denied.with("X-AUSERNAME", "svc");
    check(READ, known.clone(), "bitbucket_forbidden", "\"svc\"").await;
    check(MAKE, known, "bitbucket_forbidden", "ADMIN").await;
    check(READ, html(401), "bitbucket_credentials", "no reason given").await;
    let captcha = html(403).with("X-Authentication-Denied-Reason", "CAPTCHA_CHALLENGE; x");
    check(READ, captcha, "bitbucket_captcha", "CAPTCHA").await;
}

#[tokio::test]
async fn a_full_licence_is_told_as_such() {
    for (status, exception, message) in [
        (403, "user.LicenseLimitException", "Too many"),
        (403, "ForbiddenException", "would exceed your licence"),
        (409, "X", "the LICENSE limit"),
    ] {
        let answer = Canned::error(status, exception, message);
        check(ADD, answer.clone(), "bitbucket_licence", "free a seat").await;
        if status != 409 {
            check(MAKE, answer, "bitbucket_licence", message).await;
        }
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_to_is_told_as_such() {
    for status in [400, 403, 500] {
        let message = "The user directory is read-only";
        let answer = Canned::error(status, "X", message);
        check(MAKE, answer, "bitbucket_read_only", message).await;
    }
}

#[tokio::test]
async fn a_404_that_is_not_bitbuckets_is_a_wrong_address() {
    for answer in [
        html(404),
        Canned::json(404, json!({ "message": "null for uri" })),
        Canned::error(404, "X", "what"),
    ] {
        check(READ, answer, "bitbucket_address", "context path").await;
    }
    let missing = Canned::error(404, "user.NoSuchGroupException", "No such group \"dev\"");
    check(ADD, missing, "bitbucket_missing", "NoSuchGroupException").await;
}

#[tokio::test]
async fn other_statuses_are_told_with_bitbuckets_words() {
    let broken = Canned::error(500, "X", "ca\u{1b}t\nx");
    check(READ, broken, "bitbucket_status", "500: \"ca?t?x\" (X)").await;
    check(READ, html(503), "bitbucket_status", "503: no reason given").await;
    let bad = Canned::json(400, json!({ "errors": [{ "message": "bad" }] }));
    check(MAKE, bad, "bitbucket_status", "400: \"bad\"").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Canned::Text(302, vec![("location", "/login".into())], String::new());
    check(READ, elsewhere.clone(), "bitbucket_redirects", "302").await;
    check(ADD, elsewhere, "bitbucket_redirects", "302").await;
}

#[tokio::test]
async fn what_is_no_json_is_told_as_such() {
    let page = "a page of HTML";
    check(READ, html(200), "bitbucket_not_json", page).await;
    let unmarked = Canned::Text(200, Vec::new(), "\n <!doctype html>".into());
    check(READ, unmarked, "bitbucket_not_json", page).await;
    // A login page is no success of a write, whose answer has no body otherwise.
    check(MAKE, html(200), "bitbucket_not_json", page).await;
    check(ADD, html(200), "bitbucket_not_json", page).await;
    let nothing = Canned::Text(200, Vec::new(), String::new());
    check(READ, nothing, "bitbucket_not_json", "nothing").await;
    for text in ["{\"values\":[{\"na", "[1,2", &"[".repeat(100_000)] {
        let cut = Canned::Text(200, Vec::new(), text.into());
        check(READ, cut, "bitbucket_not_json", "cannot be read").await;
    }
}

#[tokio::test]
async fn pages_that_lead_nowhere_are_left() {
    let page = |body| Canned::json(200, body);
    for (body, code) in [
        (json!([]), "bitbucket_answer"),
        (json!({ "values": {} }), "bitbucket_answer"),
        (json!({ "values": [] }), "bitbucket_answer"),
        (
            json!({ "values": [], "isLastPage": false }),
            "bitbucket_answer",
        ),
        (
            json!({ "values": [], "nextPageStart": 0 }),
            "bitbucket_pages",
        ),
        (
            json!({ "values": [], "nextPageStart": -1 }),
            "bitbucket_answer",
        ),
    ] {
        check(READ, page(body), code, "the search for people").await;
    }
    // Strange entries are nobody.
    let odd = json!({ "values": [null, 1, "ana", {}, { "name": 1 }], "isLastPage": true });
    code(READ, vec![page(odd)]).await.unwrap();
}

#[tokio::test]
async fn there_is_an_end_to_pages() {
    let mut world = World::new().await;
    world.limits.entries = 10;
    let page = |n: u64| {
        let next = (n + 1) * 7;
        Canned::json(
            200,
            json!({ "values": [], "isLastPage": false, "nextPageStart": next }),
        )
    };
    world.fake.can(READ, (0..20).map(page));
    let error = world.provisioner().find(&candidate("ana", &[])).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), "bitbucket_too_many");
    assert_eq!(world.fake.asked().len(), 10);
    assert_eq!(world.fake.last(READ).query["start"], "63");
}

#[tokio::test]
async fn endless_and_broken_answers_are_left() {
    check(
        READ,
        Canned::Endless,
        "bitbucket_answer_too_large",
        "4194304",
    )
    .await;
    check(READ, Canned::Cut, "bitbucket_broke_off", "the search").await;
    check(ADD, Canned::Endless, "bitbucket_answer_too_large", "groups").await;
}

#[tokio::test]
async fn too_many_requests_are_made_again_and_not_for_ever() {
    let wait = |after: &str| html(429).with("Retry-After", after);
    let past = "Thu, 01 Jan 1970 00:00:01 GMT";
    let some = vec![wait("0"), html(429), wait(past)];
    for what in [READ, MAKE, ADD] {
        code(what, some.clone()).await.unwrap();
    }
    let (error, _) = code(READ, vec![wait("0"); 5]).await.unwrap_err();
    assert_eq!(error, "bitbucket_rate_limit");
    // Longer than anybody waits.
    for after in ["3600", "Thu, 01 Jan 2099 00:00:00 GMT"] {
        let (error, _) = code(READ, vec![wait(after)]).await.unwrap_err();
        assert_eq!(error, "bitbucket_rate_limit");
    }
}

#[tokio::test]
async fn somebody_new_may_be_invisible_for_a_moment() {
    let unknown = Canned::error(404, "user.NoSuchUserException", "No such user");
    code(ADD, vec![unknown.clone(), unknown.clone()])
        .await
        .unwrap();
    let (error, _) = code(ADD, vec![unknown.clone(); 5]).await.unwrap_err();
    assert_eq!(error, "bitbucket_missing");
    // The password stays the first one then, and nothing else suffers.
    code("PUT /admin/users/credentials", vec![html(404)])
        .await
        .unwrap();
}

fn nobody() -> Canned {
    Canned::json(200, json!({ "values": [], "isLastPage": true }))
}

#[tokio::test]
async fn somebody_made_must_be_shown() {
    // The first read is the search, the others look for who was made.
    code(READ, vec![nobody(); 3]).await.unwrap();
    let (error, text) = code(READ, vec![nobody(); 6]).await.unwrap_err();
    assert_eq!(error, "account_not_shown", "{text}");
}

#[tokio::test]
async fn somebody_else_may_make_the_account_meanwhile() {
    let world = World::new().await.set(|config| {
        config.groups.mode = GroupMode::OnTheFly;
    });
    world.person("ana", &[]).await;
    world.group_names(&["dev"]).await;
    // Not there when looked for, and there when it is made.
    world.fake.can(READ, [nobody()]);
    let mut who = candidate("ana", &["dev"]);
    who.person.display_name = DisplayName::parse("Ana Silva").ok();
    let plan = sign_in(&world.provisioner(), &who).await.unwrap();
    assert!(
        matches!(plan.account, AccountChange::Update { .. }),
        "{plan}"
    );
    assert_eq!(world.groups_of("ana").await, ["dev"]);
    world.counted("updated", 1);
    // It is said to be there, and is not.
    world.fake.can(READ, [nobody(), nobody()]);
    let error = sign_in(&world.provisioner(), &who).await.unwrap_err();
    assert_eq!(error.code(), "account_not_shown");
}

#[tokio::test]
async fn a_name_that_is_taken_meanwhile_is_not_given_to_another_address() {
    let world = World::new().await;
    let world = world.set(|config| config.users.match_by = MatchBy::Email);
    world.person("ana", &[]).await;
    let mut who = candidate("new@example.com", &[]);
    who.person.email = Email::parse("new@example.com").ok();
    who.claimed_username = Some(name("ana"));
    // Neither the address nor the name is there at first.
    world.fake.can(READ, [nobody(), nobody()]);
    let error = sign_in(&world.provisioner(), &who).await.unwrap_err();
    assert_eq!(error.code(), "username_taken_in_bitbucket");
    assert_eq!(world.fake.writes(), [MAKE]);
    // And one with the address turns up under another name than the one that was pinned.
    world.person("new", &[]).await;
    world.fake.can(READ, [nobody(), nobody()]);
    let error = sign_in(&world.provisioner(), &who).await.unwrap_err();
    assert_eq!(error.code(), "username_taken_in_bitbucket");
    world.counted("refused", 2);
}

#[tokio::test]
async fn what_is_there_or_gone_already_is_fine() {
    let exists = Canned::error(409, "X", "This group exists");
    let world = World::new().await.set(|config| {
        config.groups.mode = GroupMode::OnTheFly;
        config.groups.create_missing = true;
        config.groups.keep_existing = false;
    });
    world.person("ana", &["old"]).await;
    world.group_names(&["dev"]).await;
    world.fake.can("GET /admin/groups", [nobody()]);
    world.fake.can("POST /admin/groups", [exists]);
    let gone = Canned::error(404, "user.NoSuchGroupException", "not a member");
    world.fake.can("POST /admin/users/remove-group", [gone]);
    sign_in(&world.provisioner(), &candidate("ana", &["dev"]))
        .await
        .unwrap();
    // But not when it is a proxy that says so.
    world
        .fake
        .can("POST /admin/users/remove-group", [html(404)]);
    let error = sign_in(&world.provisioner(), &candidate("ana", &["dev"])).await;
    assert_eq!(error.unwrap_err().code(), "bitbucket_address");
}

#[tokio::test]
async fn an_error_on_the_way_leaves_the_rest_for_the_next_sign_in() {
    let world = World::new().await.set(|config| {
        config.groups.mode = GroupMode::OnTheFly;
    });
    world.group_names(&["dev"]).await;
    world.fake.can(ADD, [html(500)]);
    let who = candidate("ana", &["dev"]);
    let provisioner = world.provisioner();
    sign_in(&provisioner, &who).await.unwrap_err();
    assert!(world.profile("ana").await.is_some());
    let plan = sign_in(&provisioner, &who).await.unwrap();
    assert_eq!(plan.changes().len(), 1);
    assert_eq!(world.groups_of("ana").await, ["dev"]);
    assert_eq!(provisioner.inner.turns.len(), 0);
}

#[tokio::test]
async fn no_message_holds_a_secret() {
    for what in [READ, MAKE, ADD] {
        for answer in [html(500), html(401), Canned::Cut, Canned::Endless] {
            let (_, text) = code(what, vec![answer]).await.unwrap_err();
            assert!(
                !text.contains("pass:word") && !text.contains("Aa1!"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn names_do_not_decide_what_an_error_is() {
    let world = World::new().await.set(|config| {
        config.groups.mode = GroupMode::OnTheFly;
        config.groups.create_missing = true;
    });
    let exists = Canned::error(409, "X", "The group \"License-Directory\" exists");
    world.group_names(&["license-directory"]).await;
    world.fake.can("GET /admin/groups", [nobody()]);
    world.fake.can("POST /admin/groups", [exists]);
    let higher = Canned::error(403, "X", "license-directory has a higher permission");
    world.fake.can(ADD, [higher]);
    let who = candidate("ana", &["license-directory"]);
    let error = sign_in(&world.provisioner(), &who).await.unwrap_err();
    assert_eq!(error.code(), "bitbucket_status", "{error}");
    let full = Canned::error(403, "X", "license-directory would exceed the license");
    world.fake.can(ADD, [full]);
    let error = sign_in(&world.provisioner(), &who).await.unwrap_err();
    assert_eq!(error.code(), "bitbucket_licence", "{error}");
}
